/*
 * The swarm: worlds differ, every kind of trouble comes and bites, limits hold, and the heal ends
 * it all.
 */
#include <stdio.h>

#include "tests/suite.h"

enum { ECHO, METHOD_COUNT };
static const char *const methods[METHOD_COUNT] = {"echo"};

#define NODE_COUNT 6u /* the director; three servers, two stores */
#define SERVER_MIN 1u
#define STORE_MIN 4u

/* ---------------------------------------------------------------------------- a small cluster */

static void echo(void *context, const sb_request *request)
{
    (void)context;
    if (!failpoint("swarm-test-no-answer")) {
        sb_answer(request, request->data, request->size);
    }
}

/* A file that can be made again, written and read. */
static void scribble(void)
{
    unsigned char page[1024] = {0};
    size_t size;
    sb_file *file;
    if (sb_file_open("scratch/page", SB_FILE_CREATE, &file) == SB_OK) {
        sb_file_write(file, 512 * sb_random(8), page, sizeof(page));
        sb_file_read(file, 0, page, sizeof(page), &size);
        sb_file_close(file);
    }
}

static void keep_log(sb_file *log)
{
    scribble();
    const uint64_t size = sb_file_size(log);
    unsigned char line[900];
    memset(line, 'x', sizeof(line));
    sb_file_write(log, size, line, 1 + sb_random(sizeof(line)));
    if (sb_random(4) == 0) {
        sb_file_sync(log);
    }
}

static sb_file *open_log(void)
{
    sb_file *log, *other;
    char data[64];
    size_t size;
    if (sb_file_open("log", 0, &log) != SB_OK) {
        sb_file_open("log", SB_FILE_CREATE, &log);
        if (sb_random(2) == 0) {
            sb_directory_sync("");
        }
    }
    sb_file_read(log, 0, data, sizeof(data), &size);
    sb_remove("other");
    sb_file_open("other", SB_FILE_CREATE, &other);
    sb_file_close(other);
    return log;
}

/* Call the others, write a log, look at the clocks. */
static int worker(const sb_boot *boot)
{
    (void)boot;
    sb_scope *const life = sb_shutdown_scope();
    sb_file *const log = open_log();
    sb_exchange *const exchange = sb_exchange_open(methods, METHOD_COUNT, echo, NULL, 10);
    while (sb_sleep((50 + sb_random(100)) * SB_MILLISECOND, life) == SB_OK) {
        sb_scope scope;
        sb_reply reply;
        sb_scope_init_timeout(&scope, life, "call", SB_SECOND);
        const sb_address peer = (sb_address)(1 + sb_random(NODE_COUNT - 1));
        if (sb_call(exchange, peer, ECHO, "ping", 4, &reply, &scope) == SB_OK) {
            sb_count(0, 1);
            sb_reply_release(&reply);
        }
        sb_scope_release(&scope);
        keep_log(log);
        sb_wall_time();
        sb_monotonic_time();
        if (failpoint("swarm-test-slow")) {
            sb_sleep(SB_SECOND, life);
        }
        (void)failpoint("other-name");
    }
    sb_sleep(sb_random(2) * 3 * SB_SECOND, NULL); /* some take long to drain */
    sb_exchange_close(exchange);
    sb_file_close(log);
    return 0;
}

static void add_cluster(sb_world *world)
{
    sb_disk_set(world,
                &(sb_disk){.sync_min = 10 * SB_MILLISECOND, .sync_max = 10 * SB_MILLISECOND});
    sb_network_set(world,
                   &(sb_network){.latency_min = SB_MILLISECOND, .latency_max = SB_MILLISECOND});
    for (unsigned i = SERVER_MIN; i < NODE_COUNT; i++) {
        char name[16];
        const bool is_store = i >= STORE_MIN;
        snprintf(name, sizeof(name), "%s%u", is_store ? "store" : "server", i);
        sb_node_add(world, name, is_store ? "store" : "server", worker, NULL, 0);
        sb_node_boot(world, (sb_node)i);
    }
}

#define KIND(fault) (UINT64_C(1) << SB_FAULT_##fault)
#define DECLARED                                                                                   \
    (KIND(CRASH_LOOP) | KIND(EMPTY_DISK) | KIND(PERSISTED_UNACKNOWLEDGED) | KIND(IO_LATENCY) |     \
     KIND(JUMP_FORWARD) | KIND(JUMP_BACK) | KIND(FREEZE) | KIND(REORDER) | KIND(CORRUPT) |         \
     KIND(PARTITION_PARTIAL) | KIND(CLOG) | KIND(BANDWIDTH) | KIND(DELAY) | KIND(LOSS) |           \
     KIND(REPLY_LOSS) | KIND(DUPLICATE) | KIND(RESET) | KIND(PARTITION) |                          \
     KIND(PARTITION_ONE_WAY) | KIND(KILL) | KIND(STOP) | KIND(PAUSE) | KIND(LOST_WRITE) |          \
     KIND(TORN_WRITE) | KIND(LOST_NAME) | KIND(SYNC_LATENCY) | KIND(SYNC_STALL) |                  \
     KIND(SYNC_ERROR) | KIND(WRITE_ERROR) | KIND(READ_ERROR) | KIND(DISK_FULL) | KIND(BIT_ROT) |   \
     KIND(MISDIRECTED_WRITE) | KIND(SKEW) | KIND(DRIFT) | KIND(FAILPOINT))

static const char *const rebuildable[SB_NODE_COUNT_MAX] = {NULL,      "scratch", "scratch",
                                                           "scratch", "scratch", "scratch"};

static sb_swarm_plan plan_of(uint64_t kinds)
{
    return (sb_swarm_plan){.kinds = kinds,
                           .victims = 0x3e,
                           .down_at_once_max = 1,
                           .down_min = 100 * SB_MILLISECOND,
                           .down_max = 5 * SB_SECOND,
                           .calm_min = 200 * SB_MILLISECOND,
                           .calm_max = 10 * SB_SECOND,
                           .failpoint_glob = "swarm-test-*",
                           .disks = 0x3e,
                           .stall_max = 2 * SB_SECOND,
                           .rebuildable = rebuildable,
                           .wipeable = 0x0e};
}

/* ---------------------------------------------------------------------------- over many seeds */

static struct {
    uint64_t seeds, armed[SB_FAULT_COUNT], applied[SB_FAULT_COUNT], effective[SB_FAULT_COUNT];
    uint64_t times[SB_FAULT_COUNT]; /* applied, in all worlds together */
    uint64_t quiet;                 /* worlds in which nothing of it was done */
    int down_seen;
} totals;

static void look(sb_world *world)
{
    unsigned servers = 0, stores = 0;
    for (unsigned i = SERVER_MIN; i < NODE_COUNT; i++) {
        const bool is_out =
            !sb_node_is_up(world, (sb_node)i) || sb_node_is_paused(world, (sb_node)i);
        servers += is_out && i < STORE_MIN;
        stores += is_out && i >= STORE_MIN;
    }
    if (servers > 1 || stores > 1) {
        ck_abort_msg("%u servers and %u stores are down at once", servers, stores);
    }
    totals.down_seen += servers + stores > 0;
}

static void note_totals(sb_world *world)
{
    const sb_fault_counts *const counts = sb_world_fault_counts(world);
    uint64_t applied = 0;
    for (unsigned i = 1; i < SB_FAULT_COUNT; i++) {
        const bool declared = (DECLARED >> i & 1) != 0;
        ck_assert(counts[i].declared == declared);
        ck_assert(counts[i].armed || counts[i].applied == 0);
        totals.armed[i] += counts[i].armed;
        totals.applied[i] += counts[i].applied != 0;
        totals.times[i] += counts[i].applied;
        totals.effective[i] += counts[i].effective != 0;
        applied += declared ? counts[i].applied : 0;
    }
    totals.quiet += applied == 0;
    totals.seeds++;
}

static void call_each(sb_world *world)
{
    sb_exchange *const exchange = sb_exchange_open(methods, METHOD_COUNT, NULL, NULL, 0);
    for (unsigned i = SERVER_MIN; i < NODE_COUNT; i++) {
        ck_assert(sb_node_is_up(world, (sb_node)i) && !sb_node_is_paused(world, (sb_node)i));
        sb_scope scope;
        sb_reply reply;
        sb_scope_init_timeout(&scope, NULL, "call", SB_SECOND);
        ck_assert_int_eq(sb_call(exchange, (sb_address)i, ECHO, "ping", 4, &reply, &scope), SB_OK);
        sb_reply_release(&reply);
        sb_scope_release(&scope);
    }
    sb_exchange_close(exchange);
}

static void troubled(sb_world *world, void *context)
{
    const uint64_t kinds = context == NULL ? DECLARED : *(const uint64_t *)context;
    const sb_swarm_plan plan = plan_of(kinds);
    add_cluster(world);
    sb_swarm_start(world, &plan);
    for (int i = 0; i < 3000; i++) {
        sb_sleep(20 * SB_MILLISECOND, NULL);
        look(world);
    }
    sb_world_heal(world);
    sb_sleep(10 * SB_SECOND, NULL); /* who was draining is back as well */
    const uint64_t before = sb_world_counter(world, 0);
    call_each(world);
    uint64_t applied[SB_FAULT_COUNT];
    const sb_fault_counts *const counts = sb_world_fault_counts(world);
    for (unsigned i = 1; i < SB_FAULT_COUNT; i++) {
        applied[i] = counts[i].applied;
    }
    sb_sleep(20 * SB_SECOND, NULL);
    ck_assert_uint_gt(sb_world_counter(world, 0), before);
    for (unsigned i = 1; i < SB_FAULT_COUNT; i++) { /* nothing more happens */
        ck_assert_uint_eq(counts[i].applied, applied[i]);
    }
    for (unsigned i = SERVER_MIN; i < NODE_COUNT; i++) {
        sb_node_stop(world, (sb_node)i);
        ck_assert(sb_node_wait_down(world, (sb_node)i, 10 * SB_SECOND));
    }
    if (context == NULL) {
        note_totals(world);
    }
}

/* How often a kind is applied in a thousand worlds that are armed with it: within a factor of four
 * of what was measured, so that a rate that is ten times as high, or a tenth, is noticed. */
static const struct {
    sb_fault kind;
    uint64_t expected;
} bands[] = {
#define BAND(name, word, cluster, chaos) {SB_FAULT_##name, cluster},
#include "tests/bands.def"
#undef BAND
};

static void must_be_in_bands(void)
{
    for (size_t i = 0; i < sizeof(bands) / sizeof(bands[0]); i++) {
        const sb_fault kind = bands[i].kind;
        const uint64_t expected = bands[i].expected;
        const uint64_t seen =
            totals.armed[kind] == 0 ? 0 : totals.times[kind] * 1000 / totals.armed[kind];
        ck_assert_msg(expected == 0 || (seen >= expected / 4 && seen <= expected * 4),
                      "%s: applied %llu times in a thousand armed worlds; expected about %llu",
                      sb_fault_word(kind), (unsigned long long)seen, (unsigned long long)expected);
    }
}

/* Each declared kind is there in some worlds and not in others, is done, and bites. */
START_TEST(every_kind_comes_and_bites)
{
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 150; seed++) {
        const sb_world_options options = {.seed = seed};
        const ending end = run_options(universe, &options, troubled, NULL);
        must_pass(&end);
    }
    for (unsigned i = 1; i < SB_FAULT_COUNT; i++) {
        if ((DECLARED >> i & 1) == 0) {
            continue;
        }
        ck_assert_msg(totals.armed[i] > totals.seeds / 5, "fault %u is armed in %d worlds", i,
                      (int)totals.armed[i]);
        ck_assert_msg(totals.armed[i] < totals.seeds * 4 / 5, "fault %u is armed in %d worlds", i,
                      (int)totals.armed[i]);
        ck_assert_msg(totals.applied[i] > 3, "fault %u is done in %d worlds", i,
                      (int)totals.applied[i]);
        ck_assert_msg(totals.effective[i] > 3, "fault %u bites in %d worlds", i,
                      (int)totals.effective[i]);
    }
    ck_assert_int_gt(totals.down_seen, 0);
    must_be_in_bands();
    sb_universe_close(universe);
}
END_TEST

/* The same seed is the same world, wherever it lies. */
START_TEST(troubled_worlds_repeat)
{
    sb_universe *const here = open_universe(NULL);
    const sb_universe_options elsewhere = {
        .base = UINT64_C(0x5b0000000000), .fill = 0x3c, .permute_blocks = true};
    sb_universe *const there = open_universe(&elsewhere);
    uint64_t last = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const sb_world_options options = {.seed = seed};
        const ending one = run_options(here, &options, troubled, NULL);
        const ending other = run_options(there, &options, troubled, NULL);
        ck_assert_uint_eq(one.digest, other.digest);
        ck_assert_uint_ne(one.digest, last);
        last = one.digest;
    }
    sb_universe_close(there);
    sb_universe_close(here);
}
END_TEST

static void must_be_calm(sb_world *world, void *context)
{
    troubled(world, context);
    const sb_fault_counts *const counts = sb_world_fault_counts(world);
    for (unsigned i = 1; i < SB_FAULT_COUNT; i++) {
        if ((DECLARED >> i & 1) != 0) {
            ck_assert_uint_eq(counts[i].applied, 0);
        }
    }
}

/* On an empty tape every choice is 0: no trouble at all. */
START_TEST(zero_is_calm)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_tape nothing = {NULL, 0, 0};
    const sb_world_options options = {.seed = 7, .strategy = SB_STRATEGY_FIFO, .tape = &nothing};
    const ending end = run_options(universe, &options, must_be_calm, NULL);
    must_pass(&end);
    sb_universe_close(universe);
}
END_TEST

/* A tape that was taken brings the same trouble again. */
START_TEST(a_tape_replays_trouble)
{
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        sb_tape tape = {NULL, 0, 0};
        const sb_world_options taking = {.seed = seed, .tape_out = &tape};
        const ending one = run_options(universe, &taking, troubled, NULL);
        const sb_world_options following = {.seed = seed, .tape = &tape};
        const ending other = run_options(universe, &following, troubled, NULL);
        ck_assert_uint_eq(one.digest, other.digest);
        sb_tape_release(&tape);
    }
    sb_universe_close(universe);
}
END_TEST

static void undeclared(sb_world *world, void *context)
{
    const uint64_t kinds = *(const uint64_t *)context;
    troubled(world, context);
    const sb_fault_counts *const counts = sb_world_fault_counts(world);
    for (unsigned i = 1; i < SB_FAULT_COUNT; i++) {
        if ((DECLARED >> i & 1) != 0 && (kinds >> i & 1) == 0) {
            ck_assert_msg(counts[i].applied == 0, "fault %u was not declared", i);
        }
    }
}

/* What a scenario does not declare does not happen. */
START_TEST(only_what_is_declared)
{
    static const uint64_t each[] = {
        0,
        KIND(KILL),
        KIND(KILL) | KIND(LOST_NAME),
        KIND(KILL) | KIND(TORN_WRITE),
        KIND(PARTITION_ONE_WAY),
        KIND(LOSS) | KIND(DRIFT),
        KIND(FAILPOINT),
    };
    sb_universe *const universe = open_universe(NULL);
    for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
        for (uint64_t seed = 1; seed <= 8; seed++) {
            uint64_t kinds = each[i];
            const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
            const ending end = run_options(universe, &options, undeclared, &kinds);
            must_pass(&end);
        }
    }
    sb_universe_close(universe);
}
END_TEST

/* --------------------------------------------------------------------------------- failpoints */

static void silence(sb_world *world, void *context)
{
    (void)context;
    sb_swarm_plan plan = plan_of(KIND(FAILPOINT));
    plan.triggers = SB_TRIGGER_MAX;
    sb_failpoints_enable(world, "swarm-test-*", 0);
    add_cluster(world);
    sb_swarm_start(world, &plan);
    sb_sleep(20 * SB_SECOND, NULL);
    ck_assert_uint_eq(sb_world_fault_counts(world)[SB_FAULT_FAILPOINT].applied, 0);
}

/* The word of whoever speaks before the swarm stands, also when it is "never". */
START_TEST(zero_is_a_word)
{
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending end = run_options(universe, &options, silence, NULL);
        must_pass(&end);
    }
    sb_universe_close(universe);
}
END_TEST

static int fired(const char *glob, sb_world *world)
{
    sb_failpoints_enable(world, "*", 0);
    sb_failpoints_enable(world, glob, 1000000);
    return (failpoint("glob-one") ? 1 : 0) + (failpoint("glob-two") ? 2 : 0) +
           (failpoint("lob") ? 4 : 0);
}

static void globs(sb_world *world, void *context)
{
    (void)context;
    ck_assert_int_eq(fired("", world), 0);
    ck_assert_int_eq(fired("*", world), 7);
    ck_assert_int_eq(fired("glob-*", world), 3);
    ck_assert_int_eq(fired("*lob*", world), 7);
    ck_assert_int_eq(fired("glob-???", world), 3);
    ck_assert_int_eq(fired("glob-??", world), 0);
    ck_assert_int_eq(fired("*-two", world), 2);
    ck_assert_int_eq(fired("*o*e", world), 1);
    ck_assert_int_eq(fired("l?b", world), 4);
    ck_assert_int_eq(fired("lob", world), 4);
    ck_assert_int_eq(fired("lobs", world), 0);
    ck_assert_int_eq(fired("glob-one**", world), 1);
    sb_failpoints_enable(world, "glob-one", 250000);
    int times = 0;
    for (int i = 0; i < 4000; i++) {
        times += failpoint("glob-one") ? 1 : 0;
    }
    ck_assert_int_gt(times, 800);
    ck_assert_int_lt(times, 1200);
}

START_TEST(globs_choose_failpoints)
{
    const ending end = run_once(globs, NULL);
    must_pass(&end);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("swarm");
    TCase *const tests = tcase_create("swarm");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, every_kind_comes_and_bites);
    tcase_add_test(tests, troubled_worlds_repeat);
    tcase_add_test(tests, zero_is_calm);
    tcase_add_test(tests, a_tape_replays_trouble);
    tcase_add_test(tests, only_what_is_declared);
    tcase_add_test(tests, zero_is_a_word);
    tcase_add_test(tests, globs_choose_failpoints);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
