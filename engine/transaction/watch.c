/*
 * News through placement: see watch.h.
 */
#include "engine/transaction/watch.h"

#include <string.h>

#include "engine/transaction/cluster.h"
#include "engine/wire/method_points.h"

#define PUBLISH_LIMIT SB_SECOND
#define ANSWER_GRACE (500 * SB_MILLISECOND) /* so long an answer at the last moment may take */

static engine_status take_news(const sb_reply *reply, uint64_t *revision, news_hook *hook,
                               void *context)
{
    watch_reply got;
    slice key;
    if (!watch_reply_decode(&got, slice_of(reply->data, reply->size))) {
        return ENGINE_TIMEOUT;
    }
    switch (got.head.status) {
    case REPLY_OK:
        for (cursor at = packed_cursor(got.changed); unpack_key(&at, &key);) {
            hook(context, key);
        }
        *revision = got.revision;
        return ENGINE_OK;
    case REPLY_COMPACTED:
        *revision = got.head.at;
        return ENGINE_TOO_OLD;
    case REPLY_NOT_FOUND:
        return ENGINE_NOT_FOUND;
    default:
        return ENGINE_TIMEOUT;
    }
}

engine_status cluster_watch(cluster *of, session_id session, uint64_t *revision,
                            sb_duration patience, news_hook *hook, void *context, sb_scope *scope)
{
    const watch_request ask = {
        .session = session, .after = *revision, .patience = patience, .prefix = {NULL, 0}};
    const sb_address to = of->endpoints[of->endpoint];
    buffer request;
    sb_scope limit;
    sb_reply reply;
    buffer_init(&request);
    watch_request_encode(&ask, &request);
    sb_scope_init_timeout(&limit, scope, "news from placement", patience + ANSWER_GRACE);
    const sb_status call = method_call(of->exchange, to, METHOD_WATCH, &request, &reply, &limit);
    sb_scope_release(&limit);
    buffer_release(&request);
    if (call != SB_OK) {
        const engine_status ended = engine_scope_status(scope);
        return ended == ENGINE_OK ? ENGINE_TIMEOUT : ended;
    }
    const engine_status status = take_news(&reply, revision, hook, context);
    sb_reply_release(&reply);
    return status;
}

/* ---------------------------------------------------------------------------------- publishing */

typedef struct publication {
    cluster *of;
    const char *key; /* static */
} publication;

static void publish_main(void *argument)
{
    publication *what = argument;
    const publish_request ask = {.key = slice_of_string(what->key)};
    buffer request;
    sb_scope limit;
    sb_reply reply;
    buffer_init(&request);
    publish_request_encode(&ask, &request);
    sb_scope_init_timeout(&limit, &what->of->background_scope, "publish news", PUBLISH_LIMIT);
    if (!failpoint("news-is-not-published") &&
        cluster_call(what->of, what->of->endpoints[what->of->endpoint], METHOD_PUBLISH, &request, 0,
                     &reply, &limit) == SB_OK) {
        sb_reply_release(&reply);
    }
    sb_scope_release(&limit);
    buffer_release(&request);
    sb_free(what);
}

void cluster_publish(cluster *of, const char *key)
{
    publication *what = sb_alloc(sizeof(*what));
    *what = (publication){of, key};
    sb_spawn(&of->background, publish_main, what, "publish-news");
}
