/*
 * Sizes as trouble, faults that a scenario notes by itself, and failpoints that stand for a kind.
 */
#include "tests/suite.h"

#define KIND(fault) (UINT64_C(1) << SB_FAULT_##fault)
#define SIZES (KIND(TINY_QUOTA) | KIND(TINY_CHANNEL) | KIND(FEW_WORKERS) | KIND(MANY_REGIONS))

typedef struct sums {
    unsigned off, has[4], smaller, smallest, mildest;
} sums;

static const sb_fault each[4] = {SB_FAULT_TINY_QUOTA, SB_FAULT_TINY_CHANNEL, SB_FAULT_FEW_WORKERS,
                                 SB_FAULT_MANY_REGIONS};

static void draw_sizes(sb_world *world, void *context)
{
    sums *const all = context;
    ck_assert_uint_eq(sb_size_draw(world, SB_FAULT_TINY_QUOTA, 1024, 10), 1024);
    sb_sizes_start(world, SIZES | KIND(KILL));
    ck_assert(!sb_sizes_has(world, SB_FAULT_KILL));
    const sb_fault_counts *const counts = sb_world_fault_counts(world);
    unsigned kinds = 0;
    for (unsigned i = 0; i < 4; i++) {
        const bool has = sb_sizes_has(world, each[i]);
        ck_assert(counts[each[i]].declared && counts[each[i]].armed == has);
        all->has[i] += has;
        kinds += has;
    }
    all->off += kinds == 0;
    const uint64_t value = sb_size_draw(world, SB_FAULT_TINY_QUOTA, 1024, 10);
    ck_assert(value == 1024 || sb_sizes_has(world, SB_FAULT_TINY_QUOTA));
    ck_assert_uint_eq(counts[SB_FAULT_TINY_QUOTA].applied, value != 1024);
    ck_assert_uint_ge(value, 1);
    ck_assert_uint_eq(value & (value - 1), 0);
    all->smaller += value != 1024;
    all->smallest += value == 1;
    all->mildest += value == 32; /* the least of a mild world */
    ck_assert_uint_eq(sb_size_draw(world, SB_FAULT_FEW_WORKERS, 1, 5), 1);
}

/* A third of the worlds is off; of the others each kind is there in three of four; a size goes down
 * to 1 in harsh ones, half as far in mild ones. */
START_TEST(sizes_are_drawn)
{
    sums all = {0};
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 600; seed++) {
        const sb_world_options options = {.seed = seed};
        const ending end = run_options(universe, &options, draw_sizes, &all);
        must_pass(&end);
    }
    ck_assert_uint_gt(all.off, 150);
    ck_assert_uint_lt(all.off, 270);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_gt(all.has[i], 250);
        ck_assert_uint_lt(all.has[i], 350);
    }
    ck_assert_uint_gt(all.smaller, 200);
    ck_assert_uint_gt(all.smallest, 5);
    ck_assert_uint_lt(all.smallest, 40);
    ck_assert_uint_gt(all.mildest, 10);
    sb_universe_close(universe);
}
END_TEST

static void roomy(sb_world *world, void *context)
{
    (void)context;
    sb_sizes_start(world, SIZES);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert(!sb_sizes_has(world, each[i]));
        ck_assert_uint_eq(sb_size_draw(world, each[i], 100, 5), 100);
    }
}

/* On an empty tape nothing is small. */
START_TEST(zero_is_roomy)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_tape nothing = {NULL, 0, 0};
    const sb_world_options options = {.seed = 7, .tape = &nothing};
    const ending end = run_options(universe, &options, roomy, NULL);
    must_pass(&end);
    sb_universe_close(universe);
}
END_TEST

/* ------------------------------------------------------------------------- where bounds are met */

static const char *const methods[] = {"work"};

static void work(void *context, const sb_request *request)
{
    (void)context;
    sb_sleep(SB_SECOND, NULL);
    sb_answer(request, NULL, 0);
}

static int serves(const sb_boot *boot)
{
    (void)boot;
    sb_exchange *const exchange = sb_exchange_open(methods, 1, work, NULL, 2);
    sb_sleep(SB_FOREVER, sb_shutdown_scope());
    sb_exchange_close(exchange);
    return 0;
}

typedef struct caller {
    sb_exchange *exchange;
    sb_address server;
    sb_channel *channel;
} caller;

static void call_it(void *argument)
{
    const caller *const from = argument;
    sb_reply reply;
    ck_assert_int_eq(sb_call(from->exchange, from->server, 0, NULL, 0, &reply, NULL), SB_OK);
    sb_reply_release(&reply);
    ck_assert_int_eq(sb_channel_send(from->channel, NULL, NULL), SB_OK);
}

static void five_calls(sb_world *world)
{
    sb_channel channel;
    caller from = {.server = 1, .channel = &channel};
    from.exchange = sb_exchange_open(methods, 1, NULL, NULL, 0);
    sb_channel_init(&channel, "done", 0, 1);
    for (int i = 0; i < 5; i++) {
        sb_spawn(NULL, call_it, &from, "caller");
    }
    sb_sleep(10 * SB_SECOND, NULL);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(sb_channel_receive(&channel, NULL, NULL), SB_OK);
    }
    sb_sleep(SB_SECOND, NULL);
    sb_channel_release(&channel);
    sb_exchange_close(from.exchange);
    (void)world;
}

static void meet_bounds(sb_world *world, void *context)
{
    (void)context;
    const sb_fault_counts *const counts = sb_world_fault_counts(world);
    const sb_node server = sb_node_add(world, "server", "server", serves, NULL, 0);
    sb_node_boot(world, server);
    five_calls(world);
    ck_assert_uint_eq(counts[SB_FAULT_FEW_WORKERS].effective, 0); /* nothing was made small */
    ck_assert_uint_eq(counts[SB_FAULT_TINY_CHANNEL].effective, 0);
    sb_fault_note(world, SB_FAULT_FEW_WORKERS, 1, 0);
    sb_fault_note(world, SB_FAULT_TINY_CHANNEL, 1, 0);
    five_calls(world);
    ck_assert_uint_eq(counts[SB_FAULT_FEW_WORKERS].effective, 3);
    ck_assert_uint_eq(counts[SB_FAULT_TINY_CHANNEL].effective, 4);
}

/* Where numbers were made small, a request that waits for a worker and a sender that waits for room
 * are counted. */
START_TEST(bounds_are_met)
{
    const ending end = run_once(meet_bounds, NULL);
    must_pass(&end);
}
END_TEST

/* -------------------------------------------------------------------------------------- names */

static void names(sb_world *world, void *context)
{
    (void)context;
    const sb_fault_counts *const counts = sb_world_fault_counts(world);
    sb_failpoints_name(world, "sizes-test-busy*", SB_FAULT_SERVER_BUSY);
    sb_failpoints_enable(world, "sizes-test-other", 1000000);
    ck_assert(!counts[SB_FAULT_SERVER_BUSY].armed);
    sb_failpoints_enable(world, "sizes-test-*", 1000000);
    ck_assert(counts[SB_FAULT_SERVER_BUSY].armed);
    ck_assert_uint_eq(counts[SB_FAULT_SERVER_BUSY].applied, 0);
    ck_assert(failpoint("sizes-test-busy"));
    ck_assert(failpoint("sizes-test-other"));
    ck_assert_uint_eq(counts[SB_FAULT_SERVER_BUSY].applied, 1);
    ck_assert_uint_eq(counts[SB_FAULT_SERVER_BUSY].effective, 1);
    ck_assert_uint_eq(counts[SB_FAULT_FAILPOINT].applied, 2);
    sb_fault_note(world, SB_FAULT_REGION_SPLIT, 3, 2);
    sb_fault_note(world, SB_FAULT_REGION_SPLIT, 0, 0);
    ck_assert(counts[SB_FAULT_REGION_SPLIT].armed);
    ck_assert_uint_eq(counts[SB_FAULT_REGION_SPLIT].applied, 3);
    ck_assert_uint_eq(counts[SB_FAULT_REGION_SPLIT].effective, 2);
}

/* A failpoint with a name counts as that kind too; a scenario notes what it does itself. */
START_TEST(failpoints_have_names)
{
    const ending end = run_once(names, NULL);
    must_pass(&end);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("sizes");
    TCase *const tests = tcase_create("sizes");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, sizes_are_drawn);
    tcase_add_test(tests, zero_is_roomy);
    tcase_add_test(tests, bounds_are_met);
    tcase_add_test(tests, failpoints_have_names);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
