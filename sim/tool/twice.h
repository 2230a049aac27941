/*
 * One seed, run twice: the second time elsewhere in memory, over another fill, with blocks handed
 * out in another order.
 */
#ifndef SB_TOOL_TWICE_H
#define SB_TOOL_TWICE_H

#include "sim/tool/recorded.h"

typedef enum sb_twice_end {
    SB_TWICE_SAME,
    SB_TWICE_DIFFERENT, /* where and how is written to out */
    SB_TWICE_LOST       /* a run did not come back; why is written to out */
} sb_twice_end;

/* result: of the first run.  seed_count: how many seeds are known to differ, for the headline. */
sb_twice_end sb_run_twice(FILE *out, const sb_plan *plan, uint64_t seed, sb_duration patience,
                          uint64_t seed_count, sb_seed_result *result);

#endif
