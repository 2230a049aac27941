/*
 * One request's way, with every retry: see route.h.
 */
#include "engine/transaction/cluster.h"
#include "engine/wire/method_points.h"

#define WAIT_MIN (4 * SB_MILLISECOND)
#define WAIT_DOUBLINGS_MAX 7u /* 512 ms */
#define LOSSES_BEFORE_NEW_MAP 2u

/* ------------------------------------------------------------------------------------ waiting */

void backoff_init(backoff *of)
{
    of->rounds = 0;
}

engine_status backoff_wait(backoff *of, sb_scope *scope)
{
    const uint32_t doublings = of->rounds < WAIT_DOUBLINGS_MAX ? of->rounds : WAIT_DOUBLINGS_MAX;
    const sb_duration longest = WAIT_MIN << doublings;
    of->rounds++;
    sb_sleep(longest - sb_random(longest / 2), scope);
    return engine_scope_status(scope);
}

/* ----------------------------------------------------------------------------------- attempts */

sb_status cluster_call(cluster *of, sb_address to, wire_method method, const buffer *request,
                       uint32_t attempt, sb_reply *reply, sb_scope *scope)
{
    return method_attempt(of->exchange, to, method, request, attempt, reply, scope);
}

engine_status cluster_tell_stores(cluster *of, const sb_address *stores, uint32_t store_count,
                                  wire_method method, const buffer *request,
                                  store_confirms *confirms, uint64_t wanted, sb_scope *scope)
{
    engine_status status = ENGINE_OK;
    for (uint32_t i = 0; i < store_count && status == ENGINE_OK; i++) {
        bool confirmed = false;
        backoff wait;
        backoff_init(&wait);
        while (!confirmed && status == ENGINE_OK) {
            sb_reply reply;
            if (cluster_call(of, stores[i], method, request, wait.rounds, &reply, scope) == SB_OK) {
                confirmed = confirms(&reply, wanted);
                sb_reply_release(&reply);
            }
            status = confirmed ? ENGINE_OK : backoff_wait(&wait, scope);
        }
    }
    return status;
}

reply_status reply_status_of(const sb_reply *reply)
{
    if (reply->size == 0 || reply->data[0] >= REPLY_STATUS_COUNT) {
        return REPLY_CORRUPT;
    }
    return (reply_status)reply->data[0];
}

/* The exchange is being closed: no attempt can succeed any more, although the scope still runs. */
static bool exchange_closed(sb_status call, const sb_scope *scope)
{
    return call == SB_CANCELED && sb_scope_status(scope) == SB_OK;
}

engine_status cluster_ask(cluster *of, wire_method method, const buffer *request, sb_reply *reply,
                          sb_scope *scope)
{
    backoff wait;
    backoff_init(&wait);
    engine_status status = engine_scope_status(scope);
    while (status == ENGINE_OK) {
        const uint32_t asked = of->endpoint;
        const sb_status call =
            cluster_call(of, of->endpoints[asked], method, request, wait.rounds, reply, scope);
        if (exchange_closed(call, scope)) {
            return ENGINE_CANCELED;
        }
        if (call == SB_OK) {
            const reply_status said = reply_status_of(reply);
            const bool later = said == REPLY_STARTING || said == REPLY_NOT_LEADER ||
                               said == REPLY_BUSY || said == REPLY_CORRUPT;
            if (!later) {
                return ENGINE_OK;
            }
            sb_reply_release(reply);
        }
        if (of->endpoint == asked) {
            of->endpoint = (asked + 1) % of->endpoint_count;
        }
        status = backoff_wait(&wait, scope);
    }
    return status;
}

/* ------------------------------------------------------------------------------------ regions */

void route_init(route *way, cluster *of, sb_scope *scope)
{
    *way = (route){.of = of, .scope = scope};
    backoff_init(&way->wait);
}

void route_release(route *way)
{
    region_map_release(way->map);
    way->map = NULL;
}

/* The map to work by: the one in hand while it is good, so that a loop over many keys sees one
 * map. */
static engine_status route_take_map(route *way)
{
    if (way->map != NULL && !way->stale) {
        return ENGINE_OK;
    }
    const engine_status status = cluster_refresh_map(way->of, way->map, way->scope);
    if (status == ENGINE_OK) {
        region_map_release(way->map);
        way->map = region_map_acquire(way->of->map);
        way->stale = false;
    }
    return status;
}

engine_status route_find(route *way, slice key)
{
    for (;;) {
        engine_status status = way->closed ? ENGINE_CANCELED : engine_scope_status(way->scope);
        if (status == ENGINE_OK && way->waiting) {
            status = backoff_wait(&way->wait, way->scope);
            way->waiting = false;
        }
        if (status == ENGINE_OK) {
            status = route_take_map(way);
        }
        if (status != ENGINE_OK) {
            return status;
        }
        way->region = region_map_find(way->map, key);
        if (way->region->leader != 0) {
            return ENGINE_OK;
        }
        way->stale = way->waiting = true;
    }
}

/* The head of an answer that names another leader: status, leader, epoch. */
static void note_hint(route *way, const sb_reply *reply)
{
    cursor at = cursor_of(slice_of(reply->data, reply->size));
    way->told = (reply_head){.status = (reply_status)cursor_u8(&at)};
    if (way->told.status == REPLY_NOT_LEADER) {
        way->told.leader = cursor_u16(&at);
        way->told.epoch = cursor_u64(&at);
    }
    if (at.failed) {
        way->told = (reply_head){.status = REPLY_CORRUPT};
    }
}

/* The region has been moved, and has not changed otherwise since: go on there, and let the others
 * know. */
static bool follow_hint(route *way)
{
    const reply_head *told = &way->told;
    if (told->status != REPLY_NOT_LEADER || told->leader == 0 ||
        told->epoch != way->region->epoch + 1 || failpoint("leader-hint-is-ignored")) {
        return false;
    }
    SOMETIMES(true, "a request follows a region to its new leader");
    const region_map *moved = region_map_moved(way->map, way->region, told->leader, told->epoch);
    if (way->of->map == way->map) {
        region_map_release(way->of->map);
        way->of->map = region_map_acquire(moved);
    }
    region_map_release(way->map);
    way->map = moved;
    way->region = NULL; /* it was in the other map */
    return true;
}

bool route_send(route *way, wire_method method, const buffer *request, sb_reply *reply)
{
    const sb_status call = cluster_call(way->of, way->region->leader, method, request,
                                        way->wait.rounds, reply, way->scope);
    if (call == SB_OK) {
        note_hint(way, reply);
        return true;
    }
    way->closed = exchange_closed(call, way->scope);
    way->waiting = true;
    way->stale = way->wait.rounds >= LOSSES_BEFORE_NEW_MAP;
    return false;
}

void route_trouble(route *way, reply_status status)
{
    switch (status) {
    case REPLY_NOT_LEADER:
        way->stale = !follow_hint(way);
        break;
    case REPLY_REGION_NOT_FOUND:
    case REPLY_EPOCH_NOT_MATCH:
    case REPLY_OUTSIDE_REGION:
        way->stale = true;
        break;
    case REPLY_BAD_REQUEST:
        sb_fail("storage cannot make sense of a request to region %llu",
                (unsigned long long)way->region->id);
    default:
        break;
    }
    way->waiting = true;
}
