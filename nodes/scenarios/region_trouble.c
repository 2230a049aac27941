/*
 * Trouble with regions: see region_trouble.h.
 */
#include "nodes/scenarios/region_trouble.h"

#include "engine/transaction/region_orders.h"
#include "engine/wire/keys.h"
#include "nodes/counters.h"

#define ORDER_PATIENCE (2 * SB_SECOND)
#define FIRST_INDEX 1u
#define INDEXES 4u /* that an order may be about */

typedef enum region_order { ORDER_SPLIT, ORDER_MERGE, ORDER_MOVE, ORDER_KINDS } region_order;

/* A key of the table's rows, of its first index, or of the framework's own rows. */
static void draw_key(region_trouble *of, buffer *into)
{
    const boot_settings *settings = &of->machines->plan.settings;
    switch (sb_choose(of->world, SB_STREAM_SCENARIO, 8)) {
    case 0:
    case 1:
        key_index_prefix(into, settings->table,
                         FIRST_INDEX + sb_choose(of->world, SB_STREAM_SCENARIO, INDEXES));
        buffer_add_u8(into, 0x80);
        buffer_add_u8(into, (uint8_t)sb_choose(of->world, SB_STREAM_SCENARIO, 2));
        break;
    case 2:
        key_job(into, 1 + sb_choose(of->world, SB_STREAM_SCENARIO, 2));
        break;
    case 3:
        key_next_id(into);
        break;
    default:
        key_row(into, settings->table,
                1 + (int64_t)sb_choose(of->world, SB_STREAM_SCENARIO, settings->rows));
        break;
    }
}

static void give_order(region_trouble *of)
{
    const machines *all = of->machines;
    sb_scope scope;
    buffer key;
    buffer_init(&key);
    const uint64_t kind = sb_choose(of->world, SB_STREAM_SCENARIO, ORDER_KINDS);
    draw_key(of, &key);
    const uint64_t store = sb_choose(of->world, SB_STREAM_SCENARIO, all->store_count);
    sb_scope_init_timeout(&scope, &of->scope, "an order about regions", ORDER_PATIENCE);
    switch (kind) {
    case ORDER_SPLIT:
        (void)cluster_split_region(of->cluster, buffer_slice(&key), &scope);
        break;
    case ORDER_MERGE:
        (void)cluster_merge_regions(of->cluster, buffer_slice(&key), &scope);
        break;
    default:
        (void)cluster_move_leader(of->cluster, buffer_slice(&key), all->stores[store], &scope);
        break;
    }
    sb_scope_release(&scope);
    buffer_release(&key);
}

static void trouble_main(void *argument)
{
    region_trouble *of = argument;
    for (;;) {
        const uint64_t steps = of->pause_max / SB_MILLISECOND;
        const uint64_t less = sb_choose(of->world, SB_STREAM_SCENARIO, steps);
        if (sb_sleep(of->pause_max - less * SB_MILLISECOND, &of->scope) != SB_OK) {
            return;
        }
        give_order(of);
    }
}

static const struct {
    sb_fault fault;
    uint32_t counter;
} deeds[] = {{SB_FAULT_REGION_SPLIT, COUNTER_region_splits},
             {SB_FAULT_REGION_MERGE, COUNTER_region_merges},
             {SB_FAULT_LEADER_MOVE, COUNTER_leader_moves}};

/* A world in which nobody orders them has splits too: of new indexes and before imports. */
void region_trouble_count(sb_world *world)
{
    const sb_fault_counts *counts = sb_world_fault_counts(world);
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        if (counts[deeds[i].fault].armed) {
            const uint64_t done = sb_world_counter(world, deeds[i].counter);
            sb_fault_note(world, deeds[i].fault, done, done);
        }
    }
}

void region_trouble_name(sb_world *world)
{
    sb_failpoints_name(world, "storage-region-error", SB_FAULT_STALE_EPOCH);
    sb_failpoints_name(world, "storage-is-busy", SB_FAULT_SERVER_BUSY);
    sb_failpoints_name(world, "storage-ingest-is-partial", SB_FAULT_PARTIAL_WRITE);
    sb_failpoints_name(world, "placement-serves-a-*", SB_FAULT_REGION_HOLE);
}

void region_trouble_start(region_trouble *of, sb_world *world, const machines *in, cluster *by,
                          uint32_t rate, sb_duration pause_most)
{
    const bool wanted = sb_chance(world, SB_STREAM_SCENARIO, rate);
    const uint64_t halvings = sb_choose(world, SB_STREAM_SCENARIO, 5);
    if (!wanted) {
        return;
    }
    *of = (region_trouble){.world = world,
                           .machines = in,
                           .cluster = by,
                           .pause_max = pause_most >> halvings,
                           .started = true};
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        sb_fault_note(world, deeds[i].fault, 0, 0);
    }
    sb_scope_init(&of->scope, NULL, "trouble with regions");
    sb_wait_group_init(&of->task, "trouble with regions");
    sb_spawn(&of->task, trouble_main, of, "trouble-with-regions");
}

void region_trouble_stop(region_trouble *of)
{
    if (!of->started) {
        return;
    }
    of->started = false;
    sb_scope_cancel(&of->scope);
    (void)sb_wait_group_wait(&of->task, NULL);
    sb_wait_group_release(&of->task);
    sb_scope_release(&of->scope);
}
