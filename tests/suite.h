/*
 * What the kernel's Check suites share: run a director in a fresh world and see how it ended.
 */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world.h"

/* All that a test may want to know of a world that has ended. */
typedef struct ending {
    sb_outcome outcome;
    uint64_t digest;
    sb_step steps;
    sb_time time;
    sb_finding_report finding; /* of kind NONE when there is none */
} ending;

static inline sb_universe *open_universe(const sb_universe_options *options)
{
    sb_universe *const universe = sb_universe_open(options);
    ck_assert_msg(universe != NULL, "no universe: the mapping cannot be made");
    return universe;
}

static inline ending ending_of(sb_world *world, sb_outcome outcome)
{
    ending end = {.outcome = outcome};
    end.digest = sb_world_digest(world);
    end.steps = sb_world_step(world);
    end.time = sb_world_time(world);
    const sb_finding_report *const finding = sb_world_finding(world);
    if (finding != NULL) {
        end.finding = *finding;
    }
    return end;
}

static inline ending run_options(sb_universe *universe, const sb_world_options *options,
                                 sb_director *director, void *context)
{
    sb_world *const world = sb_world_reset(universe, options, director, context);
    const sb_outcome outcome = sb_world_run(world);
    return ending_of(world, outcome);
}

/* One world of its own, first in first out: for what does not depend on chance. */
static inline ending run_once(sb_director *director, void *context)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_world_options options = {.seed = 1, .strategy = SB_STRATEGY_FIFO};
    const ending end = run_options(universe, &options, director, context);
    sb_universe_close(universe);
    return end;
}

static inline void must_pass(const ending *end)
{
    ck_assert_msg(end->outcome == SB_OUTCOME_PASSED, "outcome %d: %s: %s", (int)end->outcome,
                  end->finding.oracle, end->finding.text);
}

/* It ended with a finding of this kind whose text holds these words. */
static inline void must_find(const ending *end, sb_finding_kind kind, const char *words)
{
    ck_assert_msg(end->outcome == SB_OUTCOME_FINDING, "outcome %d, no finding", (int)end->outcome);
    ck_assert_msg(end->finding.kind == kind, "another kind: %s: %s", end->finding.oracle,
                  end->finding.text);
    ck_assert_msg(strstr(end->finding.text, words) != NULL, "'%s' is not in '%s'", words,
                  end->finding.text);
}

static inline int run_suite(Suite *suite)
{
    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
