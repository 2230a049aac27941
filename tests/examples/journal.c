/*
 * The tutorial's program (docs/TUTORIAL.md): a journal that must not forget what it has
 * acknowledged.
 *
 *   clients --add--> server: append to a file, sync, answer          power cuts come at any time
 *
 * Its museum has one bug: the server answers before its disk has said that the entry is safe.
 */
#include <string.h>

#include "sim/tool.h"

enum { BUG_answer_before_sync };
enum { COUNTER_ACKNOWLEDGED, COUNTER_POWER_CUTS };
enum { METHOD_ADD };

static const char *const methods[] = {"add"};

/* -------------------------------------------------------------------------------- the program */

typedef struct journal {
    sb_file *file;
    uint64_t end;
} journal;

/* Runs in a task of its own; several may be under way at once. */
static void add(void *context, const sb_request *request)
{
    journal *const to = context;
    const uint64_t at = to->end;
    to->end += request->size; /* before the first call that may let another task run */
    if (sb_file_write(to->file, at, request->data, request->size) != SB_OK) {
        return;
    }
    if (BUG(answer_before_sync)) {
        sb_answer(request, NULL, 0);
        sb_file_sync(to->file);
    } else if (sb_file_sync(to->file) == SB_OK) {
        sb_answer(request, NULL, 0);
    }
}

static int serve(const sb_boot *boot)
{
    (void)boot;
    journal kept;
    if (sb_file_open("journal", SB_FILE_CREATE, &kept.file) != SB_OK ||
        sb_directory_sync("") != SB_OK) {
        return 1;
    }
    kept.end = sb_file_size(kept.file);
    SOMETIMES(kept.end != 0, "a journal is found at boot");
    sb_exchange *const exchange = sb_exchange_open(methods, 1, add, &kept, 8);
    sb_sleep(SB_FOREVER, sb_shutdown_scope()); /* until we are asked to stop */
    sb_exchange_close(exchange);
    sb_file_close(kept.file);
    return 0;
}

/* ------------------------------------------------------------------------------- the scenario */

#define CLIENTS 3
#define ENTRIES_MAX 1000

typedef struct trial {
    sb_node server;
    sb_exchange *exchange;
    sb_wait_group clients;
    uint64_t entries; /* of each client */
    uint64_t acknowledged[CLIENTS * ENTRIES_MAX];
    size_t count;
} trial;

typedef struct client {
    trial *of;
    uint64_t number;
} client;

/* Again and again until it is acknowledged: an entry may be there twice, but it must be there. */
static void add_until_acknowledged(trial *of, uint64_t entry)
{
    for (;;) {
        sb_scope patience;
        sb_reply reply;
        sb_scope_init_timeout(&patience, NULL, "patience", 50 * SB_MILLISECOND);
        const sb_status status =
            sb_call(of->exchange, of->server, METHOD_ADD, &entry, sizeof(entry), &reply, &patience);
        sb_scope_release(&patience);
        if (status == SB_OK) {
            sb_reply_release(&reply);
            of->acknowledged[of->count++] = entry;
            sb_count(COUNTER_ACKNOWLEDGED, 1);
            return;
        }
        sb_sleep(5 * SB_MILLISECOND, NULL);
    }
}

static void add_all(void *argument)
{
    const client *const self = argument;
    for (uint64_t i = 1; i <= self->of->entries; i++) {
        add_until_acknowledged(self->of, self->number << 32 | i);
        sb_sleep(sb_random(3 * SB_MILLISECOND), NULL);
    }
}

/* Every decision of a scenario is drawn, and 0 is the calm answer. */
static void cut_power(sb_world *world, trial *of)
{
    const uint64_t cuts = sb_choose(world, SB_STREAM_SCENARIO, 5);
    for (uint64_t i = 0; i < cuts; i++) {
        sb_sleep(sb_choose(world, SB_STREAM_SCENARIO, 40 * SB_MILLISECOND), NULL);
        sb_node_kill(world, of->server);
        sb_count(COUNTER_POWER_CUTS, 1);
        sb_sleep(sb_choose(world, SB_STREAM_SCENARIO, 10 * SB_MILLISECOND), NULL);
        sb_node_boot(world, of->server);
    }
}

static bool all_are_done(sb_world *world, void *context)
{
    (void)world;
    return ((const trial *)context)->clients.count == 0;
}

static uint64_t progress(sb_world *world)
{
    return ((const trial *)sb_world_data(world))->count;
}

/* The oracle asks the disk, not the server. */
static void check_journal(sb_world *world, const trial *of)
{
    size_t size = 0;
    const unsigned char *const bytes = sb_disk_durable(world, of->server, "journal", &size);
    for (size_t i = 0; i < of->count; i++) {
        size_t at = 0;
        while (at + 8 <= size && memcmp(bytes + at, &of->acknowledged[i], 8) != 0) {
            at += 8;
        }
        if (at + 8 > size) {
            sb_finding(world, SB_FINDING_LOST_WRITE, "journal",
                       "entry %llu of client %llu was acknowledged and is gone",
                       (unsigned long long)(of->acknowledged[i] & UINT32_MAX),
                       (unsigned long long)(of->acknowledged[i] >> 32));
        }
    }
}

static void run(sb_world *world, void *context)
{
    const sb_settings *const settings = context;
    trial all = {.entries = settings->values[0]};
    const sb_network network = {
        .latency_min = SB_MILLISECOND / 5, .tail = true, .tail_max = 6, .loss = 10000};
    const sb_disk disk = {.sync_min = SB_MILLISECOND / 10, .sync_max = 2 * SB_MILLISECOND};
    const sb_witness witness = {.progress = progress};
    sb_world_set_data(world, &all);
    sb_world_set_witness(world, &witness);
    sb_network_set(world, &network);
    sb_disk_set(world, &disk);
    all.server = sb_node_add(world, "server", "server", serve, NULL, 0);
    sb_node_boot(world, all.server);
    all.exchange = sb_exchange_open(methods, 1, NULL, NULL, 1);
    sb_wait_group_init(&all.clients, "clients");
    client clients[CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (client){&all, i + 1};
        sb_spawn(&all.clients, add_all, &clients[i], "client-%u", i + 1);
    }
    cut_power(world, &all);
    sb_world_heal(world);
    sb_await(world, all_are_done, &all, "every entry is acknowledged");
    sb_exchange_close(all.exchange);
    sb_node_stop(world, all.server);
    sb_node_wait_down(world, all.server, SB_FOREVER);
    check_journal(world, &all);
    sb_wait_group_release(&all.clients);
}

/* -------------------------------------------------------------------------------- the command */

static const sb_setting settings[] = {
    {"entries", SB_SETTING_NUMBER, "20", 1, ENTRIES_MAX, "entries that each client adds"}};
static const sb_floor floors[] = {{COUNTER_ACKNOWLEDGED, CLIENTS, 1000000}};
#define DECLARED(fault) (UINT64_C(1) << SB_FAULT_##fault)
static const sb_scenario power_cuts = {
    .name = "power-cuts",
    .summary = "clients add entries while the server's power is cut",
    .settings = settings,
    .setting_count = 1,
    .faults = DECLARED(DELAY) | DECLARED(LOSS) | DECLARED(LOST_WRITE) | DECLARED(LOST_NAME) |
              DECLARED(SYNC_LATENCY),
    .floors = floors,
    .floor_count = 1,
    .run = run,
};
static const sb_scenario *const scenarios[] = {&power_cuts};
static const sb_museum_bug bugs[] = {{"answer-before-sync", 1,
                                      "an entry is acknowledged before it is safe", "lost-write",
                                      "power-cuts"}};
static const sb_counter counters[] = {{"acknowledged", "entries that clients were told are safe"},
                                      {"power-cuts", "times the server's power was cut"}};
static const sb_product product = {
    .name = "journal",
    .version = "1",
    .summary = "a journal that must not forget",
    .scenarios = scenarios,
    .scenario_count = 1,
    .bugs = bugs,
    .bug_count = 1,
    .counters = counters,
    .counter_count = 2,
};

int main(int argc, char **argv)
{
    return sb_tool_main(&product, argc, argv);
}
