/*
 * Crashes are real: machine code faults, the kernel catches it, and the finding says what, where
 * and who.
 */
#include <signal.h>
#include <stdio.h>

#include "sim/kernel/sanitizer.h"
#include "sim/verdict/signature.h"
#include "tests/suite.h"

/* What these functions do is what the sanitizers exist to forbid. */
#define FAULTY __attribute__((noinline, no_sanitize("undefined"), no_sanitize("address")))

typedef struct thing {
    uint64_t padding[2];
    volatile uint64_t value; /* at 0x10 */
} thing;

FAULTY static void read_nil(void)
{
    thing *const volatile none = NULL;
    sb_log("%llu", (unsigned long long)none->value);
}

FAULTY static void write_nil(void)
{
    thing *const volatile none = NULL;
    none->value = 1;
}

FAULTY static void divide(void)
{
    volatile int zero = 0;
    volatile int result = 7 / zero;
    (void)result;
}

FAULTY static void call_abort(void)
{
    abort();
}

FAULTY static void write_wild(void)
{
    thing *const volatile wild = (thing *)(uintptr_t)0x123456789000u;
    wild->value = 1;
}

/* No canonical address: the processor reports it without saying which. */
FAULTY static void write_nowhere(void)
{
    thing *const volatile nowhere = (thing *)(uintptr_t)0xdead000000000000u;
    nowhere->value = 1;
}

FAULTY static unsigned overflow_stack(unsigned depth)
{
    volatile unsigned char room[512];
    room[depth % sizeof(room)] = 1;
    if (depth == UINT32_MAX) {
        return 0; /* never: there is not that much memory */
    }
    return overflow_stack(depth + 1) + room[depth % sizeof(room)];
}

FAULTY static void overflow(void)
{
    sb_log("%u", overflow_stack(0));
}

FAULTY static void raise_trap(void)
{
    __builtin_trap();
}

/* Inside the C library, for the program's sake: the place is the caller. */
FAULTY static void copy_to_nil(void)
{
    unsigned char *const volatile none = NULL;
    static const unsigned char bytes[4000] = {1};
    memcpy(none, bytes, sizeof(bytes));
}

FAULTY static void assert_two(void)
{
    volatile unsigned two = 2;
    sb_assert_op(two + two, ==, 5);
}

FAULTY static void free_twice(void)
{
    void *const volatile block = sb_alloc(10);
    sb_free(block);
    sb_free(block);
}

typedef struct fault {
    const char *name;
    void (*strike)(void);
    sb_finding_kind kind;
    const char *words, *oracle;
    uint64_t address;
} fault;

#define ANY_ADDRESS UINT64_MAX

static const fault faults[] = {
    {"read_nil", read_nil, SB_FINDING_NIL_DEREFERENCE, "read at address 0x10", "SIGSEGV", 0x10},
    {"write_nil", write_nil, SB_FINDING_NIL_DEREFERENCE, "write at address 0x10", "SIGSEGV", 0x10},
    {"divide", divide, SB_FINDING_CRASH, "SIGFPE", "SIGFPE", 0},
    {"call_abort", call_abort, SB_FINDING_CRASH, "SIGABRT", "SIGABRT", 0},
    {"write_wild", write_wild, SB_FINDING_CRASH, "SIGSEGV", "SIGSEGV", 0x123456789010u},
    {"write_nowhere", write_nowhere, SB_FINDING_CRASH, "SIGSEGV", "SIGSEGV", 0},
    {"overflow_stack", overflow, SB_FINDING_CRASH, "ran over the task's stack", "SIGSEGV",
     ANY_ADDRESS},
    {"raise_trap", raise_trap, SB_FINDING_CRASH, "SIGILL", "SIGILL", 0},
    {"copy_to_nil", copy_to_nil, SB_FINDING_NIL_DEREFERENCE, "write at address 0x", "SIGSEGV",
     ANY_ADDRESS},
    {"assert_two", assert_two, SB_FINDING_ASSERTION, "4 and 5", "two + two == 5", 0},
    {"free_twice", free_twice, SB_FINDING_ASSERTION, "not a live block", "sb_free", 0},
};
#define FAULT_COUNT ((int)(sizeof(faults) / sizeof(faults[0])))

static void strike_later(void *argument)
{
    const fault *const one = argument;
    sb_sleep(3 * SB_MILLISECOND, NULL);
    one->strike();
}

static int victim(const sb_boot *boot)
{
    sb_spawn(NULL, strike_later, *(void *const *)boot->argument, "striker");
    sb_sleep(SB_FOREVER, sb_shutdown_scope());
    return 0;
}

static void strike_director(sb_world *world, void *context)
{
    sb_node_add(world, "bystander", "none", victim, NULL, 0);
    const sb_node node = sb_node_add(world, "victim", "prey", victim, &context, sizeof(context));
    sb_node_boot(world, node);
    sb_sleep(SB_SECOND, NULL);
}

static ending strike(sb_universe *universe, const fault *one, uint64_t seed)
{
    const sb_world_options options = {.seed = seed};
    return run_options(universe, &options, strike_director, (void *)(uintptr_t)one);
}

/* Each fault is a finding of its kind, at its step and time, of the task and node that struck it;
 * and so it is the second time. _i: the fault. */
START_TEST(a_fault_is_a_finding)
{
    const fault *const one = &faults[_i];
    sb_universe *const universe = open_universe(NULL);
    const ending end = strike(universe, one, 5);
    must_find(&end, one->kind, one->words);
    ck_assert_str_eq(end.finding.oracle, one->oracle);
    ck_assert_str_eq(end.finding.task, "striker");
    ck_assert_uint_eq(end.finding.node, 2);
    ck_assert_uint_eq(end.finding.incarnation, 1);
    ck_assert_uint_ge(end.finding.time, 3 * SB_MILLISECOND);
    ck_assert_uint_eq(end.finding.time, end.time);
    ck_assert_uint_eq(end.finding.step, end.steps);
    if (one->address != ANY_ADDRESS) {
        ck_assert_uint_eq(end.finding.fault_address, one->address);
    }
    sb_universe_close(universe);
}
END_TEST

/* A second world in the same process, and another process: same step, same digest. abort() is for
 * one world a process, as the C library sees to it. */
START_TEST(a_fault_replays)
{
    const fault *const one = &faults[_i];
    sb_universe *const universe = open_universe(NULL);
    const ending first = strike(universe, one, 5);
    if (one->strike != call_abort) {
        const ending second = strike(universe, one, 5);
        ck_assert_uint_eq(first.digest, second.digest);
        ck_assert_uint_eq(first.steps, second.steps);
        ck_assert_str_eq(first.finding.text, second.finding.text);
    }
    sb_universe_close(universe);
}
END_TEST

#ifdef SB_HAVE_LIBDW
/* The place of a finding is the innermost function of the program, also when it struck inside a
 * callee of the C library or of the framework; and the way there is on the stack. */
START_TEST(a_fault_has_a_place)
{
    static sb_stack stack;
    const fault *const one = &faults[_i];
    sb_universe *const universe = open_universe(NULL);
    const ending end = strike(universe, one, 5);
    sb_place place;
    sb_stack_symbolise(end.finding.frames, end.finding.frame_count, &stack);
    sb_finding_place(&end.finding, &stack, &place);
    ck_assert(!place.in_framework);
    ck_assert_str_eq(place.file, "tests/test_panic.c");
    ck_assert_str_eq(place.function, one->name);
    ck_assert_int_gt(place.line, 0);
    bool came_from_task = one->strike == overflow; /* too deep for the frames that are kept */
    for (size_t i = 0; i < stack.count; i++) {
        const char *const function = stack.symbols[i].function;
        came_from_task =
            came_from_task || (function != NULL && strcmp(function, "strike_later") == 0);
    }
    ck_assert(came_from_task);
    sb_universe_close(universe);
}
END_TEST
#endif

/* Signatures group by kind and stack: the same in other seeds, another for another fault. */
START_TEST(signatures_group)
{
    static sb_stack stack;
    sb_universe *const universe = open_universe(NULL);
    uint32_t signatures[2][2];
    for (unsigned which = 0; which < 2; which++) {
        for (uint64_t seed = 0; seed < 2; seed++) {
            const ending end = strike(universe, &faults[which], seed);
            sb_stack_symbolise(end.finding.frames, end.finding.frame_count, &stack);
            signatures[which][seed] = sb_finding_signature(&end.finding, &stack, "prey");
        }
    }
    ck_assert_uint_eq(signatures[0][0], signatures[0][1]);
    ck_assert_uint_eq(signatures[1][0], signatures[1][1]);
    ck_assert_uint_ne(signatures[0][0], signatures[1][0]);
    sb_universe_close(universe);
}
END_TEST

/* With two universes open, closing one leaves the other able to catch, a run-over stack included.
 */
START_TEST(universes_share_the_handlers)
{
    const sb_universe_options other = {.base = UINT64_C(0x5b0000000000)};
    sb_universe *const first = open_universe(NULL);
    sb_universe *const second = open_universe(&other);
    sb_universe_close(second);
    ending end = strike(first, &faults[6], 1);
    must_find(&end, SB_FINDING_CRASH, "ran over");
    sb_universe *const third = open_universe(&other);
    sb_universe_close(first);
    end = strike(third, &faults[0], 1);
    must_find(&end, SB_FINDING_NIL_DEREFERENCE, "read at address 0x10");
    sb_universe_close(third);
}
END_TEST

/* Outside of any world a signal takes its usual course; with a sanitizer, that is the sanitizer's
 * report. */
#if defined(SB_ASAN) || defined(SB_MSAN)
#define USUAL_COURSE 0
#else
#define USUAL_COURSE SIGSEGV
#endif

START_TEST(outside_a_world_a_crash_is_a_crash)
{
    sb_universe *const universe = open_universe(NULL);
    sb_universe_close(universe);
    if (USUAL_COURSE != 0) {
        raise(SIGSEGV);
    }
}
END_TEST

START_TEST(beside_a_world_a_crash_is_a_crash)
{
    open_universe(NULL);
    raise(SIGSEGV);
}
END_TEST

/* ------------------------------------------------------------------------------- memory's end */

static int eat(const sb_boot *boot)
{
    (void)boot;
    while (sb_scope_status(sb_shutdown_scope()) == SB_OK) {
        memset(sb_alloc(1u << 20), 1, 100);
    }
    return 0;
}

static void eat_director(sb_world *world, void *context)
{
    const sb_node node = sb_node_add(world, "eater", "eater", eat, NULL, 0);
    if (context != NULL) {
        sb_node_set_memory_limit(world, node, *(const size_t *)context);
    }
    sb_node_boot(world, node);
    sb_sleep(SB_SECOND, NULL);
}

/* A machine that runs over its memory is found, with its name, size and the place that wanted more.
 */
START_TEST(memory_without_end_is_a_runaway)
{
    size_t limit = (size_t)5 << 20;
    const ending end = run_once(eat_director, &limit);
    must_find(&end, SB_FINDING_RUNAWAY, "eater has 5242880 bytes of at most 5242880");
    ck_assert_ptr_nonnull(strstr(end.finding.text, "tests/test_panic.c:"));
    const ending usual = run_once(eat_director, NULL);
    must_find(&usual, SB_FINDING_RUNAWAY, "of at most 268435456");
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("panic");
    TCase *const tests = tcase_create("findings");
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, a_fault_is_a_finding, 0, FAULT_COUNT);
    tcase_add_loop_test(tests, a_fault_replays, 0, FAULT_COUNT);
#ifdef SB_HAVE_LIBDW
    tcase_add_loop_test(tests, a_fault_has_a_place, 0, FAULT_COUNT);
#endif
    tcase_add_test(tests, signatures_group);
    tcase_add_test(tests, universes_share_the_handlers);
    tcase_add_test_raise_signal(tests, outside_a_world_a_crash_is_a_crash, USUAL_COURSE);
    tcase_add_test_raise_signal(tests, beside_a_world_a_crash_is_a_crash, SIGSEGV);
    tcase_add_test(tests, memory_without_end_is_a_runaway);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
