/*
 * The way of one request: to placement, or to the region that holds a key; with every retry.
 *
 * Placement is asked with cluster_ask.  A request to a region goes in a loop, because regions move
 * and split, and the loop must cut its work anew after each such change:
 *
 *     route way;
 *     route_init(&way, cluster, scope);
 *     while ((status = route_find(&way, key)) == ENGINE_OK) {
 *         ... encode a request for way.region->id and ->epoch ...
 *         if (!route_send(&way, METHOD_GET, &request, &reply)) {
 *             continue;                           lost, or reset: route_find waits and counts
 *         }
 *         ... decode; what is this request's own business, is handled here ...
 *         route_trouble(&way, head.status);       a stale map, a busy store: go round again
 *         sb_reply_release(&reply);
 *     }
 *     route_release(&way);
 *
 * Every attempt has a deadline of its own under the scope; between attempts there is a bounded
 * exponential wait with jitter.  Nothing here gives up before the scope ends.
 *
 * A store that has given a region away says to whom and in which epoch; the next attempt goes there
 * at once, without asking placement, which perhaps has not heard of it.
 */
#ifndef ENGINE_TRANSACTION_ROUTE_H
#define ENGINE_TRANSACTION_ROUTE_H

#include "engine/transaction/region_map.h"
#include "engine/transaction/transaction.h"
#include "engine/wire/messages.h"

/* ------------------------------------------------------------------------------------ waiting */

/* Waits of 4, 8, 16, … ms, at most 512 ms, each shortened by chance by up to half. */
typedef struct backoff {
    uint32_t rounds;
} backoff;

void backoff_init(backoff *of);
engine_status backoff_wait(backoff *of, sb_scope *scope); /* ENGINE_OK, or how the scope ended */

/* ---------------------------------------------------------------------------------- placement */

/* Ask placement until it gives an answer that is not "starting", "busy" or "not leader".
 * ENGINE_OK: *reply holds it, release it.  Else ENGINE_TIMEOUT or ENGINE_CANCELED. */
engine_status cluster_ask(cluster *of, wire_method method, const buffer *request, sb_reply *reply,
                          sb_scope *scope);

/* One attempt at any machine, with the deadline of the `attempt`-th (from 0) under the scope. */
sb_status cluster_call(cluster *of, sb_address to, wire_method method, const buffer *request,
                       uint32_t attempt, sb_reply *reply, sb_scope *scope);

/* Tell each of these stores, one after the other, until it confirms. */
typedef bool store_confirms(const sb_reply *reply, uint64_t wanted);
engine_status cluster_tell_stores(cluster *of, const sb_address *stores, uint32_t store_count,
                                  wire_method method, const buffer *request,
                                  store_confirms *confirms, uint64_t wanted, sb_scope *scope);

/* The status with which a reply begins; REPLY_CORRUPT when it has none. */
reply_status reply_status_of(const sb_reply *reply);

/* ------------------------------------------------------------------------------------ regions */

/* The region map as known, or, with fresh, as placement tells it now; it covers all keys without a
 * hole.  Release it. */
engine_status cluster_regions(cluster *of, bool fresh, const region_map **map, sb_scope *scope);

typedef struct route {
    cluster *of;
    sb_scope *scope;
    const region_map *map; /* good until the next route_find, route_trouble or route_release */
    const region_description *region; /* in map; has a leader */
    backoff wait;
    bool waiting;    /* the next route_find waits first */
    bool stale;      /* and asks for a newer map than `map` */
    bool closed;     /* the exchange takes no calls any more */
    reply_head told; /* of the last answer, when that was NOT_LEADER */
} route;

void route_init(route *way, cluster *of, sb_scope *scope);
void route_release(route *way);

/* Finds the region of the key.  ENGINE_OK, ENGINE_TIMEOUT or ENGINE_CANCELED. */
engine_status route_find(route *way, slice key);

/* One attempt.  True: *reply holds an answer, release it. */
bool route_send(route *way, wire_method method, const buffer *request, sb_reply *reply);

/* Take note of an answer that calls for another attempt: map again, or later.  Any other status
 * (one that the caller should have handled) makes the next attempt wait too. */
void route_trouble(route *way, reply_status status);

#endif
