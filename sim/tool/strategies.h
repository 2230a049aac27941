/*
 * What each strategy has found: runs, hits, and what a hit has cost.
 *
 * A hit is a finding that counts: with --bug one of the kind that the bug must lead to. Its price
 * is in steps, which are the same on every machine, and in real time, which is told on stderr only.
 */
#ifndef SB_TOOL_STRATEGIES_H
#define SB_TOOL_STRATEGIES_H

#include "sim/tool/run.h"

typedef struct sb_strategy_count {
    uint64_t runs, hits, steps, real_ns;
} sb_strategy_count;

/* Of a run that came back.  counts: one for each strategy. */
void sb_strategies_add(sb_strategy_count *counts, const sb_seed_result *result, bool is_hit);
void sb_strategies_sum(sb_strategy_count *counts, const sb_strategy_count *more);

/* A table where there are hits, else a line of runs.  The same bytes for the same runs. */
void sb_strategies_print(FILE *out, const sb_strategy_count *counts, const char *what);

/* "real time a hit: random 0.042s, pos 0.050s", or nothing without hits. */
void sb_strategies_print_time(FILE *out, const sb_strategy_count *counts);

/* {"random":{"seeds":"3","hits":"1","steps":"12345"},...} */
void sb_strategies_write_json(FILE *out, const sb_strategy_count *counts);

#endif
