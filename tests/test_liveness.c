/*
 * What stands still is proved, told apart, and explained by who holds it up.
 */
#include <stdio.h>

#include "sim/verdict/cycle.h"
#include "sim/verdict/report.h"
#include "tests/suite.h"

/* ------------------------------------------------------------------- stuck, deadlock, livelock
 *
 * One machine runs a program that comes to a halt in some shape, while a timer of it goes on.
 */
static bool never(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    return false;
}

static void tick_main(void *argument)
{
    (void)argument;
    while (sb_sleep(300 * SB_MILLISECOND, NULL) == SB_OK) {
    }
}

static sb_mutex first, second;
static sb_wait_group group;
static sb_channel channel;
static sb_condition condition;

static void lock_both(sb_mutex *one, sb_mutex *other)
{
    sb_mutex_lock(one, NULL);
    sb_sleep(SB_MILLISECOND, NULL);
    sb_mutex_lock(other, NULL);
    sb_mutex_unlock(other);
    sb_mutex_unlock(one);
}

static void lock_forward(void *argument)
{
    (void)argument;
    lock_both(&first, &second);
}

static void lock_backward(void *argument)
{
    (void)argument;
    lock_both(&second, &first);
}

static void mutex_cycle(void)
{
    sb_spawn(NULL, lock_forward, NULL, "forward");
    sb_spawn(NULL, lock_backward, NULL, "backward");
}

/* It waits for its own group, which counts who waits for what it holds. */
static void lock_first(void *argument)
{
    (void)argument;
    sb_mutex_lock(&first, NULL);
    sb_mutex_unlock(&first);
}

static void group_cycle(void)
{
    sb_mutex_lock(&first, NULL);
    sb_spawn(&group, lock_first, NULL, "member");
    sb_wait_group_wait(&group, NULL);
    sb_mutex_unlock(&first);
}

/* So many wait for each other in a row that the first of the cycle is the last of a way that could
 * be told. */
#define ROW (SB_CYCLE_MAX - 1)
static sb_mutex row[ROW];

static void lock_next(void *argument)
{
    sb_mutex *const own = argument;
    lock_both(own, own == &row[ROW - 1] ? &first : own + 1);
}

static void cycle_behind_a_row(void)
{
    for (unsigned i = 0; i < ROW; i++) {
        sb_mutex_init(&row[i], "row");
        sb_spawn(NULL, lock_next, &row[i], "member");
    }
    mutex_cycle();
}

/* Somebody could cancel these waits, so they are a deadlock only once nothing changes. */
static void lock_under_a_scope(void *argument)
{
    sb_scope scope;
    sb_scope_init(&scope, NULL, "could be canceled");
    sb_mutex *const one = argument, *const other = one == &first ? &second : &first;
    sb_mutex_lock(one, &scope);
    sb_sleep(SB_MILLISECOND, &scope);
    sb_mutex_lock(other, &scope);
}

static void scoped_cycle(void)
{
    sb_spawn(NULL, lock_under_a_scope, &first, "forward");
    sb_spawn(NULL, lock_under_a_scope, &second, "backward");
}

static void unread_channel(void)
{
    const int item = 1;
    for (;;) {
        sb_channel_send(&channel, &item, NULL);
    }
}

static void lost_wake_up(void)
{
    sb_condition_signal(&condition); /* nobody waits yet */
    sb_condition_wait(&condition, NULL, NULL);
}

static void never_done(void)
{
    sb_wait_group_add(&group, 1);
    sb_wait_group_wait(&group, NULL);
}

enum { LIGHT_OFF, LIGHT_ON };
static const char *const light_states[] = {"off", "on"};
static const sb_move light_moves[] = {{LIGHT_OFF, LIGHT_ON}, {LIGHT_ON, LIGHT_OFF}};
SB_MACHINE(light_machine, "light", light_states, light_moves);
static unsigned light;

static void switch_light(unsigned to)
{
    sb_machine_move(&light_machine, 1, light, to);
    light = to;
}

/* Each undoes what the other has done, as slowly as one can see it. */
static void undone_work(void)
{
    for (;;) {
        sb_sleep(400 * SB_MILLISECOND, NULL);
        switch_light(1 - light);
    }
}

/* So fast that it is always off when one looks. */
static void unseen_work(void)
{
    for (;;) {
        sb_sleep(50 * SB_MILLISECOND, NULL);
        switch_light(LIGHT_ON);
        sb_sleep(100 * SB_NANOSECOND, NULL);
        switch_light(LIGHT_OFF);
    }
}

static void retry_for_ever(void)
{
    while (sb_sleep(SB_MILLISECOND, NULL) == SB_OK) {
        sb_send(0, "again", 5);
    }
}

typedef struct shape {
    void (*halt)(void);
    sb_finding_kind kind;
    const char *words;
    sb_time before;
    const char *task; /* the finding is about */
} shape;

#define DIRECTOR "director"
static const shape shapes[] = {
    {mutex_cycle, SB_FINDING_DEADLOCK,
     "program1 forward waits for mutex second of program1 backward", SB_SECOND, "backward"},
    {cycle_behind_a_row, SB_FINDING_DEADLOCK,
     "program1 forward waits for mutex second of program1 backward", SB_SECOND, "backward"},
    {group_cycle, SB_FINDING_DEADLOCK,
     "member waits for mutex first of program1 main; program1 main waits for group", SB_SECOND,
     "member"},
    {scoped_cycle, SB_FINDING_DEADLOCK, "backward waits for mutex first of program1 forward",
     2 * SB_SECOND, "backward"},
    {unread_channel, SB_FINDING_STUCK_JOB, "one full period", 2 * SB_SECOND, DIRECTOR},
    {lost_wake_up, SB_FINDING_STUCK_JOB, "one full period", 2 * SB_SECOND, DIRECTOR},
    {never_done, SB_FINDING_STUCK_JOB, "one full period", 2 * SB_SECOND, DIRECTOR},
    {retry_for_ever, SB_FINDING_STUCK_JOB, "one full period", 2 * SB_SECOND, DIRECTOR},
    {undone_work, SB_FINDING_LIVELOCK, "states of before came back", 4 * SB_SECOND, DIRECTOR},
    {unseen_work, SB_FINDING_LIVELOCK, "one full period of the longest timer", 2 * SB_SECOND,
     DIRECTOR},
};

static const shape *present;

static int halting_program(const sb_boot *boot)
{
    (void)boot;
    light = LIGHT_OFF;
    sb_mutex_init(&first, "first");
    sb_mutex_init(&second, "second");
    sb_wait_group_init(&group, "group");
    sb_channel_init(&channel, "channel", sizeof(int), 1);
    sb_condition_init(&condition, "condition");
    sb_spawn(NULL, tick_main, NULL, "tick");
    present->halt();
    sb_sleep(SB_FOREVER, NULL);
    return 0;
}

static uint64_t light_is_on(sb_world *world)
{
    (void)world;
    return light;
}

static void halt(sb_world *world, void *context)
{
    (void)context;
    const sb_witness witness = {.progress = light_is_on};
    sb_world_set_witness(world, &witness);
    sb_node_boot(world, sb_node_add(world, "program1", "program", halting_program, NULL, 0));
    sb_world_heal(world);
    sb_await(world, never, NULL, "the end");
}

/* Each shape has its kind, as soon as it can be proved, and names who waits for whom. */
START_TEST(shapes_are_told_apart)
{
    present = &shapes[_i];
    const ending end = run_once(halt, NULL);
    must_find(&end, present->kind, present->words);
    ck_assert_str_eq(end.finding.oracle, "the end");
    ck_assert_str_eq(end.finding.task, present->task);
    ck_assert_uint_lt(end.time, present->before);
    if (present->halt == mutex_cycle) { /* what was done before it closed was not in vain */
        ck_assert_uint_eq(end.finding.since, SB_MILLISECOND);
    }
}
END_TEST

/* Work that leads on, however slowly, is no livelock: the third state is new each time. */
static uint64_t rungs;

static void climb_main(void *argument)
{
    (void)argument;
    for (unsigned rung = 1; rung <= 20; rung++) {
        for (unsigned try = 0; try < 4; try++) {
            rungs = 0;
            sb_sleep(300 * SB_MILLISECOND, NULL);
            rungs = rung;
            sb_sleep(300 * SB_MILLISECOND, NULL);
        }
    }
}

static uint64_t count_rungs(sb_world *world)
{
    (void)world;
    return rungs;
}

static bool has_climbed(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    return rungs == 20;
}

static void climb(sb_world *world, void *context)
{
    (void)context;
    const sb_witness witness = {.progress = count_rungs, .lease_max = SB_SECOND};
    sb_world_set_witness(world, &witness);
    sb_spawn(NULL, climb_main, NULL, "climber");
    sb_world_heal(world);
    sb_await(world, has_climbed, NULL, "the top");
}

START_TEST(falling_back_is_no_livelock)
{
    const ending end = run_once(climb, NULL);
    must_pass(&end);
}
END_TEST

/* -------------------------------------------------------------------------------------- chains
 *
 * A client asks a server; the scenario says which of its tasks should go on.
 */
enum { ASK, METHOD_COUNT };
static const char *const methods[METHOD_COUNT] = {"ask"};

typedef struct scene {
    bool gives_up;    /* the client, after a while; then it waits for news */
    bool is_over;     /* the client's task ends instead */
    bool never_sends; /* the server takes the request and waits for a mutex */
    const char *task; /* who should go on */
} scene;
static scene now;

static void serve(void *context, const sb_request *request)
{
    (void)context;
    if (now.never_sends) {
        sb_mutex_lock(&first, NULL);
    }
    sb_answer(request, request->data, request->size);
}

static int asked_program(const sb_boot *boot)
{
    (void)boot;
    sb_mutex_init(&first, "pantry");
    sb_mutex_lock(&first, NULL);
    sb_exchange *const exchange = sb_exchange_open(methods, METHOD_COUNT, serve, NULL, 4);
    sb_sleep(SB_FOREVER, NULL);
    sb_exchange_close(exchange);
    return 0;
}

static void ask_main(void *argument)
{
    sb_scope scope;
    sb_reply reply;
    sb_exchange *const exchange = argument;
    sb_scope_init_timeout(&scope, NULL, "patience", now.gives_up ? SB_SECOND : SB_FOREVER / 2);
    if (sb_call(exchange, 1, ASK, "bread", 5, &reply, now.gives_up ? &scope : NULL) == SB_OK) {
        sb_reply_release(&reply);
    }
    sb_scope_release(&scope);
    while (!now.is_over) {
        sb_condition_wait(&condition, NULL, NULL);
    }
}

static int asking_program(const sb_boot *boot)
{
    (void)boot;
    sb_condition_init(&condition, "news");
    sb_exchange *const exchange = sb_exchange_open(methods, METHOD_COUNT, NULL, NULL, 0);
    sb_spawn(NULL, ask_main, exchange, "guest");
    tick_main(NULL);
    return 0;
}

static void explain_guest(sb_world *world)
{
    sb_explain_link(world, 0, 0, NULL, "dinner has not ended");
    sb_explain_link(world, 1, 2, now.task, "the guest eats");
}

static void dine(sb_world *world, void *context)
{
    (void)context;
    const sb_witness witness = {.explain = explain_guest};
    sb_world_set_witness(world, &witness);
    sb_network_set(world, &(sb_network){.latency_min = SB_MILLISECOND,
                                        .latency_max = SB_MILLISECOND,
                                        .reply_loss = now.never_sends ? 0 : 1000000});
    sb_node_boot(world, sb_node_add(world, "kitchen", "kitchen", asked_program, NULL, 0));
    sb_node_boot(world, sb_node_add(world, "table", "table", asking_program, NULL, 0));
    sb_sleep(2 * SB_SECOND, NULL);
    sb_world_heal(world);
    sb_await(world, never, NULL, "dinner");
}

/* The chain of that scene in lines, and whether it is told from the lost reply. */
static char told[4096];

static bool tell(const scene *of)
{
    now = *of;
    sb_universe *const universe = open_universe(NULL);
    sb_record *const record = sb_record_new();
    const sb_world_options options = {.seed = 3, .record = record};
    sb_world *const world = sb_world_reset(universe, &options, dine, NULL);
    ck_assert_int_eq(sb_world_run(world), SB_OUTCOME_FINDING);
    sb_chain chain;
    ck_assert(sb_chain_of_world(world, record, &chain));
    memset(told, 0, sizeof(told));
    FILE *const out = fmemopen(told, sizeof(told) - 1, "w");
    sb_report_chain(out, &chain);
    fclose(out);
    const sb_event *const from = sb_record_event(record, sb_chain_step(&chain));
    const bool is_drop = from != NULL && from->kind == SB_EVENT_DROP;
    sb_chain_release(&chain);
    sb_universe_close(universe);
    sb_record_free(record);
    return is_drop;
}

static void must_tell(const char *words)
{
    ck_assert_msg(strstr(told, words) != NULL, "'%s' is not in\n%s", words, told);
}

/* From what has not ended to the lost reply: thing, task, call, loss. */
START_TEST(a_chain_leads_to_the_lost_reply)
{
    ck_assert(tell(&(scene){.task = "guest"}));
    must_tell("    dinner has not ended\n      the guest eats\n"
              "        -> table#1 guest waits for a reply of kitchen#1 since ");
    must_tell("ask at step ");
    must_tell("            reply dropped at step ");
    must_tell("(reply-loss): nobody will answer\n");
}
END_TEST

/* Also when the task has long given that call up. */
START_TEST(a_chain_knows_what_was_never_answered)
{
    ck_assert(tell(&(scene){.gives_up = true, .task = "guest"}));
    must_tell("table#1 guest waits for condition news since ");
    must_tell("it never had an answer again to call ");
    must_tell("(reply-loss): nobody will answer\n");
}
END_TEST

/* Who should go on and is not there is told, with the last it did; and who was never there. */
START_TEST(a_chain_ends_with_who_is_not_there)
{
    ck_assert(tell(&(scene){.gives_up = true, .is_over = true, .task = "guest"}));
    must_tell("-> table#1 has no task guest; its last was step ");
    must_tell(", task-end guest\n");
    (void)tell(&(scene){.task = "host"});
    must_tell("-> table#1 has no task host\n");
}
END_TEST

/* Over to the other machine: the task that serves the call, and the mutex that it waits for. */
START_TEST(a_chain_goes_on_where_the_call_is_served)
{
    ck_assert(!tell(&(scene){.never_sends = true, .task = "guest"}));
    must_tell("table#1 guest waits for a reply of kitchen#1");
    must_tell("-> kitchen#1 ask waits for mutex pantry since ");
    must_tell("-> kitchen#1 main waits for sleep since ");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("liveness");
    TCase *const still = tcase_create("still");
    tcase_set_timeout(still, 60);
    tcase_add_loop_test(still, shapes_are_told_apart, 0, sizeof(shapes) / sizeof(shapes[0]));
    tcase_add_test(still, falling_back_is_no_livelock);
    suite_add_tcase(suite, still);
    TCase *const chains = tcase_create("chains");
    tcase_set_timeout(chains, 60);
    tcase_add_test(chains, a_chain_leads_to_the_lost_reply);
    tcase_add_test(chains, a_chain_knows_what_was_never_answered);
    tcase_add_test(chains, a_chain_ends_with_who_is_not_there);
    tcase_add_test(chains, a_chain_goes_on_where_the_call_is_served);
    suite_add_tcase(suite, chains);
    return run_suite(suite);
}
