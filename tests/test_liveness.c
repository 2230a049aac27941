/*
 * Liveness: the heal of a core, and what stands still told apart, with who holds it up.
 */
#include <stdio.h>

#include "tests/suite.h"

#define NODE_COUNT 6u /* the director; four servers, and a keeper */
#define KEEPER 5u
#define SERVERS UINT64_C(0x1e)
#define ALL_ABSENCES ((1u << SB_ABSENCE_COUNT) - 1)

/* --------------------------------------------------------------------------- the heal of a core
 *
 * Every machine sends to every other one, twenty times a second, and counts what it hears.
 */
static void greet_all(void)
{
    for (sb_address to = 1; to < NODE_COUNT; to++) {
        if (to != sb_self()) {
            (void)sb_send(to, "hello", 5);
        }
    }
}

static void greet_main(void *argument)
{
    (void)argument;
    while (sb_sleep(50 * SB_MILLISECOND, sb_shutdown_scope()) == SB_OK) {
        greet_all();
    }
}

static int greeter(const sb_boot *boot)
{
    sb_message *message;
    sb_wait_group group;
    (void)boot;
    sb_wait_group_init(&group, "greeter");
    sb_spawn(&group, greet_main, NULL, "greeter");
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        if (message->kind == SB_MESSAGE_DATA) {
            const struct {
                sb_address from, to;
            } heard = {message->from, sb_self()};
            sb_report(0, &heard, sizeof(heard));
        }
        sb_message_free(message);
    }
    (void)sb_wait_group_wait(&group, NULL);
    sb_wait_group_release(&group);
    return 0;
}

static uint32_t heard[NODE_COUNT][NODE_COUNT]; /* by whom, from whom */

static void note_heard(sb_world *world, sb_node node, uint32_t kind, const void *data, size_t size)
{
    (void)world;
    (void)kind;
    const sb_address *pair = data;
    ck_assert_uint_eq(size, 2 * sizeof(*pair));
    heard[node][pair[0]]++;
}

static void add_greeters(sb_world *world)
{
    sb_observe_reports(world, note_heard);
    sb_network_set(world,
                   &(sb_network){.latency_min = SB_MILLISECOND, .latency_max = SB_MILLISECOND});
    for (sb_node i = 1; i < NODE_COUNT; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%s%u", i == KEEPER ? "keeper" : "server", i);
        sb_node_add(world, name, i == KEEPER ? "keeper" : "server", greeter, NULL, 0);
        sb_node_boot(world, i);
    }
}

/* Whether what one sends reaches the other, as the absences of both have it. */
static bool is_cut(const sb_world *world, sb_node from, sb_node to)
{
    const uint64_t away = sb_world_away(world);
    for (unsigned side = 0; side < 2; side++) {
        const sb_node one = side == 0 ? from : to, other = side == 0 ? to : from;
        if ((away >> one & 1) == 0) {
            continue;
        }
        switch (sb_node_absence(world, one)) {
        case SB_ABSENCE_MUTE:
            if (one == from) {
                return true;
            }
            break;
        case SB_ABSENCE_DEAF:
            if (one == to) {
                return true;
            }
            break;
        case SB_ABSENCE_DISOWNED:
            if (other == KEEPER) {
                return true;
            }
            break;
        default:
            return true;
        }
    }
    return false;
}

static struct {
    uint32_t worlds, whole, by_absence[SB_ABSENCE_COUNT], by_count[NODE_COUNT];
} seen;

static void note_core(const sb_world *world)
{
    const uint64_t away = sb_world_away(world);
    ck_assert_uint_eq(away & ~SERVERS, 0);
    seen.worlds++;
    seen.whole += away == 0;
    seen.by_count[__builtin_popcountll(away)]++;
    for (sb_node i = 1; i < NODE_COUNT; i++) {
        seen.by_absence[sb_node_absence(world, i)] += (away >> i & 1) != 0;
    }
}

static void must_hear(const sb_world *world, bool all)
{
    for (sb_node from = 1; from < NODE_COUNT; from++) {
        for (sb_node to = 1; to < NODE_COUNT; to++) {
            const bool passes = from != to && (all || !is_cut(world, from, to));
            ck_assert_msg((heard[to][from] != 0) == passes, "from %d to %d: %d messages", from, to,
                          heard[to][from]);
        }
    }
}

static void listen_for(sb_duration duration)
{
    sb_sleep(10 * SB_MILLISECOND, NULL); /* what is under way has come */
    memset(heard, 0, sizeof(heard));
    sb_sleep(duration, NULL);
}

static const sb_core_plan core_plan = {.rate = 700000,
                                       .may_stay_away = SERVERS,
                                       .away_max = 3,
                                       .absences = ALL_ABSENCES,
                                       .keepers = UINT64_C(1) << KEEPER};

/* Servers are struck as well: who was being brought back when the world healed stays away too. */
static void make_trouble(sb_world *world)
{
    const sb_swarm_plan trouble = {.kinds = UINT64_C(1) << SB_FAULT_KILL |
                                            UINT64_C(1) << SB_FAULT_STOP |
                                            UINT64_C(1) << SB_FAULT_PAUSE,
                                   .victims = SERVERS,
                                   .down_at_once_max = 3,
                                   .down_min = SB_SECOND,
                                   .down_max = 5 * SB_SECOND,
                                   .calm_min = 100 * SB_MILLISECOND,
                                   .calm_max = SB_SECOND};
    sb_swarm_start(world, &trouble);
    sb_sleep(3 * SB_SECOND, NULL);
}

static void heal_a_core(sb_world *world, void *context)
{
    const sb_core_plan *plan = context;
    add_greeters(world);
    make_trouble(world);
    sb_world_heal_core(world, plan);
    note_core(world);
    sb_sleep(SB_SECOND, NULL); /* who is back has booted, who drained has come back */
    listen_for(SB_SECOND);
    must_hear(world, false);
    sb_world_rejoin(world);
    ck_assert_uint_eq(sb_world_away(world), 0);
    sb_sleep(SB_SECOND, NULL);
    listen_for(SB_SECOND);
    must_hear(world, true);
    for (sb_node i = 1; i < NODE_COUNT; i++) {
        sb_node_stop(world, i);
        ck_assert(sb_node_wait_down(world, i, SB_SECOND));
    }
}

/* Who is away is away in its way, and nobody else; all of them return. Every way and every number
 * comes, and so does a whole cluster. */
START_TEST(a_core_does_without_the_others)
{
    sb_universe *const universe = open_universe(NULL);
    sb_core_plan plan = core_plan;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        const sb_world_options options = {.seed = seed};
        const ending end = run_options(universe, &options, heal_a_core, &plan);
        must_pass(&end);
    }
    ck_assert_uint_gt(seen.whole, seen.worlds / 8);
    for (unsigned i = 0; i < SB_ABSENCE_COUNT; i++) {
        ck_assert_msg(seen.by_absence[i] > 5, "%s: %u times", sb_absence_word((sb_absence)i),
                      seen.by_absence[i]);
    }
    for (unsigned count = 1; count <= core_plan.away_max; count++) {
        ck_assert_uint_gt(seen.by_count[count], 5);
    }
    sb_universe_close(universe);
}
END_TEST

/* On an empty tape, and at a rate of 0, the whole cluster is the core. */
START_TEST(the_whole_cluster_is_the_calm_core)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_tape nothing = {NULL, 0, 0};
    sb_core_plan plan = core_plan;
    const sb_world_options calm = {.seed = 7, .strategy = SB_STRATEGY_FIFO, .tape = &nothing};
    const ending first = run_options(universe, &calm, heal_a_core, &plan);
    must_pass(&first);
    plan.rate = 0;
    const sb_world_options any = {.seed = 7};
    const ending second = run_options(universe, &any, heal_a_core, &plan);
    must_pass(&second);
    ck_assert_uint_eq(seen.whole, 2);
    sb_universe_close(universe);
}
END_TEST

static void heal_without_the_keeper(sb_world *world, void *context)
{
    sb_core_plan plan = core_plan;
    (void)context;
    plan.may_stay_away |= plan.keepers;
    add_greeters(world);
    sb_world_heal_core(world, &plan);
}

/* A plan that contradicts itself is refused. */
START_TEST(a_keeper_must_return)
{
    const ending end = run_once(heal_without_the_keeper, NULL);
    ck_assert_int_eq(end.finding.kind, SB_FINDING_ASSERTION);
}
END_TEST

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

int main(void)
{
    Suite *const suite = suite_create("liveness");
    TCase *const core = tcase_create("core");
    tcase_set_timeout(core, 60);
    tcase_add_test(core, a_core_does_without_the_others);
    tcase_add_test(core, the_whole_cluster_is_the_calm_core);
    tcase_add_test(core, a_keeper_must_return);
    suite_add_tcase(suite, core);
    TCase *const still = tcase_create("still");
    tcase_set_timeout(still, 60);
    tcase_add_loop_test(still, shapes_are_told_apart, 0, sizeof(shapes) / sizeof(shapes[0]));
    tcase_add_test(still, falling_back_is_no_livelock);
    suite_add_tcase(suite, still);
    return run_suite(suite);
}
