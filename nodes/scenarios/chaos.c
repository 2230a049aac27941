/*
 * Chaos: every fault there is, in a measure that each seed draws for itself, on machines of all
 * roles; the operator may cancel the job, and errors may be injected that it must fail for.  Then
 * the world heals, and everything must come to its end.
 */
#include "nodes/counters.h"
#include "nodes/scenarios/scenarios.h"
#include "nodes/scenarios/trial.h"

#include <string.h>

#include "engine/base/checksum.h"

#define HOT_SALTS 65536u /* every second one is for none */
#define BEHIND_IMPORT 8u /* one in so many is for errors behind an import */
#define HOT_RATE 400000u /* of a million passes */

enum {
    SETTING_TROUBLE_MIN = SETTING_COUNT,
    SETTING_TROUBLE_MAX,
    SETTING_CALM_MAX,
    SETTING_DOWN_MAX,
    SETTING_CANCEL_RATE,
    SETTING_PAUSE_RATE,
    SETTING_SINGLE_RATE,
    SETTING_LOST_RATE,
    SETTING_ABSENCES,
    SETTING_PERMANENT_RATE,
    SETTING_REGION_RATE,
    SETTING_REGION_PAUSE,
    SETTING_TRIGGERS,
    SETTING_ALL
};

static const sb_setting settings[SETTING_ALL] = {
#define SETTING(name, word, kind, fallback, min, max, help)                                        \
    {word, SB_SETTING_##kind, fallback, min, max, help},
#include "nodes/scenarios/settings.def"
#undef SETTING
    {"trouble-min", SB_SETTING_DURATION, "15s", SB_SECOND, 3600 * SB_SECOND,
     "trouble lasts at least"},
    {"trouble-max", SB_SETTING_DURATION, "60s", SB_SECOND, 3600 * SB_SECOND,
     "trouble lasts at most"},
    {"calm-max", SB_SETTING_DURATION, "15s", SB_SECOND, 3600 * SB_SECOND,
     "most time between two troubles of one family"},
    {"down-max", SB_SETTING_DURATION, "10s", SB_SECOND, 3600 * SB_SECOND,
     "one trouble lasts at most"},
    {"cancel-rate", SB_SETTING_NUMBER, "200000", 0, 1000000,
     "of a million jobs, so many are cancelled"},
    {"pause-rate", SB_SETTING_NUMBER, "200000", 0, 1000000,
     "of a million jobs, so many are paused and, later, resumed"},
    {"single-rate", SB_SETTING_NUMBER, "250000", 0, 1000000,
     "of a million jobs, so many have their backfill done by the owner alone"},
    {"lost-rate", SB_SETTING_NUMBER, "250000", 0, 1000000,
     "of a million seeds, in so many servers stay away from the heal until the jobs have ended"},
    {"absences", SB_SETTING_NUMBER, "63", 1, (1u << SB_ABSENCE_COUNT) - 1,
     "the ways to stay away, a bit for each: dead, paused, cut off, mute, deaf, disowned"},
    {"permanent-rate", SB_SETTING_NUMBER, "100000", 0, 1000000,
     "of a million seeds, so many inject errors that a job must fail for"},
    {"region-rate", SB_SETTING_NUMBER, "700000", 0, 1000000,
     "of a million seeds, in so many regions are split, merged and moved"},
    {"region-pause", SB_SETTING_DURATION, "8s", SB_SECOND, 600 * SB_SECOND,
     "between two orders about regions, at most"},
    {"triggers", SB_SETTING_NUMBER, "24", 0, SB_TRIGGER_MAX,
     "so many troubles, at most, are tied to moments of the protocol; 0: all come in epochs"},
};

#define DOWN_MIN (100 * SB_MILLISECOND)
#define HURRIES 3u /* a backfill pauses a half, a quarter or an eighth of what is set */
#define AFTERWARDS_MAX (6 * SB_SECOND)
#define ORDERS_MAX 3u
#define DUPLICATES_RATE 250000 /* of a million seeds, in so many clients draw duplicates */
#define DUPLICATES 100000      /* of a million inserts then */
#define HOT_ROWS_RATE 250000   /* of a million seeds, in so many clients write the same few rows */
#define HOT_ROWS 500000        /* of a million ids that they draw then */

#define ONE_IN_A_HUNDRED 10000

static const sb_floor floors[] = {
    {COUNTER_rows_loaded, 1, 1000000},
    {COUNTER_client_transactions_committed, 10, 1000000},
    {COUNTER_jobs_synced, 1, 500000},
    /* Every kind of order and of outcome, by some seeds of a sweep. */
    {COUNTER_orders_add_columns, 1, ONE_IN_A_HUNDRED},
    {COUNTER_orders_add_unique, 1, ONE_IN_A_HUNDRED},
    {COUNTER_orders_add_several, 1, ONE_IN_A_HUNDRED},
    {COUNTER_orders_drop_index, 1, ONE_IN_A_HUNDRED},
    {COUNTER_orders_single, 1, ONE_IN_A_HUNDRED},
    {COUNTER_orders_bad, 1, ONE_IN_A_HUNDRED},
    {COUNTER_jobs_cancelled, 1, ONE_IN_A_HUNDRED},
    {COUNTER_jobs_duplicate, 1, ONE_IN_A_HUNDRED},
    {COUNTER_jobs_paused, 1, ONE_IN_A_HUNDRED},
    {COUNTER_jobs_resumed, 1, ONE_IN_A_HUNDRED},
    {COUNTER_index_reads, 1, 200000},
    {COUNTER_unique_index_reads, 1, ONE_IN_A_HUNDRED},
    {COUNTER_region_splits, 1, 400000},
    {COUNTER_region_merges, 1, 300000},
    {COUNTER_leader_moves, 1, 400000},
    {COUNTER_servers_away, 1, 100000},
    {COUNTER_jobs_left_to_a_core, 1, 30000},
    {COUNTER_registers_judged, 1000, 990000},
};

/* Failpoints with "permanent" in their name: off, or at a rate of their own. */
static void draw_permanent_errors(trial *of)
{
    const bool wanted = sb_chance(of->world, SB_STREAM_SCENARIO,
                                  (uint32_t)trial_setting(of, SETTING_PERMANENT_RATE));
    const uint32_t rate = (uint32_t)1000 << sb_choose(of->world, SB_STREAM_SCENARIO, 6);
    sb_failpoints_enable(of->world, TRIAL_PERMANENT, wanted ? rate : 0);
}

/* Errors after an effect and before whoever caused it knows: half of all hot failpoints. */
static bool is_behind_its_effect(const char *name)
{
    return strstr(name, "after") != NULL || strstr(name, "lost") != NULL;
}

/* In half of the seeds one of the other failpoints fires often: what a job passes once is met at a
 * low rate in hardly any seed.  Which one is told by the hashes of their names, so that one more in
 * the code takes seeds from the others and changes no other. */
static void draw_hot_failpoint(trial *of)
{
    const uint64_t salt = sb_choose(of->world, SB_STREAM_SCENARIO, HOT_SALTS);
    const bool any = salt % 4 == 1;
    const sb_place_name **failpoints, *hottest = NULL;
    const size_t count = salt % 2 == 0 ? 0 : sb_failpoint_list(&failpoints);
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = failpoints[i]->name;
        const uint64_t hash = checksum64_of_part(slice_of_string(name), salt);
        if (hash >= most && !sb_glob_matches(TRIAL_PERMANENT, name) &&
            (any || is_behind_its_effect(name))) {
            most = hash;
            hottest = failpoints[i];
        }
    }
    if (hottest != NULL) {
        sb_failpoints_enable(of->world, hottest->name, HOT_RATE);
    } else if (salt % BEHIND_IMPORT == 2) { /* once a phase, and the place of TiDB's issue 53641 */
        sb_failpoints_enable(of->world, "*-after-import", HOT_RATE);
    }
}

static void order_jobs(trial *of)
{
    const script_limits limits = {.orders_max = ORDERS_MAX,

                                  .window = trial_setting(of, SETTING_TROUBLE_MAX) / 2,
                                  .cancel_rate = (uint32_t)trial_setting(of, SETTING_CANCEL_RATE),
                                  .pause_rate = (uint32_t)trial_setting(of, SETTING_PAUSE_RATE),
                                  .drops = true};
    const table_id first = of->machines.plan.settings.table;
    script_draw_first(&of->script, first);
    script_draw(&of->script, &limits);
    script_draw_single(&of->script, (uint32_t)trial_setting(of, SETTING_SINGLE_RATE));
}

/* docs/FAULTS.md, "What may strike which disk". */
static void name_rebuildable(const machines *all, const char **rebuildable)
{
    for (uint32_t i = 0; i < all->store_count; i++) {
        rebuildable[all->stores[i]] = "ingest"; /* sent again */
    }
    for (uint32_t i = 0; i < all->server_count; i++) {
        rebuildable[all->servers[i]] = "jobs"; /* made again */
    }
}

/* What the swarm may do to these machines. */
static sb_swarm_plan plan_of(const sb_settings *values, const machines *all,
                             const char **rebuildable)
{
    name_rebuildable(all, rebuildable);
    return (sb_swarm_plan){
        .kinds = scenario_chaos.faults,
        .victims = all->everybody,
        .down_at_once_max = 1,
        .down_min = DOWN_MIN,
        .down_max = setting_of(values, SETTING_DOWN_MAX),
        .calm_min = SB_SECOND,
        .calm_max = setting_of(values, SETTING_CALM_MAX),
        .failpoint_glob = "*",
        .disks = all->everybody,
        .rebuildable = rebuildable,
        .wipeable = machines_bits(all->servers, all->server_count) |
                    machines_bits(all->clients, all->client_count),
        .precious =
            machines_bits(&all->placement, 1) | machines_bits(all->stores, all->store_count),
        .triggers = (uint32_t)setting_of(values, SETTING_TRIGGERS),
    };
}

static bool check(const sb_settings *values, char *problem, size_t size)
{
    static const setting_pair pairs[] = {{SETTING_TROUBLE_MIN, SETTING_TROUBLE_MAX}};
    const char *rebuildable[SB_NODE_COUNT_MAX] = {NULL};
    machines all;
    machines_number(&all, values, 1);
    const sb_swarm_plan plan = plan_of(values, &all, rebuildable);
    return settings_are_ordered(settings, values, pairs, 1, problem, size) &&
           sb_swarm_plan_check(&plan, problem, size);
}

static void trouble(trial *of)
{
    const sb_swarm_plan plan = plan_of(of->settings, &of->machines, of->rebuildable);
    const sb_duration lasts = trial_draw_duration(of, trial_setting(of, SETTING_TROUBLE_MIN),
                                                  trial_setting(of, SETTING_TROUBLE_MAX));
    const sb_disk disk = {.sync_min = 500 * SB_MICROSECOND, .sync_max = 2 * SB_MILLISECOND};
    sb_disk_set(of->world, &disk); /* long enough to die in the middle of a sync */
    sb_swarm_start(of->world, &plan);
    draw_hot_failpoint(of);
    draw_permanent_errors(of);
    region_trouble_start(&of->regions, of->world, &of->machines, of->desk.cluster,
                         (uint32_t)trial_setting(of, SETTING_REGION_RATE),
                         trial_setting(of, SETTING_REGION_PAUSE));
    trial_lose_servers(of, (uint32_t)trial_setting(of, SETTING_LOST_RATE), BOOT_MACHINES_MAX,
                       trial_setting(of, SETTING_ABSENCES));
    const sb_duration longer = trial_draw_duration(of, 0, AFTERWARDS_MAX);
    if (trial_wait_for_jobs(of, lasts)) {
        (void)sb_sleep(longer, NULL); /* with the indexes that are public now */
    }
}

static void run(sb_world *world, void *context)
{
    const sb_settings *values = context;
    const sb_duration latency = setting_of(values, SETTING_LATENCY);
    const uint32_t others = (uint32_t)sb_choose(world, SB_STREAM_SCENARIO, 2);
    const bool duplicates = sb_chance(world, SB_STREAM_SCENARIO, DUPLICATES_RATE);
    const uint32_t hurry = 1 + (uint32_t)sb_choose(world, SB_STREAM_SCENARIO, HURRIES);
    const bool hot = sb_chance(world, SB_STREAM_SCENARIO, HOT_ROWS_RATE);
    const trial_plan plan = {.network = {.latency_min = latency, .latency_max = latency},
                             .machines = {.sizes = scenario_chaos.faults,
                                          .tables = 1 + others,
                                          .duplicates = duplicates ? DUPLICATES : 0,
                                          .hot = hot ? HOT_ROWS : 0,
                                          .hurry = hurry},
                             .order = order_jobs,
                             .trouble = trouble};
    trial_run(world, values, &plan);
}

#define DECLARES(fault) ((uint64_t)1 << SB_FAULT_##fault)

static const sb_unreachable unreachable[] = {
#define UNREACHABLE(glob, why) {glob, why},
#include "nodes/scenarios/unreachable_chaos.def"
#undef UNREACHABLE
};

const sb_scenario scenario_chaos = {
    .name = "chaos",
    .summary = "ADD INDEX under every fault there is, drawn anew for each seed",
    .settings = settings,
    .setting_count = sizeof(settings) / sizeof(settings[0]),
    .faults = DECLARES(DELAY) | DECLARES(REORDER) | DECLARES(CORRUPT) |
              DECLARES(PARTITION_PARTIAL) | DECLARES(CLOG) | DECLARES(BANDWIDTH) | DECLARES(LOSS) |
              DECLARES(REPLY_LOSS) | DECLARES(DUPLICATE) | DECLARES(RESET) | DECLARES(PARTITION) |
              DECLARES(PARTITION_ONE_WAY) | DECLARES(KILL) | DECLARES(CRASH_LOOP) |
              DECLARES(EMPTY_DISK) | DECLARES(PERSISTED_UNACKNOWLEDGED) | DECLARES(IO_LATENCY) |
              DECLARES(JUMP_FORWARD) | DECLARES(JUMP_BACK) | DECLARES(FREEZE) | DECLARES(STOP) |
              DECLARES(PAUSE) | DECLARES(LOST_WRITE) | DECLARES(TORN_WRITE) | DECLARES(LOST_NAME) |
              DECLARES(SYNC_LATENCY) | DECLARES(SYNC_STALL) | DECLARES(SYNC_ERROR) |
              DECLARES(WRITE_ERROR) | DECLARES(READ_ERROR) | DECLARES(DISK_FULL) |
              DECLARES(BIT_ROT) | DECLARES(MISDIRECTED_WRITE) | DECLARES(TINY_QUOTA) |
              DECLARES(TINY_CHANNEL) | DECLARES(FEW_WORKERS) | DECLARES(MANY_REGIONS) |
              DECLARES(REGION_SPLIT) | DECLARES(REGION_MERGE) | DECLARES(LEADER_MOVE) |
              DECLARES(STALE_EPOCH) | DECLARES(SERVER_BUSY) | DECLARES(PARTIAL_WRITE) |
              DECLARES(REGION_HOLE) | DECLARES(SKEW) | DECLARES(DRIFT) | DECLARES(FAILPOINT),
    .floors = floors,
    .floor_count = sizeof(floors) / sizeof(floors[0]),
    .run = run,
    .unreachable = unreachable,
    .unreachable_count = sizeof(unreachable) / sizeof(unreachable[0]),
    .permanent = TRIAL_PERMANENT,
    .check = check,
};
