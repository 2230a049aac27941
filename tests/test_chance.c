/*
 * Chance: the generator is the published one, draws are fair, streams do not disturb each other,
 * and a tape replays, masks and calms a run.
 */
#include "sim/chance/mersenne.h"
#include "tests/suite.h"
#include "tests/workload.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---------------------------------------------------------------------------------- generator */

/* The C++ standard's vector for mt19937_64: the 10,000th output at seed 5489. */
START_TEST(mersenne_is_the_published_one)
{
    static sb_mersenne mersenne;
    sb_mersenne_seed(&mersenne, 5489);
    uint64_t last = 0;
    for (unsigned i = 0; i < 10000; i++) {
        last = sb_mersenne_draw(&mersenne);
    }
    ck_assert_uint_eq(last, UINT64_C(9981545732273789042));
}
END_TEST

/* Bounded draws stay below their bound, the hard bounds included. */
START_TEST(bounded_draws_stay_below)
{
    static const uint64_t bounds[] = {
        1, 2, 3, 7, 1000000, UINT64_C(1) << 32, (UINT64_C(1) << 63) + 1, UINT64_MAX};
    static sb_mersenne mersenne;
    sb_mersenne_seed(&mersenne, 1);
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        for (unsigned round = 0; round < 1000; round++) {
            ck_assert_uint_lt(sb_mersenne_bounded(&mersenne, bounds[i]), bounds[i]);
        }
    }
}
END_TEST

/* With 3 * 2^62 a draw that only multiplies and shifts makes a third of the values twice as likely;
 * a remainder favours the lower third. A fair draw does neither. */
START_TEST(bounded_draws_are_fair)
{
    const uint64_t third = UINT64_C(1) << 62;
    static sb_mersenne mersenne;
    sb_mersenne_seed(&mersenne, 2);
    unsigned lower = 0, multiples = 0;
    for (unsigned i = 0; i < 30000; i++) {
        const uint64_t value = sb_mersenne_bounded(&mersenne, 3 * third);
        lower += value < third;
        multiples += value % 3 == 0;
    }
    ck_assert_uint_gt(lower, 9500);
    ck_assert_uint_lt(lower, 10500);
    ck_assert_uint_gt(multiples, 9500);
    ck_assert_uint_lt(multiples, 10500);
}
END_TEST

/* Every value of a small bound comes equally often, within five standard deviations. */
START_TEST(small_bounds_are_even)
{
    static sb_mersenne mersenne;
    sb_mersenne_seed(&mersenne, 3);
    unsigned counts[7] = {0};
    for (unsigned i = 0; i < 70000; i++) {
        counts[sb_mersenne_bounded(&mersenne, 7)]++;
    }
    for (unsigned i = 0; i < 7; i++) {
        ck_assert_uint_gt(counts[i], 9530);
        ck_assert_uint_lt(counts[i], 10470);
    }
}
END_TEST

/* ------------------------------------------------------------------------------------ streams */

#define DRAWS 20

typedef struct drawing {
    const char *nodes[3]; /* that draw; the first one's values are kept */
    unsigned extra_world; /* choices of the director */
    unsigned extra_node;  /* draws by the other nodes */
    unsigned ones;        /* draws with a single candidate by the first */
    uint64_t values[DRAWS];
} drawing;

static int draw_program(const sb_boot *boot)
{
    drawing *const all = *(drawing *const *)boot->argument;
    const bool first = strcmp(sb_address_name(sb_self()), all->nodes[0]) == 0;
    for (unsigned i = 0; i < (first ? all->ones : all->extra_node); i++) {
        sb_random(first ? 1 : 1000);
    }
    for (unsigned i = 0; first && i < DRAWS; i++) {
        all->values[i] = sb_random(1000000);
    }
    return 0;
}

static void draw_director(sb_world *world, void *context)
{
    drawing *all = context;
    for (unsigned i = 0; i < all->extra_world; i++) {
        sb_choose(world, SB_STREAM_SCENARIO, 1000);
    }
    for (unsigned i = 3; i-- > 0;) { /* the first one's number differs with how many there are */
        if (all->nodes[i] != NULL) {
            sb_node_boot(
                world, sb_node_add(world, all->nodes[i], "draw", draw_program, &all, sizeof(all)));
        }
    }
    sb_sleep(SB_SECOND, NULL);
}

static drawing draw_with(uint64_t seed, drawing what)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_RANDOM};
    const ending end = run_options(universe, &options, draw_director, &what);
    must_pass(&end);
    sb_universe_close(universe);
    return what;
}

/* What a node draws depends on the seed and its name alone: more draws elsewhere, more nodes,
 * another place among them and questions with one answer shift nothing. */
START_TEST(streams_are_independent)
{
    const drawing plain = draw_with(9, (drawing){.nodes = {"first", "second"}});
    const drawing others[] = {
        draw_with(9, (drawing){.nodes = {"first", "second"}, .extra_world = 5}),
        draw_with(9, (drawing){.nodes = {"first", "second"}, .extra_node = 17}),
        draw_with(9, (drawing){.nodes = {"first"}}),
        draw_with(9, (drawing){.nodes = {"first", "second", "third"}}),
        draw_with(9, (drawing){.nodes = {"first", "second"}, .ones = 3}),
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ck_assert_mem_eq(plain.values, others[i].values, sizeof(plain.values));
    }
}
END_TEST

/* Two seeds differ, and so do two names under one seed. */
START_TEST(seeds_and_names_matter)
{
    const drawing one = draw_with(9, (drawing){.nodes = {"first"}});
    const drawing other_seed = draw_with(10, (drawing){.nodes = {"first"}});
    const drawing other_name = draw_with(9, (drawing){.nodes = {"fist"}});
    ck_assert_mem_ne(one.values, other_seed.values, sizeof(one.values));
    ck_assert_mem_ne(one.values, other_name.values, sizeof(one.values));
}
END_TEST

/* -------------------------------------------------------------------------------------- tapes */

typedef struct outcome_of_chance {
    unsigned heard, hits;
    uint64_t sum, latest;
} outcome_of_chance;

enum { SHOTS = 200 };

static int hear_shots(const sb_boot *boot)
{
    outcome_of_chance *const seen = *(outcome_of_chance *const *)boot->argument;
    sb_message *message;
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        sb_message_free(message);
        seen->heard++;
        seen->latest = sb_monotonic_time();
        seen->sum += sb_random(1000);
    }
    return 0;
}

/* 200 messages, a third of them lost, a tenth doubled, each 1 to 5 ms on its way. */
static void shoot(sb_world *world, void *context)
{
    outcome_of_chance *const seen = context;
    const sb_network network = {.latency_min = SB_MILLISECOND,
                                .latency_max = 5 * SB_MILLISECOND,
                                .loss = 333333,
                                .duplicate = 100000};
    sb_network_set(world, &network);
    const sb_node target = sb_node_add(world, "target", "target", hear_shots, &seen, sizeof(seen));
    sb_node_boot(world, target);
    for (unsigned i = 0; i < SHOTS; i++) {
        sb_send(target, &i, sizeof(i));
    }
    seen->hits += sb_chance(world, SB_STREAM_SCENARIO, 1000000);
    sb_sleep(SB_SECOND, NULL);
}

static ending shoot_with(sb_universe *universe, const sb_tape *tape, sb_tape *out,
                         outcome_of_chance *seen)
{
    *seen = (outcome_of_chance){0};
    const sb_world_options options = {
        .seed = 4, .strategy = SB_STRATEGY_RANDOM, .tape = tape, .tape_out = out};
    const ending end = run_options(universe, &options, shoot, seen);
    must_pass(&end);
    return end;
}

/* Taking down the choices changes nothing, and following them gives the same run without the
 * generator. */
START_TEST(a_tape_replays_a_run)
{
    sb_universe *const universe = open_universe(NULL);
    outcome_of_chance free_run, taped, followed;
    sb_tape tape = {0}, second = {0};
    const ending drawn = shoot_with(universe, NULL, NULL, &free_run);
    const ending noted = shoot_with(universe, NULL, &tape, &taped);
    const ending again = shoot_with(universe, &tape, &second, &followed);
    ck_assert_uint_eq(drawn.digest, noted.digest);
    ck_assert_uint_eq(drawn.digest, again.digest);
    ck_assert_uint_gt(tape.count, SHOTS);
    ck_assert_uint_eq(tape.count, second.count);
    ck_assert_mem_eq(tape.choices, second.choices, tape.count * sizeof(*tape.choices));
    sb_tape_release(&second);
    sb_tape_release(&tape);
    sb_universe_close(universe);
}
END_TEST

/* An empty tape is the calm run: nothing lost or doubled, the shortest ways, all numbers 0, and no
 * chance comes true however likely. */
START_TEST(an_empty_tape_is_calm)
{
    sb_universe *const universe = open_universe(NULL);
    outcome_of_chance seen;
    const sb_tape empty = {0};
    shoot_with(universe, &empty, NULL, &seen);
    ck_assert_uint_eq(seen.heard, SHOTS);
    ck_assert_uint_eq(seen.latest, SB_MILLISECOND);
    ck_assert_uint_eq(seen.sum, 0);
    ck_assert_uint_eq(seen.hits, 0);
    sb_universe_close(universe);
}
END_TEST

static sb_tape without_stream(const sb_tape *tape, const char *name)
{
    const char *volatile opaque =
        name; /* else gcc specialises the hash, and warns about its own work */
    const char *const text = opaque;
    const uint64_t hash = XXH3_64bits(text, strlen(text));
    sb_tape masked = {.choices = malloc(tape->count * sizeof(*tape->choices))};
    ck_assert_ptr_nonnull(masked.choices);
    for (size_t i = 0; i < tape->count; i++) {
        if (tape->choices[i].stream != hash) {
            masked.choices[masked.count++] = tape->choices[i];
        }
    }
    masked.capacity = tape->count;
    return masked;
}

/* A tape without the choices of one stream takes away that stream's misfortunes and leaves the
 * others. */
START_TEST(a_masked_tape_takes_one_fault_away)
{
    sb_universe *const universe = open_universe(NULL);
    outcome_of_chance drawn, masked_run;
    sb_tape tape = {0};
    shoot_with(universe, NULL, &tape, &drawn);
    ck_assert_uint_lt(drawn.heard, SHOTS);
    sb_tape masked = without_stream(&tape, "director/loss");
    ck_assert_uint_lt(masked.count, tape.count);
    shoot_with(universe, &masked, NULL, &masked_run);
    ck_assert_uint_gt(masked_run.heard, SHOTS); /* the doubled ones are still doubled */
    ck_assert_uint_gt(masked_run.latest, SB_MILLISECOND);
    sb_tape_release(&masked);
    sb_tape_release(&tape);
    sb_universe_close(universe);
}
END_TEST

/* A value that has become impossible since (the code has changed) is taken as calm, not as an
 * error. */
START_TEST(a_value_out_of_bounds_is_calm)
{
    sb_universe *const universe = open_universe(NULL);
    outcome_of_chance drawn, changed;
    sb_tape tape = {0};
    shoot_with(universe, NULL, &tape, &drawn);
    for (size_t i = 0; i < tape.count; i++) {
        tape.choices[i].value += UINT64_C(1) << 40;
    }
    shoot_with(universe, &tape, NULL, &changed);
    ck_assert_uint_eq(changed.heard, SHOTS);
    ck_assert_uint_eq(changed.latest, SB_MILLISECOND);
    sb_tape_release(&tape);
    sb_universe_close(universe);
}
END_TEST

/* The busy cluster, with deaths, disks and calls, replays from its tape as well, under every
 * strategy. */
START_TEST(a_tape_replays_the_busy_cluster)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_strategy strategy = (sb_strategy)_i;
    workload plan = WORKLOAD_DEFAULT;
    sb_tape tape = {0};
    const sb_world_options noted = {.seed = 5, .strategy = strategy, .tape_out = &tape};
    const sb_world_options followed = {.seed = 5, .strategy = strategy, .tape = &tape};
    const ending first = run_options(universe, &noted, workload_run, &plan);
    const ending second = run_options(universe, &followed, workload_run, &plan);
    must_pass(&first);
    ck_assert_uint_gt(tape.count, 100);
    ck_assert_uint_eq(first.digest, second.digest);
    sb_tape_release(&tape);
    sb_universe_close(universe);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("chance");
    TCase *const tests = tcase_create("chance");
    tcase_add_test(tests, mersenne_is_the_published_one);
    tcase_add_test(tests, bounded_draws_stay_below);
    tcase_add_test(tests, bounded_draws_are_fair);
    tcase_add_test(tests, small_bounds_are_even);
    tcase_add_test(tests, streams_are_independent);
    tcase_add_test(tests, seeds_and_names_matter);
    tcase_add_test(tests, a_tape_replays_a_run);
    tcase_add_test(tests, an_empty_tape_is_calm);
    tcase_add_test(tests, a_masked_tape_takes_one_fault_away);
    tcase_add_test(tests, a_value_out_of_bounds_is_calm);
    tcase_add_loop_test(tests, a_tape_replays_the_busy_cluster, SB_STRATEGY_FIFO,
                        SB_STRATEGY_COUNT);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
