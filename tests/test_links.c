/*
 * Links that flip bits, let others past, clog and are slow: each does what it says, is counted
 * where it bites, and ends with the heal.
 */
#include "tests/hearing.h"

/* A message whose bits have flipped never reaches a program: the checksum over its bytes tells. */
START_TEST(corruption_is_noticed)
{
    const hearing *const all =
        hear((sb_network){FAST, .corrupt = 250000}, SHOT_MAX, SB_MICROSECOND);
    const sb_fault_counts *const corrupt = &all->faults[SB_FAULT_CORRUPT];
    ck_assert(corrupt->armed);
    ck_assert_uint_gt(corrupt->applied, SHOT_MAX / 4 - 400);
    ck_assert_uint_lt(corrupt->applied, SHOT_MAX / 4 + 400);
    ck_assert_uint_eq(corrupt->applied, corrupt->effective);
    ck_assert_uint_eq(all->heard + corrupt->applied, SHOT_MAX);
}
END_TEST

/* A twin is a message of its own: the other one comes through. */
START_TEST(a_twin_of_a_corrupt_message_arrives)
{
    const hearing *const all =
        hear((sb_network){FAST, .corrupt = 500000, .duplicate = 1000000}, 4000, SB_MICROSECOND);
    const uint64_t lost = all->faults[SB_FAULT_CORRUPT].effective;
    ck_assert_uint_eq(all->heard, 8000 - lost);
    ck_assert_uint_gt(lost, 3600);
    ck_assert_uint_lt(lost, 4400);
}
END_TEST

/* Reordered messages come behind later ones, and at the end all have come, once. */
START_TEST(reordering_lets_others_past)
{
    const hearing *const all =
        hear((sb_network){FAST, .reorder = 50000}, 10000, SB_MILLISECOND / 2);
    const sb_fault_counts *const reorder = &all->faults[SB_FAULT_REORDER];
    ck_assert_uint_eq(all->heard, 10000);
    ck_assert_uint_gt(reorder->applied, 400);
    ck_assert_uint_lt(reorder->applied, 600);
    ck_assert_uint_eq(reorder->effective, all->overtaken);
    ck_assert_uint_gt(all->overtaken, 350);
    ck_assert_uint_le(all->most, 32 * SB_MILLISECOND);
}
END_TEST

/* A message that was reordered but has nobody behind it was not overtaken. */
START_TEST(reordering_alone_has_no_effect)
{
    const hearing *const all = hear((sb_network){FAST, .reorder = 1000000}, 100, SB_SECOND);
    ck_assert_uint_eq(all->faults[SB_FAULT_REORDER].applied, 100);
    ck_assert_uint_eq(all->faults[SB_FAULT_REORDER].effective, 0);
    ck_assert_uint_eq(all->overtaken, 0);
    ck_assert_uint_ge(all->least, 2 * SB_MILLISECOND);
}
END_TEST

/* What a link draws in the same run without some kind. */
static sb_tape draws_of_link(uint64_t masked, hearing *all)
{
    sb_universe *const universe = open_universe(NULL);
    sb_tape tape = {NULL, 0, 0}, of_link = {NULL, 0, 0};
    const sb_world_options options = {
        .seed = 1, .strategy = SB_STRATEGY_FIFO, .masked = masked, .tape_out = &tape};
    *all = (hearing){.network = {FAST, .scale_max = 8, .reorder = 500000},
                     .shots = 200,
                     .pause = SB_MILLISECOND};
    const ending end = run_options(universe, &options, range, all);
    must_pass(&end);
    of_link.choices = calloc(tape.count, sizeof(*tape.choices));
    ck_assert_ptr_nonnull(of_link.choices);
    for (size_t i = 0; i < tape.count; i++) {
        if (tape.choices[i].stream == sb_stream_hash("director/link")) {
            of_link.choices[of_link.count++] = tape.choices[i];
        }
    }
    sb_tape_release(&tape);
    sb_universe_close(universe);
    return of_link;
}

/* Without delays the same messages are let past. */
START_TEST(masks_shift_no_draws)
{
    static hearing with, without;
    sb_tape one = draws_of_link(0, &with);
    sb_tape other = draws_of_link(UINT64_C(1) << SB_FAULT_DELAY, &without);
    ck_assert_uint_gt(with.faults[SB_FAULT_DELAY].applied, 0);
    ck_assert_uint_eq(without.faults[SB_FAULT_DELAY].applied, 0);
    ck_assert_uint_gt(one.count, 50);
    ck_assert_uint_eq(one.count, other.count);
    ck_assert_mem_eq(one.choices, other.choices, one.count * sizeof(*one.choices));
    sb_tape_release(&one);
    sb_tape_release(&other);
}
END_TEST

/* ---------------------------------------------------------------------------------- bandwidth */

/* 128 bytes with the frame at 128,000 bytes a second: a millisecond each, one behind the other. */
START_TEST(a_slow_link_queues)
{
    const hearing *const all = hear((sb_network){FAST, .bandwidth = 128000}, 100, 0);
    ck_assert_uint_eq(sizeof(shot), 64);
    ck_assert_uint_eq(all->heard, 100);
    ck_assert_uint_eq(all->least, 2 * SB_MILLISECOND);
    ck_assert_uint_eq(all->most, 101 * SB_MILLISECOND);
    ck_assert_uint_eq(all->overtaken, 0);
    ck_assert_uint_eq(all->faults[SB_FAULT_BANDWIDTH].effective, 100);
}
END_TEST

/* What would wait for longer than two seconds is dropped. */
START_TEST(a_queue_is_bounded)
{
    const hearing *const all = hear((sb_network){FAST, .bandwidth = 128000}, 5000, 0);
    ck_assert_uint_eq(all->heard, 2001);
    ck_assert_uint_le(all->most, SB_QUEUE_DELAY_MAX + 2 * SB_MILLISECOND);
    ck_assert_uint_eq(all->faults[SB_FAULT_BANDWIDTH].applied, 5000);
    ck_assert_uint_eq(all->faults[SB_FAULT_BANDWIDTH].effective, 5000);
}
END_TEST

/* -------------------------------------------------------------------------------------- clogs */

static void clogged(sb_world *world, void *context)
{
    hearing *const all = context;
    sb_network_set(world, &all->network);
    const sb_node target = add_listener(world, all, "target");
    const sb_fault_counts *const clog = &sb_world_fault_counts(world)[SB_FAULT_CLOG];
    sb_network_clog(world, 0, target);
    sb_network_clog(world, 0, target);
    shoot_all(all, target, 0, 50);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->heard, 0);
    sb_network_release(world, 0, target, true); /* clogs nest */
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->heard, 0);
    sb_network_release(world, 0, target, true);
    sb_network_release(world, 0, target, true); /* one too many: nothing */
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->heard, 50);
    ck_assert_uint_eq(all->overtaken, 0);
    ck_assert_uint_eq(clog->applied, 2);
    ck_assert_uint_eq(clog->effective, 50);
    sb_network_clog(world, 0, target);
    shoot_all(all, target, 50, 100);
    sb_sleep(SB_SECOND, NULL);
    sb_network_release(world, 0, target, false);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->heard, 100);
    ck_assert_uint_gt(all->overtaken, 10);
    sb_network_clog(world, 0, target);
    sb_network_clog(world, target, 0); /* another link */
    shoot_all(all, target, 100, 150);
    sb_sleep(SB_SECOND, NULL);
    const unsigned overtaken = all->overtaken;
    sb_world_heal(world);
    sb_sleep(SB_SECOND, NULL);
    shoot_all(all, target, 150, 160);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(all->heard, 160);
    ck_assert_uint_eq(all->overtaken, overtaken);
    ck_assert_uint_eq(all->wrong, 0);
}

/* A clogged link holds all of it back; a release lets it go, in order or not; so does the heal. */
START_TEST(clogs_hold_and_let_go)
{
    static hearing all = {
        .network = {.latency_min = SB_MILLISECOND, .latency_max = 20 * SB_MILLISECOND}};
    const ending end = run_once(clogged, &all);
    must_pass(&end);
}
END_TEST

/* ----------------------------------------------------------------------------- partial partitions
 */

static unsigned heard_of(sb_world *world, hearing *all, sb_node target)
{
    const unsigned before = all->heard;
    shoot_all(all, target, 0, 1);
    sb_sleep(SB_SECOND, NULL);
    (void)world;
    return all->heard - before;
}

static void cut_some(sb_world *world, void *context)
{
    hearing *const all = context;
    sb_network_set(world, &all->network);
    const sb_node one = add_listener(world, all, "one");
    const sb_node two = add_listener(world, all, "two");
    const sb_node three = add_listener(world, all, "three");
    const uint64_t some = (uint64_t)1 << one | (uint64_t)1 << two;
    sb_network_cut(world, 0, some | 1);
    ck_assert_uint_eq(heard_of(world, all, one), 0);
    ck_assert_uint_eq(heard_of(world, all, two), 0);
    ck_assert_uint_eq(heard_of(world, all, three), 1);
    sb_network_block(world, 0, one);
    sb_network_mend(world, 0, some);
    sb_network_mend(world, 0, some);                 /* one too many: nothing */
    ck_assert_uint_eq(heard_of(world, all, one), 0); /* of the block */
    ck_assert_uint_eq(heard_of(world, all, two), 1);
    const sb_fault_counts *const faults = sb_world_fault_counts(world);
    ck_assert_uint_eq(faults[SB_FAULT_PARTITION_PARTIAL].applied, 1);
    ck_assert_uint_eq(faults[SB_FAULT_PARTITION_PARTIAL].effective, 2);
    ck_assert_uint_eq(faults[SB_FAULT_PARTITION_ONE_WAY].effective, 1);
    sb_network_cut(world, three, some | 1);
    sb_world_heal(world);
    ck_assert_uint_eq(heard_of(world, all, one), 1);
    ck_assert_uint_eq(heard_of(world, all, three), 1);
}

/* Some links of a machine are cut, both ways; the others stay open; blocks count apart. */
START_TEST(some_links_are_cut)
{
    static hearing all = {.network = {FAST}};
    const ending end = run_once(cut_some, &all);
    must_pass(&end);
}
END_TEST

/* ------------------------------------------------------------------------------------- misuse */

static void set_network(sb_world *world, void *context)
{
    sb_network_set(world, context);
}

START_TEST(rates_are_bounded)
{
    sb_network impossible[] = {{.corrupt = 1000001}, {.reorder = 1000001}};
    for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
        const ending set = run_once(set_network, &impossible[i]);
        must_find(&set, SB_FINDING_ASSERTION, "a rate over a million");
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("links");
    TCase *const tests = tcase_create("links");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, corruption_is_noticed);
    tcase_add_test(tests, a_twin_of_a_corrupt_message_arrives);
    tcase_add_test(tests, reordering_lets_others_past);
    tcase_add_test(tests, reordering_alone_has_no_effect);
    tcase_add_test(tests, masks_shift_no_draws);
    tcase_add_test(tests, a_slow_link_queues);
    tcase_add_test(tests, a_queue_is_bounded);
    tcase_add_test(tests, clogs_hold_and_let_go);
    tcase_add_test(tests, some_links_are_cut);
    tcase_add_test(tests, rates_are_bounded);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
