/*
 * The heal of a core: who stays away is away in his way, and comes back.
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

int main(void)
{
    Suite *const suite = suite_create("core");
    TCase *const core = tcase_create("core");
    tcase_set_timeout(core, 60);
    tcase_add_test(core, a_core_does_without_the_others);
    tcase_add_test(core, the_whole_cluster_is_the_calm_core);
    tcase_add_test(core, a_keeper_must_return);
    suite_add_tcase(suite, core);
    return run_suite(suite);
}
