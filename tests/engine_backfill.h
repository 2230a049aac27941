/*
 * For tests of the backfill: a table of rows in a test cluster, an index on it, and whether it is
 * right.
 */
#ifndef TESTS_ENGINE_BACKFILL_H
#define TESTS_ENGINE_BACKFILL_H

#include <string.h>

#include "engine/backfill/pipeline.h"
#include "engine/schema/table.h"
#include "engine/wire/keys.h"
#include "tests/engine_cluster.h"

#define TABLE 1u
#define INDEX 9u
#define ROWS 300

static inline index_definition index_on_k(schema_state state)
{
    index_definition index;
    memset(&index, 0, sizeof(index));
    index.id = INDEX;
    index.state = state;
    index.column_count = 1;
    index.columns[0] = SBTEST_K;
    memcpy(index.name, "k_1", 4);
    return index;
}

static inline void load_rows(cluster *of, const table_definition *table)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    for (int64_t first = 1; first <= ROWS; first += 100) {
        transaction *in;
        ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
        for (int64_t id = first; id < first + 100; id++) {
            row one;
            memset(&one, 0, sizeof(one));
            one.columns[SBTEST_ID].integer = id;
            one.columns[SBTEST_K].integer = id * 37 % 101 - 50;
            one.columns[SBTEST_C].bytes = slice_of_string("c");
            one.columns[SBTEST_PAD].bytes = slice_of_string("pad");
            row_key(table, id, &key);
            row_encode(table, &one, &value);
            transaction_put(in, buffer_slice(&key), buffer_slice(&value));
        }
        ck_assert_int_eq(transaction_commit(in, NULL, NULL), ENGINE_OK);
        transaction_release(in);
    }
    buffer_release(&key);
    buffer_release(&value);
}

/* Every row has its entry, and there is no other. */
static inline void check_index(cluster *of, const table_definition *table,
                               const index_definition *index)
{
    buffer start, end;
    bool seen[ROWS + 1] = {false};
    pair_list found;
    buffer_init(&start);
    buffer_init(&end);
    index_range(table->id, index->id, &start, &end);
    ck_assert_int_eq(cluster_scan(of, TIMESTAMP_MAX, buffer_slice(&start), buffer_slice(&end), 1000,
                                  &found, NULL),
                     ENGINE_OK);
    ck_assert_uint_eq(found.count, ROWS);
    for (uint32_t i = 0; i < found.count; i++) {
        row_handle handle;
        ck_assert(
            index_entry_handle(table, index, found.pairs[i].key, found.pairs[i].value, &handle));
        ck_assert(handle >= 1 && handle <= ROWS && !seen[handle]);
        seen[handle] = true;
    }
    pair_list_release(&found);
    buffer_release(&start);
    buffer_release(&end);
}

static inline void count_file(void *context, const char *path, uint64_t size)
{
    (void)path;
    (void)size;
    ++*(uint32_t *)context;
}

/* Nothing is open, and no file is left. */
static inline void check_nothing_left(const backfill *of)
{
    uint32_t files = 0;
    ck_assert_uint_eq(backfill_backend_count(of), 0);
    ck_assert_int_eq(sb_directory_list("jobs", count_file, &files), SB_OK);
    ck_assert_uint_eq(files, 0);
}

typedef struct backfill_test {
    cluster *of;
    backfill *with;
    backfill_work work;
    buffer start, end;
} backfill_test;

static inline void backfill_begin(backfill_test *in, test_cluster *machines, sb_world *world)
{
    test_cluster_start(machines, world);
    *in = (backfill_test){.of = test_cluster_open(machines)};
    const backfill_settings settings = {.batch_rows = 16,
                                        .batch_pause = 10 * SB_MILLISECOND,
                                        .writer_quota = 512,
                                        .channel_capacity = 1,
                                        .upload_part = 700};
    in->with = backfill_open(in->of, &settings);
    in->work.job = 7;
    table_define_sbtest(&in->work.table, TABLE);
    in->work.index = index_on_k(SCHEMA_WRITE_REORGANIZATION);
    load_rows(in->of, &in->work.table);
    row_range(TABLE, &in->start, &in->end);
    in->work.start = buffer_slice(&in->start);
    in->work.end = buffer_slice(&in->end);
    ck_assert_int_eq(cluster_timestamp(in->of, &in->work.snapshot, NULL), ENGINE_OK);
}

static inline void backfill_end(backfill_test *in, test_cluster *machines)
{
    check_nothing_left(in->with);
    backfill_close(in->with);
    buffer_release(&in->start);
    buffer_release(&in->end);
    test_cluster_close(machines, in->of);
}

#endif
