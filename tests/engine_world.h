/*
 * For tests of the engine: run a function as the director of a fresh world, where door 1 works.
 *
 * A failed check inside the world ends the process that Check has forked for the test, as anywhere
 * else.
 */
#ifndef TESTS_ENGINE_WORLD_H
#define TESTS_ENGINE_WORLD_H

#include <check.h>

#include "sim/world.h"

/* A number below the bound, from the world's own chance: the same in every run of the test. */
static inline uint32_t below(uint32_t bound)
{
    return (uint32_t)sb_random(bound);
}

/* The world must pass: a finding fails the test with its words.  bugs: a bit for each switch of the
 * museum. */
static inline void run_in_world_with(sb_director *body, void *context, uint64_t seed, uint64_t bugs)
{
    sb_universe *universe = sb_universe_open(NULL);
    ck_assert_ptr_nonnull(universe);
    const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_RANDOM, .bugs = bugs};
    sb_world *world = sb_world_reset(universe, &options, body, context);
    const sb_outcome outcome = sb_world_run(world);
    if (outcome == SB_OUTCOME_FINDING) {
        const sb_finding_report *found = sb_world_finding(world);
        ck_abort_msg("seed %llu: %s: %s", (unsigned long long)seed, found->oracle, found->text);
    }
    ck_assert_int_eq(outcome, SB_OUTCOME_PASSED);
    sb_universe_close(universe);
}

static inline void run_in_world(sb_director *body, void *context, uint64_t seed)
{
    run_in_world_with(body, context, seed, 0);
}

#endif
