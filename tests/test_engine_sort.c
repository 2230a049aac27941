/*
 * The external sorter: runs in memory beside qsort, the quota's exactness, several passes under a
 * tiny quota, conflicts, damage of any byte, and a failure of every single disk operation.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/sort/sorter.h"
#include "tests/engine_world.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FOLDER "sort"

/* -------------------------------------------------------------------------------- reference */

typedef struct pair_copy {
    uint32_t key_size;
    uint32_t value;
    unsigned char key[48];
} pair_copy;

static int by_key(const void *left, const void *right)
{
    const pair_copy *a = left, *b = right;
    const uint32_t shared = a->key_size < b->key_size ? a->key_size : b->key_size;
    const int order = memcmp(a->key, b->key, shared);
    if (order != 0 || a->key_size != b->key_size) {
        return order != 0 ? order : a->key_size < b->key_size ? -1 : 1;
    }
    return (a->value > b->value) - (a->value < b->value);
}

/* Keys of few letters, zero among them, so that many share words and some are prefixes. */
static pair_copy draw_pair(uint32_t shared, uint32_t letters, uint32_t size_max)
{
    pair_copy made = {.key_size = shared + 1 + below(size_max)};
    memset(made.key, 'x', shared);
    for (uint32_t i = shared; i < made.key_size; i++) {
        made.key[i] = (unsigned char)(below(letters) * 127u);
    }
    return made;
}

static void add_pair(entry_run *run, const pair_copy *pair)
{
    entry_run_add(run, (slice){pair->key, pair->key_size},
                  slice_of(&pair->value, sizeof(pair->value)));
}

static void ck_pair(const unsigned char *encoded, const pair_copy *wanted)
{
    const entry_pair found = pair_of(encoded);
    ck_assert(slice_equal(found.key, (slice){wanted->key, wanted->key_size}));
    ck_assert(slice_equal(found.value, slice_of(&wanted->value, sizeof(wanted->value))));
}

/* ------------------------------------------------------------------------------- in memory */

static void runs_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    for (uint32_t round = 0; round < 120; round++) {
        const uint32_t count = round < 40 ? round : 1 + below(3000);
        const uint32_t shared = below(20), letters = 1 + below(3), size_max = 1 + below(24);
        pair_copy *pairs = sb_alloc((count + 1) * sizeof(*pairs));
        entry_run *run = entry_run_make();
        for (uint32_t i = 0; i < count; i++) {
            pairs[i] = draw_pair(shared, letters, size_max);
            pairs[i].value = i; /* equal keys stay in the order they came */
            add_pair(run, &pairs[i]);
        }
        ck_assert_uint_eq(run->charge, run->bytes.size + count * sizeof(run_item));
        entry_run_sort(run, shared);
        qsort(pairs, count, sizeof(*pairs), by_key);
        for (uint32_t i = 0; i < count; i++) {
            ck_pair(entry_run_encoded(run, i), &pairs[i]);
        }
        entry_run_free(run);
        sb_free(pairs);
    }
}

/* A run is sorted by key, whatever its keys, and equal keys keep the order they came in. */
START_TEST(test_runs_are_sorted)
{
    run_in_world(runs_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ------------------------------------------------------------------------------------- quota */

typedef struct quota_user {
    memory_quota *quota;
    sb_scope *scope;
    uint32_t bytes;
    uint32_t *turn; /* how many have been served */
    uint32_t served;
    sb_status status;
} quota_user;

static void use_quota(void *argument)
{
    quota_user *of = argument;
    of->status = memory_quota_acquire(of->quota, of->bytes, of->scope);
    of->served = ++*of->turn;
}

static void quota_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    memory_quota quota;
    sb_wait_group group;
    sb_scope scope;
    uint32_t turn = 0;
    memory_quota_init(&quota, 100);
    sb_wait_group_init(&group, "quota users");
    sb_scope_init(&scope, NULL, "second");
    ck_assert(memory_quota_try(&quota, 70));
    quota_user users[4] = {{&quota, NULL, 90, &turn, 0, SB_OK},
                           {&quota, &scope, 95, &turn, 0, SB_OK},
                           {&quota, NULL, 10, &turn, 0, SB_OK},
                           {&quota, NULL, 500, &turn, 0, SB_OK}};
    for (uint32_t i = 0; i < 4; i++) {
        sb_spawn(&group, use_quota, &users[i], "user-%u", i);
        (void)sb_sleep(SB_MILLISECOND, NULL);
    }
    ck_assert(!memory_quota_try(&quota, 1)); /* nobody is overtaken, though it would fit */
    sb_scope_cancel(&scope);
    (void)sb_sleep(SB_MILLISECOND, NULL);
    ck_assert_uint_eq(quota.used, 70);
    memory_quota_return(&quota, 70); /* 90 and 10 fit together, 500 must wait for all */
    (void)sb_sleep(SB_MILLISECOND, NULL);
    ck_assert_uint_eq(quota.used, 100);
    memory_quota_return(&quota, 90);
    (void)sb_sleep(SB_MILLISECOND, NULL);
    ck_assert_uint_eq(quota.used, 10);
    memory_quota_return(&quota, 10);
    ck_assert_int_eq(sb_wait_group_wait(&group, NULL), SB_OK);
    ck_assert_uint_eq(quota.used, 500); /* larger than the quota: alone */
    memory_quota_return(&quota, 500);
    ck_assert_int_eq(users[1].status, SB_CANCELED);
    ck_assert_uint_eq(users[1].served, 1);
    ck_assert_uint_lt(users[0].served, users[3].served);
    ck_assert_uint_lt(users[2].served, users[3].served);
    ck_assert_uint_eq(quota.peak, 500);
    sb_scope_release(&scope);
    sb_wait_group_release(&group);
    memory_quota_release(&quota);
}

/* First come, first served; a wait that is canceled takes nothing; it balances to 0. */
START_TEST(test_quota)
{
    run_in_world(quota_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ------------------------------------------------------------------------------------ sorter */

typedef struct sorting {
    memory_quota memory;
    disk_meter disk;
    sorter with;
    entry_run *run;
} sorting;

static void sorting_begin(sorting *of, uint64_t quota, uint32_t shared)
{
    *of = (sorting){.run = entry_run_make()};
    memory_quota_init(&of->memory, quota);
    sorter_init(&of->with, FOLDER, &of->memory, &of->disk, shared);
}

static void count_file(void *context, const char *path, uint64_t size)
{
    (void)path;
    (void)size;
    ++*(uint32_t *)context;
}

static uint32_t files_left(void)
{
    uint32_t files = 0;
    ck_assert_int_eq(sb_directory_list(FOLDER, count_file, &files), SB_OK);
    return files;
}

static void sorting_end(sorting *of)
{
    sorter_remove_files(&of->with);
    ck_assert_uint_eq(of->disk.used, 0);
    sorter_release(&of->with);
    entry_run_free(of->run);
    memory_quota_release(&of->memory);
}

static sorter_status spill(sorting *of)
{
    const sorter_status status = of->run->count > 0 ? sorter_spill(&of->with, of->run) : SORTER_OK;
    entry_run_clear(of->run);
    return status;
}

static void passes_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    const uint32_t count = 3000 + below(3000), letters = 1 + below(4);
    const uint64_t quota = 4096u << below(4);
    pair_copy *pairs = sb_alloc(count * sizeof(*pairs));
    sorting of;
    sorting_begin(&of, quota, 3);
    for (uint32_t i = 0; i < count; i++) {
        pairs[i] = draw_pair(3, letters, 20);
        pairs[i].value = (uint32_t)XXH3_64bits(pairs[i].key, pairs[i].key_size);
        add_pair(of.run, &pairs[i]);
        if (of.run->charge > 1000 + below(3000)) {
            ck_assert_int_eq(spill(&of), SORTER_OK);
        }
    }
    ck_assert_int_eq(spill(&of), SORTER_OK);
    const uint32_t runs = of.with.run_count;
    qsort(pairs, count, sizeof(*pairs), by_key);
    ck_assert_int_eq(sorter_merge_open(&of.with, 100, NULL), SORTER_OK);
    ck_assert_uint_lt(of.with.run_count, runs); /* it took more than one pass */
    const unsigned char *encoded;
    uint32_t size, at = 0;
    while (sorter_merge_next(&of.with, &encoded, &size) == SORTER_OK) {
        ck_pair(encoded, &pairs[at]);
        const pair_copy *last = &pairs[at];
        while (at < count && by_key(&pairs[at], last) == 0) {
            at++; /* the same pair several times is one */
        }
    }
    ck_assert_uint_eq(at, count);
    sorter_merge_close(&of.with);
    ck_assert_uint_le(of.memory.peak, quota);
    ck_assert_uint_eq(files_left(), of.with.run_count);
    sorting_end(&of);
    ck_assert_uint_eq(files_left(), 0);
    sb_free(pairs);
}

/* Spilled and merged in several passes, the order is qsort's; memory stays within the quota. */
START_TEST(test_several_passes)
{
    run_in_world(passes_world, NULL, (uint64_t)_i + 1);
}
END_TEST

static void add_text(sorting *of, const char *key, const char *value)
{
    entry_run_add(of->run, slice_of_string(key), slice_of_string(value));
}

static void conflict_world(sb_world *world, void *context)
{
    const bool in_one_run = context != NULL;
    (void)world;
    sorting of;
    sorting_begin(&of, 8192, 0);
    add_text(&of, "a", "1");
    add_text(&of, "b", "first");
    if (!in_one_run) {
        ck_assert_int_eq(spill(&of), SORTER_OK);
    }
    add_text(&of, "b", "other");
    add_text(&of, "a", "1"); /* the same: no conflict */
    ck_assert_int_eq(spill(&of), SORTER_OK);
    sorter_status status = sorter_merge_open(&of.with, 0, NULL);
    const unsigned char *encoded;
    uint32_t size, pairs = 0;
    while (status == SORTER_OK) {
        status = sorter_merge_next(&of.with, &encoded, &size);
        pairs += status == SORTER_OK;
    }
    ck_assert_int_eq(status, SORTER_CONFLICT);
    ck_assert(of.with.conflict.found);
    ck_assert(slice_equal(buffer_slice(&of.with.conflict.key), slice_of_string("b")));
    ck_assert(slice_equal(buffer_slice(&of.with.conflict.first), slice_of_string("first")));
    ck_assert(slice_equal(buffer_slice(&of.with.conflict.second), slice_of_string("other")));
    if (of.with.merging) {
        ck_assert_uint_eq(pairs, 2);
        sorter_merge_close(&of.with);
    }
    sorting_end(&of);
}

/* Two values under one key are a conflict, and both are kept; the same pair twice is none. */
START_TEST(test_conflicts)
{
    run_in_world(conflict_world, NULL, 1);
    run_in_world(conflict_world, &(int){1}, 1);
}
END_TEST

/* ------------------------------------------------------------------------------------ sample */

static void sample_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    enum { KEYS = 50000, PARTS = 10 };
    key_sample sample;
    buffer cuts;
    key_sample_init(&sample);
    buffer_init(&cuts);
    ck_assert_uint_eq(key_sample_cuts(&sample, PARTS, &cuts), 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        const uint32_t number = (uint32_t)((uint64_t)i * 7919 % KEYS); /* each once, mixed */
        char key[9];
        snprintf(key, sizeof(key), "%08u", number);
        key_sample_add(&sample, slice_of_string(key));
        ck_assert_uint_lt(sample.count, KEY_SAMPLE_MAX);
    }
    ck_assert_uint_eq(key_sample_cuts(&sample, PARTS, &cuts), PARTS - 1);
    cursor at = cursor_of(buffer_slice(&cuts));
    for (uint32_t part = 1; part < PARTS; part++) {
        const slice key = cursor_slice(&at);
        uint32_t number = 0;
        for (uint32_t i = 0; i < key.size; i++) {
            number = number * 10 + (uint32_t)(key.data[i] - '0');
        }
        ck_assert_uint_ge(number, part * (KEYS / PARTS) - KEYS / 20);
        ck_assert_uint_le(number, part * (KEYS / PARTS) + KEYS / 20);
    }
    ck_assert(cursor_finished(&at));
    buffer_release(&cuts);
    key_sample_release(&sample);
}

/* A few hundred keys cut fifty thousand into ten parts, each cut within half a part of its place.
 */
START_TEST(test_sample)
{
    run_in_world(sample_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------------------------ damage */

static sorter_status merge_all(sorting *of, uint32_t *pairs)
{
    const unsigned char *encoded;
    uint32_t size;
    sorter_status status = sorter_merge_open(&of->with, 0, NULL);
    if (status != SORTER_OK) {
        return status;
    }
    while ((status = sorter_merge_next(&of->with, &encoded, &size)) == SORTER_OK) {
        const entry_pair pair = pair_of(encoded);
        ck_assert_uint_eq(pair.key.size, 12);
        ck_assert(slice_equal(pair.value, slice_of_string("value")));
        (*pairs)++;
    }
    sorter_merge_close(&of->with);
    return status;
}

static void fill_for_damage(sorting *of)
{
    for (uint32_t i = 0; i < 60; i++) {
        char key[13];
        snprintf(key, sizeof(key), "key-%08u", i * 7919 % 1000);
        add_text(of, key, "value");
    }
}

static void flip(const char *path, uint64_t offset, unsigned char bits)
{
    sb_file *file;
    unsigned char byte;
    size_t got;
    ck_assert_int_eq(sb_file_open(path, 0, &file), SB_OK);
    ck_assert_int_eq(sb_file_read(file, offset, &byte, 1, &got), SB_OK);
    byte ^= bits;
    ck_assert_int_eq(sb_file_write(file, offset, &byte, 1), SB_OK);
    sb_file_close(file);
}

static void damage_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sorting of;
    uint32_t pairs = 0;
    sorting_begin(&of, 8192, 0);
    fill_for_damage(&of);
    ck_assert_int_eq(spill(&of), SORTER_OK);
    const uint64_t size = of.with.runs[0].summary.file_size;
    ck_assert_uint_gt(size, 2 * sorter_block_size(&of.memory)); /* several blocks */
    ck_assert_int_eq(merge_all(&of, &pairs), SORTER_END);
    ck_assert_uint_eq(pairs, 60);
    for (uint64_t at = 0; at < size; at++) {
        const unsigned char bits = (unsigned char)(1u << below(8));
        flip(FOLDER "/run-0", at, bits);
        pairs = 0;
        ck_assert_msg(merge_all(&of, &pairs) == SORTER_DAMAGED, "byte %u", (unsigned)at);
        ck_assert_int_eq(run_file_check(FOLDER "/run-0", &of.with.runs[0].summary), RUN_DAMAGED);
        flip(FOLDER "/run-0", at, bits);
    }
    sb_file *file;
    ck_assert_int_eq(sb_file_open(FOLDER "/run-0", 0, &file), SB_OK);
    ck_assert_int_eq(sb_file_truncate(file, size - 1), SB_OK);
    sb_file_close(file);
    ck_assert_int_eq(merge_all(&of, &pairs), SORTER_DAMAGED);
    ck_assert_int_eq(sb_remove(FOLDER "/run-0"), SB_OK);
    ck_assert_int_eq(merge_all(&of, &pairs), SORTER_DAMAGED);
    sorting_end(&of);
}

/* No byte of a run file can change unnoticed, and nothing of a damaged block is handed out. */
START_TEST(test_damage_is_noticed)
{
    run_in_world(damage_world, NULL, 2);
}
END_TEST

/* ------------------------------------------------------------------------------------ syncs */

static void sync_world(sb_world *world, void *context)
{
    uint32_t *lost = context;
    const sb_disk_trouble refuses = {.sync_error = 1000000};
    sorting of;
    sorting_begin(&of, 8192, 0);
    fill_for_damage(&of);
    ck_assert_int_eq(spill(&of), SORTER_OK);
    ck_assert_int_eq(sorter_sync(&of.with), SB_OK);
    fill_for_damage(&of);
    ck_assert_int_eq(spill(&of), SORTER_OK);
    sb_disk_trouble_set(world, DIRECTOR, &refuses);
    ck_assert_int_eq(sorter_sync(&of.with), SB_IO_ERROR);
    sb_disk_trouble_set(world, DIRECTOR, NULL);
    ck_assert(of.with.runs[0].synced && !of.with.runs[1].synced);
    const bool good = sorter_sync(&of.with) == SB_OK;
    ck_assert(good == of.with.runs[1].synced && good != of.with.lost);
    for (uint32_t i = 0; i < of.with.run_count; i++) {
        size_t size;
        char path[SORTER_PATH_MAX];
        (void)snprintf(path, sizeof(path), FOLDER "/run-%u", of.with.runs[i].number);
        (void)sb_disk_durable(world, DIRECTOR, path, &size);
        ck_assert(!of.with.runs[i].synced || size == of.with.runs[i].summary.file_size);
    }
    *lost += !good;
    sorting_end(&of);
}

/* What a sync that failed may have dropped is not taken for durable after one that succeeds. */
START_TEST(test_failed_sync)
{
    uint32_t lost = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run_in_world(sync_world, &lost, seed);
    }
    ck_assert(lost > 0 && lost < 20); /* a disk drops it, or keeps it for the next sync */
}
END_TEST

static sb_status cannot_write(void *context)
{
    (void)context;
    return SB_IO_ERROR;
}

static void unlisted_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sorting of;
    sorting_begin(&of, 4096, 0);
    for (uint32_t i = 0; i < 40; i++) {
        fill_for_damage(&of);
        ck_assert_int_eq(spill(&of), SORTER_OK);
    }
    of.with.replaced = cannot_write;
    ck_assert_int_eq(sorter_merge_open(&of.with, 0, NULL), SORTER_DISK);
    ck_assert_uint_eq(files_left(), 41);
    ck_assert(!sorter_remove_files(&of.with)); /* the runs of the old list are not its any more */
    sorting_end(&of);
}

/* When the list of the runs could not be written anew, those that the old one names stay. */
START_TEST(test_unlisted_runs)
{
    run_in_world(unlisted_world, NULL, 1);
}
END_TEST

/* -------------------------------------------------------------------------- disk operations */

static void failing_world(sb_world *world, void *context)
{
    bool *failed = context;
    sb_failpoints_enable(world, "local-disk-*", 1); /* the tape says which one fires */
    sorting of;
    sorter_status status = SORTER_OK;
    uint32_t pairs = 0;
    sorting_begin(&of, 4096, 0);
    for (uint32_t round = 0; round < 40 && status == SORTER_OK; round++) {
        fill_for_damage(&of);
        status = spill(&of);
    }
    const bool synced = status == SORTER_OK && sorter_sync(&of.with) == SB_OK;
    status = status == SORTER_OK ? merge_all(&of, &pairs) : status;
    *failed = status != SORTER_END || !synced;
    ck_assert(status == SORTER_END ? pairs == 60 : status == SORTER_DISK);
    sb_failpoints_enable(world, "local-disk-*", 0);
    const uint64_t counted = of.disk.used;
    sorting_end(&of);
    ck_assert(counted > 0 || *failed);
}

/* Whichever single operation of the disk fails, the sorter says so or does without it, and gives
 * all memory and all disk back. */
START_TEST(test_every_disk_operation_fails_once)
{
    const char *volatile name = "director/failpoint";
    uint32_t failures = 0;
    uint64_t fired = 1;
    for (uint64_t ordinal = 1; fired > 0; ordinal++) {
        sb_taped_choice choice = {XXH3_64bits(name, strlen(name)), ordinal, 999999};
        const sb_tape tape = {&choice, 1, 1};
        bool failed = false;
        sb_universe *universe = sb_universe_open(NULL);
        const sb_world_options options = {.seed = 1, .strategy = SB_STRATEGY_FIFO, .tape = &tape};
        sb_world *world = sb_world_reset(universe, &options, failing_world, &failed);
        ck_assert_int_eq(sb_world_run(world), SB_OUTCOME_PASSED);
        fired = sb_world_fault_counts(world)[SB_FAULT_FAILPOINT].applied;
        failures += failed;
        ck_assert(fired > 0 || !failed);
        sb_universe_close(universe);
    }
    ck_assert_uint_gt(failures, 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine: sorter");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, test_runs_are_sorted, 0, 5);
    tcase_add_loop_test(all, test_quota, 0, 20);
    tcase_add_loop_test(all, test_several_passes, 0, 20);
    tcase_add_test(all, test_conflicts);
    tcase_add_test(all, test_sample);
    tcase_add_test(all, test_damage_is_noticed);
    tcase_add_test(all, test_failed_sync);
    tcase_add_test(all, test_unlisted_runs);
    tcase_add_test(all, test_every_disk_operation_fails_once);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
