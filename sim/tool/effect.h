/*
 * Whether a fault makes a difference (law 8): seeds that had it are run again without it.
 *
 *   seed 17, as it is                 observation 5f3a...      \  they differ: programs could tell
 *   seed 17, `loss` drawn, not done   observation 90c1...      /  that messages were lost
 *
 * Which pairs of a seed and a kind are tried depends on both alone, so that shards agree with the
 * whole and the samples lie far apart.  Only seeds that passed are asked, and only of kinds that a
 * mask takes away whole.  What a masked run finds is a finding: a world with fewer faults must hold
 * too.
 */
#ifndef SB_TOOL_EFFECT_H
#define SB_TOOL_EFFECT_H

#include <stdio.h>

#include "sim/tool/tally.h"

struct sb_arguments;

#define SB_EFFECT_SHARE_DEFAULT 2500 /* of a million pairs */
#define SB_EFFECT_KINDS_USUAL 16     /* kinds that a seed of a rich scenario has, for time */

typedef struct sb_effects {
    uint32_t share;
    uint64_t kinds; /* bits 1 << fault: what the scenario declares */
    sb_run_name *runs;
    uint64_t *expected; /* observations */
    size_t count, capacity;
    uint64_t compared, lost;
    uint64_t findings; /* masked runs that ended with one */
    sb_run_name first; /* of those, and how it ended */
    sb_seed_result first_result;
} sb_effects;

/* The kinds (bits 1 << fault) that this seed is to be run without, if it has them. */
uint64_t sb_effect_kinds(uint64_t seed, uint32_t share);

void sb_effects_init(sb_effects *effects, const struct sb_arguments *arguments,
                     const sb_plan *plan);
void sb_effects_release(sb_effects *effects);

/* A seed has come back: note its pairs. */
void sb_effects_remember(sb_effects *effects, const sb_seed_result *result);

/* A masked run has come back; its index is its place in `runs`. */
void sb_effects_compare(sb_effects *effects, sb_tally *tally, const sb_seed_result *result);

/* The plan of the first masked run that ended with a finding; there is one. */
sb_plan sb_effects_plan(const sb_effects *effects, const sb_plan *plan);

void sb_effects_print(FILE *out, const sb_effects *effects, const sb_plan *plan);

#endif
