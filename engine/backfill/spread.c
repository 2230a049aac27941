/*
 * Spreading: before a large engine is imported, the range it goes to is cut into regions, and these
 * are given to different stores, so that not one of them takes it all.  A new index gets regions of
 * its own when it is filled first (scatter.c); this is for an engine that is too large for them,
 * and cuts at keys of its own.
 *
 * Nothing depends on it for being right: whatever fails, the import finds its regions by itself.
 */
#include "engine/backfill/pipeline.h"
#include "engine/transaction/region_orders.h"

#define PATIENCE (10 * SB_SECOND)
#define PARTS_MAX 32u

void spread_range(cluster *of, const sorter *from, uint64_t split_size, sb_scope *scope)
{
    const uint64_t wanted = split_size > 0 ? from->disk_used / split_size : 0;
    if (wanted < 2) {
        return;
    }
    sb_scope patience;
    buffer cuts;
    buffer_init(&cuts);
    sb_scope_init_timeout(&patience, scope, "spreading", PATIENCE);
    const uint32_t parts = wanted < PARTS_MAX ? (uint32_t)wanted : PARTS_MAX;
    const uint32_t count = key_sample_cuts(&from->sample, parts, &cuts);
    cursor at = cursor_of(buffer_slice(&cuts));
    for (uint32_t i = 0; i < count && sb_scope_status(&patience) == SB_OK; i++) {
        const slice key = cursor_slice(&at);
        const bool split =
            !failpoint("spreading-fails") && cluster_split_region(of, key, &patience) == ENGINE_OK;
        SOMETIMES(split, "range-of-an-import-is-split-ahead");
        if (split) {
            (void)cluster_move_leader(of, key, 0, &patience);
        }
    }
    sb_scope_release(&patience);
    buffer_release(&cuts);
}
