/*
 * A server's view of the cluster: who it is to storage, timestamps, and the cached region map.
 */
#include "engine/transaction/cluster.h"

#include <string.h>

/* How long closing waits for transactions that are still being finished in the background.  What is
 * left undone is locks, which whoever meets them resolves. */
#define CLOSE_GRACE (3 * SB_SECOND)

static const char *const engine_status_texts[] = {
    [ENGINE_OK] = "ok",
    [ENGINE_NOT_FOUND] = "not found",
    [ENGINE_CONFLICT] = "write conflict",
    [ENGINE_FENCED] = "session fenced",
    [ENGINE_UNKNOWN] = "outcome unknown",
    [ENGINE_TIMEOUT] = "deadline passed",
    [ENGINE_CANCELED] = "canceled",
    [ENGINE_NOT_OWNER] = "not the owner",
    [ENGINE_DUPLICATE] = "duplicate key",
    [ENGINE_TOO_OLD] = "older than the safe point",
    [ENGINE_KEY_TOO_LONG] = "key too long",
    [ENGINE_FAILED] = "failed",
};

const char *engine_status_text(engine_status status)
{
    sb_assert_op(status, <, sizeof(engine_status_texts) / sizeof(engine_status_texts[0]));
    return engine_status_texts[status];
}

engine_status engine_scope_status(const sb_scope *scope)
{
    switch (sb_scope_status(scope)) {
    case SB_OK:
        return ENGINE_OK;
    case SB_TIMEOUT:
        return ENGINE_TIMEOUT;
    default:
        return ENGINE_CANCELED;
    }
}

/* ------------------------------------------------------------------------ opening and closing */

cluster *cluster_open(sb_exchange *exchange, const sb_address *endpoints, uint32_t endpoint_count)
{
    sb_assert(exchange != NULL);
    sb_assert_op(endpoint_count, >, 0);
    cluster *of = sb_alloc_zero(sizeof(*of));
    of->exchange = exchange;
    of->endpoint_count = endpoint_count;
    of->endpoints = sb_alloc(sizeof(*endpoints) * endpoint_count);
    memcpy(of->endpoints, endpoints, sizeof(*endpoints) * endpoint_count);
    sb_condition_init(&of->refreshed, "region map");
    sb_wait_group_init(&of->background, "transactions being finished");
    sb_scope_init(&of->background_scope, NULL, "finishing transactions");
    return of;
}

void cluster_close(cluster *of)
{
    sb_scope grace;
    sb_scope_init_timeout(&grace, NULL, "cluster close", CLOSE_GRACE);
    const sb_status waited = sb_wait_group_wait(&of->background, &grace);
    sb_scope_release(&grace);
    SOMETIMES(waited != SB_OK, "cluster-closed-with-locks-left");
    sb_scope_cancel(&of->background_scope);
    sb_wait_group_wait(&of->background, NULL);

    sb_assert(!of->refreshing);
    sb_scope_release(&of->background_scope);
    sb_wait_group_release(&of->background);
    sb_condition_release(&of->refreshed);
    region_map_release(of->map);
    sb_free(of->endpoints);
    sb_free(of);
}

/* ------------------------------------------------------------------------------------ session */

void cluster_set_session(cluster *of, session_id session)
{
    sb_assert_op(session, >, of->session);
    of->session = session;
}

session_id cluster_session(const cluster *of)
{
    return of->session;
}

bool cluster_fenced(const cluster *of)
{
    return of->session != 0 && of->refused >= of->session;
}

void cluster_on_fenced(cluster *of, cluster_fenced_hook *hook, void *context)
{
    of->hook = hook;
    of->hook_context = context;
}

void cluster_note_fenced(cluster *of, session_id refused)
{
    if (refused <= of->refused) {
        return;
    }
    of->refused = refused;
    if (refused >= of->session && of->hook != NULL) {
        of->hook(of->hook_context, refused);
    }
}

/* --------------------------------------------------------------------------------- timestamps */

engine_status cluster_timestamps(cluster *of, uint32_t count, timestamp *first, sb_scope *scope)
{
    sb_assert(count > 0 && count <= TIMESTAMP_COUNT_MAX);
    const timestamp_request ask = {.count = count};
    buffer request;
    buffer_init(&request);
    timestamp_request_encode(&ask, &request);

    backoff wait;
    backoff_init(&wait);
    engine_status status = ENGINE_OK;
    *first = 0;
    while (*first == 0 && status == ENGINE_OK) {
        sb_reply reply;
        status = cluster_ask(of, METHOD_TIMESTAMP, &request, &reply, scope);
        if (status != ENGINE_OK) {
            break;
        }
        timestamp_reply answer;
        if (timestamp_reply_decode(&answer, slice_of(reply.data, reply.size)) &&
            answer.head.status == REPLY_OK) {
            *first = answer.first;
        }
        sb_reply_release(&reply);
        if (*first == 0) {
            /* Never go on without one: TiDB issue 48804 ingested at timestamp 0. */
            status = backoff_wait(&wait, scope);
        }
    }
    buffer_release(&request);
    return status;
}

engine_status cluster_timestamp(cluster *of, timestamp *now, sb_scope *scope)
{
    return cluster_timestamps(of, 1, now, scope);
}

/* --------------------------------------------------------------------------------- region map */

/* Ask until there is a map without holes; then it is the cluster's. */
static engine_status fetch_map(cluster *of, sb_scope *scope)
{
    const regions_request ask = {};
    buffer request;
    buffer_init(&request);
    regions_request_encode(&ask, &request);

    backoff wait;
    backoff_init(&wait);
    engine_status status;
    for (;;) {
        sb_reply reply;
        status = cluster_ask(of, METHOD_REGIONS, &request, &reply, scope);
        if (status != ENGINE_OK) {
            break;
        }
        regions_reply answer;
        region_map *map = NULL;
        if (regions_reply_decode(&answer, slice_of(reply.data, reply.size)) &&
            answer.head.status == REPLY_OK) {
            map = region_map_make(answer.regions);
        }
        sb_reply_release(&reply);
        if (map != NULL) {
            region_map_release(of->map);
            of->map = map;
            break;
        }
        status = backoff_wait(&wait, scope);
        if (status != ENGINE_OK) {
            break;
        }
    }
    buffer_release(&request);
    return status;
}

/* One task asks, the others wait for it; if its scope ends first, another of them takes over. */
engine_status cluster_refresh_map(cluster *of, const region_map *seen, sb_scope *scope)
{
    engine_status status = engine_scope_status(scope);
    while (of->map == seen && status == ENGINE_OK) {
        if (of->refreshing) {
            sb_condition_wait(&of->refreshed, NULL, scope);
            status = engine_scope_status(scope);
            continue;
        }
        of->refreshing = true;
        status = fetch_map(of, scope);
        of->refreshing = false;
        sb_condition_broadcast(&of->refreshed);
    }
    return status;
}

engine_status cluster_regions(cluster *of, bool fresh, const region_map **map, sb_scope *scope)
{
    engine_status status = ENGINE_OK;
    /* A question under way may have been answered already, from before this call: let it end. */
    while (fresh && of->refreshing && status == ENGINE_OK) {
        sb_condition_wait(&of->refreshed, NULL, scope);
        status = engine_scope_status(scope);
    }
    if (status == ENGINE_OK && (fresh || of->map == NULL)) {
        const region_map *seen = of->map == NULL ? NULL : region_map_acquire(of->map);
        status = cluster_refresh_map(of, seen, scope);
        region_map_release(seen);
    }
    if (status == ENGINE_OK) {
        *map = region_map_acquire(of->map);
    }
    return status;
}
