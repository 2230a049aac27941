/*
 * Scenarios in which something is planted, for tests/test_plants.sh and tests/test_dead_faults.sh.
 *
 *   trouble             a small cluster under a swarm; its plants are put into the simulator
 *   plant-environment   a program that asks the environment of its process
 *   plant-padding       a program that sends the padding of a struct
 *   plant-table         a program that serves its peers in the order of a table keyed by addresses
 *   plant-code          a program that does as the address of a function says
 *   plant-static        a program whose static outlives its world
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/tool.h"

enum { COUNT_ANSWERS };
static const sb_counter counters[] = {[COUNT_ANSWERS] = {"answers", "that came"}};

/* ------------------------------------------------------------------------------------ trouble */

enum { ECHO, METHOD_COUNT };
static const char *const methods[METHOD_COUNT] = {"echo"};

#define NODE_COUNT 5u
#define ALL_NODES 0x1eu
#define TROUBLE (20 * SB_SECOND)

static void echo(void *context, const sb_request *request)
{
    (void)context;
    sb_answer(request, request->data, request->size);
}

/* A line more for the log, and now and then a look at it. */
static void keep_log(sb_file *log)
{
    unsigned char line[900];
    size_t size;
    memset(line, 'x', sizeof line);
    sb_file_write(log, sb_file_size(log), line, 1 + sb_random(sizeof line));
    sb_file_sync(log);
    sb_file_read(log, 0, line, sizeof line, &size);
}

static void call_somebody(sb_exchange *exchange, sb_scope *life)
{
    sb_scope scope;
    sb_reply reply;
    sb_scope_init_timeout(&scope, life, "call", SB_SECOND);
    const sb_address peer = (sb_address)(1 + sb_random(NODE_COUNT - 1));
    if (sb_call(exchange, peer, ECHO, "ping", 4, &reply, &scope) == SB_OK) {
        sb_count(COUNT_ANSWERS, 1);
        sb_reply_release(&reply);
    }
    sb_scope_release(&scope);
}

static int worker(const sb_boot *boot)
{
    (void)boot;
    sb_file *log;
    sb_scope *const life = sb_shutdown_scope();
    if (sb_file_open("log", SB_FILE_CREATE, &log) != SB_OK) {
        return 0;
    }
    sb_exchange *const exchange = sb_exchange_open(methods, METHOD_COUNT, echo, NULL, 10);
    while (sb_sleep((50 + sb_random(100)) * SB_MILLISECOND, life) == SB_OK) {
        call_somebody(exchange, life);
        keep_log(log);
    }
    sb_exchange_close(exchange);
    sb_file_close(log);
    return 0;
}

#define KIND(fault) (UINT64_C(1) << SB_FAULT_##fault)
#define DECLARED                                                                                   \
    (KIND(LOSS) | KIND(DUPLICATE) | KIND(PARTITION) | KIND(CLOG) | KIND(KILL) | KIND(STOP) |       \
     KIND(PAUSE) | KIND(SYNC_ERROR) | KIND(WRITE_ERROR) | KIND(READ_ERROR) | KIND(DISK_FULL))

static void add_cluster(sb_world *world)
{
    const sb_network network = {.latency_min = SB_MILLISECOND, .latency_max = SB_MILLISECOND};
    sb_network_set(world, &network);
    for (unsigned i = 1; i < NODE_COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "server%u", i);
        sb_node_boot(world, sb_node_add(world, name, "server", worker, NULL, 0));
    }
}

static void run_trouble(sb_world *world, void *context)
{
    (void)context;
    const sb_swarm_plan plan = {.kinds = DECLARED,
                                .victims = ALL_NODES,
                                .down_at_once_max = 1,
                                .down_min = 500 * SB_MILLISECOND,
                                .down_max = 5 * SB_SECOND,
                                .calm_min = 200 * SB_MILLISECOND,
                                .calm_max = 3 * SB_SECOND,
                                .disks = ALL_NODES};
    add_cluster(world);
    sb_swarm_start(world, &plan);
    sb_sleep(TROUBLE, NULL);
    sb_world_heal(world);
    sb_sleep(10 * SB_SECOND, NULL);
    for (unsigned i = 1; i < NODE_COUNT; i++) {
        sb_node_stop(world, (sb_node)i);
        sb_node_wait_down(world, (sb_node)i, SB_FOREVER);
    }
}

/* ----------------------------------------------------------------------------- nondeterminism */

/* As a real program would be, it is busy before and after. */
static int busy_with(void (*planted)(void))
{
    for (int i = 0; i < 3000; i++) {
        sb_sleep(SB_MICROSECOND, NULL);
    }
    planted();
    for (int i = 0; i < 3000; i++) {
        sb_sleep(SB_MICROSECOND, NULL);
    }
    return 0;
}

static void ask_environment(void)
{
    const char *const home = getenv("HOME");
    sb_sleep(home == NULL ? SB_MILLISECOND : strlen(home) * SB_MICROSECOND, NULL);
}

typedef struct padded {
    uint8_t small; /* seven bytes of padding behind it */
    uint64_t large;
} padded;

static void send_padding(void)
{
    padded *const message = sb_alloc(sizeof *message);
    message->small = 1;
    message->large = 2;
    sb_send(sb_self(), message, sizeof *message);
    sb_free(message);
}

#define SLOTS 64u
#define PEERS 12u

static void serve_by_table(void)
{
    unsigned char *blocks[PEERS];
    const unsigned char *table[SLOTS] = {NULL};
    uint64_t order = 0;
    for (unsigned i = 0; i < PEERS; i++) {
        blocks[i] = sb_alloc(48);
        uintptr_t slot = (uintptr_t)blocks[i] / 48 % SLOTS; /* its hash is its address */
        while (table[slot] != NULL) {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = blocks[i];
    }
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        for (unsigned i = 0; i < PEERS && table[slot] != NULL; i++) {
            order = table[slot] == blocks[i] ? order * PEERS + i : order;
        }
    }
    for (unsigned i = 0; i < PEERS; i++) {
        sb_free(blocks[i]);
    }
    sb_log("served in the order %llx", (unsigned long long)order);
}

/* Where code lies is the same in every fork: only another program can tell. */
static void go_by_code(void)
{
    const uintptr_t page = (uintptr_t)go_by_code >> 12;
    sb_sleep((page % 1000003 + 1) * SB_MICROSECOND, NULL);
}

static void count_boots(void)
{
    static uint64_t boots;
    sb_sleep(++boots * SB_MICROSECOND, NULL);
}

#define PLANT(name)                                                                                \
    static int name##_program(const sb_boot *boot)                                                 \
    {                                                                                              \
        (void)boot;                                                                                \
        return busy_with(name);                                                                    \
    }                                                                                              \
    static void run_##name(sb_world *world, void *context)                                         \
    {                                                                                              \
        (void)context;                                                                             \
        sb_node_boot(world, sb_node_add(world, "victim1", "victim", name##_program, NULL, 0));     \
        sb_node_wait_down(world, 1, SB_FOREVER);                                                   \
    }
PLANT(ask_environment)
PLANT(send_padding)
PLANT(serve_by_table)
PLANT(go_by_code)
PLANT(count_boots)

/* ------------------------------------------------------------------------------------- tables */

#define SCENARIO(variable, word, director, kinds)                                                  \
    static const sb_scenario variable = {                                                          \
        .name = word, .summary = "for tests", .run = director, .faults = kinds}
SCENARIO(trouble, "trouble", run_trouble, DECLARED);
SCENARIO(environment, "plant-environment", run_ask_environment, 0);
SCENARIO(padding, "plant-padding", run_send_padding, 0);
SCENARIO(table, "plant-table", run_serve_by_table, 0);
SCENARIO(code, "plant-code", run_go_by_code, 0);
SCENARIO(static_one, "plant-static", run_count_boots, 0);

static const sb_scenario *const scenarios[] = {&trouble, &environment, &padding,
                                               &table,   &code,        &static_one};

static const sb_product product = {.name = "seedbed",
                                   .version = "test",
                                   .summary = "scenarios with plants",
                                   .scenarios = scenarios,
                                   .scenario_count = sizeof scenarios / sizeof scenarios[0],
                                   .counters = counters,
                                   .counter_count = sizeof counters / sizeof counters[0]};

int main(int argc, char **argv)
{
    return sb_tool_main(&product, argc, argv);
}
