/*
 * The timestamp oracle: numbers that rise strictly, for ever, over restarts and whatever the wall
 * clock does.
 *
 * The physical part follows the wall clock when that is ahead, and goes on at the pace of the
 * monotonic clock when it is not, so that locks get older although somebody has set the clock back.
 * A timestamp is handed out only below the bound that is saved (registry.timestamp_bound); a new
 * incarnation begins at the bound it finds.
 */
#ifndef ENGINE_PLACEMENT_TIMESTAMP_ORACLE_H
#define ENGINE_PLACEMENT_TIMESTAMP_ORACLE_H

#include "engine/base/scalars.h"
#include "sim/node.h"

typedef struct timestamp_oracle {
    timestamp next;      /* the least not handed out yet */
    sb_time next_set_at; /* when the physical part of next was set, on the monotonic clock */
} timestamp_oracle;

void timestamp_oracle_init(timestamp_oracle *of, uint64_t bound_ms, sb_time monotonic);

/* Let the physical part catch up with the clocks. */
void timestamp_oracle_advance(timestamp_oracle *of, sb_time monotonic, sb_time wall);

/* Take count timestamps; false, and nothing taken, when they would reach the bound. */
bool timestamp_oracle_take(timestamp_oracle *of, uint32_t count, uint64_t bound_ms,
                           timestamp *first);

#endif
