/*
 * The cluster of the scenarios: see machines.h.
 */
#include "nodes/scenarios/machines.h"

#include <stdio.h>

#include "engine/base/codec.h"
#include "engine/wire/keys.h"
#include "nodes/client.h"
#include "nodes/placement.h"
#include "nodes/server.h"
#include "nodes/storage.h"

#define BATCH_SIZE_MAX 64u
#define ROW_REGIONS_MAX 24u       /* that are drawn; more may be set */
#define OTHER_REGIONS 2u          /* of the rows of a table behind the first */
#define LARGE_REGION (128u << 10) /* more than any has, if its cuts are even */
#define FIRST_INDEX 2u /* of a cluster without indexes: where its entries are cut in two */

uint64_t setting_of(const sb_settings *settings, uint32_t setting)
{
    sb_assert_op(setting, <, settings->count);
    return settings->values[setting];
}

bool settings_are_ordered(const sb_setting *table, const sb_settings *values,
                          const setting_pair *pairs, size_t count, char *problem, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t least = setting_of(values, pairs[i].least);
        const uint64_t most = setting_of(values, pairs[i].most);
        if (least > most) {
            (void)snprintf(problem, size, "%s is over %s: %llums and %llums",
                           table[pairs[i].least].name, table[pairs[i].most].name,
                           (unsigned long long)(least / SB_MILLISECOND),
                           (unsigned long long)(most / SB_MILLISECOND));
            return false;
        }
    }
    return true;
}

#define FEW_ROWS 1024u
#define MANY_ROWS 65536u
#define BATCH_OF_MANY 64u    /* rows */
#define SUBTASKS_OF_MANY 24u /* at least */
#define MEMORY_OF_MANY ((size_t)1000 << 20)
#define SPLIT_OF_MANY (512u << 10)
#define SMALL_SPLIT (8u << 10)
#define INGEST_PAIRS 1024u   /* in one ingest, when that is bounded */
#define WRITERS_IN_QUOTA 32u /* so many buffers of writers fill a server's memory quota */

/* ------------------------------------------------------------------------------------ regions */

/* Ids behind which the rows are cut: equal parts, each cut drawn up to half a part further. */
static int64_t draw_cut(sb_world *world, uint64_t rows, uint64_t parts, uint64_t part)
{
    const uint64_t even = rows * part / parts;
    const uint64_t width = rows / parts / 2;
    return (int64_t)(even + sb_choose(world, SB_STREAM_SCENARIO, width + 1) + 1);
}

/* The next region ends here.  Regions go round the stores. */
static void cut_region(machines *into, slice end)
{
    const region_id id = into->plan.region_count + 1;
    boot_plan_add_region(&into->plan, id, into->stores[(id - 1) % into->store_count], end);
}

/* The entries of its indexes in two regions, its rows in so many; the last is left open, and has
 * more behind it. */
static void cut_table(machines *into, sb_world *world, table_id table, uint64_t parts_wanted)
{
    const boot_settings *settings = &into->plan.settings;
    const uint64_t rows = boot_table_rows(settings, table);
    const uint64_t parts = parts_wanted < rows ? parts_wanted : rows;
    buffer key;
    buffer_init(&key);
    buffer_add_u8(&key, 't');
    if (table != settings->table) {
        codec_add_u64(&key, table);
    }
    cut_region(into, buffer_slice(&key));
    key_index_prefix(&key, table, FIRST_INDEX);
    codec_add_i64(&key, settings->k_values / 2);
    cut_region(into, buffer_slice(&key));
    key_row_prefix(&key, table);
    cut_region(into, buffer_slice(&key));
    for (uint64_t part = 1; part < parts; part++) {
        key_row(&key, table, draw_cut(world, rows, parts, part));
        cut_region(into, buffer_slice(&key));
    }
    buffer_release(&key);
}

/* A half more than is set, or twice as many. */
static uint64_t draw_regions(sb_world *world, uint64_t set)
{
    const uint64_t more = sb_sizes_has(world, SB_FAULT_MANY_REGIONS)
                              ? set * sb_choose(world, SB_STREAM_SCENARIO, 3) / 2
                              : 0;
    const uint64_t regions = set + more < ROW_REGIONS_MAX ? set + more : ROW_REGIONS_MAX;
    if (regions > set) {
        sb_fault_note(world, SB_FAULT_MANY_REGIONS, 1, 1);
    }
    return regions > set ? regions : set;
}

static void add_regions(machines *into, sb_world *world, const sb_settings *settings)
{
    const table_id first = into->plan.settings.table;
    for (uint32_t i = 0; i < into->plan.settings.tables; i++) {
        const uint64_t set = setting_of(settings, SETTING_REGIONS);
        cut_table(into, world, first + i, i == 0 ? draw_regions(world, set) : OTHER_REGIONS);
    }
    cut_region(into, (slice){NULL, 0});
}

uint32_t machines_row_regions(const machines *of)
{
    uint32_t count = 0;
    buffer first, last;
    buffer_init(&first);
    buffer_init(&last);
    key_row(&first, of->plan.settings.table, 1);
    key_row(&last, of->plan.settings.table, (int64_t)of->plan.settings.rows);
    for (uint32_t i = 0; i < of->plan.region_count; i++) {
        const boot_region *one = &of->plan.regions[i];
        const slice start = {one->start, one->start_size}, end = {one->end, one->end_size};
        count += slice_compare(start, buffer_slice(&last)) <= 0 &&
                 (end.size == 0 || slice_compare(end, buffer_slice(&first)) > 0);
    }
    buffer_release(&last);
    buffer_release(&first);
    return count;
}

/* --------------------------------------------------------------------------------------- plan */

/* A build of many rows takes about as long as one of few: its subtasks, batches and buffers are
 * larger, and the pauses between batches shorter. */
static void apply_size(boot_settings *into)
{
    if (into->rows <= FEW_ROWS) {
        return;
    }
    const uint64_t batches_of_few = FEW_ROWS / into->batch_size;
    const uint64_t subtask_rows = into->rows / SUBTASKS_OF_MANY;
    const uint64_t writer_quota = into->memory_quota / WRITERS_IN_QUOTA;
    if (into->rows >= MANY_ROWS) {
        into->batch_size = BATCH_OF_MANY;
    }
    into->batch_pause = into->batch_pause * batches_of_few / (into->rows / into->batch_size);
    into->split_size = SPLIT_OF_MANY;
    if (subtask_rows > into->subtask_rows) {
        into->subtask_rows = (uint32_t)subtask_rows;
    }
    if (writer_quota > into->writer_quota) {
        into->writer_quota = (uint32_t)writer_quota;
    }
}

static void apply_settings(boot_settings *into, const sb_settings *settings)
{
    into->rows = setting_of(settings, SETTING_ROWS);
    into->other_rows = setting_of(settings, SETTING_OTHER_ROWS);
    into->k_values = (uint32_t)setting_of(settings, SETTING_K_VALUES);
    into->client_workers = (uint32_t)setting_of(settings, SETTING_CLIENT_WORKERS);
    into->client_pause = setting_of(settings, SETTING_CLIENT_PAUSE);
    into->client_think_ms = (uint32_t)setting_of(settings, SETTING_CLIENT_THINK);
    into->checkpoint_log_size = (uint32_t)setting_of(settings, SETTING_CHECKPOINT_LOG_SIZE);
    into->batch_size = (uint32_t)setting_of(settings, SETTING_BATCH_SIZE);
    into->batch_pause = setting_of(settings, SETTING_BATCH_PAUSE);
    into->memory_quota = setting_of(settings, SETTING_MEMORY_QUOTA);
    into->disk_quota = setting_of(settings, SETTING_DISK_QUOTA);
    apply_size(into);
}

static uint32_t draw_smaller(sb_world *world, sb_fault kind, uint32_t value, unsigned halvings_max)
{
    return (uint32_t)sb_size_draw(world, kind, value, halvings_max);
}

/* In every other such world regions are split, merged and evened out by themselves. */
static void vary_balance(boot_settings *into, sb_world *world)
{
    if (sb_choose(world, SB_STREAM_SCENARIO, 2) == 0) {
        return;
    }
    sb_fault_note(world, SB_FAULT_REGION_SPLIT, 0, 0);
    sb_fault_note(world, SB_FAULT_REGION_MERGE, 0, 0);
    sb_fault_note(world, SB_FAULT_LEADER_MOVE, 0, 0);
    into->balance_interval = 3 * SB_SECOND << sb_choose(world, SB_STREAM_SCENARIO, 3);
    into->region_report_interval = 2 * into->balance_interval;
    into->region_size_max = (uint64_t)LARGE_REGION >> sb_choose(world, SB_STREAM_SCENARIO, 3);
    into->region_size_min = into->region_size_max / 4;
}

/* In every other such world garbage is collected; in half of those so soon that transactions feel
 * it. */
static void vary_garbage(boot_settings *into, sb_world *world)
{
    static const struct {
        sb_duration interval, lag;
    } paces[] = {
        {0, 0},
        {0, 0},
        {4 * SB_SECOND, 8 * SB_SECOND},
        {SB_SECOND, 100 * SB_MILLISECOND},
    };
    const uint64_t pace = sb_choose(world, SB_STREAM_SCENARIO, sizeof(paces) / sizeof(paces[0]));
    into->garbage_interval = paces[pace].interval;
    into->garbage_lag = paces[pace].lag;
}

static void vary_workers(boot_settings *into, sb_world *world)
{
    const sb_fault kind = SB_FAULT_FEW_WORKERS;
    into->placement_concurrency = draw_smaller(world, kind, into->placement_concurrency, 5);
    into->storage_concurrency = draw_smaller(world, kind, into->storage_concurrency, 5);
    into->server_concurrency = draw_smaller(world, kind, into->server_concurrency, 4);
    into->jobs_at_once = draw_smaller(world, kind, into->jobs_at_once, 2);
    into->session_transactions = draw_smaller(world, kind, into->session_transactions, 6);
    into->batch_size = draw_smaller(world, kind, into->batch_size, 2);
    into->writers = draw_smaller(world, kind, 2 * into->writers, 2);
}

static void vary_quotas(boot_settings *into, sb_world *world)
{
    const sb_fault kind = SB_FAULT_TINY_QUOTA;
    into->job_error_limit = draw_smaller(world, kind, into->job_error_limit, 9);
    into->writer_quota = draw_smaller(world, kind, into->writer_quota, 4);
    into->memory_quota = draw_smaller(world, kind, (uint32_t)into->memory_quota, 7);
    into->checkpoint_log_size = draw_smaller(world, kind, into->checkpoint_log_size, 5);
    if (!sb_sizes_has(world, kind)) {
        return;
    }
    if (into->disk_quota == 0 && sb_choose(world, SB_STREAM_SCENARIO, 2) == 1) {
        into->disk_quota = draw_smaller(world, kind, 32u << 10, 3);
    }
    into->ingest_pairs_max = draw_smaller(world, kind, INGEST_PAIRS, 7);
}

static void vary_regions(boot_settings *into, sb_world *world)
{
    const sb_fault kind = SB_FAULT_MANY_REGIONS;
    into->subtask_rows = draw_smaller(world, kind, into->subtask_rows, 3);
    if (!sb_sizes_has(world, kind)) {
        return;
    }
    if (sb_choose(world, SB_STREAM_SCENARIO, 4) == 3) {
        into->split_size = draw_smaller(world, kind, SMALL_SPLIT, 2);
    }
    into->scatter_regions = (uint32_t)sb_choose(world, SB_STREAM_SCENARIO, 4);
}

/* What is full at once, and waits in turn, is where orders go wrong that roomy machines never see.
 */
static void vary_sizes(boot_settings *into, sb_world *world)
{
    vary_workers(into, world);
    vary_quotas(into, world);
    vary_regions(into, world);
    into->run_channel_capacity =
        draw_smaller(world, SB_FAULT_TINY_CHANNEL, into->run_channel_capacity, 1);
    into->subtasks_at_once += (uint32_t)sb_choose(world, SB_STREAM_SCENARIO, 3);
    vary_balance(into, world);
    vary_garbage(into, world);
}

/* Numbers that the next nodes of the world will get. */
static sb_node number_nodes(sb_node next, sb_node *nodes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        nodes[i] = next++;
    }
    return next;
}

static void list_nodes(boot_machines *into, const sb_node *nodes, uint32_t count)
{
    sb_assert_op(count, <=, BOOT_MACHINES_MAX);
    into->count = count;
    for (uint32_t i = 0; i < count; i++) {
        into->addresses[i] = nodes[i];
    }
}

static uint32_t hurried_batch(uint32_t size, uint32_t hurry)
{
    return hurry > 0 && size <= BATCH_SIZE_MAX / 2 ? 2 * size : size;
}

void machines_number(machines *into, const sb_settings *settings, sb_node first)
{
    into->store_count = (uint32_t)setting_of(settings, SETTING_STORES);
    into->server_count = (uint32_t)setting_of(settings, SETTING_SERVERS);
    into->client_count = (uint32_t)setting_of(settings, SETTING_CLIENTS);
    sb_node next = number_nodes(first, &into->placement, 1);
    next = number_nodes(next, into->stores, into->store_count);
    next = number_nodes(next, into->servers, into->server_count);
    (void)number_nodes(next, into->clients, into->client_count);
    into->everybody = machines_bits(&into->placement, 1) |
                      machines_bits(into->stores, into->store_count) |
                      machines_bits(into->servers, into->server_count) |
                      machines_bits(into->clients, into->client_count);
}

static void make_plan(machines *into, sb_world *world, const sb_settings *settings,
                      const machines_plan *how)
{
    boot_plan *plan = &into->plan;
    boot_plan_init(plan);
    apply_settings(&plan->settings, settings);
    const uint32_t tables = (uint32_t)setting_of(settings, SETTING_TABLES);
    plan->settings.tables = tables != 0 ? tables : how->tables;
    plan->settings.batch_pause >>= how->hurry;
    plan->settings.batch_size = hurried_batch(plan->settings.batch_size, how->hurry);
    plan->settings.client_pause >>= how->hurry > 0;
    plan->settings.client_duplicates = how->duplicates;
    plan->settings.client_hot = how->hot;
    if (how->sizes != 0) {
        sb_sizes_start(world, how->sizes);
        vary_sizes(&plan->settings, world);
    }
    machines_number(into, settings, (sb_node)sb_node_count(world));
    list_nodes(&plan->placements, &into->placement, 1);
    list_nodes(&plan->stores, into->stores, into->store_count);
    list_nodes(&plan->servers, into->servers, into->server_count);
    plan->settings.loader = into->clients[0];
    add_regions(into, world, settings);
}

static void add_nodes(sb_world *world, const char *role, sb_program *program, const sb_node *nodes,
                      uint32_t count, slice argument)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "%s%u", role, i + 1);
        const sb_node added = sb_node_add(world, name, role, program, argument.data, argument.size);
        sb_assert_op(added, ==, nodes[i]);
    }
}

/* The director holds what all stores have on their disks when it judges. */
static void allow_memory(const machines *of, sb_world *world)
{
    if (of->plan.settings.rows < MANY_ROWS) {
        return;
    }
    sb_node_set_memory_limit(world, 0, MEMORY_OF_MANY);
    for (uint32_t i = 0; i < of->store_count; i++) {
        sb_node_set_memory_limit(world, of->stores[i], MEMORY_OF_MANY);
    }
}

void machines_add(machines *into, sb_world *world, const sb_settings *settings,
                  const machines_plan *how)
{
    buffer argument;
    buffer_init(&argument);
    *into = (machines){.store_count = 0};
    make_plan(into, world, settings, how);
    boot_plan_encode(&into->plan, &argument);
    const slice bytes = buffer_slice(&argument);
    add_nodes(world, "placement", placement_program, &into->placement, 1, bytes);
    add_nodes(world, "store", storage_program, into->stores, into->store_count, bytes);
    add_nodes(world, "server", server_program, into->servers, into->server_count, bytes);
    add_nodes(world, "client", client_program, into->clients, into->client_count, bytes);
    allow_memory(into, world);
    buffer_release(&argument);
}

/* -------------------------------------------------------------------------------------- power */

uint64_t machines_bits(const sb_node *nodes, uint32_t count)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < count; i++) {
        bits |= (uint64_t)1 << nodes[i];
    }
    return bits;
}

void machines_boot_all(sb_world *world, uint64_t nodes)
{
    for (unsigned node = 1; node < sb_node_count(world); node++) {
        if ((nodes >> node & 1) != 0) {
            sb_node_boot(world, (sb_node)node);
        }
    }
}

void machines_stop_all(sb_world *world, uint64_t nodes)
{
    for (unsigned node = 1; node < sb_node_count(world); node++) {
        if ((nodes >> node & 1) != 0) {
            sb_node_stop(world, (sb_node)node);
        }
    }
}

bool machines_all_down(const sb_world *world, uint64_t nodes)
{
    for (unsigned node = 1; node < sb_node_count(world); node++) {
        if ((nodes >> node & 1) != 0 && sb_node_is_up(world, (sb_node)node)) {
            return false;
        }
    }
    return true;
}
