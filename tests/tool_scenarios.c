/*
 * Small scenarios for the tests of the tool: one for each thing a sweep must be able to say.
 *
 * They are no part of the product; tests/test_tool.sh drives this program through the command line
 * as a user would.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim/tool.h"

enum { COUNT_PINGS, COUNT_RESTARTS };

static const sb_counter counters[] = {
    [COUNT_PINGS] = {"pings", "calls that were answered"},
    [COUNT_RESTARTS] = {"restarts", "machines that were started again"},
};

enum { BUG_nil };
static const sb_museum_bug bugs[] = {
    [BUG_nil] = {"nil", 1, "a record is dropped before its last use", "nil-dereference",
                 "museum-piece"},
};

static uint64_t setting(void *context, size_t index)
{
    const sb_settings *const settings = context;
    return settings->values[index];
}

/* ---------------------------------------------------------------------- a server and a client */

static const char *const methods[] = {"ping"};
static const char *const connection_states[] = {"idle", "asking", "answered", "failed"};
enum { IDLE, ASKING, ANSWERED, FAILED };
static const sb_move connection_moves[] = {
    {IDLE, ASKING}, {ASKING, ANSWERED}, {ASKING, FAILED}, {ANSWERED, ASKING}, {FAILED, ASKING}};
SB_MACHINE(connection_machine, "connection", connection_states, connection_moves);

typedef struct client_configuration {
    sb_address server;
    uint32_t pings;
    sb_duration timeout; /* SB_FOREVER: none */
} client_configuration;

static void serve_ping(void *context, const sb_request *request)
{
    (void)context;
    uint64_t number;
    memcpy(&number, request->data, sizeof number);
    number++;
    sb_answer(request, &number, sizeof number);
}

static int server_program(const sb_boot *boot)
{
    (void)boot;
    sb_exchange *const exchange = sb_exchange_open(methods, 1, serve_ping, NULL, 8);
    while (sb_scope_status(sb_shutdown_scope()) == SB_OK) {
        sb_sleep(SB_SECOND, sb_shutdown_scope());
    }
    sb_exchange_close(exchange);
    return 0;
}

static sb_status ping(sb_exchange *exchange, const client_configuration *configuration,
                      uint64_t number)
{
    sb_scope scope;
    sb_reply reply;
    sb_scope_init(&scope, sb_shutdown_scope(), "ping");
    if (configuration->timeout != SB_FOREVER) {
        sb_scope_release(&scope);
        sb_scope_init_timeout(&scope, sb_shutdown_scope(), "ping", configuration->timeout);
    }
    const sb_status status =
        sb_call(exchange, configuration->server, 0, &number, sizeof number, &reply, &scope);
    if (status == SB_OK) {
        sb_assert_op(reply.size, ==, sizeof number);
        sb_count(COUNT_PINGS, 1);
        sb_reply_release(&reply);
    }
    sb_scope_release(&scope);
    return status;
}

static int client_program(const sb_boot *boot)
{
    const client_configuration *const configuration = boot->argument;
    sb_exchange *const exchange = sb_exchange_open(methods, 1, NULL, NULL, 1);
    uint32_t state = IDLE;
    for (uint64_t number = 0; number < configuration->pings; number++) {
        sb_machine_move(&connection_machine, 1, state, ASKING);
        const sb_status status = ping(exchange, configuration, number);
        state = status == SB_OK ? ANSWERED : FAILED;
        sb_machine_move(&connection_machine, 1, ASKING, state);
        sb_log("ping %u: %s", (unsigned)number, sb_status_text(status));
        SOMETIMES(status == SB_TIMEOUT, "a ping is too late");
    }
    SOMETIMES(configuration->pings == 12345, "nobody asks for this many");
    sb_exchange_close(exchange);
    return 0;
}

typedef struct pair {
    sb_node server, client;
} pair;

static pair add_pair(sb_world *world, const client_configuration *given)
{
    pair nodes;
    client_configuration configuration = *given;
    nodes.server = sb_node_add(world, "server1", "server", server_program, NULL, 0);
    configuration.server = nodes.server;
    nodes.client = sb_node_add(world, "client1", "client", client_program, &configuration,
                               sizeof configuration);
    sb_node_boot(world, nodes.server);
    sb_node_boot(world, nodes.client);
    return nodes;
}

static bool client_is_down(sb_world *world, void *context)
{
    const pair *const nodes = context;
    return !sb_node_is_up(world, nodes->client);
}

static void stop_server(sb_world *world, sb_node server)
{
    sb_node_stop(world, server);
    sb_node_wait_down(world, server, 10 * SB_SECOND);
}

static const sb_setting ping_settings[] = {
    {"pings", SB_SETTING_NUMBER, "20", 1, 1000000, "calls the client makes"},
    {"timeout", SB_SETTING_DURATION, "500ms", SB_MILLISECOND, 60 * SB_SECOND, "deadline of a call"},
    {"restart", SB_SETTING_SWITCH, "on", 0, 1, "kill the server once"},
};

static void run_ping_pong(sb_world *world, void *context)
{
    sb_phase(world, "load");
    sb_network_set(world, &(sb_network){.latency_min = SB_MILLISECOND,
                                        .latency_max = 3 * SB_MILLISECOND,
                                        .tail = true,
                                        .tail_max = 6,
                                        .loss = 20000});
    pair nodes = add_pair(
        world, &(client_configuration){0, (uint32_t)setting(context, 0), setting(context, 1)});
    if (setting(context, 2) != 0) {
        sb_sleep(10 * SB_MILLISECOND + sb_choose(world, SB_STREAM_SCENARIO, 20) * SB_MILLISECOND,
                 NULL);
        sb_phase(world, "restart");
        sb_node_kill(world, nodes.server);
        sb_sleep(5 * SB_MILLISECOND, NULL);
        sb_node_boot(world, nodes.server);
        sb_count(COUNT_RESTARTS, 1);
    }
    sb_phase(world, "end");
    sb_world_heal(world);
    sb_await(world, client_is_down, &nodes, "the client is done");
    stop_server(world, nodes.server);
}

static const sb_floor ping_floors[] = {{COUNT_PINGS, 1, 1000000}};
static const sb_unreachable ping_unreachable[] = {
    {"nobody asks for this many", "the setting would have to be 12345"}};
static const sb_scenario ping_pong = {
    .name = "ping-pong",
    .summary = "a client asks a server that is killed once",
    .settings = ping_settings,
    .setting_count = sizeof ping_settings / sizeof ping_settings[0],
    .faults = UINT64_C(1) << SB_FAULT_LOSS | UINT64_C(1) << SB_FAULT_KILL,
    .floors = ping_floors,
    .floor_count = 1,
    .run = run_ping_pong,
    .unreachable = ping_unreachable,
    .unreachable_count = 1};

/* It says of its first move that nobody can make it. */
static const sb_unreachable refuted[] = {
    {"tests/tool_scenarios.c:*", "nobody asks for so many, and nobody is late"},
    {"connection: idle -> ?sking", "clients are born asking"},
};
static const sb_scenario refuted_scenario = {
    .name = "refuted",
    .summary = "the same, and what it declares unreachable is reached",
    .settings = ping_settings,
    .setting_count = sizeof ping_settings / sizeof ping_settings[0],
    .run = run_ping_pong,
    .unreachable = refuted,
    .unreachable_count = 2,
    .internal = true};

static const sb_floor vacuous_floors[] = {{COUNT_PINGS, 1000, 1000000}};
static const sb_scenario vacuous = {.name = "vacuous",
                                    .summary = "the same, and far too much is asked of it",
                                    .settings = ping_settings,
                                    .setting_count = sizeof ping_settings / sizeof ping_settings[0],
                                    .floors = vacuous_floors,
                                    .floor_count = 1,
                                    .run = run_ping_pong,
                                    .internal = true};

/* -------------------------------------------------------------------------------- one machine */

static void run_one(sb_world *world, sb_program *program, const void *argument, size_t size)
{
    const sb_node node = sb_node_add(world, "victim1", "victim", program, argument, size);
    sb_node_boot(world, node);
    sb_node_wait_down(world, node, 10 * SB_SECOND);
}

typedef struct job_record {
    uint64_t number, step;
    uint32_t flags;
} job_record;

__attribute__((noinline)) static uint32_t job_is_paused(const job_record *job)
{
    return job->flags & 1;
}

/* A rare nil: one number in eight loses its record. */
static int nil_program(const sb_boot *boot)
{
    (void)boot;
    job_record record = {.number = 1};
    for (int i = 0; i < 4; i++) {
        sb_sleep(SB_MILLISECOND, NULL);
    }
    const job_record *volatile job = &record;
    if (sb_random(8) == 7) {
        job = NULL;
    }
    return job_is_paused(job) != 0;
}

static void run_nil(sb_world *world, void *context)
{
    (void)context;
    sb_phase(world, "run");
    run_one(world, nil_program, NULL, 0);
}

static int museum_program(const sb_boot *boot)
{
    (void)boot;
    job_record record = {.number = 1};
    const job_record *volatile job = &record;
    if (BUG(nil) && sb_random(4) == 3) {
        job = NULL;
    }
    return job_is_paused(job) != 0;
}

static void run_museum(sb_world *world, void *context)
{
    (void)context;
    run_one(world, museum_program, NULL, 0);
}

static int memcpy_program(const sb_boot *boot)
{
    (void)boot;
    char bytes[3000];
    const void *volatile from = NULL;
    volatile size_t size = sizeof bytes;
    memcpy(bytes, from, size);
    return bytes[sb_random(size)] != 0;
}

static void run_memcpy(sb_world *world, void *context)
{
    (void)context;
    run_one(world, memcpy_program, NULL, 0);
}

/* A call through a pointer that leads nowhere: the place is the call. */
static int call_program(const sb_boot *boot)
{
    (void)boot;
    uint64_t (*volatile function)(void) = NULL;
    return (int)(function() & 1);
}

static void run_call(sb_world *world, void *context)
{
    (void)context;
    run_one(world, call_program, NULL, 0);
}

/* A stack that is run over. */
__attribute__((noinline)) static uint64_t go_deeper(uint64_t depth)
{
    volatile unsigned char bytes[512];
    bytes[depth % sizeof bytes] = (unsigned char)depth;
    return depth == UINT64_MAX ? 0 : go_deeper(depth + 1) + bytes[depth % sizeof bytes];
}

static int overflow_program(const sb_boot *boot)
{
    (void)boot;
    return (int)(go_deeper(1) & 1);
}

static void run_overflow(sb_world *world, void *context)
{
    (void)context;
    run_one(world, overflow_program, NULL, 0);
}

/* A program that ends the whole process is no clean seed. */
static int exit_program(const sb_boot *boot)
{
    (void)boot;
    if (sb_random(4) == 3) {
        _exit(7);
    }
    return 0;
}

static void run_exit(sb_world *world, void *context)
{
    (void)context;
    run_one(world, exit_program, NULL, 0);
}

/* All of its messages are lost; a process that loses none, because that is masked, ends itself. */
static int sending_program(const sb_boot *boot)
{
    (void)boot;
    sb_random(4);
    sb_send(0, "message", 7);
    return 0;
}

static void run_unlucky(sb_world *world, void *context)
{
    (void)context;
    sb_network_set(world, &(sb_network){.latency_min = 1, .latency_max = 1, .loss = 1000000});
    run_one(world, sending_program, NULL, 0);
    if (sb_world_fault_counts(world)[SB_FAULT_LOSS].applied == 0) {
        _exit(7);
    }
}

static const sb_scenario unlucky_scenario = {.name = "unlucky",
                                             .summary = "for tests",
                                             .faults = UINT64_C(1) << SB_FAULT_LOSS,
                                             .run = run_unlucky,
                                             .internal = true};

static int assertion_program(const sb_boot *boot)
{
    (void)boot;
    const uint64_t drawn = sb_random(10);
    sb_assert_op(drawn, <, 8);
    return 0;
}

static void run_assertion(sb_world *world, void *context)
{
    (void)context;
    run_one(world, assertion_program, NULL, 0);
}

static int leak_program(const sb_boot *boot)
{
    (void)boot;
    char *const block = sb_alloc(100);
    block[0] = 1;
    return 0;
}

static void run_leak(sb_world *world, void *context)
{
    (void)context;
    run_one(world, leak_program, NULL, 0);
}

static int file_leak_program(const sb_boot *boot)
{
    (void)boot;
    sb_file *file;
    sb_file_open("jobs/7", SB_FILE_CREATE, &file);
    return 0;
}

static void run_file_leak(sb_world *world, void *context)
{
    (void)context;
    run_one(world, file_leak_program, NULL, 0);
}

static int giving_up_program(const sb_boot *boot)
{
    (void)boot;
    return 4;
}

static void run_giving_up(sb_world *world, void *context)
{
    (void)context;
    run_one(world, giving_up_program, NULL, 0);
}

static int runaway_program(const sb_boot *boot)
{
    (void)boot;
    sb_sleep(SB_MILLISECOND, NULL);
    if (sb_random(2) == 1) {
        for (volatile uint64_t turn = 0;; turn++) {
        }
    }
    return 0;
}

static void run_runaway(sb_world *world, void *context)
{
    (void)context;
    run_one(world, runaway_program, NULL, 0);
}

/* Enough to do that somebody can interrupt it. */
static int busy_program(const sb_boot *boot)
{
    (void)boot;
    for (int i = 0; i < 60000; i++) {
        sb_sleep(SB_MICROSECOND, NULL);
    }
    return 0;
}

static void run_busy(sb_world *world, void *context)
{
    (void)context;
    run_one(world, busy_program, NULL, 0);
}

/* --------------------------------------------------------------------------- waiting for ever */

typedef struct two_locks {
    sb_mutex first, second;
} two_locks;

static void lock_forward(void *argument)
{
    two_locks *const locks = argument;
    sb_mutex_lock(&locks->first, NULL);
    sb_sleep(SB_MILLISECOND, NULL);
    sb_mutex_lock(&locks->second, NULL);
}

static void lock_backward(void *argument)
{
    two_locks *const locks = argument;
    sb_mutex_lock(&locks->second, NULL);
    sb_sleep(SB_MILLISECOND, NULL);
    sb_mutex_lock(&locks->first, NULL);
}

static int deadlock_program(const sb_boot *boot)
{
    (void)boot;
    two_locks locks;
    sb_wait_group group;
    sb_mutex_init(&locks.first, "first");
    sb_mutex_init(&locks.second, "second");
    sb_wait_group_init(&group, "lockers");
    sb_spawn(&group, lock_forward, &locks, "forward");
    sb_spawn(&group, lock_backward, &locks, "backward");
    sb_wait_group_wait(&group, NULL);
    sb_wait_group_release(&group);
    sb_mutex_release(&locks.first);
    sb_mutex_release(&locks.second);
    return 0;
}

static bool node_one_is_down(sb_world *world, void *context)
{
    (void)context;
    return !sb_node_is_up(world, 1);
}

static void run_deadlock(sb_world *world, void *context)
{
    (void)context;
    const sb_node node = sb_node_add(world, "victim1", "victim", deadlock_program, NULL, 0);
    sb_node_boot(world, node);
    sb_world_heal(world);
    sb_await(world, node_one_is_down, NULL, "the lockers end");
}

/* Replies are lost, the client never gives up, and the server's idle timer goes on: not dead, but
 * stuck. */
static uint64_t no_progress(sb_world *world)
{
    return sb_node_is_up(world, 2);
}

static void describe_stuck(sb_world *world, char *text, size_t size)
{
    static const char words[] = "client waits, server idles";
    (void)world;
    memcpy(text, words, sizeof words < size ? sizeof words : size);
}

static const char *stuck_phase(sb_world *world)
{
    (void)world;
    return "waiting";
}

static void run_stuck(sb_world *world, void *context)
{
    (void)context;
    static const sb_witness witness = {
        .progress = no_progress, .describe = describe_stuck, .phase = stuck_phase};
    sb_world_set_witness(world, &witness);
    sb_network_set(world, &(sb_network){.latency_min = SB_MILLISECOND,
                                        .latency_max = SB_MILLISECOND,
                                        .reply_loss = 1000000});
    pair nodes = add_pair(world, &(client_configuration){0, 3, SB_FOREVER});
    sb_sleep(20 * SB_MILLISECOND, NULL);
    sb_world_heal(world);
    sb_await(world, client_is_down, &nodes, "the client is done");
    stop_server(world, nodes.server);
}

/* ----------------------------------------------------------------------------- nondeterminism */

static int heap_program(const sb_boot *boot)
{
    (void)boot;
    volatile unsigned char *const block = sb_alloc(64);
    sb_sleep((sb_duration)(block[17] + 1) * SB_MICROSECOND, NULL); /* garbage decides */
    sb_free((void *)(uintptr_t)block);
    return 0;
}

static void run_heap(sb_world *world, void *context)
{
    (void)context;
    run_one(world, heap_program, NULL, 0);
}

static int clock_program(const sb_boot *boot)
{
    (void)boot;
    for (int i = 0; i < 5000; i++) {
        sb_sleep(SB_MICROSECOND, NULL);
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    sb_sleep((sb_duration)now.tv_nsec + 1, NULL); /* the host's clock decides */
    return 0;
}

static void run_clock(sb_world *world, void *context)
{
    (void)context;
    run_one(world, clock_program, NULL, 0);
}

static int pointer_program(const sb_boot *boot)
{
    (void)boot;
    enum { BLOCKS = 12 };
    unsigned char *blocks[BLOCKS];
    uint64_t order = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = sb_alloc(48);
    }
    for (unsigned i = 1; i < BLOCKS; i++) {
        order = order * 2 + (blocks[i] > blocks[i - 1]); /* addresses decide */
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        sb_free(blocks[i]);
    }
    sb_report(1, &order, sizeof order);
    return 0;
}

static void run_pointer(sb_world *world, void *context)
{
    (void)context;
    run_one(world, pointer_program, NULL, 0);
}

/* What a lint must catch, and a sweep catches when a seed is run alone: a static that outlives its
 * world. */
static int static_program(const sb_boot *boot)
{
    (void)boot;
    static uint64_t boots;
    sb_sleep((++boots) * SB_MICROSECOND, NULL);
    sb_assert(boots % 1000 != 7 && sb_random(3) != 2);
    return 0;
}

static void run_static(sb_world *world, void *context)
{
    (void)context;
    run_one(world, static_program, NULL, 0);
}

/* The same without an assertion: no run of it is ever found but by comparing two. */
static int count_program(const sb_boot *boot)
{
    (void)boot;
    static uint64_t boots;
    sb_sleep((++boots) * SB_MICROSECOND, NULL);
    return 0;
}

static void run_count(sb_world *world, void *context)
{
    (void)context;
    run_one(world, count_program, NULL, 0);
}

static int environment_program(const sb_boot *boot)
{
    (void)boot;
    const char *const zone = getenv("TZ");
    sb_sleep(zone != NULL && strcmp(zone, "UTC") == 0 ? SB_MICROSECOND : 2 * SB_MICROSECOND, NULL);
    return 0;
}

static void run_environment(sb_world *world, void *context)
{
    (void)context;
    run_one(world, environment_program, NULL, 0);
}

/* ------------------------------------------------------------------------------------- tables */

#define INTERNAL(variable, word, director)                                                         \
    static const sb_scenario variable = {                                                          \
        .name = word, .summary = "for tests", .run = director, .internal = true}
INTERNAL(nil_scenario, "nil", run_nil);
INTERNAL(museum_piece, "museum-piece", run_museum);
INTERNAL(memcpy_scenario, "memcpy", run_memcpy);
INTERNAL(call_scenario, "nil-call", run_call);
INTERNAL(overflow_scenario, "overflow", run_overflow);
INTERNAL(exit_scenario, "exit", run_exit);
INTERNAL(assertion_scenario, "assertion", run_assertion);
INTERNAL(leak_scenario, "leak", run_leak);
INTERNAL(file_leak_scenario, "file-leak", run_file_leak);
INTERNAL(giving_up_scenario, "giving-up", run_giving_up);
INTERNAL(runaway_scenario, "runaway", run_runaway);
INTERNAL(busy_scenario, "busy", run_busy);
INTERNAL(deadlock_scenario, "deadlock", run_deadlock);
INTERNAL(stuck_scenario, "stuck", run_stuck);
INTERNAL(heap_scenario, "plant-heap", run_heap);
INTERNAL(clock_scenario, "plant-clock", run_clock);
INTERNAL(pointer_scenario, "plant-pointer", run_pointer);
INTERNAL(static_scenario, "plant-static", run_static);
INTERNAL(count_scenario, "plant-count", run_count);
INTERNAL(environment_scenario, "plant-environment", run_environment);

static const sb_scenario *const scenarios[] = {
    &ping_pong,          &vacuous,        &nil_scenario,         &museum_piece,
    &memcpy_scenario,    &exit_scenario,  &call_scenario,        &overflow_scenario,
    &assertion_scenario, &leak_scenario,  &file_leak_scenario,   &giving_up_scenario,
    &runaway_scenario,   &busy_scenario,  &deadlock_scenario,    &stuck_scenario,
    &refuted_scenario,   &heap_scenario,  &clock_scenario,       &pointer_scenario,
    &static_scenario,    &count_scenario, &environment_scenario, &unlucky_scenario,
};

static const sb_product product = {.name = "seedbed",
                                   .version = "test",
                                   .summary = "scenarios for the tests of the tool",
                                   .scenarios = scenarios,
                                   .scenario_count = sizeof scenarios / sizeof scenarios[0],
                                   .bugs = bugs,
                                   .bug_count = sizeof bugs / sizeof bugs[0],
                                   .counters = counters,
                                   .counter_count = sizeof counters / sizeof counters[0]};

int main(int argc, char **argv)
{
    return sb_tool_main(&product, argc, argv);
}
