/*
 * Synchronisation: what each object promises, that misuse is a finding, and that strategies reach
 * the orders in between.
 */
#include <stdio.h>

#include "tests/suite.h"

static const sb_strategy every_strategy[] = {SB_STRATEGY_FIFO, SB_STRATEGY_RANDOM,
                                             SB_STRATEGY_PCT2, SB_STRATEGY_PCT3,
                                             SB_STRATEGY_POS,  SB_STRATEGY_STARVE};
#define STRATEGY_COUNT ((int)(sizeof(every_strategy) / sizeof(every_strategy[0])))

/* The director must pass under each strategy and many seeds, twice the same, wherever the world
 * lies. */
static void must_pass_everywhere(sb_director *director)
{
    sb_universe *const here = open_universe(NULL);
    const sb_universe_options elsewhere = {
        .base = UINT64_C(0x5b0000000000), .fill = 0x3c, .permute_blocks = true};
    sb_universe *const there = open_universe(&elsewhere);
    for (int i = 0; i < STRATEGY_COUNT; i++) {
        for (uint64_t seed = 1; seed <= 40; seed++) {
            const sb_world_options options = {.seed = seed, .strategy = every_strategy[i]};
            const ending one = run_options(here, &options, director, NULL);
            const ending other = run_options(there, &options, director, NULL);
            must_pass(&one);
            ck_assert_uint_eq(one.digest, other.digest);
        }
    }
    sb_universe_close(there);
    sb_universe_close(here);
}

/* ------------------------------------------------------------------------------------ mutexes */

typedef struct shared {
    sb_mutex mutex;
    sb_wait_group group;
    int inside, entered, order[8];
} shared;

static void enter(void *argument)
{
    shared *const all = argument;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(sb_mutex_lock(&all->mutex, NULL), SB_OK);
        ck_assert_int_eq(all->inside++, 0);
        sb_sleep(sb_random(3) * SB_MICROSECOND, NULL);
        sb_yield();
        ck_assert_int_eq(--all->inside, 0);
        all->entered++;
        sb_mutex_unlock(&all->mutex);
    }
}

static void exclusion(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    shared all = {.entered = 0};
    sb_mutex_init(&all.mutex, "mutex");
    sb_wait_group_init(&all.group, "group");
    for (int i = 0; i < 8; i++) {
        sb_spawn(&all.group, enter, &all, "task-%d", i);
    }
    ck_assert_int_eq(sb_wait_group_wait(&all.group, NULL), SB_OK);
    ck_assert_int_eq(all.entered, 40);
    sb_wait_group_release(&all.group);
    sb_mutex_release(&all.mutex);
}

/* One task at a time holds a mutex, under every strategy. */
START_TEST(mutex_excludes)
{
    must_pass_everywhere(exclusion);
}
END_TEST

static void note_turn(void *argument)
{
    shared *const all = argument;
    sb_mutex_lock(&all->mutex, NULL);
    all->order[all->entered++] = atoi(sb_task_name());
    sb_mutex_unlock(&all->mutex);
}

static void fifo(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    shared all = {.entered = 0};
    sb_mutex_init(&all.mutex, "mutex");
    sb_wait_group_init(&all.group, "group");
    sb_mutex_lock(&all.mutex, NULL);
    for (int i = 0; i < 8; i++) {
        sb_spawn(&all.group, note_turn, &all, "%d", i);
        sb_sleep(SB_MILLISECOND, NULL);
    }
    sb_mutex_unlock(&all.mutex);
    sb_wait_group_wait(&all.group, NULL);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(all.order[i], i);
    }
}

/* Who waits longest is next, whatever the strategy. */
START_TEST(mutex_is_fair)
{
    must_pass_everywhere(fifo);
}
END_TEST

static void hold(void *argument)
{
    shared *const all = argument;
    sb_mutex_lock(&all->mutex, NULL);
    sb_sleep(10 * SB_MILLISECOND, NULL);
    sb_mutex_unlock(&all->mutex);
}

static void impatience(sb_world *world, void *context)
{
    (void)context;
    shared all = {.entered = 0};
    sb_mutex_init(&all.mutex, "mutex");
    sb_wait_group_init(&all.group, "group");
    sb_spawn(&all.group, hold, &all, "holder");
    sb_sleep(SB_MILLISECOND, NULL);
    sb_scope scope;
    sb_scope_init_timeout(&scope, NULL, "short", 2 * SB_MILLISECOND);
    ck_assert_int_eq(sb_mutex_lock(&all.mutex, &scope), SB_TIMEOUT);
    ck_assert_uint_eq(sb_world_time(world), 3 * SB_MILLISECOND);
    ck_assert_int_eq(sb_mutex_lock(&all.mutex, &scope), SB_TIMEOUT);
    sb_scope_release(&scope);
    ck_assert_int_eq(sb_mutex_lock(&all.mutex, NULL), SB_OK);
    ck_assert_uint_eq(sb_world_time(world), 10 * SB_MILLISECOND);
    sb_mutex_unlock(&all.mutex);
}

/* A lock ends with its scope, at its scope's time. */
START_TEST(mutex_ends_with_its_scope)
{
    const ending end = run_once(impatience, NULL);
    must_pass(&end);
}
END_TEST

static void lock_only(void *argument)
{
    sb_mutex_lock(argument, NULL);
}

static void misuse_mutex(sb_world *world, void *context)
{
    (void)world;
    sb_mutex mutex;
    sb_mutex_init(&mutex, "ledger");
    switch (*(const int *)context) {
    case 0:
        sb_mutex_unlock(&mutex);
        break;
    case 1:
        sb_mutex_lock(&mutex, NULL);
        sb_mutex_lock(&mutex, NULL);
        break;
    case 2:
        sb_spawn(NULL, lock_only, &mutex, "other");
        sb_sleep(SB_MILLISECOND, NULL);
        sb_mutex_unlock(&mutex);
        break;
    default:
        sb_mutex_lock(&mutex, NULL);
        sb_mutex_release(&mutex);
        break;
    }
}

START_TEST(misuse_of_a_mutex_is_a_finding)
{
    const ending end = run_once(misuse_mutex, &_i);
    must_find(&end, SB_FINDING_ASSERTION, "mutex ledger");
}
END_TEST

static void lock_for_ever(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sb_mutex mutex;
    sb_mutex_init(&mutex, "ledger");
    sb_spawn(NULL, lock_only, &mutex, "owner");
    sb_sleep(SB_MILLISECOND, NULL);
    sb_mutex_lock(&mutex, NULL);
}

/* A deadlock is proved at once, and the waiting task says for what and for whom. */
START_TEST(deadlock_names_what_is_waited_for)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_world_options options = {.seed = 1, .strategy = SB_STRATEGY_FIFO};
    sb_world *const world = sb_world_reset(universe, &options, lock_for_ever, NULL);
    const ending end = ending_of(world, sb_world_run(world));
    must_find(&end, SB_FINDING_DEADLOCK, "nothing can happen");
    uint16_t lane = 0;
    sb_waiting_task task;
    ck_assert(sb_world_next_waiting(world, &lane, &task));
    ck_assert_str_eq(task.name, "director");
    ck_assert_str_eq(task.wait, "mutex");
    ck_assert_str_eq(task.object, "ledger");
    sb_universe_close(universe);
}
END_TEST

/* --------------------------------------------------------------------- lost updates, switches */

static int balance;

static void deposit(void *argument)
{
    sb_mutex *const mutex = argument;
    const int before = balance;
    sb_mutex_lock(mutex, NULL); /* a call that need not wait, and may switch */
    sb_mutex_unlock(mutex);
    balance = before + 1;
}

static void two_deposits(sb_world *world, void *context)
{
    (void)world;
    sb_mutex mutexes[2];
    sb_wait_group group;
    sb_wait_group_init(&group, "group");
    balance = 0;
    for (int i = 0; i < 2; i++) {
        sb_mutex_init(&mutexes[i], "own");
        sb_spawn(&group, deposit, &mutexes[i], "deposit-%d", i);
    }
    sb_wait_group_wait(&group, NULL);
    *(int *)context += balance == 2 ? 0 : 1;
}

/* Every call is a place to switch: a read and a write on its two sides lose an update in some seed,
 * and never under first in, first out. */
START_TEST(strategies_switch_inside_calls)
{
    sb_universe *const universe = open_universe(NULL);
    for (int i = 0; i < STRATEGY_COUNT; i++) {
        int lost = 0;
        for (uint64_t seed = 1; seed <= 200; seed++) {
            const sb_world_options options = {.seed = seed, .strategy = every_strategy[i]};
            const ending end = run_options(universe, &options, two_deposits, &lost);
            must_pass(&end);
        }
        if (every_strategy[i] == SB_STRATEGY_FIFO) {
            ck_assert_int_eq(lost, 0);
        } else if (every_strategy[i] == SB_STRATEGY_RANDOM ||
                   every_strategy[i] == SB_STRATEGY_POS) {
            ck_assert_int_gt(lost, 0);
        }
    }
    sb_universe_close(universe);
}
END_TEST

static void spin(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    shared all = {.entered = 0};
    sb_mutex_init(&all.mutex, "mutex");
    sb_spawn(NULL, note_turn, &all, "1");
    while (all.entered == 0) {
        sb_yield();
    }
}

/* A task that yields in a loop lets others run, priorities or not. */
START_TEST(yield_starves_nobody)
{
    must_pass_everywhere(spin);
}
END_TEST

/* --------------------------------------------------------------------------------- conditions */

typedef struct gate {
    sb_mutex mutex;
    sb_condition condition;
    sb_wait_group group;
    bool open;
    int passed;
} gate;

static void pass_gate(void *argument)
{
    gate *const all = argument;
    sb_mutex_lock(&all->mutex, NULL);
    while (!all->open) {
        ck_assert_int_eq(sb_condition_wait(&all->condition, &all->mutex, NULL), SB_OK);
    }
    all->passed++;
    sb_mutex_unlock(&all->mutex);
}

static void gates(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    gate all = {.open = false};
    sb_mutex_init(&all.mutex, "mutex");
    sb_condition_init(&all.condition, "gate");
    sb_wait_group_init(&all.group, "group");
    for (int i = 0; i < 6; i++) {
        sb_spawn(&all.group, pass_gate, &all, "guest-%d", i);
    }
    sb_sleep(10 * SB_SECOND, NULL);
    sb_condition_signal(&all.condition); /* still shut: one looks and waits again */
    sb_sleep(10 * SB_SECOND, NULL);
    ck_assert_int_eq(all.passed, 0);
    sb_mutex_lock(&all.mutex, NULL);
    all.open = true;
    sb_condition_signal(&all.condition);
    sb_mutex_unlock(&all.mutex);
    sb_sleep(10 * SB_SECOND, NULL);
    ck_assert_int_eq(all.passed, 1);
    sb_condition_broadcast(&all.condition);
    sb_wait_group_wait(&all.group, NULL);
    ck_assert_int_eq(all.passed, 6);
    sb_condition_release(&all.condition);
    sb_mutex_release(&all.mutex);
}

START_TEST(condition_wakes_one_or_all)
{
    must_pass_everywhere(gates);
}
END_TEST

static void impatient_wait(sb_world *world, void *context)
{
    (void)context;
    gate all = {.open = false};
    sb_mutex_init(&all.mutex, "mutex");
    sb_condition_init(&all.condition, "gate");
    sb_scope scope;
    sb_scope_init_timeout(&scope, NULL, "short", 5);
    sb_mutex_lock(&all.mutex, NULL);
    ck_assert_int_eq(sb_condition_wait(&all.condition, &all.mutex, &scope), SB_TIMEOUT);
    ck_assert_uint_eq(sb_world_time(world), 5);
    ck_assert_int_eq(sb_condition_wait(&all.condition, &all.mutex, &scope), SB_TIMEOUT);
    sb_mutex_unlock(&all.mutex); /* it was ours again both times */
    ck_assert_int_eq(sb_condition_wait(&all.condition, NULL, &scope), SB_TIMEOUT);
    sb_scope_release(&scope);
    sb_condition_release(&all.condition);
}

START_TEST(condition_locks_again_when_its_scope_ends)
{
    const ending end = run_once(impatient_wait, NULL);
    must_pass(&end);
}
END_TEST

/* ----------------------------------------------------------------------------------- channels */

typedef struct pipe_ends {
    sb_channel channel;
    sb_wait_group senders, receivers;
    uint64_t sum;
    int taken;
} pipe_ends;

static void produce(void *argument)
{
    pipe_ends *const all = argument;
    for (uint64_t i = 1; i <= 20; i++) {
        ck_assert_int_eq(sb_channel_send(&all->channel, &i, NULL), SB_OK);
    }
}

static void consume(void *argument)
{
    pipe_ends *const all = argument;
    uint64_t item;
    while (sb_channel_receive(&all->channel, &item, NULL) == SB_OK) {
        all->sum += item;
        all->taken++;
    }
}

static void pipes(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    for (uint32_t capacity = 0; capacity < 4; capacity++) {
        pipe_ends all = {.sum = 0};
        sb_channel_init(&all.channel, "pipe", sizeof(uint64_t), capacity);
        sb_wait_group_init(&all.senders, "senders");
        sb_wait_group_init(&all.receivers, "receivers");
        for (int i = 0; i < 3; i++) {
            sb_spawn(&all.senders, produce, &all, "producer");
            sb_spawn(&all.receivers, consume, &all, "consumer");
        }
        sb_wait_group_wait(&all.senders, NULL);
        sb_channel_close(&all.channel);
        sb_wait_group_wait(&all.receivers, NULL);
        ck_assert_int_eq(all.taken, 60);
        ck_assert_uint_eq(all.sum, 630);
        uint64_t item;
        ck_assert_int_eq(sb_channel_try_receive(&all.channel, &item), SB_CLOSED);
        sb_channel_release(&all.channel);
    }
}

/* Everything sent is received once, whatever the capacity; receivers drain what is left after the
 * close. */
START_TEST(channel_loses_nothing)
{
    must_pass_everywhere(pipes);
}
END_TEST

static void bounds(sb_world *world, void *context)
{
    (void)context;
    sb_channel channel;
    sb_scope scope;
    int item = 7;
    sb_channel_init(&channel, "pair", sizeof(item), 2);
    ck_assert_int_eq(sb_channel_try_receive(&channel, &item), SB_EMPTY);
    for (int i = 1; i <= 2; i++) {
        ck_assert_int_eq(sb_channel_send(&channel, &i, NULL), SB_OK);
    }
    sb_scope_init_timeout(&scope, NULL, "short", 100);
    ck_assert_int_eq(sb_channel_send(&channel, &item, &scope), SB_TIMEOUT);
    ck_assert_uint_eq(sb_world_time(world), 100);
    ck_assert_int_eq(sb_channel_receive(&channel, &item, &scope),
                     SB_TIMEOUT); /* though one is there */
    sb_scope_release(&scope);
    sb_channel_close(&channel);
    for (int i = 1; i <= 2; i++) {
        ck_assert_int_eq(sb_channel_receive(&channel, &item, NULL), SB_OK);
        ck_assert_int_eq(item, i);
    }
    ck_assert_int_eq(sb_channel_receive(&channel, &item, NULL), SB_CLOSED);
    sb_channel_release(&channel);
    sb_channel_init(&channel, "left", sizeof(item), 2);
    sb_channel_send(&channel, &item, NULL);
    sb_channel_release(&channel);
}

START_TEST(channel_keeps_its_bounds)
{
    const ending end = run_once(bounds, NULL);
    must_pass(&end);
}
END_TEST

static void close_later(void *argument)
{
    sb_sleep(SB_MILLISECOND, NULL);
    sb_channel_close(argument);
}

static void misuse_channel(sb_world *world, void *context)
{
    (void)world;
    sb_channel channel;
    const int item = 1;
    sb_channel_init(&channel, "jobs", sizeof(item), 1);
    switch (*(const int *)context) {
    case 0:
        sb_channel_close(&channel);
        sb_channel_send(&channel, &item, NULL);
        break;
    case 1:
        sb_channel_close(&channel);
        sb_channel_close(&channel);
        break;
    default: /* a send that waits when the channel is closed */
        sb_spawn(NULL, close_later, &channel, "closer");
        sb_channel_send(&channel, &item, NULL);
        sb_channel_send(&channel, &item, NULL);
        break;
    }
}

START_TEST(misuse_of_a_channel_is_a_finding)
{
    const ending end = run_once(misuse_channel, &_i);
    must_find(&end, SB_FINDING_CLOSED_CHANNEL, "channel jobs");
}
END_TEST

/* ----------------------------------------------------------------------------- groups, scopes */

static void misuse_group(sb_world *world, void *context)
{
    (void)world;
    sb_wait_group group;
    sb_wait_group_init(&group, "workers");
    if (*(const int *)context == 0) {
        sb_wait_group_done(&group);
    } else {
        sb_wait_group_add(&group, 1);
        sb_wait_group_release(&group);
    }
}

START_TEST(misuse_of_a_group_is_a_finding)
{
    const ending end = run_once(misuse_group, &_i);
    must_find(&end, SB_FINDING_ASSERTION, "group workers");
}
END_TEST

typedef struct sleeper {
    sb_scope *scope;
    sb_status status;
} sleeper;

static void sleep_long(void *argument)
{
    sleeper *const one = argument;
    one->status = sb_sleep(SB_SECOND, one->scope);
}

static void scope_tree(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sb_scope root, left, right, late;
    sb_wait_group group;
    sb_wait_group_init(&group, "sleepers");
    sb_scope_init(&root, NULL, "root");
    sb_scope_init(&left, &root, "left");
    sb_scope_init_timeout(&right, &root, "right", 20 * SB_SECOND);
    sleeper sleepers[] = {{&root, SB_OK}, {&left, SB_OK}, {&right, SB_OK}, {NULL, SB_EMPTY}};
    for (int i = 0; i < 4; i++) {
        sb_spawn(&group, sleep_long, &sleepers[i], "sleeper-%d", i);
    }
    sb_sleep(SB_MILLISECOND, NULL);
    ck_assert_int_eq(sb_scope_status(&right), SB_OK);
    sb_scope_cancel(&root);
    sb_scope_init(&late, &left, "late");
    ck_assert_int_eq(sb_scope_status(&late), SB_CANCELED);
    sb_wait_group_wait(&group, NULL);
    for (int i = 0; i < 3; i++) {
        /* one that began to sleep only after the cancel sees it as well */
        ck_assert_int_eq(sleepers[i].status, SB_CANCELED);
    }
    ck_assert_int_eq(sleepers[3].status, SB_OK);
    sb_scope_cancel(&root); /* again does no harm */
    sb_scope_release(&late);
    sb_scope_release(&right);
    sb_scope_release(&left);
    sb_scope_release(&root);
}

/* A cancel reaches all below it, those who wait and those who come. */
START_TEST(cancel_walks_down_the_tree)
{
    must_pass_everywhere(scope_tree);
}
END_TEST

static void deadlines(sb_world *world, void *context)
{
    (void)context;
    sb_scope outer, inner;
    sb_scope_init_timeout(&outer, NULL, "outer", 100);
    sb_scope_init_timeout(&inner, &outer, "inner", 1000);
    ck_assert_int_eq(sb_sleep(40, &inner), SB_OK);
    ck_assert_int_eq(sb_sleep(60, &inner), SB_OK); /* both end now: the sleep is done */
    ck_assert_uint_eq(sb_world_time(world), 100);
    ck_assert_int_eq(sb_scope_status(&inner), SB_TIMEOUT);
    ck_assert_int_eq(sb_sleep(0, &inner), SB_TIMEOUT);
    sb_scope_release(&inner);
    sb_scope_release(&outer);
    sb_scope_init_timeout(&outer, NULL, "outer", SB_FOREVER);
    ck_assert_int_eq(sb_sleep(0, &outer), SB_OK);
    sb_scope_cancel(&outer);
    ck_assert_int_eq(sb_sleep(SB_FOREVER, &outer), SB_CANCELED);
    sb_scope_release(&outer);
    sb_scope_init_timeout(&outer, NULL, "outer", 50);
    ck_assert_int_eq(sb_sleep(SB_FOREVER, &outer), SB_TIMEOUT);
    ck_assert_uint_eq(sb_world_time(world), 150);
    sb_scope_release(&outer);
}

/* A child ends no later than its parent. */
START_TEST(deadlines_nest)
{
    const ending end = run_once(deadlines, NULL);
    must_pass(&end);
}
END_TEST

static void misuse_scope(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sb_scope parent, child;
    sb_scope_init(&parent, NULL, "parent");
    sb_scope_init(&child, &parent, "child");
    sb_scope_release(&parent);
}

START_TEST(misuse_of_a_scope_is_a_finding)
{
    const ending end = run_once(misuse_scope, NULL);
    must_find(&end, SB_FINDING_ASSERTION, "scope parent");
}
END_TEST

static void compare_name(void *argument)
{
    ck_assert_str_eq(sb_task_name(), argument);
}

static void names(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sb_wait_group group;
    sb_wait_group_init(&group, "group");
    ck_assert_str_eq(sb_task_name(), "director");
    char plain[] = "plain", numbered[] = "worker-12", cut[] = "a-name-of-more-than-thirty-one-";
    sb_spawn(&group, compare_name, plain, "plain");
    sb_spawn(&group, compare_name, numbered, "worker-%d", 12);
    sb_spawn(&group, compare_name, cut, "a-name-of-more-than-thirty-one-characters");
    sb_spawn(&group, compare_name, cut, "%s", "a-name-of-more-than-thirty-one-characters");
    sb_wait_group_wait(&group, NULL);
}

START_TEST(tasks_have_names)
{
    const ending end = run_once(names, NULL);
    must_pass(&end);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("sync");
    TCase *const tests = tcase_create("sync");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, mutex_excludes);
    tcase_add_test(tests, mutex_is_fair);
    tcase_add_test(tests, mutex_ends_with_its_scope);
    tcase_add_loop_test(tests, misuse_of_a_mutex_is_a_finding, 0, 4);
    tcase_add_test(tests, deadlock_names_what_is_waited_for);
    tcase_add_test(tests, strategies_switch_inside_calls);
    tcase_add_test(tests, yield_starves_nobody);
    tcase_add_test(tests, condition_wakes_one_or_all);
    tcase_add_test(tests, condition_locks_again_when_its_scope_ends);
    tcase_add_test(tests, channel_loses_nothing);
    tcase_add_test(tests, channel_keeps_its_bounds);
    tcase_add_loop_test(tests, misuse_of_a_channel_is_a_finding, 0, 3);
    tcase_add_loop_test(tests, misuse_of_a_group_is_a_finding, 0, 2);
    tcase_add_test(tests, cancel_walks_down_the_tree);
    tcase_add_test(tests, deadlines_nest);
    tcase_add_test(tests, misuse_of_a_scope_is_a_finding);
    tcase_add_test(tests, tasks_have_names);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
