/*
 * The lifecycles of the engine, as their tables declare them: what a drawing of them must show.
 */
#include <check.h>
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

int main(void)
{
    Suite *const suite = suite_create("engine lifecycles");
    TCase *const tests = tcase_create("tables");
    tcase_add_test(tests, every_state_is_on_a_way_to_an_end);
    tcase_add_test(tests, every_lifecycle_names_its_source);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
