/*
 * The bench of the sorter: five million entries of 40 bytes under a quota of 64 MiB, beside
 * `LC_ALL=C sort -S 64M` with the same entries as lines, both on one processor, in turn.
 *
 * The sorter runs in a world, on the simulated disk: its figures include that disk (the copies it
 * makes, the digest of every byte written and read).  It starts from entries in memory and ends
 * with one sorted file on that disk; sort starts from a file, written before its time is taken, and
 * ends with one.  Both orders must be the same.  Times are processor time, of this process or of
 * sort.
 *
 * This file renders figures: it is one of the few that may use floating point.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/sort/sorter.h"
#include "sim/world.h"

#define ENTRIES 5000000u
#define ENTRY_SIZE 40u
#define KEY_SIZE 32u
#define QUOTA ((uint64_t)64 << 20)
#define ROUNDS 3

typedef struct bench {
    unsigned char *entries;
    uint64_t order; /* digest of all entries in the order in which they came out */
    uint64_t count, memory_peak, disk_peak;
    uint32_t runs;
} bench;

static double processor_time(int who)
{
    struct rusage used;
    getrusage(who, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

/* Printable, so that they can be lines: sixteen letters an octet of chance. */
static void make_entries(unsigned char *into)
{
    uint64_t state = 42;
    for (size_t i = 0; i < (size_t)ENTRIES * ENTRY_SIZE; i++) {
        if (i % 16 == 0) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        }
        into[i] = (unsigned char)('a' + (state >> (4 * (i % 16)) & 15));
    }
}

/* ------------------------------------------------------------------------------------ sorter */

static void spill(sorter *of, entry_run *run)
{
    sb_assert_op(sorter_spill(of, run), ==, SORTER_OK);
    memory_quota_return(of->memory, run->charge);
    entry_run_clear(run);
}

static void fill(sorter *of, const bench *in)
{
    entry_run *run = entry_run_make();
    for (size_t i = 0; i < ENTRIES; i++) {
        const unsigned char *entry = in->entries + i * ENTRY_SIZE;
        const slice key = {entry, KEY_SIZE}, value = {entry + KEY_SIZE, ENTRY_SIZE - KEY_SIZE};
        if (!memory_quota_try(of->memory, entry_charge(key, value))) {
            spill(of, run);
            sb_assert(memory_quota_try(of->memory, entry_charge(key, value)));
        }
        entry_run_add(run, key, value);
    }
    spill(of, run);
    entry_run_free(run);
}

static void drain(sorter *of, bench *in)
{
    XXH3_state_t *order = XXH3_createState();
    run_writer into;
    run_summary summary;
    const unsigned char *encoded;
    uint32_t size;
    XXH3_64bits_reset(order);
    sb_assert_op(run_writer_open(&into, "sorted", sorter_block_size(of->memory)), ==, SB_OK);
    sb_assert_op(sorter_merge_open(of, 0, NULL), ==, SORTER_OK);
    while (sorter_merge_next(of, &encoded, &size) == SORTER_OK) {
        sb_assert_op(run_writer_add(&into, encoded, size), ==, SB_OK);
        XXH3_64bits_update(order, encoded + PAIR_HEADER, size - PAIR_HEADER);
        in->count++;
    }
    sb_assert_op(run_writer_finish(&into, &summary), ==, SB_OK);
    run_writer_release(&into);
    sorter_merge_close(of);
    in->order = XXH3_64bits_digest(order);
    XXH3_freeState(order);
}

static void director(sb_world *world, void *context)
{
    bench *in = context;
    memory_quota memory;
    disk_meter disk = {0};
    sorter of;
    (void)world;
    memory_quota_init(&memory, QUOTA);
    sorter_init(&of, "bench", &memory, &disk, 0);
    fill(&of, in);
    in->runs = of.run_count;
    drain(&of, in);
    sorter_remove_files(&of);
    sorter_release(&of);
    in->memory_peak = memory.peak;
    in->disk_peak = disk.peak;
    memory_quota_release(&memory);
}

static double run_sorter(sb_universe *universe, bench *in)
{
    const sb_world_options options = {.seed = 1, .strategy = SB_STRATEGY_FIFO};
    in->count = 0;
    sb_world *world = sb_world_reset(universe, &options, director, in);
    const double start = processor_time(RUSAGE_SELF);
    const sb_outcome outcome = sb_world_run(world);
    const double taken = processor_time(RUSAGE_SELF) - start;
    if (outcome != SB_OUTCOME_PASSED) {
        fprintf(stderr, "bench: the sorter's world ended with outcome %d: %s\n", (int)outcome,
                outcome == SB_OUTCOME_FINDING ? sb_world_finding(world)->text : "");
        exit(1);
    }
    return taken;
}

/* -------------------------------------------------------------------------------------- sort */

static void write_lines(const bench *in, const char *path)
{
    FILE *file = fopen(path, "w");
    bool good = file != NULL;
    for (size_t i = 0; good && i < ENTRIES; i++) {
        good = fwrite(in->entries + i * ENTRY_SIZE, ENTRY_SIZE, 1, file) == 1 &&
               putc('\n', file) != EOF;
    }
    if (file == NULL || fclose(file) != 0 || !good) {
        perror(path);
        exit(1);
    }
}

static double run_sort(const char *folder, const char *in, const char *out)
{
    const double start = processor_time(RUSAGE_CHILDREN);
    const pid_t child = fork();
    if (child == 0) {
        setenv("LC_ALL", "C", 1);
        execlp("sort", "sort", "-S", "64M", "--parallel=1", "-T", folder, "-o", out, in,
               (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "bench: sort failed\n");
        exit(1);
    }
    return processor_time(RUSAGE_CHILDREN) - start;
}

static uint64_t order_of_lines(const char *path)
{
    XXH3_state_t *order = XXH3_createState();
    XXH3_64bits_reset(order);
    FILE *file = fopen(path, "r");
    char line[ENTRY_SIZE + 1];
    while (file != NULL && fread(line, sizeof(line), 1, file) == 1) {
        XXH3_64bits_update(order, line, ENTRY_SIZE);
    }
    if (file != NULL) {
        fclose(file);
    }
    const uint64_t digest = XXH3_64bits_digest(order);
    XXH3_freeState(order);
    return digest;
}

/* ------------------------------------------------------------------------------------ report */

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof(*values), by_value);
    return values[ROUNDS / 2];
}

static int report(const bench *in, double *ours, double *theirs, uint64_t their_order)
{
    const bool same = in->count == ENTRIES && in->order == their_order;
    const double our_time = median(ours), their_time = median(theirs);
    printf("sorter %u entries of %u bytes, quota 64 MiB: %u runs, engine memory peak %llu bytes, "
           "disk peak %llu bytes\n",
           ENTRIES, ENTRY_SIZE, in->runs, (unsigned long long)in->memory_peak,
           (unsigned long long)in->disk_peak);
    printf("sorter %.2f s (in a world, simulated disk included)  LC_ALL=C sort -S 64M %.2f s  "
           "ratio %.2f (goal 1.00 or more)  %s\n",
           our_time, their_time, their_time / our_time, same ? "same order" : "ANOTHER ORDER");
    return same ? 0 : 1;
}

int main(void)
{
    char folder[] = "/tmp/bench-sorter-XXXXXX", in[64], out[64];
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof(one), &one);
    bench of = {.entries = malloc((size_t)ENTRIES * ENTRY_SIZE)};
    sb_universe *universe = sb_universe_open(NULL);
    if (of.entries == NULL || universe == NULL || mkdtemp(folder) == NULL) {
        perror("bench");
        return 1;
    }
    snprintf(in, sizeof(in), "%s/in", folder);
    snprintf(out, sizeof(out), "%s/out", folder);
    make_entries(of.entries);
    write_lines(&of, in);
    double ours[ROUNDS], theirs[ROUNDS];
    (void)run_sorter(universe, &of); /* first touch of pages is dear: not counted */
    for (unsigned i = 0; i < ROUNDS; i++) {
        theirs[i] = run_sort(folder, in, out);
        ours[i] = run_sorter(universe, &of);
    }
    const int result = report(&of, ours, theirs, order_of_lines(out));
    sb_universe_close(universe);
    (void)remove(in);
    (void)remove(out);
    (void)rmdir(folder);
    free(of.entries);
    return result;
}
