/*
 * The safe point, from a server's side: see safe_point.h.
 */
#include "engine/transaction/safe_point.h"

#include "engine/transaction/cluster.h"

engine_status cluster_hold_safe_point(cluster *of, job_id job, timestamp at, sb_scope *scope)
{
    const safe_point_hold_request ask = {.job = job, .at = at};
    buffer request;
    buffer_init(&request);
    safe_point_hold_request_encode(&ask, &request);
    backoff wait;
    backoff_init(&wait);
    reply_status said = REPLY_CORRUPT;
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && said != REPLY_OK && said != REPLY_TOO_OLD &&
           said != REPLY_NO_SPACE) {
        sb_reply reply;
        status = cluster_ask(of, METHOD_SAFE_POINT_HOLD, &request, &reply, scope);
        if (status == ENGINE_OK) {
            said = reply_status_of(&reply);
            sb_reply_release(&reply);
            status = said == REPLY_CORRUPT ? backoff_wait(&wait, scope) : ENGINE_OK;
        }
        sb_assert(said != REPLY_BAD_REQUEST);
    }
    buffer_release(&request);
    if (status == ENGINE_OK && said == REPLY_TOO_OLD) {
        return ENGINE_TOO_OLD;
    }
    return status == ENGINE_OK && said == REPLY_NO_SPACE ? ENGINE_CONFLICT : status;
}

engine_status cluster_advance_safe_point(cluster *of, timestamp wanted, timestamp *safe_point,
                                         buffer *holders, sb_scope *scope)
{
    const safe_point_advance_request ask = {.wanted = wanted};
    buffer request;
    buffer_init(&request);
    buffer_clear(holders);
    safe_point_advance_request_encode(&ask, &request);
    sb_reply reply;
    engine_status status = cluster_ask(of, METHOD_SAFE_POINT_ADVANCE, &request, &reply, scope);
    if (status == ENGINE_OK) {
        safe_point_advance_reply got;
        if (safe_point_advance_reply_decode(&got, slice_of(reply.data, reply.size)) &&
            got.head.status == REPLY_OK) {
            *safe_point = got.safe_point;
            buffer_add(holders, got.holders.data, got.holders.size);
        } else {
            status = ENGINE_FAILED;
        }
        sb_reply_release(&reply);
    }
    buffer_release(&request);
    return status;
}

/* -------------------------------------------------------------------------------------- guard */

static bool is_guarded(const sb_reply *reply, uint64_t safe_point)
{
    guard_reply got;
    return guard_reply_decode(&got, slice_of(reply->data, reply->size)) &&
           got.head.status == REPLY_OK && got.safe_point >= safe_point;
}

engine_status cluster_guard(cluster *of, const sb_address *stores, uint32_t store_count,
                            timestamp safe_point, sb_scope *scope)
{
    const guard_request ask = {.safe_point = safe_point};
    buffer request;
    buffer_init(&request);
    guard_request_encode(&ask, &request);
    const engine_status status = cluster_tell_stores(of, stores, store_count, METHOD_GUARD,
                                                     &request, is_guarded, safe_point, scope);
    buffer_release(&request);
    return status;
}

/* -------------------------------------------------------------------------- region by region */

/* A way through all keys. */
typedef struct walk {
    route way;
    buffer at; /* where it goes on; empty at the start, and again at the end */
    buffer request;
    backoff living; /* locks in a row that are alive */
    timestamp safe_point;
} walk;

static void set_position(walk *of, slice to)
{
    buffer_clear(&of->at);
    buffer_add(&of->at, to.data, to.size);
}

/* ENGINE_OK: the walk has gone on, or the same is to be asked again. */
typedef engine_status walk_step(walk *of, const sb_reply *reply);

static engine_status walk_all(cluster *of, timestamp safe_point, wire_method method,
                              void encode(walk *on), walk_step *step, sb_scope *scope)
{
    walk on = {.safe_point = safe_point};
    engine_status status = ENGINE_OK;
    bool begun = false;
    buffer_init(&on.at);
    buffer_init(&on.request);
    backoff_init(&on.living);
    route_init(&on.way, of, scope);
    while (status == ENGINE_OK && (!begun || on.at.size > 0)) {
        status = route_find(&on.way, buffer_slice(&on.at));
        if (status != ENGINE_OK) {
            break;
        }
        encode(&on);
        sb_reply reply;
        if (route_send(&on.way, method, &on.request, &reply)) {
            begun |= reply_status_of(&reply) == REPLY_OK;
            status = step(&on, &reply);
            sb_reply_release(&reply);
        }
    }
    route_release(&on.way);
    buffer_release(&on.request);
    buffer_release(&on.at);
    return status;
}

static void encode_find_lock(walk *of)
{
    const find_lock_request ask = {.region = {of->way.region->id, of->way.region->epoch},
                                   .before = of->safe_point,
                                   .start = buffer_slice(&of->at)};
    find_lock_request_encode(&ask, &of->request);
}

/* A lock that is met is resolved, and then the store is asked for the next from there on.  One
 * whose transaction is alive ends or outlives its TTL. */
static engine_status take_lock(walk *of, const sb_reply *reply)
{
    find_lock_reply got;
    bool alive = false;
    if (!find_lock_reply_decode(&got, slice_of(reply->data, reply->size))) {
        route_trouble(&of->way, REPLY_CORRUPT);
        return ENGINE_OK;
    }
    if (got.head.status == REPLY_OK) {
        set_position(of, of->way.region->end);
        return ENGINE_OK;
    }
    if (got.head.status != REPLY_LOCKED) {
        route_trouble(&of->way, got.head.status);
        return ENGINE_OK;
    }
    const engine_status status = lock_resolve(of->way.of, &got.head.lock, &alive, of->way.scope);
    if (status == ENGINE_OK && alive) {
        SOMETIMES(true, "collection-waits-for-a-living-lock");
        return backoff_wait(&of->living, of->way.scope);
    }
    backoff_init(&of->living);
    return status;
}

engine_status cluster_resolve_locks(cluster *of, timestamp before, sb_scope *scope)
{
    return walk_all(of, before, METHOD_FIND_LOCK, encode_find_lock, take_lock, scope);
}

static void encode_collect(walk *of)
{
    const collect_request ask = {.region = {of->way.region->id, of->way.region->epoch},
                                 .safe_point = of->safe_point,
                                 .start = buffer_slice(&of->at)};
    collect_request_encode(&ask, &of->request);
}

static engine_status take_collected(walk *of, const sb_reply *reply)
{
    collect_reply got;
    if (!collect_reply_decode(&got, slice_of(reply->data, reply->size))) {
        route_trouble(&of->way, REPLY_CORRUPT);
    } else if (got.head.status == REPLY_OK) {
        set_position(of, got.next.size > 0 ? got.next : of->way.region->end);
    } else {
        route_trouble(&of->way, got.head.status);
    }
    return ENGINE_OK;
}

engine_status cluster_collect(cluster *of, timestamp safe_point, sb_scope *scope)
{
    return walk_all(of, safe_point, METHOD_COLLECT, encode_collect, take_collected, scope);
}
