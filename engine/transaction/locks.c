/*
 * Locks in the way: what became of their transactions.
 *
 * The primary decides (Percolator, section 2.2).  Its region is asked; a transaction whose
 * primary's lock has outlived its TTL, measured between timestamps and not on any clock, is rolled
 * back there for ever.  A primary that has neither lock nor record belongs to a transaction that
 * never got that far, or is gone: prewrites of other regions are only sent once the primary's has
 * been acknowledged (commit.c), so it may be rolled back too, and the record refuses a prewrite
 * that is still on its way.  One whose trace may have been collected has no lock left anywhere
 * (storage/garbage.h): whoever asks has seen a lock of the past, and looks again.  Then the lock
 * that stood in the way is committed or removed to match.
 */
#include "engine/counters.h"
#include "engine/transaction/cluster.h"

static engine_status ask_primary(cluster *of, const lock_description *lock,
                                 check_status_reply *fate, sb_scope *scope)
{
    check_status_request ask = {
        .primary = lock->primary, .start = lock->start, .rollback_if_missing = true};
    engine_status status = cluster_timestamp(of, &ask.now, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    buffer request;
    buffer_init(&request);
    route way;
    route_init(&way, of, scope);
    while ((status = route_find(&way, lock->primary)) == ENGINE_OK) {
        ask.region = (region_context){way.region->id, way.region->epoch};
        check_status_request_encode(&ask, &request);
        sb_reply reply;
        if (!route_send(&way, METHOD_CHECK_STATUS, &request, &reply)) {
            continue;
        }
        bool known = check_status_reply_decode(fate, slice_of(reply.data, reply.size));
        if (known && fate->head.status == REPLY_TOO_OLD) {
            *fate = (check_status_reply){.fate = TRANSACTION_LOCKED};
        }
        known = known && fate->head.status == REPLY_OK;
        if (!known) {
            route_trouble(&way, reply_status_of(&reply));
        }
        sb_reply_release(&reply);
        if (known) {
            break;
        }
    }
    route_release(&way);
    buffer_release(&request);
    return status;
}

/* Commit (commit > 0) or remove the one lock. */
static engine_status finish_lock(cluster *of, const lock_description *lock, timestamp commit,
                                 sb_scope *scope)
{
    packing keys;
    packing_init(&keys);
    pack_key(&keys, lock->key);
    resolve_request ask = {.start = lock->start, .commit = commit, .keys = packing_list(&keys)};
    buffer request;
    buffer_init(&request);
    route way;
    route_init(&way, of, scope);
    engine_status status;
    while ((status = route_find(&way, lock->key)) == ENGINE_OK) {
        ask.region = (region_context){way.region->id, way.region->epoch};
        resolve_request_encode(&ask, &request);
        sb_reply reply;
        if (!route_send(&way, METHOD_RESOLVE, &request, &reply)) {
            continue;
        }
        const reply_status said = reply_status_of(&reply);
        sb_reply_release(&reply);
        if (said == REPLY_OK) {
            break;
        }
        route_trouble(&way, said);
    }
    route_release(&way);
    buffer_release(&request);
    packing_release(&keys);
    return status;
}

engine_status lock_resolve(cluster *of, const lock_description *lock, bool *alive, sb_scope *scope)
{
    check_status_reply fate;
    engine_status status = ask_primary(of, lock, &fate, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    *alive = fate.fate == TRANSACTION_LOCKED;
    if (*alive) {
        return ENGINE_OK;
    }
    const timestamp commit = fate.fate == TRANSACTION_COMMITTED ? fate.commit : 0;
    SOMETIMES(commit == 0, "lock-of-dead-transaction-removed");
    SOMETIMES(commit > 0, "lock-of-committed-transaction-finished");
    status = finish_lock(of, lock, commit, scope);
    if (status == ENGINE_OK) {
        sb_count(COUNTER_locks_resolved, 1);
    }
    return status;
}
