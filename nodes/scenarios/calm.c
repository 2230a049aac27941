/*
 * Calm: an ADD INDEX under a workload, and nothing goes wrong.  What fails here fails anywhere.
 */
#include "nodes/counters.h"
#include "nodes/scenarios/scenarios.h"
#include "nodes/scenarios/trial.h"

#define JOB_PATIENCE (600 * SB_SECOND)

static const sb_setting settings[] = {
#define SETTING(name, word, kind, fallback, min, max, help)                                        \
    {word, SB_SETTING_##kind, fallback, min, max, help},
#include "nodes/scenarios/settings.def"
#undef SETTING
};

static const sb_floor floors[] = {
    {COUNTER_jobs_synced, 1, 1000000},
    {COUNTER_rows_indexed, 1000, 1000000},
    {COUNTER_regions_with_rows, 6, 1000000},
    {COUNTER_subtasks_succeeded, 6, 1000000},
    {COUNTER_servers_with_subtasks, 2, 1000000},
    {COUNTER_transactions_committed_during_backfill, 100, 1000000},
};

static void wait_for_jobs(trial *of)
{
    (void)trial_wait_for_jobs(of, JOB_PATIENCE);
}

static void run(sb_world *world, void *context)
{
    const sb_settings *values = context;
    const sb_duration latency = setting_of(values, SETTING_LATENCY);
    const trial_plan plan = {.network = {.latency_min = latency, .latency_max = 5 * latency},
                             .machines = {.tables = 1},
                             .trouble = wait_for_jobs};
    trial_run(world, values, &plan);
}

static const sb_unreachable unreachable[] = {
#define UNREACHABLE(glob, why) {glob, why},
#include "nodes/scenarios/unreachable_quiet.def"
#include "nodes/scenarios/unreachable_calm.def"
#undef UNREACHABLE
};

const sb_scenario scenario_calm = {
    .name = "calm",
    .summary = "ADD INDEX under a workload; nothing goes wrong",
    .settings = settings,
    .setting_count = sizeof(settings) / sizeof(settings[0]),
    .faults = (uint64_t)1 << SB_FAULT_DELAY,
    .floors = floors,
    .floor_count = sizeof(floors) / sizeof(floors[0]),
    .run = run,
    .unreachable = unreachable,
    .unreachable_count = sizeof(unreachable) / sizeof(unreachable[0]),
    .permanent = TRIAL_PERMANENT,
};
