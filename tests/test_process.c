/*
 * Machines: they boot, stop, die, stand still and come back; a dead one leaves nothing but what it
 * sent; clocks drift and never make a timer early.
 */
#include <stdio.h>

#include "tests/suite.h"

/* What a test's programs and director share, outside of the world: a notebook of what happened. */
typedef struct notes {
    unsigned boots, exits, heard, resets, ticks;
    uint64_t sum;
    sb_time at;
    sb_node node;
    sb_message *kept;
} notes;

static notes *notes_of(const sb_boot *boot)
{
    return *(notes *const *)boot->argument;
}

static sb_node add(sb_world *world, const char *name, sb_program *program, notes *book)
{
    return sb_node_add(world, name, name, program, &book, sizeof(book));
}

/* --------------------------------------------------------------------------------------- life */

static void idle_task(void *argument)
{
    (void)argument;
    sb_sleep(SB_FOREVER, sb_shutdown_scope());
}

static int serve(const sb_boot *boot)
{
    notes *const book = notes_of(boot);
    book->boots++;
    sb_wait_group group;
    sb_wait_group_init(&group, "tasks");
    sb_spawn(&group, idle_task, NULL, "idle");
    void *const block = sb_alloc(100);
    sb_message *message;
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        book->heard += message->kind == SB_MESSAGE_DATA;
        book->resets += message->kind == SB_MESSAGE_RESET;
        book->at = sb_monotonic_time();
        sb_message_free(message);
    }
    sb_sleep(5 * SB_MILLISECOND, NULL); /* the drain */
    sb_wait_group_wait(&group, NULL);
    sb_free(block);
    sb_wait_group_release(&group);
    book->exits++;
    return 0;
}

static void life(sb_world *world, void *context)
{
    notes *const book = context;
    const sb_node node = add(world, "server", serve, book);
    ck_assert(!sb_node_is_up(world, node));
    ck_assert_uint_eq(sb_node_incarnation(world, node), 0);
    sb_node_boot(world, node);
    ck_assert(sb_node_is_up(world, node));
    sb_sleep(SB_MILLISECOND, NULL);
    sb_node_stop(world, node);
    ck_assert(sb_node_is_up(world, node)); /* it drains */
    ck_assert(!sb_node_wait_down(world, node, SB_MILLISECOND));
    ck_assert(sb_node_wait_down(world, node, SB_SECOND));
    ck_assert_uint_eq(sb_world_time(world), 6 * SB_MILLISECOND);
    ck_assert_uint_eq(book->exits, 1);
    sb_node_boot(world, node);
    ck_assert_uint_eq(sb_node_incarnation(world, node), 2);
    sb_sleep(SB_MILLISECOND, NULL);
    sb_node_kill(world, node);
    ck_assert(!sb_node_is_up(world, node));
    ck_assert(sb_node_wait_down(world, node, 0));
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(book->exits, 1); /* the killed one did not drain */
    sb_node_boot(world, node);
    sb_sleep(SB_MILLISECOND, NULL);
    ck_assert_uint_eq(sb_node_incarnation(world, node), 3);
    ck_assert_uint_eq(book->boots, 3);
}

/* Boot, graceful stop with a drain, kill and boot again; each boot is a new incarnation. */
START_TEST(a_machine_lives)
{
    notes book = {0};
    const ending end = run_once(life, &book);
    must_pass(&end);
}
END_TEST

static void die_full(sb_world *world, void *context)
{
    notes *const book = context;
    const sb_node node = add(world, "server", serve, book);
    for (unsigned i = 0; i < 2000;
         i++) { /* dead tasks and heaps are given back, or this would not fit */
        sb_node_boot(world, node);
        sb_sleep(SB_MILLISECOND, NULL);
        sb_send(node, &i, sizeof(i));
        sb_sleep((i % 3) * SB_MILLISECOND, NULL);
        sb_node_kill(world, node);
    }
    sb_node_boot(world, node);
    sb_node_stop(world, node); /* what the dead had allocated would now be its leak */
    ck_assert(sb_node_wait_down(world, node, SB_SECOND));
}

/* Thousands of deaths, in the middle of everything, leave nothing in the kernel or in the machine.
 */
START_TEST(death_leaves_nothing)
{
    notes book = {0};
    const ending end = run_once(die_full, &book);
    must_pass(&end);
    ck_assert_uint_eq(book.boots, 2001);
    ck_assert_uint_eq(book.exits, 1);
    ck_assert_uint_gt(book.heard, 500);
}
END_TEST

/* ------------------------------------------------------------------------------ after a death */

static int send_and_wait(const sb_boot *boot)
{
    notes *const book = notes_of(boot);
    book->boots++;
    if (book->boots == 1) {
        sb_send(book->node, "last words", 11);
    }
    sb_message *message;
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        book->sum += message->kind == SB_MESSAGE_DATA; /* answers to it */
        sb_message_free(message);
    }
    return 0;
}

static int hear_and_answer(const sb_boot *boot)
{
    notes *const book = notes_of(boot);
    sb_message *message;
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        if (message->kind == SB_MESSAGE_DATA) {
            book->heard++;
            sb_send(message->from, "yes", 3);
        } else {
            book->resets++;
        }
        sb_message_free(message);
    }
    return 0;
}

static void last_words(sb_world *world, void *context)
{
    notes *const book = context;
    const sb_network network = {.latency_min = 10 * SB_MILLISECOND,
                                .latency_max = 10 * SB_MILLISECOND};
    sb_network_set(world, &network);
    const sb_node listener = add(world, "listener", hear_and_answer, book);
    book->node = listener;
    const sb_node sender = add(world, "sender", send_and_wait, book);
    sb_node_boot(world, listener);
    sb_node_boot(world, sender);
    sb_sleep(5 * SB_MILLISECOND, NULL);
    sb_node_kill(world, sender); /* its message is on the way */
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(book->heard, 1);
    ck_assert_uint_eq(book->sum, 0);
    ck_assert_uint_eq(sb_world_fault_counts(world)[SB_FAULT_NODE_DOWN].effective, 1);
    ck_assert_uint_eq(book->resets, 1); /* and the answer was refused */
}

/* What a dead machine has sent arrives and takes effect; what is sent to it is dropped, counted and
 * refused. */
START_TEST(messages_of_the_dead_arrive)
{
    notes book = {0};
    const ending end = run_once(last_words, &book);
    must_pass(&end);
}
END_TEST

/* ------------------------------------------------------------------------------------- pauses */

static int tick(const sb_boot *boot)
{
    notes *const book = notes_of(boot);
    sb_scope turn;
    for (;;) {
        sb_message *message;
        sb_scope_init_timeout(&turn, sb_shutdown_scope(), "turn", 10 * SB_MILLISECOND);
        const sb_status status = sb_receive(&message, &turn);
        sb_scope_release(&turn);
        if (status == SB_OK) {
            book->heard++;
            sb_message_free(message);
        } else if (status == SB_TIMEOUT) {
            book->ticks++;
        } else {
            return 0;
        }
    }
}

static void stand_still(sb_world *world, void *context)
{
    notes *const book = context;
    const sb_node node = add(world, "ticker", tick, book);
    sb_node_boot(world, node);
    sb_sleep(105 * SB_MILLISECOND, NULL);
    ck_assert_uint_eq(book->ticks, 10);
    sb_node_pause(world, node);
    ck_assert(sb_node_is_paused(world, node));
    for (unsigned i = 0; i < 7; i++) {
        sb_send(node, &i, sizeof(i));
    }
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(book->ticks, 10);
    ck_assert_uint_eq(book->heard, 0);
    sb_node_resume(world, node);
    sb_sleep(5 * SB_MILLISECOND, NULL);
    ck_assert_uint_eq(book->heard, 7);
    ck_assert_uint_eq(book->ticks, 10); /* the messages came before its timer, and still do */
    ck_assert_uint_eq(sb_node_incarnation(world, node), 1);
    sb_node_pause(world, node);
    for (unsigned i = 0; i < 3; i++) {
        sb_send(node, &i, sizeof(i));
    }
    sb_sleep(SB_SECOND, NULL);
    sb_node_kill(world, node); /* while it stands still */
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(sb_world_fault_counts(world)[SB_FAULT_NODE_DOWN].effective, 3);
    sb_node_boot(world, node);
    ck_assert(!sb_node_is_paused(world, node));
    sb_sleep(105 * SB_MILLISECOND, NULL);
    ck_assert_uint_eq(book->heard, 7);
    ck_assert_uint_eq(book->ticks, 20);
}

/* A machine that stands still does nothing, misses nothing, and goes on; dying meanwhile it loses
 * what came, which is counted. */
START_TEST(a_paused_machine_goes_on)
{
    notes book = {0};
    const ending end = run_once(stand_still, &book);
    must_pass(&end);
}
END_TEST

static void stop_paused(sb_world *world, void *context)
{
    notes *const book = context;
    const sb_node node = add(world, "server", serve, book);
    sb_node_boot(world, node);
    sb_sleep(SB_MILLISECOND, NULL);
    sb_node_pause(world, node);
    sb_node_stop(world, node);
    ck_assert(!sb_node_wait_down(world, node, SB_SECOND));
    sb_world_heal(world);
    ck_assert(!sb_node_is_paused(world, node));
    ck_assert(sb_node_wait_down(world, node, SB_SECOND));
    sb_node_kill(world, node); /* a second death is none */
    sb_node_stop(world, node);
    ck_assert_uint_eq(book->exits, 1);
}

/* Asked to stop while it stands still, it stops when it goes on: at the heal at the latest. */
START_TEST(a_paused_machine_stops_later)
{
    notes book = {0};
    const ending end = run_once(stop_paused, &book);
    must_pass(&end);
}
END_TEST

static void heal_boots(sb_world *world, void *context)
{
    notes *const book = context;
    const sb_node one = add(world, "one", serve, book);
    const sb_node other = add(world, "other", serve, book);
    sb_node_boot(world, one);
    sb_sleep(SB_MILLISECOND, NULL);
    sb_node_kill(world, one);
    sb_world_heal(world);
    ck_assert(sb_world_is_calm(world));
    ck_assert(sb_node_is_up(world, one));
    ck_assert(sb_node_is_up(world, other));
}

/* The heal boots what is down. */
START_TEST(the_heal_boots_what_is_down)
{
    notes book = {0};
    const ending end = run_once(heal_boots, &book);
    must_pass(&end);
}
END_TEST

static int drain_long(const sb_boot *boot)
{
    notes *const book = notes_of(boot);
    book->boots++;
    sb_sleep(SB_FOREVER, sb_shutdown_scope());
    sb_sleep(2 * SB_SECOND, NULL);
    book->exits++;
    return 0;
}

static void stop_while_it_drains(sb_world *world, void *context)
{
    notes *const book = context;
    const sb_node node = add(world, "drainer", drain_long, book);
    sb_node_boot(world, node);
    const sb_swarm_plan plan = {.kinds = 1u << SB_FAULT_STOP,
                                .victims = UINT64_C(1) << node,
                                .down_at_once_max = 1,
                                .down_min = SB_MILLISECOND,
                                .down_max = SB_MILLISECOND,
                                .calm_min = 100 * SB_MILLISECOND,
                                .calm_max = 100 * SB_MILLISECOND};
    sb_swarm_start(world, &plan);
    sb_sleep(SB_SECOND, NULL);
    sb_world_heal(world);
    sb_node_stop(world, node);
    ck_assert(sb_node_wait_down(world, node, 3 * SB_SECOND));
    book->ticks += sb_world_time(world) < 3 * SB_SECOND; /* it had been struck before */
    sb_sleep(5 * SB_SECOND, NULL);
    ck_assert(!sb_node_is_up(world, node));
    sb_node_boot(world, node);
    ck_assert_uint_eq(sb_node_incarnation(world, node), book->exits + 1);
}

/* What the scenario stops stays down, also when the swarm had asked it to stop before the heal and
 * would have booted it again. */
START_TEST(a_stop_outlives_the_swarm)
{
    notes all = {0};
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 50; seed++) {
        notes book = {0};
        const sb_world_options options = {.seed = seed};
        const ending end = run_options(universe, &options, stop_while_it_drains, &book);
        must_pass(&end);
        all.ticks += book.ticks;
    }
    ck_assert_uint_gt(all.ticks, 5);
    sb_universe_close(universe);
}
END_TEST

static int wait_for_stop(const sb_boot *boot)
{
    notes *const book = notes_of(boot);
    book->boots++;
    sb_sleep(SB_FOREVER, sb_shutdown_scope());
    book->exits++;
    return 0;
}

typedef struct victim {
    sb_world *world;
    sb_node node;
} victim;

static void kill_and_boot(void *argument)
{
    const victim *const of = argument;
    sb_node_kill(of->world, of->node);
    sb_node_boot(of->world, of->node);
}

static void die_while_asked_to_stop(sb_world *world, void *context)
{
    const sb_node node = add(world, "server", wait_for_stop, context);
    victim of = {world, node};
    sb_node_boot(world, node);
    sb_sleep(SB_MILLISECOND, NULL);
    sb_spawn(NULL, kill_and_boot, &of, "killer");
    const uint32_t asked = sb_node_incarnation(world, node);
    sb_node_stop(world, node);
    sb_sleep(SB_MILLISECOND, NULL);
    ck_assert_uint_eq(sb_node_incarnation(world, node), 2);
    ck_assert(sb_node_is_up(world, node) == (asked == 1));
    sb_node_stop(world, node);
    sb_sleep(SB_MILLISECOND, NULL);
}

/* Another task of the director may kill a machine in the middle of a stop: the next incarnation was
 * not asked. */
START_TEST(a_stop_is_for_one_incarnation)
{
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 50; seed++) {
        notes book = {0};
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_RANDOM};
        const ending end = run_options(universe, &options, die_while_asked_to_stop, &book);
        must_pass(&end);
    }
    sb_universe_close(universe);
}
END_TEST

/* -------------------------------------------------------------------------------------- leaks */

enum { LEAK_TASK, LEAK_MEMORY, LEAK_MESSAGE, LEAK_FILE, LEAK_NOTHING, LEAK_COUNT };

static int leak_on_exit(const sb_boot *boot)
{
    const int what = **(int *const *)boot->argument;
    sb_message *message;
    sb_receive(&message, NULL);
    if (what != LEAK_MESSAGE) {
        sb_message_free(message);
    }
    if (what == LEAK_TASK) {
        sb_spawn(NULL, idle_task, NULL, "left-behind");
        sb_sleep(SB_MILLISECOND, NULL);
    }
    if (what == LEAK_MEMORY) {
        memset(sb_alloc(321), 1, 321);
    }
    if (what == LEAK_FILE) {
        sb_file *file;
        sb_file_open("a/file", SB_FILE_CREATE, &file);
    }
    return 0;
}

static void leak_director(sb_world *world, void *context)
{
    int *const what = context;
    const sb_node node = sb_node_add(world, "leaker", "role", leak_on_exit, &what, sizeof(what));
    sb_node_boot(world, node);
    sb_send(node, "go", 2);
    if (!sb_node_wait_down(world, node, SB_SECOND)) {
        sb_finding(world, SB_FINDING_STUCK_JOB, "test", "it did not exit");
    }
}

/* A program that returns must have left nothing: task, memory with its place, message, open file.
 */
START_TEST(a_leak_is_a_finding)
{
    static const char *const words[] = {"left-behind", "1 blocks of 321 bytes",
                                        "message of 2 bytes",
                                        "1 open files are left; the latest is a/file"};
    static const char *const oracles[] = {"task", "memory", "message", "file"};
    int what = _i;
    const ending end = run_once(leak_director, &what);
    if (what == LEAK_NOTHING) {
        must_pass(&end);
        return;
    }
    must_find(&end, SB_FINDING_LEAK, words[_i]);
    ck_assert_str_eq(end.finding.oracle, oracles[_i]);
    ck_assert_uint_eq(end.finding.node, 1);
    if (what == LEAK_MEMORY) {
        ck_assert_str_eq(end.finding.file, "tests/test_process.c");
        ck_assert_int_gt(end.finding.line, 0);
    }
}
END_TEST

static void kill_leaker(sb_world *world, void *context)
{
    int *const what = context;
    const sb_node node = sb_node_add(world, "leaker", "role", leak_on_exit, &what, sizeof(what));
    sb_node_boot(world, node);
    sb_sleep(SB_MILLISECOND, NULL);
    sb_node_kill(world, node);
    sb_sleep(SB_SECOND, NULL);
}

/* A forced exit ends everything and is no leak. */
START_TEST(a_kill_is_no_leak)
{
    int what = LEAK_TASK;
    const ending end = run_once(kill_leaker, &what);
    must_pass(&end);
}
END_TEST

static int give_up(const sb_boot *boot)
{
    (void)boot;
    return 3;
}

static void boot_giver_up(sb_world *world, void *context)
{
    (void)context;
    sb_node_boot(world, sb_node_add(world, "quitter", "role", give_up, NULL, 0));
    sb_sleep(SB_SECOND, NULL);
}

/* A program that returns another value than 0 could not start. */
START_TEST(giving_up_is_a_finding)
{
    const ending end = run_once(boot_giver_up, NULL);
    must_find(&end, SB_FINDING_CANNOT_START, "quitter returned 3");
}
END_TEST

/* ------------------------------------------------------------------------------------- clocks */

typedef struct clock_case {
    int64_t skew;
    int32_t drift;
    sb_duration slept_least, slept_most; /* true time of ten sleeps of 100 ms */
    sb_time started, ended, wall;
} clock_case;

static int sleep_ten_times(const sb_boot *boot)
{
    clock_case *const one = *(clock_case *const *)boot->argument;
    for (unsigned i = 0; i < 10; i++) {
        const sb_time before = sb_monotonic_time();
        sb_sleep(100 * SB_MILLISECOND, NULL);
        const sb_time after = sb_monotonic_time();
        sb_assert_op(after - before, >=, 100 * SB_MILLISECOND); /* never early by its own clock */
        sb_assert_op(after - before, <=, 100 * SB_MILLISECOND + 2);
    }
    one->wall = sb_wall_time();
    sb_report(0, NULL, 0);
    sb_sleep(SB_FOREVER, sb_shutdown_scope());
    return 0;
}

static void note_end(sb_world *world, sb_node node, uint32_t kind, const void *data, size_t size)
{
    (void)node;
    (void)kind;
    (void)data;
    (void)size;
    ((clock_case *)sb_world_data(world))->ended = sb_world_time(world);
}

static void clock_director(sb_world *world, void *context)
{
    clock_case *one = context;
    sb_world_set_data(world, one);
    sb_observe_reports(world, note_end);
    const sb_node node = sb_node_add(world, "clock", "clock", sleep_ten_times, &one, sizeof(one));
    sb_clock_set(world, node, one->skew, one->drift);
    one->started = sb_world_time(world);
    sb_node_boot(world, node);
    sb_sleep(5 * SB_SECOND, NULL);
}

/* A clock that runs fast shortens true time, a slow one lengthens it, by just its drift; by its own
 * clock no timer is ever early. The wall clock is off by the skew. */
START_TEST(clocks_drift)
{
    const sb_time epoch = UINT64_C(1704067200) * SB_SECOND;
    clock_case cases[] = {
        {.slept_least = SB_SECOND, .slept_most = SB_SECOND},
        {.drift = 1000,
         .slept_least = 999000 * SB_MICROSECOND,
         .slept_most = 999002 * SB_MICROSECOND},
        {.drift = -1000,
         .slept_least = 1001001 * SB_MICROSECOND,
         .slept_most = 1001002 * SB_MICROSECOND},
        {.drift = 1, .slept_least = SB_SECOND - 1001, .slept_most = SB_SECOND - 900},
        {.skew = -(int64_t)SB_SECOND, .slept_least = SB_SECOND, .slept_most = SB_SECOND},
        {.skew = 5, .drift = 100000, .slept_least = 909090909, .slept_most = 909090930},
    };
    clock_case *const one = &cases[_i];
    const ending end = run_once(clock_director, one);
    must_pass(&end);
    ck_assert_uint_ge(one->ended - one->started, one->slept_least);
    ck_assert_uint_le(one->ended - one->started, one->slept_most);
    const uint64_t local = one->wall - epoch - (uint64_t)one->skew;
    ck_assert_uint_ge(local, SB_SECOND);
    ck_assert_uint_le(local, SB_SECOND + 20);
}
END_TEST

static int watch_clock(const sb_boot *boot)
{
    clock_case *const one = *(clock_case *const *)boot->argument;
    sb_time before = 0;
    while (sb_sleep(3 * SB_MILLISECOND, sb_shutdown_scope()) == SB_OK) {
        const sb_time now = sb_monotonic_time();
        sb_assert_op(now - before, >=, 3 * SB_MILLISECOND);
        before = now;
    }
    one->ended = before;
    return 0;
}

static void change_rates(sb_world *world, void *context)
{
    clock_case *one = context;
    const sb_node node = sb_node_add(world, "clock", "clock", watch_clock, &one, sizeof(one));
    sb_node_boot(world, node);
    for (int i = 0; i < 200; i++) {
        sb_sleep(1234567, NULL);
        sb_clock_set(world, node, i * 1000, (i % 2 == 0 ? 1 : -1) * i * 500);
    }
    sb_node_stop(world, node);
    sb_node_wait_down(world, node, SB_SECOND);
}

/* Changing the rate again and again makes the monotonic clock neither jump nor go back, and no
 * timer early. */
START_TEST(rates_change_without_a_jump)
{
    clock_case one = {0};
    const ending end = run_once(change_rates, &one);
    must_pass(&end);
    ck_assert_uint_gt(one.ended, 200 * SB_MILLISECOND);
    ck_assert_uint_lt(one.ended, 300 * SB_MILLISECOND);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("process");
    TCase *const tests = tcase_create("machines");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, a_machine_lives);
    tcase_add_test(tests, death_leaves_nothing);
    tcase_add_test(tests, messages_of_the_dead_arrive);
    tcase_add_test(tests, a_paused_machine_goes_on);
    tcase_add_test(tests, a_paused_machine_stops_later);
    tcase_add_test(tests, the_heal_boots_what_is_down);
    tcase_add_test(tests, a_stop_outlives_the_swarm);
    tcase_add_test(tests, a_stop_is_for_one_incarnation);
    tcase_add_loop_test(tests, a_leak_is_a_finding, 0, LEAK_COUNT);
    tcase_add_test(tests, a_kill_is_no_leak);
    tcase_add_test(tests, giving_up_is_a_finding);
    tcase_add_loop_test(tests, clocks_drift, 0, 6);
    tcase_add_test(tests, rates_change_without_a_jump);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
