/*
 * For tests of the engine: run a function as the director of a fresh world, where door 1 works.
 *
 * A failed check inside the world ends the process that Check has forked for the test, as anywhere
 * else.
 */
#ifndef TESTS_ENGINE_WORLD_H
#define TESTS_ENGINE_WORLD_H

#include "tests/suite.h"

#define DIRECTOR ((sb_node)0) /* its own machine, which has a disk like any other */

/* A number below the bound, from the world's own chance: the same in every run of the test. */
static inline uint32_t below(uint32_t bound)
{
    return (uint32_t)sb_random(bound);
}

/* The world must pass: a finding fails the test with its words.  bugs: a bit for each switch of the
 * museum. */
static inline void run_in_world_with(sb_director *body, void *context, uint64_t seed, uint64_t bugs)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_RANDOM, .bugs = bugs};
    const ending end = run_options(universe, &options, body, context);
    ck_assert_msg(end.outcome == SB_OUTCOME_PASSED, "seed %llu: outcome %d: %s: %s",
                  (unsigned long long)seed, (int)end.outcome, end.finding.oracle, end.finding.text);
    sb_universe_close(universe);
}

static inline void run_in_world(sb_director *body, void *context, uint64_t seed)
{
    run_in_world_with(body, context, seed, 0);
}

#endif
