/*
 * The lifecycles of the engine, as their tables declare them: what a drawing of them must show.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "nodes/scenarios/scenarios.h"
#include "sim/world.h"
#include "tests/suite.h"

/* States that can be reached from those of a set: forwards along the moves, or backwards. */
static uint64_t closure(const sb_machine *machine, uint64_t states, bool forwards)
{
    for (uint64_t before = 0; before != states;) {
        before = states;
        for (uint32_t i = 0; i < machine->move_count; i++) {
            const uint32_t from = forwards ? machine->moves[i].from : machine->moves[i].to;
            const uint32_t to = forwards ? machine->moves[i].to : machine->moves[i].from;
            states |= (states >> from & 1) != 0 ? SB_STATE(to) : 0;
        }
    }
    return states;
}

static uint64_t finals_of(const sb_machine *machine)
{
    uint64_t finals = 0;
    for (uint32_t state = 0; state < machine->state_count; state++) {
        finals |= sb_machine_ends_in(machine, state) ? SB_STATE(state) : 0;
    }
    return finals;
}

/* A state that nothing leads to, or from which nothing leads to an end, is a table gone wrong. */
START_TEST(every_state_is_on_a_way_to_an_end)
{
    ck_assert_ptr_nonnull(scenario_chaos.run); /* links the whole engine */
    const sb_machine *const *machines;
    const size_t count = sb_machine_list(&machines);
    ck_assert_uint_ge(count, 5);
    for (size_t i = 0; i < count; i++) {
        const sb_machine *const machine = machines[i];
        const uint64_t born = closure(machine, SB_STATE(machine->initial), true);
        const uint64_t ends = closure(machine, finals_of(machine), false);
        for (uint32_t state = 0; state < machine->state_count; state++) {
            ck_assert_msg((born >> state & 1) != 0, "%s: nothing leads to %s", machine->name,
                          machine->states[state]);
            ck_assert_msg((ends >> state & 1) != 0, "%s: %s leads to no end", machine->name,
                          machine->states[state]);
        }
    }
}
END_TEST

/* Whoever reads a table is told whose rules it holds. */
START_TEST(every_lifecycle_names_its_source)
{
    const sb_machine *const *machines;
    const size_t count = sb_machine_list(&machines);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(machines[i]->source != NULL && machines[i]->source[0] != '\0',
                      "%s has no source", machines[i]->name);
        ck_assert_msg(i == 0 || strcmp(machines[i - 1]->name, machines[i]->name) < 0,
                      "%s stands twice, or is out of order", machines[i]->name);
    }
}
END_TEST

static bool names_one(const char *glob, const sb_place_name *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sb_glob_matches(glob, names[i]->name) || sb_glob_matches(glob, names[i]->place)) {
            return true;
        }
    }
    return false;
}

/* Whether a glob means a probe or a failpoint, by name or place, or a move. */
static bool means_something(const char *glob)
{
    const sb_place_name **probes, **failpoints;
    const size_t probe_count = sb_probe_list(&probes);
    const size_t failpoint_count = sb_failpoint_list(&failpoints);
    if (names_one(glob, probes, probe_count) || names_one(glob, failpoints, failpoint_count)) {
        return true;
    }
    const sb_machine *const *machines;
    const size_t machine_count = sb_machine_list(&machines);
    for (size_t i = 0; i < machine_count; i++) {
        for (uint32_t at = 0; at < machines[i]->move_count; at++) {
            char move[256];
            snprintf(move, sizeof(move), "%s: %s -> %s", machines[i]->name,
                     machines[i]->states[machines[i]->moves[at].from],
                     machines[i]->states[machines[i]->moves[at].to]);
            if (sb_glob_matches(glob, move)) {
                return true;
            }
        }
    }
    return false;
}

/* What a scenario declares unreachable is there: a probe that was renamed would be forgotten. */
START_TEST(what_is_unreachable_exists)
{
    const sb_scenario *const scenarios[] = {&scenario_rolling_restart, &scenario_calm,
                                            &scenario_chaos};
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        for (size_t at = 0; at < scenarios[i]->unreachable_count; at++) {
            const sb_unreachable *const one = &scenarios[i]->unreachable[at];
            ck_assert_msg(means_something(one->glob), "%s: '%s' is no probe, failpoint or move",
                          scenarios[i]->name, one->glob);
            ck_assert_msg(one->why[0] != '\0', "%s: '%s' has no reason", scenarios[i]->name,
                          one->glob);
        }
    }
    ck_assert(means_something("job: * -> running"));
    ck_assert(means_something("engine/storage/writes.c:*"));
    ck_assert(!means_something("job: synced -> *"));
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("engine lifecycles");
    TCase *const tests = tcase_create("tables");
    tcase_add_test(tests, every_state_is_on_a_way_to_an_end);
    tcase_add_test(tests, every_lifecycle_names_its_source);
    tcase_add_test(tests, what_is_unreachable_exists);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
