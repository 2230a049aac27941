/*
 * What placement tells: see news.h.
 */
#include "engine/ddl/news.h"

#include "engine/transaction/route.h"
#include "engine/transaction/watch.h"

static void wake(ddl *of, news_topic topic)
{
    of->news[topic] = true;
    sb_condition_broadcast(&of->heard);
}

static void hear(void *context, slice key)
{
    ddl *of = context;
    if (slice_equal(key, slice_of_string(NEWS_SCHEMA))) {
        SOMETIMES(true, "news-of-the-schema");
        schema_cache_wake(of->schema);
    } else if (slice_equal(key, slice_of_string(NEWS_JOBS))) {
        SOMETIMES(true, "news-of-a-job");
        wake(of, NEWS_TOPIC_JOBS);
    } else if (slice_equal(key, slice_of_string(NEWS_OWNER))) {
        SOMETIMES(true, "news-of-the-office");
        wake(of, NEWS_TOPIC_OWNER);
    }
}

static void hear_all(ddl *of)
{
    schema_cache_wake(of->schema);
    wake(of, NEWS_TOPIC_JOBS);
    wake(of, NEWS_TOPIC_OWNER);
}

void news_run(ddl *of, session_id session, sb_duration patience, sb_scope *scope)
{
    uint64_t revision = 0;
    backoff wait;
    backoff_init(&wait);
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK) {
        const bool is_first = revision == 0;
        const sb_time asked = sb_monotonic_time();
        status = cluster_watch(of->cluster, session, &revision, patience, hear, of, scope);
        if (status == ENGINE_TOO_OLD) {
            SOMETIMES(!is_first, "news-was-missed");
            if (!is_first) {
                hear_all(of);
            }
            status = ENGINE_OK;
        } else if (status == ENGINE_TIMEOUT && sb_scope_status(scope) == SB_OK) {
            /* Nobody answers, or nothing has changed: ask again, but not in haste. */
            const bool in_haste = sb_monotonic_time() - asked < patience;
            status = in_haste ? backoff_wait(&wait, scope) : ENGINE_OK;
        } else {
            backoff_init(&wait);
        }
    }
}

engine_status news_rest(ddl *of, news_topic topic, sb_duration duration, sb_scope *scope)
{
    sb_scope until;
    sb_scope_init_timeout(&until, scope, "rest", duration);
    while (!of->news[topic] && sb_scope_status(&until) == SB_OK) {
        (void)sb_condition_wait(&of->heard, NULL, &until);
    }
    of->news[topic] = false;
    sb_scope_release(&until);
    return engine_scope_status(scope);
}
