/*
 * Plans of trouble that contradict themselves, or promise what their faults break: each is refused
 * with a line that names the field, the value and what was expected.
 */
#include "tests/suite.h"

#define KIND(fault) (UINT64_C(1) << SB_FAULT_##fault)

static const char *const rebuildable[SB_NODE_COUNT_MAX] = {[2] = "jobs"};
static const char *const whole_disks[SB_NODE_COUNT_MAX] = {[1] = "", [2] = ""};

/* A plan that is in order: machine 1 has the only copy, machine 2 can make all of its files again.
 */
static sb_swarm_plan good(void)
{
    return (sb_swarm_plan){.kinds = KIND(LOSS) | KIND(KILL) | KIND(EMPTY_DISK) | KIND(BIT_ROT) |
                                    KIND(SYNC_STALL) | KIND(SKEW) | KIND(FAILPOINT),
                           .victims = 0x6,
                           .disks = 0x6,
                           .wipeable = 0x4,
                           .precious = 0x2,
                           .down_at_once_max = 1,
                           .down_min = 1,
                           .down_max = 1,
                           .calm_min = 1,
                           .calm_max = 2,
                           .failpoint_glob = "plans-test-*",
                           .rebuildable = rebuildable};
}

static void refused(const sb_swarm_plan *plan, const char *words)
{
    char problem[256] = "";
    ck_assert_msg(!sb_swarm_plan_check(plan, problem, sizeof(problem)), "not refused: %s", words);
    ck_assert_msg(strstr(problem, words) != NULL, "'%s' is not in '%s'", words, problem);
}

#define REFUSED(words, change)                                                                     \
    do {                                                                                           \
        sb_swarm_plan plan = good();                                                               \
        change;                                                                                    \
        refused(&plan, words);                                                                     \
    } while (0)

START_TEST(a_good_plan_passes)
{
    const sb_swarm_plan plan = good();
    char problem[256] = "";
    ck_assert_msg(sb_swarm_plan_check(&plan, problem, sizeof(problem)), "%s", problem);
    const sb_swarm_plan nothing = {.down_min = 1, .down_max = 1, .calm_min = 1, .calm_max = 1};
    ck_assert_msg(sb_swarm_plan_check(&nothing, problem, sizeof(problem)), "%s", problem);
}
END_TEST

START_TEST(contradictions_are_refused)
{
    REFUSED("down_min, down_max: 2ns and 1ns", plan.down_min = 2);
    REFUSED("down_min, down_max: 0ns and 1ns", plan.down_min = 0);
    REFUSED("calm_min, calm_max: 3ns and 2ns", plan.calm_min = 3);
    REFUSED("victims: none, but the plan declares kill", plan.victims = plan.wipeable = 0);
    REFUSED("down_at_once_max: none, but the plan declares kill", plan.down_at_once_max = 0);
    REFUSED("disks: none, but the plan declares", plan.disks = 0);
    REFUSED("wipeable: none, but the plan declares empty-disk", plan.wipeable = 0);
    REFUSED("rebuildable: none, but the plan declares bit-rot", plan.rebuildable = NULL);
    REFUSED("failpoint_glob: none, but the plan declares failpoint", plan.failpoint_glob = NULL);
    REFUSED("failpoint_glob: no failpoint matches 'plans-tset-*'",
            plan.failpoint_glob = "plans-tset-*");
    REFUSED("down_min: 99999ns; expected at least 100000ns of a plan with crash-loop",
            (plan.kinds |= KIND(CRASH_LOOP), plan.down_min = 99999, plan.down_max = 100000));
    REFUSED("triggers: 33; expected at most 32", plan.triggers = SB_TRIGGER_MAX + 1);
    REFUSED("kinds: node-down is no fault", plan.kinds |= KIND(NODE_DOWN));
    REFUSED("kinds: unknown fault is no fault", plan.kinds |= UINT64_C(1) << 63);
}
END_TEST

START_TEST(promises_that_break_are_refused)
{
    REFUSED("victims: the director (machine 0)", plan.victims |= 1);
    REFUSED("disks: the director (machine 0)", plan.disks |= 1);
    REFUSED("wipeable: machine 3 is no victim", plan.wipeable |= 8);
    REFUSED("wipeable: machine 1 holds the only copy", plan.wipeable |= 2);
    REFUSED("rebuildable: the whole disk of machine 1", plan.rebuildable = whole_disks);
}
END_TEST

static void refused_network(sb_network network, const char *words)
{
    char problem[256] = "";
    ck_assert_msg(!sb_network_check(&network, problem, sizeof(problem)), "not refused: %s", words);
    ck_assert_msg(strstr(problem, words) != NULL, "'%s' is not in '%s'", words, problem);
}

START_TEST(networks_are_checked)
{
    char problem[256];
    const sb_network works = {.latency_max = 5, .loss = 999999, .duplicate = 1000000};
    ck_assert(sb_network_check(&works, problem, sizeof(problem)));
    refused_network((sb_network){.loss = 1000001}, "loss: 1000001 of a million");
    refused_network((sb_network){.duplicate = 1000001}, "duplicate: 1000001 of a million");
    refused_network((sb_network){.loss = 1000000}, "loss: every message");
    refused_network((sb_network){.corrupt = 1000000}, "corrupt: every message");
    refused_network((sb_network){.latency_min = 2}, "latency_min, latency_max: 2ns and 0ns");
    refused_network((sb_network){.tail = true, .tail_max = 17}, "17 and 0 doublings");
}
END_TEST

static void start_it(sb_world *world, void *context)
{
    sb_swarm_plan plan = good();
    plan.victims |= 1;
    sb_swarm_start(world, &plan);
    (void)context;
    (void)failpoint("plans-test-one");
}

/* Who did not ask before is told by the swarm. */
START_TEST(a_bad_plan_is_a_finding)
{
    const ending end = run_once(start_it, NULL);
    must_find(&end, SB_FINDING_ASSERTION, "victims: the director");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("plans");
    TCase *const tests = tcase_create("plans");
    tcase_add_test(tests, a_good_plan_passes);
    tcase_add_test(tests, contradictions_are_refused);
    tcase_add_test(tests, promises_that_break_are_refused);
    tcase_add_test(tests, networks_are_checked);
    tcase_add_test(tests, a_bad_plan_is_a_finding);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
