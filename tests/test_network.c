/*
 * The network: what it may do to messages it does at the asked rate, counts it, and never does
 * anything else to them.
 */
#include <stdio.h>

#include "tests/hearing.h"

/* The plain network brings every message once, whole, after just its latency. */
START_TEST(a_calm_network_is_plain)
{
    const hearing *const all = hear((sb_network){FAST}, 3000, 0);
    ck_assert_uint_eq(all->heard, 3000);
    ck_assert_uint_eq(all->least, SB_MILLISECOND);
    ck_assert_uint_eq(all->most, SB_MILLISECOND);
    ck_assert_uint_eq(all->overtaken, 0);
    for (unsigned fault = 0; fault < SB_FAULT_COUNT; fault++) {
        ck_assert(!all->faults[fault].armed);
        ck_assert_uint_eq(all->faults[fault].applied, 0);
        ck_assert_uint_eq(all->faults[fault].effective, 0);
    }
}
END_TEST

/* Losses come at their rate, and each is counted: armed, applied, effective. */
START_TEST(losses_are_counted)
{
    const hearing *const all = hear((sb_network){FAST, .loss = 250000}, SHOT_MAX, SB_MICROSECOND);
    const sb_fault_counts *const loss = &all->faults[SB_FAULT_LOSS];
    ck_assert_uint_gt(loss->applied, SHOT_MAX / 4 - 400);
    ck_assert_uint_lt(loss->applied, SHOT_MAX / 4 + 400);
    ck_assert(loss->armed);
    ck_assert_uint_eq(loss->applied, loss->effective);
    ck_assert_uint_eq(all->heard + loss->applied, SHOT_MAX);
}
END_TEST

/* Duplicates come at their rate, no message comes more than twice, and none is lost by it. */
START_TEST(duplicates_are_counted)
{
    const hearing *const all =
        hear((sb_network){FAST, .duplicate = 100000}, SHOT_MAX, SB_MICROSECOND);
    const uint64_t doubled = all->faults[SB_FAULT_DUPLICATE].applied;
    ck_assert_uint_gt(doubled, SHOT_MAX / 10 - 250);
    ck_assert_uint_lt(doubled, SHOT_MAX / 10 + 250);
    ck_assert_uint_eq(all->heard, SHOT_MAX + doubled);
    for (unsigned i = 0; i < SHOT_MAX; i++) {
        if (all->copies[i] < 1 || all->copies[i] > 2) {
            ck_abort_msg("shot %u came %u times", i, all->copies[i]);
        }
    }
}
END_TEST

/* A uniform latency stays within its bounds, reaches both ends nearly, and lets messages overtake
 * each other. */
START_TEST(latency_is_bounded)
{
    const sb_network network = {.latency_min = SB_MILLISECOND, .latency_max = 9 * SB_MILLISECOND};
    const hearing *const all = hear(network, 5000, 10 * SB_MICROSECOND);
    ck_assert_uint_eq(all->heard, 5000);
    ck_assert_uint_ge(all->least, SB_MILLISECOND);
    ck_assert_uint_lt(all->least, SB_MILLISECOND + 20 * SB_MICROSECOND);
    ck_assert_uint_le(all->most, 9 * SB_MILLISECOND);
    ck_assert_uint_gt(all->most, 9 * SB_MILLISECOND - 20 * SB_MICROSECOND);
    ck_assert_uint_gt(all->overtaken, 1000);
    ck_assert(all->faults[SB_FAULT_DELAY].armed);
    ck_assert_uint_gt(all->faults[SB_FAULT_DELAY].effective, 4000);
}
END_TEST

/* The heavy tail: half of the messages take twice the shortest way, a quarter four times, and so on
 * up to its end. */
START_TEST(the_tail_is_heavy)
{
    const sb_network network = {.latency_min = SB_MILLISECOND, .tail = true, .tail_max = 6};
    const hearing *const all = hear(network, SHOT_MAX, 50 * SB_MICROSECOND);
    ck_assert_uint_eq(all->heard, SHOT_MAX);
    ck_assert_uint_ge(all->least, SB_MILLISECOND);
    ck_assert_uint_lt(all->most, SB_MILLISECOND << 7);
    for (unsigned i = 0; i <= 6; i++) {
        const uint64_t expected = SHOT_MAX >> i;
        ck_assert_uint_ge(all->over[i], expected - expected / 4);
        ck_assert_uint_le(all->over[i], expected + expected / 4);
    }
    ck_assert_uint_eq(all->over[7], 0);
}
END_TEST

/* Each direction of each pair has its own factor for the whole world, a power of two up to the
 * greatest. */
START_TEST(links_have_a_scale)
{
    sb_universe *const universe = open_universe(NULL);
    unsigned seen[4] = {0};
    for (uint64_t seed = 0; seed < 60; seed++) {
        static hearing all;
        all = (hearing){.network = {FAST, .scale_max = 3}, .shots = 20};
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending end = run_options(universe, &options, range, &all);
        must_pass(&end);
        ck_assert_uint_eq(all.least, all.most);
        const uint64_t factor = all.least / SB_MILLISECOND;
        ck_assert_uint_eq(all.least % SB_MILLISECOND, 0);
        ck_assert(factor == 1 || factor == 2 || factor == 4 || factor == 8);
        seen[factor == 8 ? 3 : factor / 2]++;
    }
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_gt(seen[i], 3);
    }
    sb_universe_close(universe);
}
END_TEST

/* ------------------------------------------------------------------------------------- blocks */

static void partition(sb_world *world, void *context)
{
    hearing *const all = context;
    const sb_network network = {.latency_min = 10 * SB_MILLISECOND,
                                .latency_max = 10 * SB_MILLISECOND};
    sb_network_set(world, &network);
    const sb_node target = add_listener(world, all, "target");
    shoot_all(all, target, 0, 10);
    sb_sleep(5 * SB_MILLISECOND, NULL);
    sb_network_block(world, 0, target); /* eats what is on the way */
    sb_network_block(world, 0, target);
    shoot_all(all, target, 10, 20);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->heard, 0);
    sb_network_unblock(world, 0, target);
    shoot_all(all, target, 20, 30); /* blocks nest: still closed */
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->heard, 0);
    sb_network_unblock(world, 0, target);
    sb_network_unblock(world, 0, target); /* one too many: nothing */
    shoot_all(all, target, 30, 40);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->heard, 10);
    sb_network_block(world, target, 0); /* the other way */
    shoot_all(all, target, 40, 50);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->heard, 20);
    sb_network_block(world, 0, target);
    sb_world_heal(world);
    shoot_all(all, target, 50, 60);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->heard, 30);
    ck_assert_uint_eq(sb_world_fault_counts(world)[SB_FAULT_PARTITION_ONE_WAY].effective, 30);
}

/* A block works one way, for what is on its way too; blocks nest; the heal opens all. */
START_TEST(blocks_are_one_way)
{
    static hearing all;
    const ending end = run_once(partition, &all);
    must_pass(&end);
}
END_TEST

/* ------------------------------------------------------------------------------------- resets */

static int chat(const sb_boot *boot)
{
    hearing *const all = *(hearing *const *)boot->argument;
    if (sb_self() == 2) {
        sb_send(1, "hi", 2);
    }
    sb_message *message;
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        if (message->kind == SB_MESSAGE_RESET) {
            all->resets++;
            all->copies[sb_self()] = message->from;
        } else {
            all->heard++;
        }
        sb_message_free(message);
    }
    return 0;
}

static void resets(sb_world *world, void *context)
{
    hearing *all = context;
    const sb_node one = sb_node_add(world, "one", "chat", chat, &all, sizeof(all));
    const sb_node two = sb_node_add(world, "two", "chat", chat, &all, sizeof(all));
    const sb_node three = sb_node_add(world, "three", "chat", chat, &all, sizeof(all));
    sb_node_boot(world, one);
    sb_node_boot(world, two);
    sb_node_boot(world, three);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->resets, 0);
    sb_network_reset(world, one, two);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->resets, 2);
    ck_assert_uint_eq(all->copies[1], 2);
    ck_assert_uint_eq(all->copies[2], 1);
    sb_node_stop(world, two); /* it has talked with one, not with three */
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->resets, 3);
    ck_assert_uint_eq(all->copies[3], 0);
}

/* A reset reaches both sides, names the other, and has no bytes; a program that ends hangs up on
 * those it has talked with. */
START_TEST(resets_reach_both)
{
    static hearing all;
    const ending end = run_once(resets, &all);
    must_pass(&end);
}
END_TEST

/* Drawn resets come at their rate beside messages that still arrive. */
START_TEST(drawn_resets_are_counted)
{
    const hearing *const all = hear((sb_network){FAST, .reset = 50000}, 10000, SB_MICROSECOND);
    ck_assert_uint_eq(all->heard, 10000);
    ck_assert_uint_gt(all->resets, 400);
    ck_assert_uint_lt(all->resets, 600);
    ck_assert_uint_eq(all->faults[SB_FAULT_RESET].applied, all->resets);
}
END_TEST

/* ------------------------------------------------------------------------------------- bounds */

static int never_reads(const sb_boot *boot)
{
    (void)boot;
    sb_sleep(SB_FOREVER, sb_shutdown_scope());
    return 0;
}

static void bounds(sb_world *world, void *context)
{
    (void)context;
    const sb_node full = sb_node_add(world, "full", "full", never_reads, NULL, 0);
    const sb_node down = sb_node_add(world, "down", "down", never_reads, NULL, 0);
    sb_node_boot(world, full);
    static unsigned char large[SB_MESSAGE_SIZE_MAX + 1];
    ck_assert_int_eq(sb_send(full, large, sizeof(large)), SB_TOO_LARGE);
    ck_assert_int_eq(sb_send(full, large, SB_MESSAGE_SIZE_MAX), SB_OK);
    ck_assert_int_eq(sb_send(full, NULL, 0), SB_OK);
    ck_assert_int_eq(sb_send(200, "x", 1), SB_NOT_FOUND);
    for (unsigned i = 0; i < 5000; i++) {
        sb_send(full, &i, sizeof(i));
    }
    sb_send(down, "x", 1);
    sb_sleep(SB_SECOND, NULL);
    const sb_fault_counts *const faults = sb_world_fault_counts(world);
    ck_assert_uint_eq(faults[SB_FAULT_MAILBOX_FULL].effective, 5002 - 4096);
    ck_assert_uint_eq(faults[SB_FAULT_NODE_DOWN].effective, 1);
}

/* Messages, mailboxes and addresses have bounds, and going over them is told or counted. */
START_TEST(everything_is_bounded)
{
    const ending end = run_once(bounds, NULL);
    must_pass(&end);
}
END_TEST

static void scoped(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sb_scope scope;
    sb_message *message;
    sb_scope_init_timeout(&scope, NULL, "scope", 7 * SB_MILLISECOND);
    ck_assert_int_eq(sb_receive(&message, &scope), SB_TIMEOUT);
    ck_assert_uint_eq(sb_monotonic_time(), 7 * SB_MILLISECOND);
    sb_send(0, "x", 1);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(sb_receive(&message, &scope), SB_TIMEOUT); /* though one is there */
    ck_assert_int_eq(sb_receive(&message, NULL), SB_OK);
    ck_assert_str_eq(sb_address_name(message->from), "director");
    sb_message_free(message);
    sb_scope_release(&scope);
}

/* A receive ends with its scope, and with one that has ended already at once. */
START_TEST(receives_are_scoped)
{
    const ending end = run_once(scoped, NULL);
    must_pass(&end);
}
END_TEST

/* ------------------------------------------------------------------------------------- misuse */

static void free_twice(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sb_message *message;
    sb_send(sb_self(), "x", 1);
    sb_receive(&message, NULL);
    sb_message_free(message);
    sb_message_free(message);
}

static void receive_one(void *argument)
{
    sb_message *message;
    (void)argument;
    sb_receive(&message, NULL);
}

static void receive_twice(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sb_spawn(NULL, receive_one, NULL, "one");
    sb_spawn(NULL, receive_one, NULL, "other");
    sb_sleep(SB_SECOND, NULL);
}

static void set_network(sb_world *world, void *context)
{
    sb_network_set(world, context);
}

/* A second free, a second receiver and a network that cannot be are found out at once. */
START_TEST(misuse_is_a_finding)
{
    const ending freed = run_once(free_twice, NULL);
    must_find(&freed, SB_FINDING_ASSERTION, "it was freed before");
    const ending received = run_once(receive_twice, NULL);
    must_find(&received, SB_FINDING_ASSERTION, "receives already");
    sb_network impossible[] = {{.latency_min = 2, .latency_max = 1},
                               {.tail = true, .tail_max = SB_NETWORK_DOUBLINGS_MAX + 1},
                               {.loss = 1000001}};
    for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
        const ending set = run_once(set_network, &impossible[i]);
        must_find(&set, SB_FINDING_ASSERTION, "latency_min over latency_max");
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("network");
    TCase *const tests = tcase_create("network");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, a_calm_network_is_plain);
    tcase_add_test(tests, losses_are_counted);
    tcase_add_test(tests, duplicates_are_counted);
    tcase_add_test(tests, latency_is_bounded);
    tcase_add_test(tests, the_tail_is_heavy);
    tcase_add_test(tests, links_have_a_scale);
    tcase_add_test(tests, blocks_are_one_way);
    tcase_add_test(tests, resets_reach_both);
    tcase_add_test(tests, drawn_resets_are_counted);
    tcase_add_test(tests, everything_is_bounded);
    tcase_add_test(tests, receives_are_scoped);
    tcase_add_test(tests, misuse_is_a_finding);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
