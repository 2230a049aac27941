/*
 * Split and scatter: a new index gets regions of its own before it is filled, so that the stores
 * share the work.
 *
 *     … rows of the framework │ index │ index │ other indexes, rows …
 *                             start   cut     end
 *
 * The first import of the job does it; the others find the index in a region of its own.  Nothing
 * depends on it: placement may be away, and orders may do nothing.
 */
#include "engine/backfill/pipeline.h"
#include "engine/transaction/region_orders.h"
#include "engine/transaction/route.h"

#define PATIENCE (2 * SB_SECOND) /* for all of it */

/* Whether a region reaches beyond the index's range on the left: then it is not its own.  The map
 * as known will do, if it says that there is nothing to be done. */
static engine_status shares_region(cluster *of, slice start, bool *shares, sb_scope *scope)
{
    engine_status status = ENGINE_OK;
    *shares = true;
    for (uint32_t fresh = 0; fresh < 2 && *shares && status == ENGINE_OK; fresh++) {
        const region_map *map;
        status = cluster_regions(of, fresh == 1, &map, scope);
        if (status == ENGINE_OK) {
            *shares = !slice_equal(region_map_find(map, start)->start, start);
            region_map_release(map);
        }
    }
    return status;
}

/* Make a border at the key; and send what begins there to the store that leads the fewest. */
static engine_status cut_at(cluster *of, slice key, bool move, sb_scope *scope)
{
    engine_status status = cluster_split_region(of, key, scope);
    if (status == ENGINE_OK && move) {
        status = cluster_move_leader(of, key, 0, scope);
    }
    return status;
}

static engine_status cut_all(cluster *of, slice start, slice end, const entry_run *first,
                             uint32_t parts, sb_scope *scope)
{
    engine_status status = cut_at(of, end, false, scope);
    for (uint32_t part = parts - 1; part > 0 && status == ENGINE_OK; part--) {
        const uint32_t at = (uint32_t)((uint64_t)first->count * part / parts);
        status = cut_at(of, entry_run_pair(first, at).key, true, scope);
    }
    if (status == ENGINE_OK) {
        status = cut_at(of, start, true, scope);
    }
    return status;
}

engine_status scatter_index(cluster *of, const backfill_work *work, const entry_run *first,
                            uint32_t parts, sb_scope *scope)
{
    sb_scope soon;
    buffer start, end;
    bool shares = false;
    if (parts == 0 || failpoint("index-is-not-scattered")) {
        return ENGINE_OK;
    }
    buffer_init(&start);
    buffer_init(&end);
    index_range(work->table.id, work->index.id, &start, &end);
    sb_scope_init_timeout(&soon, scope, "split and scatter", PATIENCE);
    engine_status status = shares_region(of, buffer_slice(&start), &shares, &soon);
    if (status == ENGINE_OK && shares) {
        status = cut_all(of, buffer_slice(&start), buffer_slice(&end), first, parts, &soon);
        SOMETIMES(status == ENGINE_OK, "a new index is split and scattered");
        SOMETIMES(status == ENGINE_TIMEOUT, "split-and-scatter-is-done-without");
    }
    sb_scope_release(&soon);
    buffer_release(&start);
    buffer_release(&end);
    return engine_scope_status(scope);
}
