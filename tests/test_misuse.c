/*
 * What a scenario or a program may not ask for: it is a finding that says what was wrong, not a
 * crash of the framework.
 */
#include "tests/suite.h"

static void stop_the_clock(sb_world *world, void *context)
{
    (void)context;
    sb_clock_set(world, 0, 0, -1000000);
}

static void draw_of_nothing(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sb_random(0);
}

static void grow_what_is_gone(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    void *block = sb_alloc(100);
    void *volatile gone = block;
    sb_free(block);
    sb_realloc(gone, 100);
}

/* A clock that stands still, a draw below 0, and a block that was freed, are misuse. */
START_TEST(impossible_requests_are_findings)
{
    const ending clock = run_once(stop_the_clock, NULL);
    must_find(&clock, SB_FINDING_ASSERTION, "the clock would stand still");
    const ending draw = run_once(draw_of_nothing, NULL);
    must_find(&draw, SB_FINDING_ASSERTION, "no number below 0");
    const ending growth = run_once(grow_what_is_gone, NULL);
    must_find(&growth, SB_FINDING_ASSERTION, "not a live block of this machine");
    ck_assert_str_eq(growth.finding.oracle, "sb_realloc");
}
END_TEST

/* -------------------------------------------------------------------------------------- nobody */

/* Everything that takes a node's number, given one that no node has. */
#define ON_NOBODY(word, ...)                                                                       \
    static void nobody_##word(sb_world *world, void *context)                                      \
    {                                                                                              \
        (void)context;                                                                             \
        sb_##word(world, __VA_ARGS__);                                                             \
    }
ON_NOBODY(node_name, 1)
ON_NOBODY(node_role, 63)
ON_NOBODY(node_incarnation, 255)
ON_NOBODY(node_is_up, 1)
ON_NOBODY(node_is_paused, 1)
ON_NOBODY(node_boot, 1)
ON_NOBODY(node_stop, 1)
ON_NOBODY(node_kill, 1)
ON_NOBODY(node_pause, 1)
ON_NOBODY(node_resume, 1)
ON_NOBODY(node_wait_down, 1, SB_SECOND)
ON_NOBODY(node_set_memory_limit, 1, 1)
ON_NOBODY(network_block, 0, 1)
ON_NOBODY(network_unblock, 64, 0)
ON_NOBODY(network_part, 0, 1)
ON_NOBODY(network_join, 64, 0)
ON_NOBODY(network_reset, 0, 200)
ON_NOBODY(clock_set, 1, 1, 1)
ON_NOBODY(disk_list_durable, 1, NULL, NULL)
ON_NOBODY(finding_at, SB_FINDING_LEAK, 1, "oracle", "never said")

typedef struct nobody_case {
    sb_director *director;
    const char *words;
} nobody_case;

static const nobody_case nobody_cases[] = {
    {nobody_node_name, "sb_node_name: 1 is no node; expected one of 0 to 0"},
    {nobody_node_role, "sb_node_role: 63 is no node"},
    {nobody_node_incarnation, "sb_node_incarnation: 255 is no node"},
    {nobody_node_is_up, "sb_node_is_up: 1 is no node"},
    {nobody_node_is_paused, "sb_node_is_paused: 1 is no node"},
    {nobody_node_boot, "sb_node_boot: 1 is no node"},
    {nobody_node_stop, "sb_node_stop: 1 is no node"},
    {nobody_node_kill, "sb_node_kill: 1 is no node"},
    {nobody_node_pause, "sb_node_pause: 1 is no node"},
    {nobody_node_resume, "sb_node_resume: 1 is no node"},
    {nobody_node_wait_down, "sb_node_wait_down: 1 is no node"},
    {nobody_node_set_memory_limit, "sb_node_set_memory_limit: 1 is no node"},
    {nobody_network_block, "sb_network_block: 1 is no node"},
    {nobody_network_unblock, "sb_network_unblock: 64 is no node"},
    {nobody_network_part, "sb_network_part: 1 is no node"},
    {nobody_network_join, "sb_network_join: 64 is no node"},
    {nobody_network_reset, "sb_network_reset: 200 is no node"},
    {nobody_clock_set, "sb_clock_set: 1 is no node"},
    {nobody_disk_list_durable, "sb_disk_list_durable: 1 is no node"},
    {nobody_finding_at, "sb_finding_at: 1 is no node"},
};
#define NOBODY_COUNT (sizeof(nobody_cases) / sizeof(nobody_cases[0]))

/* A wrong number is an assertion of the framework that names it, not a nil dereference. */
START_TEST(nobody_is_no_node)
{
    const ending end = run_once(nobody_cases[_i].director, NULL);
    must_find(&end, SB_FINDING_ASSERTION, nobody_cases[_i].words);
}
END_TEST

/* ---------------------------------------------------------------------------------- observers */

enum { CLOSED, OPEN };
static const char *const gate_states[] = {"closed", "open"};
static const sb_move gate_moves[] = {{CLOSED, OPEN}};
SB_MACHINE(gate_machine, "gate", gate_states, gate_moves);

static void sleep_on_report(sb_world *world, sb_node node, uint32_t kind, const void *data,
                            size_t size)
{
    (void)world, (void)node, (void)kind, (void)data, (void)size;
    sb_sleep(SB_MILLISECOND, NULL);
}

static void yield_on_move(sb_world *world, sb_node node, const sb_machine *machine, uint64_t id,
                          uint32_t from, uint32_t to)
{
    (void)world, (void)node, (void)machine, (void)id, (void)from, (void)to;
    sb_yield();
}

/* What an observer may do: allocate, look, and remember. */
static void remember_on_move(sb_world *world, sb_node node, const sb_machine *machine, uint64_t id,
                             uint32_t from, uint32_t to)
{
    (void)machine, (void)from, (void)to;
    uint64_t *const sum = sb_alloc(sizeof(*sum));
    *sum = id + node + sb_world_time(world);
    sb_world_set_data(world, sum);
}

typedef struct watch_case {
    sb_report_observer *report;
    sb_move_observer *move;
    bool is_wrong;
} watch_case;

static int tell(const sb_boot *boot)
{
    (void)boot;
    sb_report(1, "x", 1);
    sb_machine_move(&gate_machine, 7, CLOSED, OPEN);
    return 0;
}

static void watch(sb_world *world, void *context)
{
    const watch_case *const one = context;
    sb_observe_reports(world, one->report);
    sb_observe_moves(world, one->move);
    const sb_node node = sb_node_add(world, "teller", "teller", tell, NULL, 0);
    sb_node_boot(world, node);
    sb_sleep(SB_SECOND, NULL);
    if (!one->is_wrong) {
        uint64_t *const sum = sb_world_data(world);
        ck_assert_uint_eq(*sum, 7 + node);
        sb_free(sum);
    }
}

/* An observer runs inside the event it watches: one that waits is found out, whoever's stack it is
 * on. */
START_TEST(observers_do_not_wait)
{
    watch_case cases[] = {{sleep_on_report, NULL, true},
                          {NULL, yield_on_move, true},
                          {NULL, remember_on_move, false}};
    watch_case *const one = &cases[_i];
    const ending end = run_once(watch, one);
    if (one->is_wrong) {
        must_find(&end, SB_FINDING_ASSERTION, "an observer may not wait");
        ck_assert_uint_eq(end.finding.node, 1);
    } else {
        must_pass(&end);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("misuse");
    TCase *const tests = tcase_create("doors");
    tcase_add_test(tests, impossible_requests_are_findings);
    tcase_add_loop_test(tests, nobody_is_no_node, 0, NOBODY_COUNT);
    tcase_add_loop_test(tests, observers_do_not_wait, 0, 3);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
