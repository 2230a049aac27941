/*
 * The kernel: one seed is one run, wherever its world lies and however it is run; and every run
 * ends.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/suite.h"
#include "tests/workload.h"

static ending run_busy(sb_universe *universe, uint64_t seed, sb_strategy strategy)
{
    workload plan = WORKLOAD_DEFAULT;
    const sb_world_options options = {.seed = seed, .strategy = strategy};
    return run_options(universe, &options, workload_run, &plan);
}

/* -------------------------------------------------------------------------------- determinism */

/* Under each strategy the same seed gives the same digest twice, and another one in every other
 * seed. _i: the strategy. */
START_TEST(a_seed_is_one_run)
{
    enum { SEEDS = 20 };
    sb_universe *const universe = open_universe(NULL);
    uint64_t digests[SEEDS];
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const ending first = run_busy(universe, seed, (sb_strategy)_i);
        const ending second = run_busy(universe, seed, (sb_strategy)_i);
        must_pass(&first);
        ck_assert_uint_eq(first.digest, second.digest);
        ck_assert_uint_eq(first.steps, second.steps);
        digests[seed] = first.digest;
        for (uint64_t other = 0; other < seed; other++) {
            ck_assert_uint_ne(digests[other], digests[seed]);
        }
    }
    sb_universe_close(universe);
}
END_TEST

/* Strategies are different ways through the same world. Not in every seed: a change point may lie
 * behind the end of a short run, and a victim may be nobody. */
START_TEST(strategies_differ)
{
    enum { SEEDS = 20 };
    sb_universe *const universe = open_universe(NULL);
    unsigned different[SB_STRATEGY_COUNT][SB_STRATEGY_COUNT] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint64_t digests[SB_STRATEGY_COUNT];
        for (unsigned one = SB_STRATEGY_FIFO; one < SB_STRATEGY_COUNT; one++) {
            digests[one] = run_busy(universe, seed, (sb_strategy)one).digest;
            for (unsigned other = SB_STRATEGY_FIFO; other < one; other++) {
                different[one][other] += digests[other] != digests[one];
            }
        }
    }
    for (unsigned one = SB_STRATEGY_FIFO; one < SB_STRATEGY_COUNT; one++) {
        for (unsigned other = SB_STRATEGY_FIFO; other < one; other++) {
            const bool are_both_pct = one == SB_STRATEGY_PCT3 && other == SB_STRATEGY_PCT2;
            ck_assert_uint_ge(different[one][other], are_both_pct ? SEEDS / 4 : SEEDS / 2);
        }
    }
    sb_universe_close(universe);
}
END_TEST

/* Law 3: 0 is the calm answer. Where every choice is 0, every strategy is first in, first out. _i:
 * the strategy. */
START_TEST(a_strategy_without_choices_is_first_in_first_out)
{
    sb_universe *const universe = open_universe(NULL);
    static const sb_tape nothing_taped;
    workload plan = WORKLOAD_DEFAULT;
    uint64_t digests[2];
    for (unsigned i = 0; i < 2; i++) {
        const sb_world_options options = {.seed = 7,
                                          .strategy = i == 0 ? SB_STRATEGY_FIFO : (sb_strategy)_i,
                                          .tape = &nothing_taped};
        const ending end = run_options(universe, &options, workload_run, &plan);
        must_pass(&end);
        digests[i] = end.digest;
    }
    ck_assert_uint_eq(digests[0], digests[1]);
    sb_universe_close(universe);
}
END_TEST

static void nothing(sb_world *world, void *context)
{
    (void)world;
    (void)context;
}

/* The portfolio answers by the seed alone, with a real strategy, and every strategy gets its share.
 */
START_TEST(the_portfolio_has_them_all)
{
    sb_universe *const universe = open_universe(NULL);
    unsigned counts[SB_STRATEGY_COUNT] = {0};
    for (uint64_t seed = 0; seed < 500; seed++) {
        const sb_world_options options = {.seed = seed};
        sb_world *world = sb_world_reset(universe, &options, nothing, NULL);
        const sb_strategy first = sb_world_strategy(world);
        world = sb_world_reset(universe, &options, nothing, NULL);
        ck_assert_int_eq(first, sb_world_strategy(world));
        counts[first]++;
    }
    ck_assert_uint_eq(counts[SB_STRATEGY_PORTFOLIO], 0);
    for (unsigned one = SB_STRATEGY_FIFO; one < SB_STRATEGY_COUNT; one++) {
        ck_assert_uint_gt(counts[one], 20);
    }
    sb_universe_close(universe);
}
END_TEST

/* Another base, another fill of fresh memory, another order of blocks: the same digest. And a world
 * does not remember the one before it. */
START_TEST(a_world_does_not_know_where_it_lies)
{
    static const sb_universe_options others[] = {
        {.base = UINT64_C(0x5b0000000000)},
        {.fill = 0x01},
        {.permute_blocks = true},
        {.base = UINT64_C(0x540000000000), .fill = 0xff, .permute_blocks = true},
    };
    sb_universe *const usual = open_universe(NULL);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (others[i].base == 0) {
            continue;
        }
        sb_universe *const other = open_universe(&others[i]);
        for (uint64_t seed = 1; seed <= 30; seed++) {
            const ending here = run_busy(usual, seed, SB_STRATEGY_PORTFOLIO);
            const ending there = run_busy(other, seed, SB_STRATEGY_PORTFOLIO);
            ck_assert_uint_eq(here.digest, there.digest);
        }
        sb_universe_close(other);
    }
    const ending before = run_busy(usual, 99, SB_STRATEGY_PORTFOLIO);
    sb_universe_close(usual);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        sb_universe *const fresh = open_universe(&others[i]);
        const ending alone = run_busy(fresh, 99, SB_STRATEGY_PORTFOLIO);
        ck_assert_uint_eq(before.digest, alone.digest);
        sb_universe_close(fresh);
    }
}
END_TEST

/* The digest sees a single differing byte of a message, a returned number, and a report. */
static void say(sb_world *world, void *context)
{
    (void)world;
    const unsigned *const what = context;
    const unsigned char bytes[2] = {(unsigned char)(what[0] == 1), 0};
    sb_send(0, bytes, sizeof(bytes));
    sb_sleep(what[0] == 2 ? SB_MILLISECOND + 1 : SB_MILLISECOND, NULL);
    sb_report(7, what[0] == 3 ? "a" : "b", 1);
    sb_log("%s", what[0] == 4 ? "a" : "b");
    if (what[0] == 5) {
        sb_monotonic_time();
    }
}

START_TEST(the_digest_sees_everything)
{
    uint64_t digests[6];
    for (unsigned i = 0; i < 6; i++) {
        digests[i] = run_once(say, &i).digest;
        for (unsigned other = 0; other < i; other++) {
            ck_assert_uint_ne(digests[other], digests[i]);
        }
    }
}
END_TEST

/* Keeping a record, or a part of one, does not change the run; what is kept is the whole run in
 * order. */
START_TEST(a_record_does_not_disturb)
{
    sb_universe *const universe = open_universe(NULL);
    workload plan = WORKLOAD_DEFAULT;
    sb_record *const record = sb_record_new();
    const sb_world_options bare = {.seed = 6};
    const sb_world_options kept = {.seed = 6, .record = record};
    const sb_world_options part = {
        .seed = 6, .record = record, .record_from = 1000, .record_to = 1100};
    const ending plain = run_options(universe, &bare, workload_run, &plan);
    const ending whole = run_options(universe, &kept, workload_run, &plan);
    ck_assert_uint_eq(plain.digest, whole.digest);
    ck_assert_uint_eq(sb_record_count(record), whole.steps);
    ck_assert_uint_eq(sb_record_first_step(record), 1);
    const sb_event middle = *sb_record_event(record, 1050);
    for (sb_step step = 2; step <= whole.steps; step++) {
        const sb_event *const event = sb_record_event(record, step);
        ck_assert_uint_le(sb_record_event(record, step - 1)->time, event->time);
        ck_assert_uint_lt(event->cause, step);
    }
    const ending window = run_options(universe, &part, workload_run, &plan);
    ck_assert_uint_eq(plain.digest, window.digest);
    ck_assert_uint_eq(sb_record_first_step(record), 1000);
    ck_assert_uint_eq(sb_record_count(record), 101);
    ck_assert_mem_eq(sb_record_event(record, 1050), &middle, sizeof(middle));
    sb_record_free(record);
    sb_universe_close(universe);
}
END_TEST

/* --------------------------------------------------------------------------- marks and splits */

/* Marks are the digest after each 2^12 steps: two runs of one seed have the same, two seeds part at
 * the first. */
START_TEST(marks_tell_where_runs_part)
{
    sb_universe *const universe = open_universe(NULL);
    workload plan = {.nodes = 5, .rounds = 60, .trouble = true};
    uint64_t first[64];
    size_t counts[3];
    for (unsigned i = 0; i < 3; i++) {
        const sb_world_options options = {.seed = i < 2 ? 1 : 2, .strategy = SB_STRATEGY_RANDOM};
        sb_world *const world = sb_world_reset(universe, &options, workload_run, &plan);
        ck_assert_int_eq(sb_world_run(world), SB_OUTCOME_PASSED);
        const uint64_t *const marks = sb_world_marks(world, &counts[i]);
        ck_assert_uint_eq(counts[i], sb_world_step(world) >> SB_MARK_SHIFT);
        ck_assert_uint_gt(counts[i], 1);
        ck_assert_uint_lt(counts[i], 64);
        if (i == 0) {
            memcpy(first, marks, counts[0] * sizeof(*marks));
        } else if (i == 1) {
            ck_assert_mem_eq(first, marks, counts[0] * sizeof(*marks));
        } else {
            ck_assert_uint_ne(first[0], marks[0]);
        }
    }
    sb_universe_close(universe);
}
END_TEST

/* Running a world in pieces, however small, is running it whole. _i: events of a piece. */
START_TEST(splitting_a_run_changes_nothing)
{
    sb_universe *const universe = open_universe(NULL);
    workload plan = WORKLOAD_DEFAULT;
    for (unsigned strategy = SB_STRATEGY_FIFO; strategy < SB_STRATEGY_COUNT; strategy++) {
        const sb_world_options options = {.seed = 8, .strategy = (sb_strategy)strategy};
        const ending whole = run_options(universe, &options, workload_run, &plan);
        sb_world *const world = sb_world_reset(universe, &options, workload_run, &plan);
        sb_outcome outcome = SB_OUTCOME_RUNNING;
        while (outcome == SB_OUTCOME_RUNNING) {
            const sb_step until = sb_world_step(world) + (sb_step)_i;
            outcome = sb_world_run_until(world, until);
            ck_assert(outcome != SB_OUTCOME_RUNNING || sb_world_step(world) >= until);
            ck_assert_uint_le(sb_world_step(world), until + 1000);
        }
        const ending pieces = ending_of(world, outcome);
        must_pass(&pieces);
        ck_assert_uint_eq(whole.digest, pieces.digest);
        ck_assert_uint_eq(whole.steps, pieces.steps);
    }
    sb_universe_close(universe);
}
END_TEST

/* Run until the trap, in a process of its own; the step it came to. */
static sb_step run_to_trap(sb_step break_at)
{
    uint64_t *const progress =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(progress != MAP_FAILED);
    const pid_t child = fork();
    if (child == 0) {
        workload plan = WORKLOAD_DEFAULT;
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        const sb_world_options options = {
            .seed = 2, .strategy = SB_STRATEGY_FIFO, .break_at = break_at, .progress = progress};
        run_options(open_universe(NULL), &options, workload_run, &plan);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGTRAP);
    const sb_step step = *progress;
    munmap(progress, 4096);
    return step;
}

/* A debugger is stopped just before the event with the given number, and never without. */
START_TEST(break_at_raises_a_trap)
{
    sb_universe *const universe = open_universe(NULL);
    workload plan = WORKLOAD_DEFAULT;
    const sb_world_options free_run = {.seed = 2};
    const ending whole = run_options(universe, &free_run, workload_run, &plan);
    must_pass(&whole); /* no trap */
    sb_universe_close(universe);
    static const sb_step breaks[] = {1, 2, 84, 85, 1000, 4096, 4097};
    for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
        ck_assert_uint_eq(run_to_trap(breaks[i]), breaks[i] - 1);
    }
}
END_TEST

/* ---------------------------------------------------------------------------------- snapshots */

/* A world that is put back to a snapshot goes on as it did, twice, with tasks of many nodes in the
 * middle of their work; also when another world has run in between. */
START_TEST(a_snapshot_brings_a_world_back)
{
    sb_universe *const universe = open_universe(NULL);
    workload plan = WORKLOAD_DEFAULT;
    for (unsigned strategy = SB_STRATEGY_FIFO; strategy < SB_STRATEGY_COUNT; strategy++) {
        const sb_world_options options = {.seed = 12, .strategy = (sb_strategy)strategy};
        const ending whole = run_options(universe, &options, workload_run, &plan);
        sb_world *world = sb_world_reset(universe, &options, workload_run, &plan);
        ck_assert_int_eq(sb_world_run_until(world, whole.steps / 2), SB_OUTCOME_RUNNING);
        uint16_t lane = 0;
        unsigned waiting = 0;
        for (sb_waiting_task task; sb_world_next_waiting(world, &lane, &task);) {
            waiting++;
        }
        ck_assert_uint_ge(waiting, 8);
        sb_snapshot *const snapshot = sb_world_snapshot(world);
        ck_assert_ptr_nonnull(snapshot);
        ck_assert_uint_gt(sb_snapshot_size(snapshot), 1000);
        for (unsigned round = 0; round < 3; round++) {
            const ending end = ending_of(world, sb_world_run(world));
            ck_assert_uint_eq(whole.digest, end.digest);
            ck_assert_uint_eq(whole.steps, end.steps);
            ck_assert_int_eq(end.outcome, SB_OUTCOME_PASSED);
            sb_world_restore(world, snapshot);
            ck_assert_uint_lt(sb_world_step(world), whole.steps);
        }
        sb_snapshot_free(snapshot);
    }
    sb_universe_close(universe);
}
END_TEST

/* A restored world notes its choices from where the snapshot was taken: the tape of a branch has
 * none of what the branch before drew. */
START_TEST(a_snapshot_brings_the_tape_back)
{
    sb_universe *const universe = open_universe(NULL);
    workload plan = WORKLOAD_DEFAULT;
    sb_tape tape = {0};
    const sb_world_options options = {.seed = 13, .tape_out = &tape};
    sb_world *const world = sb_world_reset(universe, &options, workload_run, &plan);
    sb_world_run_until(world, 1500);
    const size_t taken = tape.count;
    sb_snapshot *const snapshot = sb_world_snapshot(world);
    sb_world_run(world);
    const size_t count = tape.count;
    ck_assert_uint_gt(count, taken);
    sb_world_restore(world, snapshot);
    ck_assert_uint_eq(tape.count, taken);
    sb_world_run(world);
    ck_assert_uint_eq(tape.count, count);
    sb_snapshot_free(snapshot);
    sb_tape_release(&tape);
    sb_universe_close(universe);
}
END_TEST

/* A restored world's record ends where the snapshot was taken, and grows into the same record
 * again. */
START_TEST(a_snapshot_brings_the_record_back)
{
    sb_universe *const universe = open_universe(NULL);
    workload plan = WORKLOAD_DEFAULT;
    sb_record *const record = sb_record_new();
    const sb_world_options options = {.seed = 13, .record = record};
    sb_world *const world = sb_world_reset(universe, &options, workload_run, &plan);
    sb_world_run_until(world, 1500);
    const sb_step taken = sb_world_step(world);
    sb_snapshot *const snapshot = sb_world_snapshot(world);
    sb_world_run(world);
    const size_t count = sb_record_count(record);
    const sb_event last = *sb_record_event(record, count);
    sb_world_restore(world, snapshot);
    ck_assert_uint_eq(sb_record_count(record), taken);
    sb_world_run(world);
    ck_assert_uint_eq(sb_record_count(record), count);
    ck_assert_mem_eq(sb_record_event(record, count), &last, sizeof(last));
    sb_snapshot_free(snapshot);
    sb_record_free(record);
    sb_universe_close(universe);
}
END_TEST

/* ------------------------------------------------------------------------------------- fibers */

static uint64_t dig(unsigned depth, uint64_t value)
{
    volatile unsigned char room[1024];
    room[depth % sizeof(room)] = (unsigned char)depth;
    if (depth == 0) {
        sb_yield(); /* the whole stack lies still while others run */
        return value;
    }
    const uint64_t below = dig(depth - 1, value + 1);
    return below + room[depth % sizeof(room)] - (unsigned char)depth;
}

typedef struct depths {
    unsigned tasks, depth;
    uint64_t sum;
} depths;

static void dig_task(void *argument)
{
    depths *const all = argument;
    all->sum += dig(all->depth, 0);
}

static void dig_director(sb_world *world, void *context)
{
    (void)world;
    depths *const all = context;
    sb_wait_group group;
    sb_wait_group_init(&group, "diggers");
    for (unsigned i = 0; i < all->tasks; i++) {
        sb_spawn(&group, dig_task, all, "digger-%u", i);
    }
    sb_wait_group_wait(&group, NULL);
    sb_wait_group_release(&group);
}

/* Thousands of tasks at once, and stacks 150 KiB deep, keep what is theirs. */
START_TEST(fibers_keep_their_stacks)
{
    depths many = {.tasks = 3000, .depth = 2}, deep = {.tasks = 20, .depth = 130};
    const ending crowd = run_once(dig_director, &many);
    must_pass(&crowd);
    ck_assert_uint_eq(many.sum, 3000 * 2);
    const ending depth = run_once(dig_director, &deep);
    must_pass(&depth);
    ck_assert_uint_eq(deep.sum, 20 * 130);
}
END_TEST

/* More tasks than there are stacks is a finding, not a crash of the simulator. */
START_TEST(too_many_tasks_is_a_finding)
{
    depths many = {.tasks = 5000, .depth = 0};
    const ending end = run_once(dig_director, &many);
    must_find(&end, SB_FINDING_RUNAWAY, "tasks live");
}
END_TEST

/* --------------------------------------------------------------------------------------- ends */

static void spin(sb_world *world, void *context)
{
    (void)world;
    for (;;) {
        switch (*(const int *)context) {
        case 0:
            sb_yield();
            break;
        case 1:
            sb_log("again");
            break;
        case 2:
            sb_monotonic_time();
            break;
        case 3:
            sb_sleep(0, NULL);
            break;
        default:
            sb_wall_time();
            break;
        }
    }
}

/* A loop that goes on for ever within one instant is found, whatever it does there. */
START_TEST(a_loop_without_time_is_a_runaway)
{
    int kind = _i;
    const ending end = run_once(spin, &kind);
    must_find(&end, SB_FINDING_RUNAWAY, "a million");
    ck_assert_uint_eq(end.time, 0);
}
END_TEST

static void look_often(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned turn = 0; turn < 600000; turn++) {
            sb_monotonic_time();
        }
        sb_sleep(SB_NANOSECOND, NULL);
    }
}

/* However often it looks in all, a program that lets time pass is none. */
START_TEST(a_busy_loop_with_time_is_none)
{
    const ending end = run_once(look_often, NULL);
    must_pass(&end);
}
END_TEST

static void tick(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    for (;;) {
        sb_sleep(SB_MILLISECOND, NULL);
    }
}

/* The step limit says nothing about the program: inconclusive, with no finding. */
START_TEST(the_step_limit_is_inconclusive)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_world_options options = {.seed = 1, .step_limit = 5000};
    const ending end = run_options(universe, &options, tick, NULL);
    ck_assert_int_eq(end.outcome, SB_OUTCOME_INCONCLUSIVE);
    ck_assert_int_eq(end.finding.kind, SB_FINDING_NONE);
    ck_assert_uint_ge(end.steps, 5000);
    ck_assert_uint_lt(end.steps, 5100);
    sb_universe_close(universe);
}
END_TEST

static void wait_for_ever(void *argument)
{
    sb_condition *const never = argument;
    sb_condition_wait(never, NULL, NULL);
}

static void deadlock(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sb_condition *const never = sb_alloc(sizeof(*never));
    sb_condition_init(never, "never");
    sb_spawn(NULL, wait_for_ever, never, "waiter");
    sb_sleep(SB_MILLISECOND, NULL);
    wait_for_ever(never);
}

/* When nothing can happen any more and tasks still wait, that is a deadlock, at once; it lists who
 * waits for what. */
START_TEST(a_deadlock_is_seen_at_once)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_world_options options = {.seed = 1, .strategy = SB_STRATEGY_FIFO};
    sb_world *const world = sb_world_reset(universe, &options, deadlock, NULL);
    const ending end = ending_of(world, sb_world_run(world));
    must_find(&end, SB_FINDING_DEADLOCK, "tasks still wait");
    ck_assert_uint_eq(end.time, SB_MILLISECOND);
    uint16_t lane = 0;
    unsigned count = 0;
    for (sb_waiting_task task; sb_world_next_waiting(world, &lane, &task); count++) {
        ck_assert_str_eq(task.wait, "condition");
        ck_assert_str_eq(task.object, "never");
        ck_assert_str_eq(task.name, count == 0 ? "director" : "waiter");
        ck_assert_uint_eq(task.deadline, SB_FOREVER);
    }
    ck_assert_uint_eq(count, 2);
    sb_universe_close(universe);
}
END_TEST

/* -------------------------------------------------------------------------------------- stuck */

static bool never_done(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    return false;
}

static void poll_for_ever(void *argument)
{
    (void)argument;
    while (sb_sleep(700 * SB_MILLISECOND, NULL) == SB_OK) {
    }
}

static void stuck(sb_world *world, void *context)
{
    if (context != NULL) {
        sb_spawn(NULL, poll_for_ever, NULL, "poller");
    }
    sb_world_heal(world);
    sb_await(world, never_done, NULL, "a miracle");
}

/* A poller that changes nothing over a full period of its timer proves that nothing will change;
 * with no timer left at all it is a deadlock. Neither takes a time-out of its own. */
START_TEST(stuck_is_proved)
{
    int poller = 1;
    const ending polled = run_once(stuck, &poller);
    must_find(&polled, SB_FINDING_STUCK_JOB, "one full period of the longest timer");
    ck_assert_str_eq(polled.finding.oracle, "a miracle");
    ck_assert_uint_ge(polled.time, 700 * SB_MILLISECOND);
    ck_assert_uint_lt(polled.time, 3 * SB_SECOND);
    const ending still = run_once(stuck, NULL);
    must_find(&still, SB_FINDING_DEADLOCK, "tasks still wait");
}
END_TEST

static void do_useful_work(void *argument)
{
    bool *const done = argument;
    for (unsigned i = 0; i < 100; i++) {
        sb_sleep(100 * SB_MILLISECOND, NULL);
        sb_count(0, 1);
    }
    *done = true;
}

static bool work_is_done(sb_world *world, void *context)
{
    (void)world;
    return *(bool *)context;
}

static void work_without_a_witness(sb_world *world, void *context)
{
    sb_world_heal(world);
    sb_spawn(NULL, do_useful_work, context, "worker");
    sb_await(world, work_is_done, context, "the work is done");
}

/* A scenario without a witness: the counts of useful work tell that there is progress. */
START_TEST(useful_work_is_progress)
{
    bool done = false;
    const ending end = run_once(work_without_a_witness, &done);
    must_pass(&end);
    ck_assert(done);
}
END_TEST

static void count_slowly(void *argument)
{
    uint64_t *const count = argument;
    while (*count < 5 && sb_sleep(2 * SB_SECOND, NULL) == SB_OK) {
        ++*count;
    }
}

static bool counted(sb_world *world, void *context)
{
    (void)world;
    return *(uint64_t *)context == 5;
}

static uint64_t slow_progress(sb_world *world)
{
    return *(const uint64_t *)sb_world_data(world);
}

static void slow(sb_world *world, void *context)
{
    sb_world_set_data(world, context);
    const sb_witness witness = {.progress = slow_progress};
    sb_world_set_witness(world, &witness);
    sb_spawn(NULL, count_slowly, context, "counter");
    sb_world_heal(world);
    sb_await(world, counted, context, "five");
}

/* Slow is not stuck. */
START_TEST(slow_is_not_stuck)
{
    uint64_t count = 0;
    const ending end = run_once(slow, &count);
    must_pass(&end);
    ck_assert_uint_eq(count, 5);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("kernel");
    TCase *const runs = tcase_create("determinism");
    tcase_set_timeout(runs, 60);
    tcase_add_loop_test(runs, a_seed_is_one_run, SB_STRATEGY_FIFO, SB_STRATEGY_COUNT);
    tcase_add_test(runs, strategies_differ);
    tcase_add_loop_test(runs, a_strategy_without_choices_is_first_in_first_out, SB_STRATEGY_RANDOM,
                        SB_STRATEGY_COUNT);
    tcase_add_test(runs, the_portfolio_has_them_all);
    tcase_add_test(runs, a_world_does_not_know_where_it_lies);
    tcase_add_test(runs, the_digest_sees_everything);
    tcase_add_test(runs, a_record_does_not_disturb);
    tcase_add_test(runs, marks_tell_where_runs_part);
    tcase_add_loop_test(runs, splitting_a_run_changes_nothing, 1, 3);
    tcase_add_loop_test(runs, splitting_a_run_changes_nothing, 97, 98);
    tcase_add_test(runs, break_at_raises_a_trap);
    tcase_add_test(runs, a_snapshot_brings_a_world_back);
    tcase_add_test(runs, a_snapshot_brings_the_record_back);
    tcase_add_test(runs, a_snapshot_brings_the_tape_back);
    suite_add_tcase(suite, runs);
    TCase *const ends = tcase_create("ends");
    tcase_set_timeout(ends, 60);
    tcase_add_test(ends, fibers_keep_their_stacks);
    tcase_add_test(ends, too_many_tasks_is_a_finding);
    tcase_add_loop_test(ends, a_loop_without_time_is_a_runaway, 0, 5);
    tcase_add_test(ends, a_busy_loop_with_time_is_none);
    tcase_add_test(ends, the_step_limit_is_inconclusive);
    tcase_add_test(ends, a_deadlock_is_seen_at_once);
    tcase_add_test(ends, stuck_is_proved);
    tcase_add_test(ends, slow_is_not_stuck);
    tcase_add_test(ends, useful_work_is_progress);
    suite_add_tcase(suite, ends);
    return run_suite(suite);
}
