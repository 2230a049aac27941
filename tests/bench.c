/*
 * The bench: what the kernel costs beside a bare loop that does only what cannot be left out.
 *
 *   W1  two nodes, a million round trips, latency 1-10 ms        (messages a second)
 *   W2  1,000 tasks sleeping 1-100 ms, two million wake-ups      (wake-ups a second)
 *   W3  five nodes, 100 messages in flight, two million arrivals (deliveries a second)
 *   empty  worlds of five nodes, made and dropped                (worlds a second)
 *
 * The bare loop uses the same heap of keys, the same generator, the same digest of 48-byte records
 * in batches, and the same fiber switch, and allocates its messages; it draws loss and duplicates
 * for every message and writes two records for it. It has no framework: no nodes, scopes,
 * strategies, streams by name or mailboxes. Both sides run in turn, five times; the medians are
 * printed. What the bare loop is made of is measured too, piece by piece, and the bare loop must
 * cost at most 1.3 times their sum, lest it be slow on purpose.
 *
 * This file renders figures: it is one of the few that may use floating point.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/kernel/kernel.h"

#define ROUNDS 5
#define W1_SEED 16
#define RATE                                                                                       \
    1u /* of a million: loss and duplicates are drawn for every message and hardly ever come */

typedef struct result {
    double bare, kernel;
} result;

/* Of this process: what others use of a busy machine is not ours. */
static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

/* ------------------------------------------------------------------------------ the bare loop */

#define BARE_STACK ((size_t)64 << 10)

typedef struct bare_message {
    struct bare_message *next;
    unsigned to;
    unsigned char bytes[32];
} bare_message;

typedef struct bare_node {
    sb_mersenne latency, loss, duplicate;
    void *stack_pointer;
    bare_message *arrived;
} bare_node;

static struct {
    sb_queue queue;
    uint64_t now, sequence, step, done, goal;
    XXH3_state_t *digest;
    sb_event batch[SB_BATCH_EVENTS];
    unsigned batch_count;
    bare_message *free;
    bare_message *messages;
    bare_node nodes[8];
    void *sleepers[1000];
    unsigned running;
    void *host;
    unsigned char *stacks;
} bare;

static void bare_event(uint64_t a, uint64_t b, uint64_t c)
{
    sb_event *const event = &bare.batch[bare.batch_count++];
    *event = (sb_event){.time = bare.now, .cause = bare.step, .a = a, .b = b, .c = c};
    bare.step++;
    if (bare.batch_count == SB_BATCH_EVENTS) {
        XXH3_64bits_update(bare.digest, bare.batch, sizeof(bare.batch));
        bare.batch_count = 0;
    }
}

static void bare_reset(void)
{
    bare.queue.count = 0;
    bare.now = bare.sequence = bare.step = bare.done = 0;
    bare.batch_count = 0;
    bare.free = NULL;
    for (unsigned i = 0; i < 512; i++) {
        bare.messages[i].next = bare.free;
        bare.free = &bare.messages[i];
    }
    XXH3_64bits_reset(bare.digest);
    for (unsigned i = 0; i < 8; i++) {
        sb_mersenne_seed(&bare.nodes[i].latency, i);
        sb_mersenne_seed(&bare.nodes[i].loss, i + 8);
        sb_mersenne_seed(&bare.nodes[i].duplicate, i + 16);
    }
}

static void bare_push(uint64_t at, uint64_t what)
{
    sb_queue_push(&bare.queue, (sb_key){++bare.sequence << SB_KEY_OFFSET_BITS | what, at});
}

static void bare_send(unsigned from, unsigned to)
{
    bare_node *const node = &bare.nodes[from];
    bare_message *const message = bare.free;
    bare.free = message->next;
    message->to = to;
    memset(message->bytes, (int)to, sizeof(message->bytes));
    bare_event(to, XXH3_64bits(message->bytes, sizeof(message->bytes)), sizeof(message->bytes));
    const bool lost = sb_mersenne_bounded(&node->loss, 1000000) >= 1000000 - RATE;
    const bool twice = sb_mersenne_bounded(&node->duplicate, 1000000) >= 1000000 - RATE;
    bare.done += lost & twice & 0;
    const uint64_t latency = 1000000 + sb_mersenne_bounded(&node->latency, 9000001);
    bare_push(bare.now + latency, (uint64_t)(message - bare.messages));
}

/* The next arrival: the node it is for. */
static unsigned bare_next(void)
{
    const sb_key key = sb_queue_pop(&bare.queue);
    bare.now = key.time;
    bare_message *const message = &bare.messages[key.low & ((1u << SB_KEY_OFFSET_BITS) - 1)];
    bare_event(message->to, 0, sizeof(message->bytes));
    bare.nodes[message->to].arrived = message;
    return message->to;
}

static void bare_take(unsigned self)
{
    bare_message *const message = bare.nodes[self].arrived;
    message->next = bare.free;
    bare.free = message;
    bare.done++;
}

static void bare_wait(unsigned self)
{
    if (bare.done >= bare.goal) {
        sb_fiber_switch(&bare.nodes[self].stack_pointer, bare.host);
    }
    const unsigned next = bare_next();
    if (next != self) {
        bare.running = next;
        sb_fiber_switch(&bare.nodes[self].stack_pointer, bare.nodes[next].stack_pointer);
    }
}

static void bare_pong(void)
{
    const unsigned self = bare.running;
    for (;;) {
        bare_take(self);
        bare_send(self, 1 - self);
        bare_wait(self);
    }
}

static void bare_crowd(void)
{
    const unsigned self = bare.running;
    uint64_t turn = self;
    for (;;) {
        bare_take(self);
        bare_send(self, (unsigned)((self + 1 + turn++ % 4) % 5));
        bare_wait(self);
    }
}

static void bare_fibers(unsigned count, void (*entry)(void))
{
    for (unsigned i = 0; i < count; i++) {
        bare.nodes[i].stack_pointer =
            sb_fiber_prepare(bare.stacks + (i + 1) * BARE_STACK - i * 448, entry);
    }
}

static void bare_go(void)
{
    bare.running = bare_next();
    sb_fiber_switch(&bare.host, bare.nodes[bare.running].stack_pointer);
}

static void bare_w1(void)
{
    bare_fibers(2, bare_pong);
    bare.goal = 2000000;
    bare_send(1, 0);
    bare_go();
}

static void bare_w3(void)
{
    bare_fibers(5, bare_crowd);
    bare.goal = 2000000;
    for (unsigned i = 0; i < 100; i++) {
        bare_send(i % 5, (i + 1) % 5);
    }
    bare_go();
}

static void bare_sleep(unsigned self)
{
    bare_event(self, 0, 0);
    bare_push(bare.now + 1000000 + sb_mersenne_bounded(&bare.nodes[0].latency, 99000001), self);
    if (++bare.done >= bare.goal) {
        sb_fiber_switch(&bare.sleepers[self], bare.host);
    }
    const sb_key key = sb_queue_pop(&bare.queue);
    bare.now = key.time;
    const unsigned next = (unsigned)(key.low & ((1u << SB_KEY_OFFSET_BITS) - 1));
    if (next != self) {
        bare.running = next;
        sb_fiber_switch(&bare.sleepers[self], bare.sleepers[next]);
    }
}

static void bare_sleeper(void)
{
    const unsigned self = bare.running;
    for (;;) {
        bare_sleep(self);
    }
}

static void bare_w2(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        bare.sleepers[i] =
            sb_fiber_prepare(bare.stacks + (i + 1) * BARE_STACK - i % 64 * 64, bare_sleeper);
        bare_push(1 + i, i);
    }
    bare.goal = 2000000;
    const sb_key key = sb_queue_pop(&bare.queue);
    bare.running = (unsigned)(key.low & ((1u << SB_KEY_OFFSET_BITS) - 1));
    sb_fiber_switch(&bare.host, bare.sleepers[bare.running]);
}

static void bare_empty(void)
{
    for (unsigned i = 0; i < 500000; i++) {
        bare.queue.count = 0;
        bare.now = bare.sequence = bare.step = 0;
        bare.batch_count = 0;
        XXH3_64bits_reset(bare.digest);
        for (unsigned node = 0; node < 5; node++) {
            bare.nodes[node].arrived = NULL;
            bare.nodes[node].latency.next = SB_MERSENNE_WORDS;
            bare_event(node, i, 0);
        }
        XXH3_64bits_update(bare.digest, bare.batch, bare.batch_count * sizeof(sb_event));
        bare.done += XXH3_64bits_digest(bare.digest) & 1;
    }
}

/* ------------------------------------------------------------------------ the same, simulated */

static uint64_t goal, done;

static int pong(const sb_boot *boot)
{
    (void)boot;
    const sb_address peer = sb_self() == 1 ? 2 : 1;
    unsigned char bytes[32];
    memset(bytes, 7, sizeof(bytes));
    if (peer == 2) {
        sb_send(peer, bytes, sizeof(bytes));
    }
    sb_message *message;
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        sb_message_free(message);
        done++;
        sb_send(peer, bytes, sizeof(bytes));
    }
    return 0;
}

static int crowd(const sb_boot *boot)
{
    (void)boot;
    const unsigned self = sb_self() - 1u;
    unsigned char bytes[32];
    memset(bytes, 7, sizeof(bytes));
    for (unsigned i = 0; i < 20; i++) {
        sb_send((sb_address)(1 + (self + 1) % 5), bytes, sizeof(bytes));
    }
    uint64_t turn = self;
    sb_message *message;
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        sb_message_free(message);
        done++;
        sb_send((sb_address)(1 + (self + 1 + turn++ % 4) % 5), bytes, sizeof(bytes));
    }
    return 0;
}

static void sleeper(void *argument)
{
    (void)argument;
    while (sb_sleep(SB_MILLISECOND + sb_random(99 * SB_MILLISECOND + 1), sb_shutdown_scope()) ==
           SB_OK) {
        done++;
    }
}

static int sleepers(const sb_boot *boot)
{
    (void)boot;
    for (unsigned i = 0; i < 1000; i++) {
        sb_spawn(NULL, sleeper, NULL, "sleeper");
    }
    sb_sleep(SB_FOREVER, sb_shutdown_scope());
    return 0;
}

typedef struct world_plan {
    const char *name;
    sb_program *program;
    unsigned nodes;
    unsigned events; /* of one message or wake-up */
    uint64_t goal;
    uint64_t seed; /* W1: one whose ball is never lost */
} world_plan;

static const char *const node_names[] = {"node1", "node2", "node3", "node4", "node5"};

static void director(sb_world *world, void *context)
{
    const world_plan *const plan = context;
    const sb_network network = {.latency_min = SB_MILLISECOND,
                                .latency_max = 10 * SB_MILLISECOND,
                                .loss = RATE,
                                .duplicate = RATE};
    sb_network_set(world, &network);
    for (unsigned i = 0; i < plan->nodes; i++) {
        sb_node_boot(world, sb_node_add(world, node_names[i], "bench", plan->program, NULL, 0));
    }
    sb_sleep(SB_FOREVER, NULL);
}

static double run_plan(sb_universe *universe, const world_plan *plan, double *seconds_taken)
{
    const sb_world_options options = {
        .seed = plan->seed, .strategy = SB_STRATEGY_FIFO, .step_limit = 1u << 30};
    goal = plan->goal;
    done = 0;
    sb_world *const world = sb_world_reset(universe, &options, director, (void *)(uintptr_t)plan);
    const double start = seconds();
    const sb_outcome outcome = sb_world_run_until(world, plan->goal * plan->events);
    *seconds_taken = seconds() - start;
    if (outcome != SB_OUTCOME_RUNNING) {
        fprintf(stderr, "bench: %s ended after %llu of %llu with outcome %d: %s\n", plan->name,
                (unsigned long long)done, (unsigned long long)goal, (int)outcome,
                outcome == SB_OUTCOME_FINDING ? sb_world_finding(world)->text : "");
        exit(1);
    }
    return (double)done / *seconds_taken;
}

static void empty_director(sb_world *world, void *context)
{
    (void)context;
    for (unsigned i = 0; i < 5; i++) {
        sb_node_add(world, node_names[i], "bench", pong, NULL, 0);
    }
}

static double run_empty(sb_universe *universe)
{
    const unsigned count = 200000;
    uint64_t sum = 0;
    const double start = seconds();
    for (unsigned i = 0; i < count; i++) {
        const sb_world_options options = {.seed = i, .strategy = SB_STRATEGY_FIFO};
        sb_world *const world = sb_world_reset(universe, &options, empty_director, NULL);
        sb_world_run(world);
        sum += sb_world_digest(world);
    }
    done = sum;
    return count / (seconds() - start);
}

/* ---------------------------------------------------------------------------------- the parts */

static double part_queue(unsigned pending)
{
    bare_reset();
    for (unsigned i = 0; i < pending; i++) {
        bare_push(1 + sb_mersenne_bounded(&bare.nodes[0].latency, 99000001), i);
    }
    const double start = seconds();
    for (unsigned i = 0; i < 1000000; i++) {
        const sb_key key = sb_queue_pop(&bare.queue);
        bare_push(key.time + 1000000 + (key.low * 2654435761u & 0xffffff), i & 511);
    }
    return (seconds() - start) * 1e3;
}

static double part_draw(void)
{
    uint64_t sum = 0;
    const double start = seconds();
    for (unsigned i = 0; i < 1000000; i++) {
        sum += sb_mersenne_bounded(&bare.nodes[i & 1].latency, 9000001);
    }
    bare.done = sum;
    return (seconds() - start) * 1e3;
}

static double part_record(void)
{
    const double start = seconds();
    for (unsigned i = 0; i < 1000000; i++) {
        bare_event(i, i, i);
    }
    return (seconds() - start) * 1e3;
}

static double part_hash(void)
{
    unsigned char bytes[32] = {0};
    uint64_t sum = 0;
    const double start = seconds();
    for (unsigned i = 0; i < 1000000; i++) {
        bytes[i & 31]++;
        sum += XXH3_64bits(bytes, sizeof(bytes));
    }
    bare.done = sum;
    return (seconds() - start) * 1e3;
}

static void bounce(void)
{
    for (;;) {
        sb_fiber_switch(&bare.nodes[0].stack_pointer, bare.host);
    }
}

static double part_switch(void)
{
    bare_fibers(1, bounce);
    const double start = seconds();
    for (unsigned i = 0; i < 500000; i++) {
        sb_fiber_switch(&bare.host, bare.nodes[0].stack_pointer);
    }
    return (seconds() - start) * 1e3;
}

static double timed(void (*work)(void), uint64_t count)
{
    bare_reset();
    const double start = seconds();
    work();
    return (double)count / (seconds() - start);
}

/* ------------------------------------------------------------------------------------- report */

static void row(const char *name, const char *unit, result *rounds, double goal_ratio)
{
    double bare_rates[ROUNDS], kernel_rates[ROUNDS], ratios[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        bare_rates[i] = rounds[i].bare;
        kernel_rates[i] = rounds[i].kernel;
        ratios[i] = rounds[i].kernel / rounds[i].bare;
    }
    printf("%-6s bare %7.2f M %s  seedbed %7.2f M %s  ratio %.2f", name,
           median(bare_rates, ROUNDS) / 1e6, unit, median(kernel_rates, ROUNDS) / 1e6, unit,
           median(ratios, ROUNDS));
    if (goal_ratio > 0) {
        printf("  (goal %.2f)", goal_ratio);
    }
    printf("\n");
}

static void check_bare(const char *name, double rate, double parts)
{
    const double cost = 1e9 / rate;
    printf("bare %s: %.1f ns a turn, the sum of its parts %.1f ns, factor %.2f (at most 1.30)%s\n",
           name, cost, parts, cost / parts, cost / parts <= 1.3 ? "" : "  TOO SLOW");
}

int main(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof(one), &one);
    bare.digest = aligned_alloc(64, (sizeof(XXH3_state_t) + 63) & ~(size_t)63);
    bare.queue.keys = malloc(4096 * sizeof(sb_key));
    bare.messages = calloc(512, sizeof(bare_message));
    bare.stacks = aligned_alloc(4096, 1000 * BARE_STACK);
    sb_universe *const universe = sb_universe_open(NULL);
    if (universe == NULL || bare.stacks == NULL || bare.messages == NULL ||
        bare.queue.keys == NULL) {
        perror("bench");
        return 1;
    }
    static const world_plan w1 = {"W1", pong, 2, 2, 2000000, W1_SEED},
                            w2 = {"W2", sleepers, 1, 1, 2000000, 1},
                            w3 = {"W3", crowd, 5, 2, 2000000, 1};
    result rounds[4][ROUNDS];
    double parts[6][ROUNDS];
    double unused;
    run_plan(universe, &w2, &unused); /* first touch of pages is dear: not counted */
    timed(bare_w2, 2000000);
    for (unsigned i = 0; i < ROUNDS; i++) {
        rounds[0][i].bare = timed(bare_w1, 2000000);
        rounds[0][i].kernel = run_plan(universe, &w1, &unused);
        rounds[1][i].bare = timed(bare_w2, 2000000);
        rounds[1][i].kernel = run_plan(universe, &w2, &unused);
        rounds[2][i].bare = timed(bare_w3, 2000000);
        rounds[2][i].kernel = run_plan(universe, &w3, &unused);
        rounds[3][i].bare = timed(bare_empty, 500000);
        rounds[3][i].kernel = run_empty(universe);
        parts[0][i] = part_queue(1);
        parts[1][i] = part_queue(100);
        parts[2][i] = part_draw();
        parts[3][i] = part_record();
        parts[4][i] = part_hash();
        parts[5][i] = part_switch();
    }
    row("W1", "msg/s", rounds[0], 0.5);
    row("W2", "wake-ups/s", rounds[1], 0.5);
    row("W3", "deliveries/s", rounds[2], 0.5);
    row("empty", "worlds/s", rounds[3], 0);
    static const char *const names[] = {"queue of 1", "queue of 100",     "draw",
                                        "record",     "hash of 32 bytes", "switch"};
    double middle[6];
    printf("parts:");
    for (unsigned i = 0; i < 6; i++) {
        middle[i] = median(parts[i], ROUNDS);
        printf(" %s %.1f ns%s", names[i], middle[i], i == 5 ? "\n" : ",");
    }
    const double message = 3 * middle[2] + 2 * middle[3] + middle[4] + middle[5];
    double rates[2][ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        rates[0][i] = rounds[0][i].bare;
        rates[1][i] = rounds[2][i].bare;
    }
    check_bare("W1", median(rates[0], ROUNDS), message + middle[0]);
    check_bare("W3", median(rates[1], ROUNDS), message + middle[1]);
    sb_universe_close(universe);
    return 0;
}
