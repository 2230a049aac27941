/*
 * What each strategy finds: patterns of bugs in a toy index build, many seeds under each strategy.
 *
 *   strategies [RUNS]            defaults to 2000; prints hits in 10,000 runs, a column a strategy
 *
 * Three workers take twelve batches each from a store and tell an owner of every one; each of them
 * has helpers whose order counts. Six more nodes talk all the time, so that a run has thousands of
 * steps and the build is a small part of them, beginning at a drawn moment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world.h"

enum { OWNER = 1, STORE, FIRST_WORKER, WORKERS = 3, BATCHES = 12, TALKERS = 6, HELPERS = 3 };

#define PATTERNS(PATTERN)                                                                          \
    PATTERN(EARLY_END, "a worker is done before another has begun")                                \
    PATTERN(STARVED, "a worker begins when all others are done")                                   \
    PATTERN(STALE, "progress arrives long behind the end it belongs to")                           \
    PATTERN(TIMER, "a timer strikes with two workers at given places")                             \
    PATTERN(CHECK_THEN_ACT, "free when asked, taken by two: a check, a call, an act")              \
    PATTERN(LOST_WAKE, "told before it is true: a wake-up is lost")                                \
    PATTERN(WAIT_ONCE, "woken once, between the second and the third of three")                    \
    PATTERN(LOST_UPDATE, "three read, then three write: two updates are lost")

enum {
#define NAME(name, text) name,
    PATTERNS(NAME)
#undef NAME
        PATTERN_COUNT
};

static const char *const texts[PATTERN_COUNT] = {
#define TEXT(name, text) text,
    PATTERNS(TEXT)
#undef TEXT
};

/* -------------------------------------------------------------------------- owner and the store */

typedef struct report {
    uint8_t worker; /* 0 .. */
    uint8_t batches;
} report;

typedef struct owner {
    uint8_t reached[WORKERS];
} owner;

static unsigned count_done(const owner *of)
{
    unsigned done = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        done += of->reached[i] == BATCHES;
    }
    return done;
}

static void take_report(owner *of, const report *told)
{
    const uint8_t before = of->reached[told->worker];
    const uint8_t next = (uint8_t)((told->worker + 1) % WORKERS);
    if (before == 0 && count_done(of) == WORKERS - 1) {
        sb_count(STARVED, 1);
    }
    if (told->batches < BATCHES - 2 && before == BATCHES) {
        sb_count(STALE, 1);
    }
    of->reached[told->worker] = told->batches > before ? told->batches : before;
    if (told->batches == BATCHES && told->worker == 0 && of->reached[next] == 0) {
        sb_count(EARLY_END, 1);
    }
}

static void look_once(void *argument)
{
    const owner *const of = argument;
    sb_sleep(170 * SB_MILLISECOND, sb_shutdown_scope());
    if (of->reached[0] == 3 && of->reached[1] == 8) {
        sb_count(TIMER, 1);
    }
}

static int owner_program(const sb_boot *boot)
{
    (void)boot;
    owner own = {{0}};
    sb_message *message;
    sb_wait_group timers;
    sb_wait_group_init(&timers, "timers");
    sb_spawn(&timers, look_once, &own, "look");
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        if (message->size == sizeof(report)) {
            take_report(&own, (const report *)message->data);
        }
        sb_message_free(message);
    }
    sb_wait_group_wait(&timers, NULL);
    sb_wait_group_release(&timers);
    return 0;
}

/* Answers whatever it is asked; 'a': is it free? 't': take it. */
static int store_program(const sb_boot *boot)
{
    (void)boot;
    unsigned takers = 0;
    sb_message *message;
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        const char question = message->size == 1 ? *(const char *)message->data : ' ';
        const char answer = takers == 0 ? 'y' : 'n';
        takers += question == 't';
        if (question == 't' && takers == 2) {
            sb_count(CHECK_THEN_ACT, 1);
        }
        sb_send(message->from, &answer, 1);
        sb_message_free(message);
    }
    return 0;
}

/* -------------------------------------------------------------------------------- the workers */

typedef struct worker {
    uint8_t number;
    sb_condition told, go, taken;
    sb_mutex unrelated;
    sb_wait_group helpers;
    bool is_told, may_go;
    unsigned sum, takes;
} worker;

/* A call of door 1, before which another task may run. */
static void pass_by(worker *of)
{
    sb_mutex_lock(&of->unrelated, NULL);
    sb_mutex_unlock(&of->unrelated);
}

static void wait_to_be_told(void *argument)
{
    worker *const of = argument;
    sb_scope patience;
    sb_sleep((1 + sb_random(20)) * SB_MILLISECOND, sb_shutdown_scope());
    sb_scope_init_timeout(&patience, sb_shutdown_scope(), "patience", 100 * SB_MILLISECOND);
    while (!of->is_told && sb_scope_status(&patience) == SB_OK) {
        sb_condition_wait(&of->told, NULL, &patience);
    }
    if (!of->is_told || sb_scope_status(&patience) == SB_TIMEOUT) {
        sb_count(LOST_WAKE, 1);
    }
    sb_scope_release(&patience);
}

static void update(void *argument)
{
    worker *const of = argument;
    while (!of->may_go && sb_scope_status(sb_shutdown_scope()) == SB_OK) {
        sb_condition_wait(&of->go, NULL, sb_shutdown_scope());
    }
    const unsigned read = of->sum;
    pass_by(of);
    of->sum = read + 1;
    of->takes++;
    sb_condition_broadcast(&of->taken);
    if (of->takes == HELPERS && of->sum == 1 && of->number == 0) {
        sb_count(LOST_UPDATE, 1);
    }
}

static void wait_for_takes(void *argument)
{
    worker *const of = argument;
    if (of->takes < HELPERS) {
        sb_condition_wait(&of->taken, NULL, sb_shutdown_scope()); /* and does not look again */
    }
    if (of->takes == HELPERS - 1 && of->number == 0) {
        sb_count(WAIT_ONCE, 1);
    }
}

static bool ask(char question, char *answer)
{
    sb_message *message;
    sb_send(STORE, &question, 1);
    if (sb_receive(&message, sb_shutdown_scope()) != SB_OK) {
        return false;
    }
    *answer = message->size == 1 ? *(const char *)message->data : ' ';
    sb_message_free(message);
    return true;
}

static void after_batch(worker *of, unsigned batches)
{
    if (batches == 4) {
        sb_condition_broadcast(&of->told);
        pass_by(of);
        of->is_told = true;
    } else if (batches == 8) {
        of->may_go = true;
        sb_condition_broadcast(&of->go);
    }
}

static void build(worker *of)
{
    const unsigned asks_at = of->number == 0 ? 0 : of->number == 1 ? 8 : BATCHES;
    for (unsigned i = 0; i < BATCHES; i++) {
        char answer;
        if (!ask(i == asks_at ? 'a' : 'b', &answer) ||
            (i == asks_at && answer == 'y' && !ask('t', &answer))) {
            return;
        }
        const report told = {of->number, (uint8_t)(i + 1)};
        sb_send(OWNER, &told, sizeof(told));
        after_batch(of, i + 1);
    }
}

static int worker_program(const sb_boot *boot)
{
    worker own = {0};
    memcpy(&own.number, boot->argument, 1);
    sb_duration start;
    memcpy(&start, (const char *)boot->argument + 8, sizeof(start));
    sb_condition_init(&own.told, "told");
    sb_condition_init(&own.go, "go");
    sb_condition_init(&own.taken, "taken");
    sb_mutex_init(&own.unrelated, "unrelated");
    sb_wait_group_init(&own.helpers, "helpers");
    sb_sleep(start, sb_shutdown_scope());
    sb_spawn(&own.helpers, wait_to_be_told, &own, "told");
    sb_spawn(&own.helpers, wait_for_takes, &own, "takes");
    for (unsigned i = 0; i < HELPERS; i++) {
        sb_spawn(&own.helpers, update, &own, "update-%u", i);
    }
    build(&own);
    sb_wait_group_wait(&own.helpers, NULL);
    sb_sleep(SB_FOREVER, sb_shutdown_scope());
    sb_wait_group_release(&own.helpers);
    sb_mutex_release(&own.unrelated);
    sb_condition_release(&own.taken);
    sb_condition_release(&own.go);
    sb_condition_release(&own.told);
    return 0;
}

/* ----------------------------------------------------------------------------------- the rest */

static int talker_program(const sb_boot *boot)
{
    (void)boot;
    const sb_address peer = (sb_address)((sb_self() ^ 1u)); /* talkers begin at an even number */
    sb_message *message;
    sb_send(peer, "x", 1);
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        sb_send(peer, "x", 1);
        sb_message_free(message);
    }
    return 0;
}

static void direct(sb_world *world, void *context)
{
    (void)context;
    char name[32];
    unsigned char argument[16] = {0};
    sb_node nodes[2 + WORKERS + TALKERS];
    unsigned count = 0;
    sb_network_set(world, &(sb_network){.latency_min = 500 * SB_MICROSECOND,
                                        .tail = true,
                                        .tail_max = 4,
                                        .scale_max = 2});
    const sb_duration start = sb_choose(world, SB_STREAM_SCENARIO, 200) * SB_MILLISECOND;
    memcpy(argument + 8, &start, sizeof(start));
    nodes[count++] = sb_node_add(world, "owner", "owner", owner_program, NULL, 0);
    nodes[count++] = sb_node_add(world, "store", "store", store_program, NULL, 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        argument[0] = (unsigned char)i;
        snprintf(name, sizeof(name), "worker%u", i);
        nodes[count++] =
            sb_node_add(world, name, "worker", worker_program, argument, sizeof(argument));
    }
    for (unsigned i = 0; i < TALKERS; i++) {
        snprintf(name, sizeof(name), "talker%u", i);
        nodes[count++] = sb_node_add(world, name, "talker", talker_program, NULL, 0);
    }
    for (unsigned i = 0; i < count; i++) {
        sb_node_boot(world, nodes[i]);
    }
    sb_sleep(5 * SB_SECOND / 10 + start, NULL);
    sb_world_heal(world);
    for (unsigned i = 0; i < count; i++) {
        sb_node_stop(world, nodes[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        sb_node_wait_down(world, nodes[i], SB_SECOND);
    }
}

int main(int argc, char **argv)
{
    const uint64_t runs = argc > 1 ? strtoull(argv[1], NULL, 0) : 2000;
    uint64_t hits[PATTERN_COUNT][SB_STRATEGY_COUNT] = {{0}}, steps[SB_STRATEGY_COUNT] = {0};
    sb_universe *const universe = sb_universe_open(NULL);
    if (universe == NULL || runs == 0) {
        fprintf(stderr, "usage: strategies [RUNS]\n");
        return 129;
    }
    for (unsigned strategy = SB_STRATEGY_FIFO; strategy < SB_STRATEGY_COUNT; strategy++) {
        for (uint64_t seed = 1; seed <= runs; seed++) {
            const sb_world_options options = {.seed = seed, .strategy = (sb_strategy)strategy};
            sb_world *const world = sb_world_reset(universe, &options, direct, NULL);
            if (sb_world_run(world) != SB_OUTCOME_PASSED) {
                const sb_finding_report *const finding = sb_world_finding(world);
                fprintf(stderr, "strategies: seed %llu under %s: %s\n", (unsigned long long)seed,
                        sb_strategy_name((sb_strategy)strategy),
                        finding != NULL ? finding->text : "did not end");
                return 1;
            }
            for (unsigned pattern = 0; pattern < PATTERN_COUNT; pattern++) {
                hits[pattern][strategy] += sb_world_counter(world, pattern) != 0;
            }
            steps[strategy] += sb_world_step(world);
        }
    }
    printf("%-64s", "hits in 10,000 runs");
    for (unsigned strategy = SB_STRATEGY_FIFO; strategy < SB_STRATEGY_COUNT; strategy++) {
        printf(" %7s", sb_strategy_name((sb_strategy)strategy));
    }
    for (unsigned pattern = 0; pattern < PATTERN_COUNT; pattern++) {
        printf("\n%-64s", texts[pattern]);
        for (unsigned strategy = SB_STRATEGY_FIFO; strategy < SB_STRATEGY_COUNT; strategy++) {
            printf(" %7llu", (unsigned long long)(hits[pattern][strategy] * 10000 / runs));
        }
    }
    printf("\n%-64s", "steps of a run");
    for (unsigned strategy = SB_STRATEGY_FIFO; strategy < SB_STRATEGY_COUNT; strategy++) {
        printf(" %7llu", (unsigned long long)(steps[strategy] / runs));
    }
    putchar('\n');
    sb_universe_close(universe);
    return 0;
}
