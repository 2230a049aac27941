/*
 * Rolling restart: what the reporter of TiDB issue 47902 did.  Load a table, ADD INDEX with the
 * distributed task on, and while it runs restart the servers one after the other.
 *
 * The network has a heavy tail and loses a little.  Now and then a server is killed instead of
 * stopped, the round is made twice, or the operator cancels the job; all of it drawn, the calm
 * answer being one round of graceful stops.
 */
#include "nodes/counters.h"
#include "nodes/scenarios/scenarios.h"
#include "nodes/scenarios/trial.h"

enum {
    SETTING_RESTART_PAUSE_MIN = SETTING_COUNT,
    SETTING_RESTART_PAUSE_MAX,
    SETTING_DOWN_MAX,
    SETTING_TROUBLE_MIN,
    SETTING_KILL_RATE,
    SETTING_TWICE_RATE,
    SETTING_CANCEL_RATE,
    SETTING_SINGLE_RATE,
    SETTING_LOST_RATE,
    SETTING_LOSS,
    SETTING_REGION_RATE,
    SETTING_REGION_PAUSE,
    SETTING_ALL
};

static const sb_setting settings[SETTING_ALL] = {
#define SETTING(name, word, kind, fallback, min, max, help)                                        \
    {word, SB_SETTING_##kind, fallback, min, max, help},
#include "nodes/scenarios/settings.def"
#undef SETTING
    {"restart-pause-min", SB_SETTING_DURATION, "5s", 0, 600 * SB_SECOND,
     "least time between two restarts"},
    {"restart-pause-max", SB_SETTING_DURATION, "25s", 0, 600 * SB_SECOND,
     "most time between two restarts"},
    {"down-max", SB_SETTING_DURATION, "3s", 0, 600 * SB_SECOND,
     "most time that a server stays down"},
    {"trouble-min", SB_SETTING_DURATION, "70s", 0, 3600 * SB_SECOND,
     "least time from the submission to the heal, if the job takes as long"},
    {"kill-rate", SB_SETTING_NUMBER, "60000", 0, 1000000,
     "of a million restarts, so many are by kill"},
    {"twice-rate", SB_SETTING_NUMBER, "125000", 0, 1000000,
     "of a million seeds, so many restart all servers twice"},
    {"cancel-rate", SB_SETTING_NUMBER, "60000", 0, 1000000,
     "of a million seeds, so many cancel the job"},
    {"single-rate", SB_SETTING_NUMBER, "20000", 0, 1000000,
     "of a million jobs, so many have their backfill done by the owner alone"},
    {"lost-rate", SB_SETTING_NUMBER, "30000", 0, 1000000,
     "of a million seeds, in so many a server is dead from the heal until the job has ended"},
    {"loss", SB_SETTING_NUMBER, "500", 0, 100000, "of a million messages, so many are lost"},
    {"region-rate", SB_SETTING_NUMBER, "250000", 0, 1000000,
     "of a million seeds, in so many regions are split, merged and moved"},
    {"region-pause", SB_SETTING_DURATION, "40s", SB_SECOND, 600 * SB_SECOND,
     "between two orders about regions, at most"},
};

#define OTHER_JOB_WITHIN (40 * SB_SECOND)
#define OTHER_TABLE_RATE 250000 /* of a million seeds, so many have a second table */

/* A cancelled job does less: the floors that it cannot reach leave room for those seeds. */
#define UNCANCELLED 900000

static const sb_floor floors[] = {
    {COUNTER_jobs_synced, 1, UNCANCELLED},
    {COUNTER_rows_indexed, 1000, UNCANCELLED},
    {COUNTER_regions_with_rows, 6, 1000000},
    {COUNTER_subtasks_succeeded, 6, UNCANCELLED},
    {COUNTER_servers_with_subtasks, 2, UNCANCELLED},
    {COUNTER_transactions_committed_during_backfill, 100, UNCANCELLED},
    {COUNTER_servers_restarted, 3, UNCANCELLED},
    {COUNTER_restarts_on_subtasks, 1, 500000},
    {COUNTER_simulated_seconds, 50, UNCANCELLED},
    {COUNTER_registers_judged, 1000, 1000000},
};

static void restart_all(trial *of)
{
    sb_world *world = of->world;
    const uint32_t count = of->machines.server_count;
    const uint64_t first = sb_choose(world, SB_STREAM_SCENARIO, count);
    for (uint32_t i = 0; i < count; i++) {
        const sb_duration pause =
            trial_draw_duration(of, trial_setting(of, SETTING_RESTART_PAUSE_MIN),
                                trial_setting(of, SETTING_RESTART_PAUSE_MAX));
        if (trial_wait_for_jobs(of, pause)) {
            return;
        }
        restart_plan plan;
        plan.down_for = trial_draw_duration(of, 0, trial_setting(of, SETTING_DOWN_MAX));
        plan.kill =
            sb_chance(world, SB_STREAM_SCENARIO, (uint32_t)trial_setting(of, SETTING_KILL_RATE));
        trial_restart_server(of, of->machines.servers[(first + i) % count], &plan);
    }
}

/* The index that everybody builds; beside it, on a second table, perhaps another job. */
static void order_jobs(trial *of)
{
    const boot_settings *use = &of->machines.plan.settings;
    order *main_order = script_add_index(&of->script, use->table, 0);
    if (sb_chance(of->world, SB_STREAM_SCENARIO,
                  (uint32_t)trial_setting(of, SETTING_CANCEL_RATE))) {
        script_wish_within(&of->script, main_order, METHOD_CANCEL_JOB, 60 * SB_SECOND);
    }
    if (use->tables > 1 && sb_choose(of->world, SB_STREAM_SCENARIO, 2) == 1) {
        order *other = script_add_index(&of->script, use->table + 1, 0);
        other->after = trial_draw_duration(of, 0, OTHER_JOB_WITHIN);
    }
    script_draw_single(&of->script, (uint32_t)trial_setting(of, SETTING_SINGLE_RATE));
}

static void restarts(trial *of)
{
    const bool twice =
        sb_chance(of->world, SB_STREAM_SCENARIO, (uint32_t)trial_setting(of, SETTING_TWICE_RATE));
    trial_lose_servers(of, (uint32_t)trial_setting(of, SETTING_LOST_RATE), 1,
                       1u << SB_ABSENCE_DEAD);
    region_trouble_start(&of->regions, of->world, &of->machines, of->desk.cluster,
                         (uint32_t)trial_setting(of, SETTING_REGION_RATE),
                         trial_setting(of, SETTING_REGION_PAUSE));
    restart_all(of);
    if (twice) {
        restart_all(of);
    }
    const sb_time now = sb_world_time(of->world);
    const sb_time least = trial_submitted(of) + trial_setting(of, SETTING_TROUBLE_MIN);
    const sb_duration rest = trial_draw_duration(of, SB_SECOND, 10 * SB_SECOND);
    (void)trial_wait_for_jobs(of, least > now + rest ? least - now : rest);
}

static bool check(const sb_settings *values, char *problem, size_t size)
{
    static const setting_pair pairs[] = {{SETTING_RESTART_PAUSE_MIN, SETTING_RESTART_PAUSE_MAX}};
    return settings_are_ordered(settings, values, pairs, 1, problem, size);
}

static void run(sb_world *world, void *context)
{
    const sb_settings *values = context;
    const uint32_t loss = (uint32_t)setting_of(values, SETTING_LOSS);
    const sb_duration latency = setting_of(values, SETTING_LATENCY);
    const bool other = sb_chance(world, SB_STREAM_SCENARIO, OTHER_TABLE_RATE);
    const trial_plan plan = {.order = order_jobs,
                             .trouble = restarts,
                             .machines = {.tables = other ? 2 : 1},
                             .network = {
                                 .latency_min = latency,
                                 .latency_max = latency,
                                 .tail = true,
                                 .tail_max = 6,
                                 .scale_max = 2,
                                 .loss = loss,
                                 .reply_loss = loss,
                                 .duplicate = loss,
                                 .reset = loss / 10,
                                 .corrupt = loss,
                                 .reorder = loss,
                             }};
    trial_run(world, values, &plan);
}

#define DECLARES(fault) ((uint64_t)1 << SB_FAULT_##fault)

static const sb_unreachable unreachable[] = {
#define UNREACHABLE(glob, why) {glob, why},
#include "nodes/scenarios/unreachable_quiet.def"
#undef UNREACHABLE
};

const sb_scenario scenario_rolling_restart = {
    .name = "rolling-restart",
    .summary = "ADD INDEX while the servers restart one after the other (issue 47902)",
    .settings = settings,
    .setting_count = sizeof(settings) / sizeof(settings[0]),
    .faults = DECLARES(DELAY) | DECLARES(LOSS) | DECLARES(REPLY_LOSS) | DECLARES(DUPLICATE) |
              DECLARES(RESET) | DECLARES(CORRUPT) | DECLARES(REORDER) | DECLARES(REGION_SPLIT) |
              DECLARES(REGION_MERGE) | DECLARES(LEADER_MOVE),
    .floors = floors,
    .floor_count = sizeof(floors) / sizeof(floors[0]),
    .run = run,
    .unreachable = unreachable,
    .unreachable_count = sizeof(unreachable) / sizeof(unreachable[0]),
    .permanent = TRIAL_PERMANENT,
    .check = check,
};
