/*
 * The command `seedbed`: our scenarios and the museum behind the tool of the simulator.
 */
#include "engine/museum.h"
#include "nodes/counters.h"
#include "nodes/scenarios/scenarios.h"
#include "sim/tool.h"

#ifndef SEEDBED_BUILD
#define SEEDBED_BUILD "unknown"
#endif

static const sb_scenario *const scenarios[] = {
    &scenario_rolling_restart,
    &scenario_calm,
    &scenario_chaos,
};

static const sb_museum_bug bugs[] = {
#define MUSEUM_BUG(name, word, issue, kind, text, scenario) {word, issue, text, kind, scenario},
#include "engine/museum.def"
#undef MUSEUM_BUG
};

static const sb_counter counters[] = {
#define COUNTER(name, text) {text, text},
#include "nodes/counters.def"
#undef COUNTER
};

_Static_assert(COUNTER_COUNT <= SB_COUNTER_MAX, "a world keeps so many counters");

static const sb_product product = {
    .name = "seedbed",
    .version = SEEDBED_BUILD,
    .summary = "deterministic simulation testing, and an online ADD INDEX to try it on",
    .scenarios = scenarios,
    .scenario_count = sizeof(scenarios) / sizeof(scenarios[0]),
    .bugs = bugs,
    .bug_count = sizeof(bugs) / sizeof(bugs[0]),
    .counters = counters,
    .counter_count = sizeof(counters) / sizeof(counters[0]),
};

int main(int argc, char **argv)
{
    return sb_tool_main(&product, argc, argv);
}
