/*
 * The life of one run: see trial.h.
 */
#include "nodes/scenarios/trial.h"

#include <string.h>

#include "nodes/counters.h"
#include "nodes/oracles/oracle.h"
#include "nodes/scenarios/explain.h"

#define LOOK_PAUSE (250 * SB_MILLISECOND)
#define LOAD_PATIENCE (60 * SB_SECOND)
#define LOAD_PATIENCE_ROW SB_MILLISECOND
#define SUBMIT_PATIENCE (30 * SB_SECOND)
#define DOWN_PATIENCE (60 * SB_SECOND)
#define SERVE_PATIENCE (30 * SB_SECOND)
#define LEASES_UNSEEN 2u /* a server notices within another one that its own has passed */
#define WARM_UP (2 * SB_SECOND)
#define FILES_PATIENCE (60 * SB_SECOND) /* for several looks of everybody who removes some */

/* ---------------------------------------------------------------------------------- observing */

static void observe_report(sb_world *world, sb_node node, uint32_t kind, const void *data,
                           size_t size)
{
    trial *of = sb_world_data(world);
    if (kind == REPORT_PROMISED) {
        oracle_promised(&of->promises, world, node, slice_of(data, size));
        return;
    }
    watch_report(&of->watch, node, kind, slice_of(data, size));
}

static void observe_move(sb_world *world, sb_node node, const sb_machine *machine, uint64_t id,
                         uint32_t from, uint32_t to)
{
    trial *of = sb_world_data(world);
    (void)from;
    oracle_office_moved(&of->offices, world, node, machine, to);
    if (machine == &job_machine) {
        of->watch.full_disks = script_full_disks(world);
    }
    watch_move(&of->watch, node, machine, id, to);
}

static uint64_t witness_progress(sb_world *world)
{
    const trial *of = sb_world_data(world);
    return watch_progress(&of->watch, world);
}

static void witness_describe(sb_world *world, char *text, size_t size)
{
    const trial *of = sb_world_data(world);
    watch_describe(&of->watch, text, size);
}

static const char *witness_phase(sb_world *world)
{
    const trial *of = sb_world_data(world);
    return schema_state_text(of->watch.schema);
}

static uint64_t witness_effort(sb_world *world)
{
    const trial *of = sb_world_data(world);
    return watch_effort(&of->watch) + sb_world_counter(world, COUNTER_job_errors);
}

static void witness_explain(sb_world *world)
{
    explain_trial(sb_world_data(world));
}

static void trial_init(trial *into, sb_world *world, const sb_settings *settings,
                       const machines_plan *how)
{
    memset(into, 0, sizeof(*into));
    into->world = world;
    into->settings = settings;
    into->core.absences = 1u << SB_ABSENCE_DEAD;
    machines_add(&into->machines, world, settings, how);
    watch_init(&into->watch, &into->machines);
    sb_world_set_data(world, into);
    const sb_witness witness = {.progress = witness_progress,
                                .describe = witness_describe,
                                .phase = witness_phase,
                                .lease_max =
                                    LEASES_UNSEEN * into->machines.plan.settings.server_session_ttl,
                                .effort = witness_effort,
                                .explain = witness_explain};
    sb_world_set_witness(world, &witness);
    sb_observe_reports(world, observe_report);
    sb_observe_moves(world, observe_move);
}

/* ------------------------------------------------------------------------------------ helpers */

uint64_t trial_setting(const trial *of, uint32_t setting)
{
    return setting_of(of->settings, setting);
}

sb_duration trial_draw_duration(trial *of, sb_duration least, sb_duration most)
{
    const uint64_t steps = most > least ? (most - least) / SB_MILLISECOND : 0;
    return least + sb_choose(of->world, SB_STREAM_SCENARIO, steps + 1) * SB_MILLISECOND;
}

bool trial_wait_for_jobs(trial *of, sb_duration patience)
{
    const sb_time end = sb_world_time(of->world) + patience;
    while (sb_world_time(of->world) < end && !script_ended(&of->script)) {
        (void)sb_sleep(LOOK_PAUSE, NULL);
    }
    return script_ended(&of->script);
}

sb_time trial_submitted(const trial *of)
{
    return of->script.orders[0].accepted;
}

/* ----------------------------------------------------------------------------------- restarts */

/* Asks again: a machine that the swarm had stopped comes back first. */
static bool is_down(sb_world *world, void *context)
{
    const uint64_t nodes = *(const uint64_t *)context;
    machines_stop_all(world, nodes);
    return machines_all_down(world, nodes);
}

/* Until they have stopped, or it is proved that they never will. */
static void await_down(trial *of, uint64_t nodes)
{
    of->stopping = nodes;
    sb_await(of->world, is_down, &nodes, "machines to stop");
    of->stopping = 0;
}

static void count_restart(trial *of, sb_node server)
{
    const uint64_t bit = (uint64_t)1 << server;
    sb_count(COUNTER_server_restarts, 1);
    const job_id first = script_first_job(&of->script);
    if (first == 0 || watch_job_ended(&of->watch, first)) {
        return;
    }
    if (watch_runs_subtask(&of->watch, server)) {
        sb_count(COUNTER_restarts_on_subtasks, 1);
    }
    if ((of->restarted & bit) == 0) {
        of->restarted |= bit;
        sb_count(COUNTER_servers_restarted, 1);
    }
}

void trial_restart_server(trial *of, sb_node server, const restart_plan *plan)
{
    count_restart(of, server);
    if (plan->kill) {
        sb_node_kill(of->world, server);
    } else {
        sb_node_stop(of->world, server);
    }
    if (!sb_node_wait_down(of->world, server, DOWN_PATIENCE)) {
        sb_world_heal(of->world);
        await_down(of, (uint64_t)1 << server);
    }
    (void)sb_sleep(plan->down_for, NULL);
    sb_node_boot(of->world, server);
    const sb_time end = sb_world_time(of->world) + SERVE_PATIENCE;
    while (sb_world_time(of->world) < end && !operator_server_serves(&of->desk, server)) {
        (void)sb_sleep(LOOK_PAUSE, NULL);
    }
}

/* ------------------------------------------------------------------------------------- phases */

/* The other clients come when the first has loaded: an id that they insert before would be a
 * duplicate to it. */
static void load_rows(trial *of)
{
    const machines *all = &of->machines;
    sb_phase(of->world, "load");
    machines_boot_all(of->world,
                      all->everybody & ~machines_bits(all->clients + 1, all->client_count - 1));
    const sb_time end = sb_world_time(of->world) + LOAD_PATIENCE +
                        trial_setting(of, SETTING_ROWS) * LOAD_PATIENCE_ROW;
    while (!watch_loaded(&of->watch) && sb_world_time(of->world) < end) {
        (void)sb_sleep(LOOK_PAUSE, NULL);
    }
    machines_boot_all(of->world, all->everybody);
    (void)sb_sleep(WARM_UP, NULL);
}

void trial_lose_servers(trial *of, uint32_t rate, uint32_t most, uint64_t absences)
{
    const machines *all = &of->machines;
    of->core = (sb_core_plan){.rate = rate,
                              .may_stay_away = machines_bits(all->servers, all->server_count),
                              .away_max = most < all->server_count ? most : all->server_count - 1,
                              .absences = absences,
                              .keepers = machines_bits(&all->placement, 1)};
}

static bool is_loaded(sb_world *world, void *context)
{
    (void)world;
    return watch_loaded(&((const trial *)context)->watch);
}

static bool has_paused(sb_world *world, void *context)
{
    trial *of = context;
    (void)world;
    return script_has_paused(&of->script, of->pausing);
}

/* A pause takes effect, also of a job that is in the middle of its work. */
static void pause_one(trial *of)
{
    of->pausing = script_pause_now(&of->script);
    if (of->pausing != 0) {
        sb_await(of->world, has_paused, of, "job to pause");
    }
}

static bool is_settled(sb_world *world, void *context)
{
    (void)world;
    return script_settle(&((trial *)context)->script);
}

/* Asked after the jobs' last moves were seen, and now and then, because those may never be told.
 */
static bool is_quiet(sb_world *world, void *context)
{
    trial *of = context;
    (void)world;
    of->looks++;
    if (of->looks % 4 == 1) {
        script_resume(&of->script);
    }
    return (script_ended(&of->script) || of->looks % 8 == 0) && operator_sees_quiet(&of->desk);
}

/* A boot would remove whatever an earlier incarnation has left, so this is judged before the cold
 * restart. */
static void await_no_files(trial *of)
{
    const evidence seen = {.world = of->world,
                           .servers = of->machines.servers,
                           .server_count = of->machines.server_count};
    const sb_time end = sb_world_time(of->world) + FILES_PATIENCE;
    while (!oracle_server_files_are_gone(&seen) && sb_world_time(of->world) < end) {
        (void)sb_sleep(LOOK_PAUSE, NULL);
    }
    oracle_server_files(&seen);
}

/* What small quotas have led to; in roomy worlds there is some of it too. */
static void count_quotas(sb_world *world)
{
    if (sb_world_fault_counts(world)[SB_FAULT_TINY_QUOTA].applied != 0) {
        sb_fault_note(world, SB_FAULT_TINY_QUOTA, 0,
                      sb_world_counter(world, COUNTER_runs_spilled) +
                          sb_world_counter(world, COUNTER_early_imports));
    }
}

static void settle(trial *of)
{
    region_trouble_count(of->world);
    count_quotas(of->world);
    sb_phase(of->world, "settle");
    sb_world_heal_core(of->world, &of->core);
    const uint64_t away = sb_world_away(of->world);
    sb_count(COUNTER_servers_away, (uint64_t)__builtin_popcountll(away));
    sb_count(COUNTER_jobs_left_to_a_core, away == 0 ? 0 : script_unended(&of->script));
    sb_await(of->world, is_loaded, of, "rows to be loaded");
    sb_await(of->world, is_settled, of, "orders to be answered");
    pause_one(of);
    await_down(of, machines_bits(of->machines.clients, of->machines.client_count));
    sb_await(of->world, is_quiet, of, "jobs to end");
    if (away != 0) {
        sb_world_rejoin(of->world);
        sb_await(of->world, is_quiet, of, "all to be quiet again");
    }
    sb_count(COUNTER_simulated_seconds,
             (sb_world_time(of->world) - trial_submitted(of)) / SB_SECOND);
    await_no_files(of);
}

static void stop_everything(trial *of, bool at_once)
{
    const machines *all = &of->machines;
    if (!at_once) {
        await_down(of, machines_bits(all->servers, all->server_count));
        await_down(of, machines_bits(all->stores, all->store_count));
    }
    await_down(of, all->everybody);
}

static bool has_new_owner(sb_world *world, void *context)
{
    trial *of = context;
    (void)world;
    return operator_read_tenure(&of->desk) > of->tenure_before;
}

static bool has_transaction(sb_world *world, void *context)
{
    trial *of = context;
    (void)world;
    return operator_try_transaction(&of->desk);
}

/* Issue 47902 (c): after any history, a full stop and a full start succeed. */
static void restart_cold(trial *of, bool at_once)
{
    const machines *all = &of->machines;
    sb_phase(of->world, "cold restart");
    of->tenure_before = operator_read_tenure(&of->desk);
    stop_everything(of, at_once);
    machines_boot_all(of->world, all->everybody & ~machines_bits(all->clients, all->client_count));
    sb_await(of->world, has_new_owner, of, "an owner after the cold restart");
    sb_await(of->world, has_transaction, of, "a transaction after the cold restart");
    operator_close(&of->desk);
    sb_phase(of->world, "stop");
    stop_everything(of, at_once);
}

/* ------------------------------------------------------------------------------------ verdict */

/* Failpoints whose name says so inject an error that no retry will heal. */
static bool permanent_error_was_injected(const sb_world *world)
{
    const sb_place_name **failpoints;
    const size_t count = sb_failpoint_list(&failpoints);
    const uint64_t *fired = sb_world_failpoint_bits(world);
    for (size_t i = 0; i < count; i++) {
        if ((fired[i / 64] >> (i % 64) & 1) != 0 &&
            sb_glob_matches(TRIAL_PERMANENT, failpoints[i]->name)) {
            return true;
        }
    }
    return false;
}

static void count_work(trial *of)
{
    sb_count(COUNTER_regions_with_rows, machines_row_regions(&of->machines));
    sb_count(COUNTER_servers_with_subtasks, (uint64_t)__builtin_popcountll(of->watch.workers));
}

static void judge(trial *of)
{
    durable_cluster durable;
    sb_phase(of->world, "judge");
    durable_cluster_read(&durable, of->world, of->machines.stores, of->machines.store_count);
    oracle_garbage(&of->watch.collected, &durable, of->world);
    evidence seen = {
        .world = of->world,
        .durable = &durable,
        .operations = &of->watch.operations,
        .decisions = &of->watch.decisions,
        .servers = of->machines.servers,
        .server_count = of->machines.server_count,
        .permanent_error = permanent_error_was_injected(of->world),
        .error_limit = of->machines.plan.settings.job_error_limit,
    };
    script_tell(&of->script, &seen);
    script_count(&of->script, &durable);
    seen.table_count = of->machines.plan.settings.tables;
    for (uint32_t i = 0; i < seen.table_count; i++) {
        seen.tables[i].id = of->machines.plan.settings.table + i;
    }
    oracle_judge(&seen);
    durable_cluster_release(&durable);
}

void trial_run(sb_world *world, const sb_settings *settings, const trial_plan *plan)
{
    trial *of = sb_alloc(sizeof(*of));
    trial_init(of, world, settings, &plan->machines);
    sb_network_set(world, &plan->network);
    region_trouble_name(world);
    const bool at_once = sb_choose(world, SB_STREAM_SCENARIO, 4) == 3;
    operator_open(&of->desk, &of->machines, &of->watch);
    script_init(&of->script, world, &of->desk, &of->watch);
    if (plan->order == NULL) {
        (void)script_add_index(&of->script, of->machines.plan.settings.table, 0);
    } else {
        plan->order(of);
    }
    load_rows(of);
    sb_phase(world, "build");
    script_submit_first(&of->script, SUBMIT_PATIENCE);
    script_start(&of->script);
    plan->trouble(of);
    region_trouble_stop(&of->regions);
    script_stop(&of->script);
    settle(of);
    restart_cold(of, at_once);
    count_work(of);
    judge(of);
    script_release(&of->script);
    watch_release(&of->watch);
    sb_free(of);
}
