/*
 * The backfill: one subtask's way from rows to index entries, cut short, in trouble, under tiny
 * quotas, with early imports and checkpoints, and with every single operation of the disk failing
 * once.
 */
#include "tests/engine_backfill.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static void backfill_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    uint64_t row_count;
    failure cause;
    backfill_begin(&in, &machines, world);
    for (int i = 0; i < 2; i++) { /* the second time finds everything in its place */
        ck_assert_int_eq(backfill_run(in.with, &in.work, &row_count, &cause, NULL), ENGINE_OK);
        ck_assert_uint_eq(row_count, ROWS);
        check_index(in.of, &in.work.table, &in.work.index);
        check_nothing_left(in.with);
    }
    backfill_end(&in, &machines);
}

/* A range of rows becomes entries; doing it again changes nothing; nothing is left open. */
START_TEST(test_backfill)
{
    run_in_world(backfill_world, NULL, (uint64_t)_i + 1);
}
END_TEST

static void canceled_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    uint64_t row_count;
    failure cause;
    backfill_begin(&in, &machines, world);
    for (uint32_t i = 0; i < 12; i++) {
        sb_scope scope;
        sb_scope_init_timeout(&scope, NULL, "cut short", (1 + below(220)) * SB_MILLISECOND);
        const engine_status status = backfill_run(in.with, &in.work, &row_count, &cause, &scope);
        ck_assert(status == ENGINE_OK || status == ENGINE_TIMEOUT || status == ENGINE_CANCELED);
        ck_assert_int_eq(cause, FAILURE_NONE);
        sb_scope_release(&scope);
        check_nothing_left(in.with);
    }
    ck_assert_int_eq(backfill_run(in.with, &in.work, &row_count, &cause, NULL), ENGINE_OK);
    check_index(in.of, &in.work.table, &in.work.index);
    backfill_end(&in, &machines);
}

/* Cut short at any moment, a run leaves nothing open, and a later one does the work. */
START_TEST(test_backfill_canceled)
{
    run_in_world(canceled_world, NULL, (uint64_t)_i + 1);
}
END_TEST

static void troubled_world(sb_world *world, void *context)
{
    static const char *const failpoints[] = {"backfill-scan-fails",
                                             "local-engine-spill-fails",
                                             "local-engine-merge-fails",
                                             "upload-fails",
                                             "ingest-fails",
                                             "ingest-reply-is-lost",
                                             "backfill-fails-after-import"};
    (void)context;
    test_cluster machines;
    backfill_test in;
    uint64_t row_count;
    failure cause;
    backfill_begin(&in, &machines, world);
    for (uint32_t i = 0; i < sizeof(failpoints) / sizeof(failpoints[0]); i++) {
        sb_failpoints_enable(world, failpoints[i], 300000);
        engine_status status = ENGINE_CONFLICT;
        for (uint32_t tries = 0; status == ENGINE_CONFLICT && tries < 60; tries++) {
            status = backfill_run(in.with, &in.work, &row_count, &cause, NULL);
            check_nothing_left(in.with);
            if (tries == 20) {
                sb_failpoints_enable(world, failpoints[i], 0);
            }
        }
        ck_assert_msg(status == ENGINE_OK, "%s: %s", failpoints[i], engine_status_text(status));
        sb_failpoints_enable(world, failpoints[i], 0);
        check_index(in.of, &in.work.table, &in.work.index);
    }
    sb_failpoints_enable(world, "backfill-permanent-error", 1000000);
    ck_assert_int_eq(backfill_run(in.with, &in.work, &row_count, &cause, NULL), ENGINE_FAILED);
    ck_assert_int_eq(cause, FAILURE_INJECTED);
    sb_failpoints_enable(world, "backfill-permanent-error", 0);
    backfill_end(&in, &machines);
}

/* Passing trouble at any station is survived or reported as passing; a permanent error has a cause.
 */
START_TEST(test_backfill_in_trouble)
{
    run_in_world(troubled_world, NULL, (uint64_t)_i + 1);
}
END_TEST
/* ---------------------------------------------------------------------------------- quotas */

/* A backfill with other settings than backfill_begin gives it. */
static void reopen(backfill_test *in, const backfill_settings *settings)
{
    backfill_close(in->with);
    in->with = backfill_open(in->of, settings);
}

static const backfill_settings tiny = {.batch_rows = 16,
                                       .batch_pause = 10 * SB_MILLISECOND,
                                       .writer_count = 3,
                                       .writer_quota = 4096,
                                       .memory_quota = 2048,
                                       .channel_capacity = 1,
                                       .upload_part = 700};

static void quota_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    uint64_t row_count;
    failure cause;
    backfill_begin(&in, &machines, world);
    reopen(&in, &tiny);
    ck_assert_int_eq(backfill_run(in.with, &in.work, &row_count, &cause, NULL), ENGINE_OK);
    check_index(in.of, &in.work.table, &in.work.index);
    ck_assert_uint_gt(in.with->memory.peak, 1024);
    ck_assert_uint_eq(in.with->memory.used, 0);
    backfill_end(&in, &machines);
}

/* Writers that would together buffer six times the quota keep within it by flushing early. */
START_TEST(test_tiny_quota)
{
    run_in_world(quota_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* -------------------------------------------------------------------------------- leftovers */

static bool claims_all(void *context, job_id job, uint32_t number)
{
    (void)context;
    return job == 7 && number == 0;
}

static bool claims_none(void *context, job_id job, uint32_t number)
{
    (void)context;
    (void)job;
    (void)number;
    return false;
}

static void refuse_removals(sb_world *world, bool refused)
{
    sb_failpoints_enable(world, "local-checkpoint-removal-fails", refused ? 1000000 : 0);
    sb_failpoints_enable(world, "file-removal-fails", refused ? 1000000 : 0);
}

static void refuse_syncs(sb_world *world, bool refused)
{
    const sb_disk_trouble refuses = {.sync_error = 1000000};
    sb_disk_trouble_set(world, DIRECTOR, refused ? &refuses : NULL);
}

static void create(const char *path)
{
    sb_file *file;
    ck_assert_int_eq(sb_file_open(path, SB_FILE_CREATE, &file), SB_OK);
    sb_file_close(file);
}

static void refusing_world(sb_world *world, void *context)
{
    static const char *const refusals[] = {"listing-fails", "file-removal-fails",
                                           "durable-file-directory-sync-fails"};
    (void)context;
    uint32_t files = 0;
    for (uint32_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        create("jobs/7/0/run-0");
        sb_failpoints_enable(world, refusals[i], 1000000);
        refuse_syncs(world, i == 2);
        ck_assert(!backend_folder_clean("jobs/7/0", NULL));
        refuse_syncs(world, false);
        sb_failpoints_enable(world, refusals[i], 0);
        ck_assert(backend_folder_clean("jobs/7/0", NULL));
    }
    ck_assert_int_eq(sb_directory_list("jobs", count_file, &files), SB_OK);
    ck_assert_uint_eq(files, 0);
}

/* Whatever the disk refuses, a folder is not called clean before it is. */
START_TEST(test_refused_cleaning)
{
    run_in_world(refusing_world, NULL, 1);
}
END_TEST

static void checkpoint_world(sb_world *world, void *context)
{
    (void)context;
    create("jobs/7/0/checkpoint");
    refuse_removals(world, true);
    ck_assert(!local_checkpoint_remove("jobs/7/0"));
    refuse_removals(world, false);
    refuse_syncs(world, true);
    ck_assert(!local_checkpoint_remove("jobs/7/0"));
    refuse_syncs(world, false);
    ck_assert(local_checkpoint_remove("jobs/7/0"));
}

/* Nor is a checkpoint called gone before it is, and for good. */
START_TEST(test_refused_removal_of_a_checkpoint)
{
    run_in_world(checkpoint_world, NULL, 1);
}
END_TEST

static void relent(void *argument)
{
    (void)sb_sleep(3 * SB_SECOND, NULL);
    sb_failpoints_enable(argument, "listing-fails", 0);
}

static void unlisted_world(sb_world *world, void *context)
{
    (void)context;
    sb_wait_group tasks;
    uint32_t files = 0;
    create("jobs/7/0/run-0");
    sb_wait_group_init(&tasks, "disk");
    sb_failpoints_enable(world, "listing-fails", 1000000);
    sb_spawn(&tasks, relent, world, "disk");
    ck_assert_ptr_null(leftovers_find()); /* what has no checkpoint goes at once */
    ck_assert_int_eq(sb_wait_group_wait(&tasks, NULL), SB_OK);
    sb_wait_group_release(&tasks);
    ck_assert_int_eq(sb_directory_list("jobs", count_file, &files), SB_OK);
    ck_assert_uint_eq(files, 0);
}

/* A boot that cannot list its folders waits: what it did not find then nobody ever would. */
START_TEST(test_leftovers_of_a_refused_listing)
{
    run_in_world(unlisted_world, NULL, 1);
}
END_TEST

/* A run of no rows, so that it has no files of its own, in a folder that cannot be cleaned. */
static void run_without_rows(backfill_test *in, sb_world *world)
{
    uint64_t row_count;
    failure cause;
    refuse_removals(world, true);
    ck_assert_int_eq(backfill_run(in->with, &in->work, &row_count, &cause, NULL), ENGINE_OK);
    ck_assert_uint_eq(row_count, 0);
    ck_assert_uint_eq(backfill_backend_count(in->with), 0);
    const leftover *litter = in->with->leftovers;
    ck_assert_ptr_nonnull(litter);
    ck_assert(!litter->ours && litter->next == NULL);
    backfill_remove_unclaimed(in->with, false, claims_none, NULL);
    ck_assert_ptr_nonnull(in->with->leftovers); /* again at the next look */
    refuse_removals(world, false);
    backfill_remove_unclaimed(in->with, false, claims_none, NULL);
    check_nothing_left(in->with);
}

static void kept_litter_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    backfill_begin(&in, &machines, world);
    buffer behind;
    buffer_init(&behind);
    row_key(&in.work.table, ROWS + 1, &behind);
    in.work.start = buffer_slice(&behind);
    create("jobs/7/0/run-3"); /* of an earlier incarnation */
    refuse_removals(world, true);
    backfill_find_leftovers(in.with);
    run_without_rows(&in, world);
    backfill_settings settings = tiny;
    settings.checkpoint_interval = 1; /* each run has a checkpoint */
    reopen(&in, &settings);
    run_without_rows(&in, world);
    buffer_release(&behind);
    backfill_end(&in, &machines);
}

/* What a run could not remove, of its own or of an earlier incarnation's, is litter at its end, and
 * not before. */
START_TEST(test_litter_at_the_end)
{
    run_in_world(kept_litter_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------------------ early imports */

/* What a subtask's row would keep. */
typedef struct kept_row {
    backfill_test *in;
    buffer imported;
    uint64_t rows;
    uint32_t saves;
    bool refuse; /* the next save */
} kept_row;

/* I7: at this moment the entry of every row before the checkpoint is in storage. */
static void check_imported(const backfill_test *in, slice imported, uint64_t rows)
{
    pair_list found;
    buffer start, end, key, value;
    uint64_t before = 0;
    buffer_init(&start);
    buffer_init(&end);
    buffer_init(&key);
    buffer_init(&value);
    ck_assert_int_eq(
        cluster_scan(in->of, in->work.snapshot, in->work.start, imported, 1000, &found, NULL),
        ENGINE_OK);
    for (uint32_t i = 0; i < found.count; i++) {
        buffer entry;
        buffer_init(&entry);
        ck_assert_int_eq(
            encode_entry(&in->work, found.pairs[i].key, found.pairs[i].value, &key, &value),
            FAILURE_NONE);
        ck_assert_int_eq(cluster_read(in->of, in->work.snapshot, buffer_slice(&key), &entry, NULL),
                         ENGINE_OK);
        buffer_release(&entry);
        before++;
    }
    ck_assert_uint_eq(before, rows);
    pair_list_release(&found);
    buffer_release(&value);
    buffer_release(&key);
    buffer_release(&end);
    buffer_release(&start);
}

static engine_status keep(void *context, slice imported, uint64_t rows, sb_scope *scope)
{
    kept_row *of = context;
    (void)scope;
    check_imported(of->in, imported, rows);
    ck_assert_int_lt(slice_compare(buffer_slice(&of->imported), imported), 0);
    if (of->refuse) {
        return ENGINE_NOT_FOUND;
    }
    buffer_clear(&of->imported);
    buffer_add(&of->imported, imported.data, imported.size);
    of->rows = rows;
    of->saves++;
    return ENGINE_OK;
}

static void early_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    uint64_t row_count;
    failure cause;
    kept_row kept = {.in = &in};
    backfill_begin(&in, &machines, world);
    backfill_settings settings = tiny;
    settings.disk_quota = 12288;
    reopen(&in, &settings);
    in.work.save = keep;
    in.work.save_context = &kept;
    ck_assert_int_eq(backfill_run(in.with, &in.work, &row_count, &cause, NULL), ENGINE_OK);
    ck_assert_uint_eq(row_count, ROWS);
    ck_assert_uint_gt(kept.saves, 1);
    ck_assert_uint_le(in.with->disk.peak, settings.disk_quota);
    check_index(in.of, &in.work.table, &in.work.index);
    check_nothing_left(in.with);
    backfill_end(&in, &machines);
    buffer_release(&kept.imported);
}

/* Local files never exceed their quota: what is there is imported early, and that is saved. */
START_TEST(test_early_imports)
{
    run_in_world(early_world, NULL, (uint64_t)_i + 1);
}
END_TEST

typedef struct litter_run {
    backfill_test *in;
    engine_status status;
    uint64_t row_count;
    bool over;
} litter_run;

static void litter_main(void *argument)
{
    litter_run *of = argument;
    failure cause;
    of->status = backfill_run(of->in->with, &of->in->work, &of->row_count, &cause, NULL);
    of->over = true;
}

static void litter_world(sb_world *world, void *context)
{
    uint32_t *littered = context;
    test_cluster machines;
    backfill_test in;
    kept_row kept = {.in = &in};
    sb_wait_group tasks;
    backfill_begin(&in, &machines, world);
    backfill_settings settings = tiny;
    settings.disk_quota = 12288;
    reopen(&in, &settings);
    in.work.save = keep;
    in.work.save_context = &kept;
    litter_run run = {.in = &in};
    sb_wait_group_init(&tasks, "run");
    sb_spawn(&tasks, litter_main, &run, "run");
    sb_failpoints_enable(world, "local-disk-fails", 3000);
    while (!run.over) {
        ck_assert(in.with->backends == NULL || in.with->leftovers == NULL);
        backfill_remove_unclaimed(in.with, false, claims_none, NULL);
        *littered += in.with->backends != NULL && in.with->backends->litter;
        (void)sb_sleep(SB_MILLISECOND, NULL);
    }
    ck_assert_int_eq(sb_wait_group_wait(&tasks, NULL), SB_OK);
    sb_wait_group_release(&tasks);
    ck_assert(run.status == ENGINE_OK || run.status == ENGINE_CONFLICT);
    sb_failpoints_enable(world, "local-disk-fails", 0);
    backfill_remove_unclaimed(in.with, false, claims_none, NULL);
    backfill_end(&in, &machines);
    buffer_release(&kept.imported);
}

/* What could not be removed after an early import is nobody's to clean up while the run goes on in
 * the same folder. */
START_TEST(test_litter_of_a_run)
{
    uint32_t littered = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        run_in_world(litter_world, &littered, seed);
    }
    ck_assert_uint_gt(littered, 0);
}
END_TEST

static void continued_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    uint64_t row_count;
    failure cause;
    kept_row kept = {.in = &in};
    backfill_begin(&in, &machines, world);
    backfill_settings settings = tiny;
    settings.disk_quota = 12288;
    reopen(&in, &settings);
    in.work.save = keep;
    in.work.save_context = &kept;
    engine_status status = ENGINE_TIMEOUT;
    for (uint32_t tries = 0; status != ENGINE_OK && tries < 200; tries++) {
        sb_scope scope;
        sb_scope_init_timeout(&scope, NULL, "cut short", (50 + below(150)) * SB_MILLISECOND);
        kept.refuse = below(6) == 0; /* the subtask is another's now: the run must end */
        buffer imported = {0};
        buffer_add(&imported, kept.imported.data, kept.imported.size);
        in.work.imported = buffer_slice(&imported);
        in.work.imported_rows = kept.rows;
        status = backfill_run(in.with, &in.work, &row_count, &cause, &scope);
        buffer_release(&imported);
        sb_scope_release(&scope);
        check_nothing_left(in.with);
    }
    ck_assert_int_eq(status, ENGINE_OK);
    ck_assert_uint_eq(row_count, ROWS);
    check_index(in.of, &in.work.table, &in.work.index);
    backfill_end(&in, &machines);
    buffer_release(&kept.imported);
}

/* Cut short at any moment, a run goes on from the global checkpoint, and counts every row once. */
START_TEST(test_global_checkpoint)
{
    run_in_world(continued_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* -------------------------------------------------------------------------------- spreading */

static uint32_t regions_of_index(const backfill_test *in)
{
    const region_map *map;
    buffer start, end;
    uint32_t count = 1;
    buffer_init(&start);
    buffer_init(&end);
    index_range(TABLE, INDEX, &start, &end);
    ck_assert_int_eq(cluster_regions(in->of, true, &map, NULL), ENGINE_OK);
    const region_description *region = region_map_find(map, buffer_slice(&start));
    while (region->end.size > 0 && slice_compare(region->end, buffer_slice(&end)) < 0) {
        region = region_map_find(map, region->end);
        count++;
    }
    region_map_release(map);
    buffer_release(&start);
    buffer_release(&end);
    return count;
}

static void spread_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    uint64_t row_count;
    failure cause;
    backfill_begin(&in, &machines, world);
    backfill_settings settings = tiny;
    settings.split_size = 3000;
    reopen(&in, &settings);
    ck_assert_uint_eq(regions_of_index(&in), 1);
    ck_assert_int_eq(backfill_run(in.with, &in.work, &row_count, &cause, NULL), ENGINE_OK);
    ck_assert_uint_ge(regions_of_index(&in), 3); /* there are some 13,000 bytes */
    check_index(in.of, &in.work.table, &in.work.index);
    backfill_end(&in, &machines);
}

/* Before a large engine is imported its range is cut into regions. */
START_TEST(test_spreading)
{
    run_in_world(spread_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ------------------------------------------------------------------------------- a full disk */

static void full_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    uint64_t row_count;
    failure cause;
    kept_row kept = {.in = &in};
    backfill_begin(&in, &machines, world);
    in.work.save = keep;
    in.work.save_context = &kept;
    const sb_disk_trouble full = {.full = true, .room = 6000}; /* of 16,000 */
    sb_disk_trouble_set(world, 0, &full);
    ck_assert_int_eq(backfill_run(in.with, &in.work, &row_count, &cause, NULL), ENGINE_CONFLICT);
    ck_assert_int_eq(cause, FAILURE_NONE);
    check_nothing_left(in.with);
    engine_status status = ENGINE_CONFLICT;
    for (uint32_t tries = 0; status == ENGINE_CONFLICT && tries < 5; tries++) {
        buffer imported = {0};
        buffer_add(&imported, kept.imported.data, kept.imported.size);
        in.work.imported = buffer_slice(&imported);
        in.work.imported_rows = kept.rows;
        sb_disk_trouble_set(world, 0, &full); /* all files were removed: there is room again */
        status = backfill_run(in.with, &in.work, &row_count, &cause, NULL);
        buffer_release(&imported);
    }
    ck_assert_int_eq(status, ENGINE_OK);
    ck_assert_uint_eq(row_count, ROWS);
    ck_assert_uint_gt(kept.saves, 1);
    check_index(in.of, &in.work.table, &in.work.index);
    sb_disk_trouble_set(world, 0, NULL);
    backfill_end(&in, &machines);
    buffer_release(&kept.imported);
}

/* A disk that is too small for all of it makes the next run import early, and that gets through. */
START_TEST(test_full_disk)
{
    run_in_world(full_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* -------------------------------------------------------------------------------- duplicates */

static void duplicates_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    buffer cut;
    uint64_t row_count;
    failure cause;
    backfill_begin(&in, &machines, world);
    in.work.index.unique = true;
    ck_assert_int_eq(backfill_run(in.with, &in.work, &row_count, &cause, NULL), ENGINE_FAILED);
    ck_assert_int_eq(cause, FAILURE_DUPLICATE_KEY); /* within one subtask */
    check_nothing_left(in.with);

    in.work.index.id = INDEX + 1;
    const slice end = in.work.end;
    buffer_init(&cut);
    key_row(&cut, TABLE, 102); /* the values of ids 1 to 101 are all different */
    in.work.end = buffer_slice(&cut);
    for (uint32_t again = 0; again < 2; again++) {
        ck_assert_int_eq(backfill_run(in.with, &in.work, &row_count, &cause, NULL), ENGINE_OK);
        ck_assert_uint_eq(row_count, 101);
    }
    in.work.start = buffer_slice(&cut);
    in.work.end = end;
    in.work.number = 1;
    ck_assert_int_eq(backfill_run(in.with, &in.work, &row_count, &cause, NULL), ENGINE_FAILED);
    ck_assert_int_eq(cause, FAILURE_DUPLICATE_KEY); /* against what is in storage */
    buffer_release(&cut);
    backfill_end(&in, &machines);
}

/* I2: rows with one key of a unique index are found within a subtask and across two; one row
 * brought twice is no duplicate. */
START_TEST(test_duplicates)
{
    run_in_world(duplicates_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* -------------------------------------------------------------------------- local checkpoints */

static const backfill_settings checkpointed = {.batch_rows = 16,
                                               .batch_pause = 10 * SB_MILLISECOND,
                                               .writer_quota = 512,
                                               .checkpoint_interval = 30 * SB_MILLISECOND,
                                               .channel_capacity = 1,
                                               .upload_part = 700};

/* Run it until the time is up: true if that left a checkpoint. */
static bool interrupt(backfill_test *in, sb_duration time)
{
    uint64_t row_count;
    failure cause;
    sb_scope scope;
    sb_scope_init_timeout(&scope, NULL, "cut short", time);
    ck_assert_int_eq(backfill_run(in->with, &in->work, &row_count, &cause, &scope), ENGINE_TIMEOUT);
    sb_scope_release(&scope);
    ck_assert_uint_eq(backfill_backend_count(in->with), 0);
    return in->with->leftovers != NULL;
}

/* As a restart in good order does it. */
static void restart(backfill_test *in)
{
    reopen(in, &checkpointed);
    backfill_find_leftovers(in->with);
    backfill_remove_unclaimed(in->with, false, claims_all, NULL);
}

static void finish_and_check(backfill_test *in)
{
    uint64_t row_count;
    failure cause;
    ck_assert_int_eq(backfill_run(in->with, &in->work, &row_count, &cause, NULL), ENGINE_OK);
    ck_assert_uint_eq(row_count, ROWS);
    check_index(in->of, &in->work.table, &in->work.index);
    check_nothing_left(in->with);
}

static void flip_byte(const char *path, uint64_t at)
{
    sb_file *file;
    unsigned char byte;
    size_t got;
    ck_assert_int_eq(sb_file_open(path, 0, &file), SB_OK);
    ck_assert_int_eq(sb_file_read(file, at, &byte, 1, &got), SB_OK);
    byte ^= 4;
    ck_assert_int_eq(sb_file_write(file, at, &byte, 1), SB_OK);
    sb_file_close(file);
}

/* How many rows the next run would not read again. */
static uint64_t rows_taken_up(backfill_test *in)
{
    memory_quota memory;
    disk_meter disk = {0};
    sorter files;
    local_checkpoint found = {.rows = 0};
    memory_quota_init(&memory, 8192);
    sorter_init(&files, "jobs/7/0", &memory, &disk, 0);
    const bool good = local_checkpoint_read(&in->work, &found, &files);
    sorter_release(&files);
    memory_quota_release(&memory);
    buffer_release(&found.position);
    return good ? found.rows : 0;
}

static void local_world(sb_world *world, void *context)
{
    const uint32_t damage = *(const uint32_t *)context;
    test_cluster machines;
    backfill_test in;
    backfill_begin(&in, &machines, world);
    in.work.attempt = 3;
    restart(&in);
    ck_assert(interrupt(&in, 140 * SB_MILLISECOND));
    const uint64_t rows = rows_taken_up(&in);
    ck_assert_uint_ge(rows, 16);
    restart(&in);
    ck_assert_uint_eq(rows_taken_up(&in), rows);
    if (damage == 1) {
        flip_byte("jobs/7/0/run-0", 20);
        ck_assert_uint_eq(rows_taken_up(&in), 0);
    } else if (damage == 2) {
        in.work.attempt++; /* it was another's meanwhile */
        ck_assert_uint_eq(rows_taken_up(&in), 0);
    } else if (damage == 3) {
        ck_assert_int_eq(sb_remove("jobs/7/0/run-1"), SB_OK);
        ck_assert_uint_eq(rows_taken_up(&in), 0);
    } else if (damage == 4) {
        flip_byte("jobs/7/0/checkpoint", 60);
        ck_assert_uint_eq(rows_taken_up(&in), 0);
    }
    finish_and_check(&in);
    ck_assert(interrupt(&in, 140 * SB_MILLISECOND));
    backfill_remove_unclaimed(in.with, false, claims_none, NULL);
    check_nothing_left(in.with);
    ck_assert(interrupt(&in, 140 * SB_MILLISECOND));
    restart(&in);
    backfill_close(in.with); /* claimed: it stays for the next incarnation */
    in.with = backfill_open(in.of, &checkpointed);
    backfill_find_leftovers(in.with);
    ck_assert_ptr_nonnull(in.with->leftovers);
    backfill_close(in.with); /* not claimed by this one */
    in.with = backfill_open(in.of, &checkpointed);
    backfill_end(&in, &machines);
}

/* What a checkpoint says is taken up, if every byte of it and of its runs is right and it is of
 * this attempt; whatever nobody continues is removed. */
START_TEST(test_local_checkpoint)
{
    for (uint32_t damage = 0; damage < 5; damage++) {
        run_in_world(local_world, &damage, (uint64_t)_i + 1);
    }
}
END_TEST

/* ------------------------------------------------------------------------ every disk operation */

static void failing_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    uint64_t row_count;
    failure cause;
    backfill_begin(&in, &machines, world);
    backfill_settings settings = checkpointed;
    settings.memory_quota = 4096;
    settings.batch_rows = 64;
    settings.batch_pause = 20 * SB_MILLISECOND;
    reopen(&in, &settings);
    sb_failpoints_enable(world, "local-disk-*", 1); /* the tape says which one fires */
    engine_status status = ENGINE_CONFLICT;
    for (uint32_t tries = 0; status == ENGINE_CONFLICT && tries < 3; tries++) {
        status = backfill_run(in.with, &in.work, &row_count, &cause, NULL);
        ck_assert_uint_eq(in.with->memory.used, 0);
        ck_assert_uint_eq(in.with->disk.used, 0);
    }
    ck_assert_int_eq(status, ENGINE_OK);
    ck_assert_uint_eq(row_count, ROWS);
    check_index(in.of, &in.work.table, &in.work.index);
    sb_failpoints_enable(world, "local-disk-*", 0);
    backfill_remove_unclaimed(in.with, false, claims_none, NULL);
    backfill_end(&in, &machines); /* no file is left, though a removal may have failed */
}

/* Whichever single operation of the local disk fails, it is passing trouble, the index gets right,
 * and nothing is left. */
START_TEST(test_every_disk_operation_fails_once)
{
    const char *volatile name = "director/failpoint";
    uint64_t fired = 1, ordinal = 0;
    while (fired > 0) {
        sb_taped_choice choice = {XXH3_64bits(name, strlen(name)), ++ordinal, 999999};
        const sb_tape tape = {&choice, 1, 1};
        sb_universe *universe = sb_universe_open(NULL);
        const sb_world_options options = {.seed = 1, .strategy = SB_STRATEGY_FIFO, .tape = &tape};
        sb_world *world = sb_world_reset(universe, &options, failing_world, NULL);
        const sb_outcome outcome = sb_world_run(world);
        ck_assert_msg(outcome == SB_OUTCOME_PASSED, "operation %u: %s", (unsigned)ordinal,
                      outcome == SB_OUTCOME_FINDING ? sb_world_finding(world)->text : "");
        fired = sb_world_fault_counts(world)[SB_FAULT_FAILPOINT].applied;
        sb_universe_close(universe);
    }
    ck_assert_uint_gt(ordinal, 40);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine: backfill");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, test_backfill, 0, 5);
    tcase_add_loop_test(all, test_backfill_canceled, 0, 10);
    tcase_add_loop_test(all, test_backfill_in_trouble, 0, 5);
    tcase_add_loop_test(all, test_tiny_quota, 0, 10);
    tcase_add_loop_test(all, test_early_imports, 0, 10);
    tcase_add_test(all, test_refused_cleaning);
    tcase_add_test(all, test_refused_removal_of_a_checkpoint);
    tcase_add_test(all, test_leftovers_of_a_refused_listing);
    tcase_add_test(all, test_litter_at_the_end);
    tcase_add_test(all, test_litter_of_a_run);
    tcase_add_loop_test(all, test_global_checkpoint, 0, 10);
    tcase_add_loop_test(all, test_spreading, 0, 3);
    tcase_add_loop_test(all, test_full_disk, 0, 5);
    tcase_add_loop_test(all, test_duplicates, 0, 3);
    tcase_add_loop_test(all, test_local_checkpoint, 0, 3);
    tcase_add_test(all, test_every_disk_operation_fails_once);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
