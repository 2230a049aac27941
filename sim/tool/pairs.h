/*
 * Pairs of faults, and faults in states of the protocol: which of them a sweep has seen together.
 *
 * A pair is two declared kinds that were done within SB_PAIR_WINDOW of each other.  A cell is a
 * declared kind that was done while something was in a state that some move leads to.  What no seed
 * has seen is cold.  Nothing is asked of a sweep here: `--strict` does not look at it.
 */
#ifndef SB_TOOL_PAIRS_H
#define SB_TOOL_PAIRS_H

#include <stdio.h>

#include "sim/tool/tally.h"

/* Two lines: how many are seen, and the first of those that are cold. */
void sb_pairs_print(FILE *out, const sb_tally *tally);

/* All of them, with the number of seeds: "fault_pairs" and "fault_states". */
void sb_pairs_write_json(FILE *out, const sb_tally *tally);

#endif
