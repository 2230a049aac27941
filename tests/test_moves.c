/*
 * State machines are tables: what they allow is noted, what they do not ends the world. And
 * the globs by which scenarios name what they mean.
 */
#include "tests/suite.h"

/* ------------------------------------------------------------------------------------- tables */

enum { EGG, BIRD, GHOST };
static const char *const bird_states[] = {"egg", "bird", "ghost"};
static const sb_move bird_moves[] = {{EGG, BIRD}, {BIRD, GHOST}, {EGG, GHOST}};
SB_MACHINE(bird_machine, "bird", bird_states, bird_moves);

/* The same, said in full: it begins in its last state and ends in its first. */
static const sb_move mole_moves[] = {{GHOST, BIRD}, {BIRD, EGG}, {EGG, BIRD}};
SB_MACHINE(mole_machine, "mole", bird_states, mole_moves, .initial = GHOST, .finals = SB_STATE(EGG),
           .source = "a burrow");

typedef struct walk_case {
    unsigned from, to;
    const char *words; /* NULL: it is allowed */
} walk_case;

static const walk_case walk_cases[] = {
    {EGG, BIRD, NULL},
    {EGG, EGG, "bird 7 went from egg to egg; from egg it may go to bird, ghost"},
    {BIRD, EGG, "bird 7 went from bird to egg; from bird it may go to ghost"},
    {GHOST, BIRD, "bird 7 went from ghost to bird; no move leads out of ghost"},
    {BIRD, 9, "bird 7 went from state 1 to state 9; it has states 0 to 2"},
    {200, EGG, "bird 7 went from state 200 to state 0; it has states 0 to 2"},
};
#define WALK_COUNT (sizeof(walk_cases) / sizeof(walk_cases[0]))

static void walk(sb_world *world, void *context)
{
    (void)world;
    const walk_case *const one = context;
    sb_machine_move(&bird_machine, 7, one->from, one->to);
}

/* A forbidden move ends the world, and says what would have been allowed. */
START_TEST(machines_check_their_moves)
{
    walk_case one = walk_cases[_i];
    const ending end = run_once(walk, &one);
    if (one.words == NULL) {
        must_pass(&end);
    } else {
        must_find(&end, SB_FINDING_WRONG_STATE, one.words);
        ck_assert_str_eq(end.finding.oracle, "bird");
    }
}
END_TEST

static void walk_two(sb_world *world, void *context)
{
    (void)world, (void)context;
    sb_machine_move(&bird_machine, 7, BIRD, GHOST);
    sb_machine_move(&bird_machine, 8, BIRD, GHOST);
    sb_machine_move(&mole_machine, 7, EGG, BIRD);
}

/* A move that is in the table is noted by its place among those of all machines. */
START_TEST(walked_moves_are_noted)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_world_options options = {.seed = 1};
    sb_world *const world = sb_world_reset(universe, &options, walk_two, NULL);
    const ending end = ending_of(world, sb_world_run(world));
    must_pass(&end);
    ck_assert_uint_eq(sb_world_edge_bits(world)[0], 1u << 1 | 1u << 5);
    sb_universe_close(universe);
}
END_TEST

/* Where things are born and end is declared, or follows from the table. */
START_TEST(machines_say_where_they_begin_and_end)
{
    const sb_machine *const *machines;
    ck_assert_uint_eq(sb_machine_list(&machines), 2);
    ck_assert_ptr_eq(machines[0], &bird_machine);
    ck_assert_ptr_eq(machines[1], &mole_machine);
    ck_assert_uint_eq(bird_machine.initial, EGG);
    ck_assert_ptr_null(bird_machine.source);
    ck_assert_uint_eq(mole_machine.initial, GHOST);
    for (uint32_t state = EGG; state <= GHOST; state++) {
        ck_assert_int_eq(sb_machine_ends_in(&bird_machine, state), state == GHOST);
        ck_assert_int_eq(sb_machine_ends_in(&mole_machine, state), state == EGG);
    }
}
END_TEST

/* -------------------------------------------------------------------------------------- globs */

typedef struct glob_case {
    const char *glob, *name;
    bool matches;
} glob_case;

static const glob_case glob_cases[] = {
    {"", "", true},           {"", "a", false},           {"*", "", true},
    {"*", "a: b -> c", true}, {"job: *", "job: a", true}, {"job: *", "jobs", false},
    {"*b*d", "abcbd", true},  {"*b*d", "abcbde", false},  {"a?c", "abc", true},
    {"a?c", "ac", false},     {"a*", "ba", false},        {"**a", "a", true},
};

#define GLOB_COUNT (sizeof(glob_cases) / sizeof(glob_cases[0]))

START_TEST(globs_match)
{
    const glob_case *const one = &glob_cases[_i];
    ck_assert_int_eq(sb_glob_matches(one->glob, one->name), one->matches);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("moves");
    TCase *const tests = tcase_create("tables");
    tcase_add_loop_test(tests, machines_check_their_moves, 0, WALK_COUNT);
    tcase_add_test(tests, walked_moves_are_noted);
    tcase_add_test(tests, machines_say_where_they_begin_and_end);
    tcase_add_loop_test(tests, globs_match, 0, GLOB_COUNT);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
