/*
 * The temporary index: its entries as bytes, the present state against a plain model of it, and an
 * index built by hand while two servers at neighbouring versions of the schema write its table.
 */
#include <string.h>

#include "engine/backfill/backfill.h"
#include "engine/backfill/merge.h"
#include "engine/schema/table.h"
#include "engine/schema/temporary.h"
#include "engine/wire/keys.h"
#include "tests/engine_cluster.h"

#define TABLE 1u
#define INDEX 9u
#define JOB 7u

static index_definition index_on_k(bool unique)
{
    index_definition index;
    memset(&index, 0, sizeof(index));
    index.id = INDEX;
    index.unique = unique;
    index.column_count = 1;
    index.columns[0] = SBTEST_K;
    memcpy(index.name, "k_1", 4);
    return index;
}

/* -------------------------------------------------------------------------------------- bytes */

static void bytes_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    temporary_element elements[] = {
        {5, -3, TEMPORARY_DELETE}, {9, 4, TEMPORARY_PUT}, {TIMESTAMP_MAX, 8, TEMPORARY_DELETE}};
    const temporary_history history = {elements, 3, 3};
    temporary_history back = {0};
    buffer bytes;
    buffer_init(&bytes);
    temporary_history_encode(&history, &bytes);
    ck_assert(temporary_history_decode(buffer_slice(&bytes), 12, &back));
    ck_assert_uint_eq(back.count, 3);
    ck_assert_int_eq(back.elements[0].handle, -3);
    ck_assert_uint_eq(back.elements[1].commit, 9);
    ck_assert_uint_eq(back.elements[2].commit, 12); /* its own: that of the version */
    ck_assert_int_eq(back.elements[2].operation, TEMPORARY_DELETE);
    temporary_history_release(&back);
    ck_assert(
        !temporary_history_decode(buffer_slice(&bytes), 9, &back)); /* later than its version */
    temporary_history_release(&back);
    for (uint32_t size = 0; size < bytes.size; size++) {
        ck_assert(!temporary_history_decode(slice_of(bytes.data, size), 12, &back));
        temporary_history_release(&back);
    }
    elements[1].handle = -3; /* one row twice */
    temporary_history_encode(&history, &bytes);
    ck_assert(!temporary_history_decode(buffer_slice(&bytes), 12, &back));
    temporary_history_release(&back);

    buffer real, temporary;
    buffer_init(&real);
    buffer_init(&temporary);
    key_index_prefix(&real, TABLE, INDEX);
    buffer_add_u64(&real, 77);
    temporary_entry_key(buffer_slice(&real), &temporary);
    ck_assert(slice_compare(buffer_slice(&real), buffer_slice(&temporary)) < 0);
    ck_assert(!real_entry_key(buffer_slice(&real), &bytes));
    ck_assert(real_entry_key(buffer_slice(&temporary), &bytes));
    ck_assert(slice_equal(buffer_slice(&bytes), buffer_slice(&real)));
    buffer_release(&temporary);
    buffer_release(&real);
    buffer_release(&bytes);
}

/* Temporary entries and their keys come back; what cannot be is refused. */
START_TEST(test_bytes)
{
    run_in_world(bytes_world, NULL, 1);
}
END_TEST

/* ----------------------------------------------------------------------------------- playing */

#define MODEL_ROWS 4

/* One key of a unique index, as storage would keep it, and who has it in truth. */
typedef struct model {
    table_definition table;
    index_definition index;
    timestamp now, real_commit;
    bool real_there;
    row_handle real_holder;
    buffer temporary; /* value; empty: none */
    timestamp temporary_commit;
    bool holds[MODEL_ROWS];
} model;

static void model_state(const model *of, key_state *into)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    row one;
    memset(&one, 0, sizeof(one));
    index_entry_key(&of->table, &of->index, &one, &key);
    key_state_init(into, buffer_slice(&key));
    index_entry_value(&of->index, of->real_holder, &value);
    const key_version real = {of->real_commit, of->real_there, buffer_slice(&value)};
    const key_version temporary = {of->temporary_commit, of->temporary.size > 0,
                                   buffer_slice(&of->temporary)};
    ck_assert(key_state_fill(into, &of->table, &of->index, &real, &temporary));
    buffer_release(&value);
    buffer_release(&key);
}

static void model_check(const model *of, const key_holders *found)
{
    uint32_t count = 0;
    for (row_handle handle = 0; handle < MODEL_ROWS; handle++) {
        ck_assert_int_eq(of->holds[handle], key_holders_have(found, handle));
        count += of->holds[handle];
    }
    ck_assert_uint_eq(count, found->count);
}

/* A row gains the key, or loses it, at the backfill state running or at ready-to-merge. */
static void model_change(model *of, row_handle handle, bool merging)
{
    key_state state;
    model_state(of, &state);
    const key_holders before = key_state_holders(&state);
    model_check(of, &before);
    const key_holders others = key_holders_without(&before, handle);
    const bool gains = !of->holds[handle];
    of->now++;
    if (gains && others.count > 0) {
        key_state_release(&state);
        return; /* a unique check refuses it */
    }
    of->holds[handle] = gains;
    if (merging) {
        ck_assert_uint_le(others.count, 1);
        of->real_commit = of->now;
        of->real_there = gains || others.count > 0;
        of->real_holder = gains ? handle : others.handles[0];
        buffer_clear(&of->temporary);
    } else {
        ck_assert(key_state_note(&state, gains ? TEMPORARY_PUT : TEMPORARY_DELETE, handle));
        temporary_history_encode(&state.history, &of->temporary);
    }
    of->temporary_commit = of->now;
    key_state_release(&state);
}

/* The entry of whoever had the key at the snapshot arrives, beneath everything. */
static void model_ingest(model *of, const bool *held, timestamp snapshot)
{
    for (row_handle handle = 0; handle < MODEL_ROWS; handle++) {
        if (held[handle] && of->real_commit < snapshot) {
            of->real_commit = snapshot;
            of->real_there = true;
            of->real_holder = handle;
        }
    }
}

static void playing_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    for (uint32_t round = 0; round < 3000; round++) {
        model of = {.index = index_on_k(true), .now = 10};
        table_define_sbtest(&of.table, TABLE);
        bool held[MODEL_ROWS];
        for (uint32_t i = below(12); i > 0; i--) { /* recorded, before the snapshot */
            model_change(&of, (row_handle)below(MODEL_ROWS), false);
        }
        memcpy(held, of.holds, sizeof(held));
        const timestamp snapshot = ++of.now;
        model_ingest(&of, held, snapshot);
        for (uint32_t i = below(12); i > 0; i--) {
            model_change(&of, (row_handle)below(MODEL_ROWS), false);
        }
        for (uint32_t i = below(12); i > 0; i--) { /* neighbours, some of each */
            model_change(&of, (row_handle)below(MODEL_ROWS), below(2) == 0);
        }
        key_state state;
        model_state(&of, &state);
        const key_holders found = key_state_holders(&state);
        model_check(&of, &found);
        ck_assert_uint_le(state.history.count, MODEL_ROWS);
        key_state_release(&state);
        buffer_release(&of.temporary);
    }
}

/* Whatever rows do, and however they are recorded, the present state is who has the key. */
START_TEST(test_present_state)
{
    run_in_world(playing_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* A row at delete-only lost the key, another gained it unseen, then came the snapshot: what was
 * recorded before it takes nothing away (TiDB issue 52914).  Nor does a later loss of another
 * row. */
static void replace_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    model of = {.index = index_on_k(true), .now = 10, .holds = {true}};
    table_define_sbtest(&of.table, TABLE);
    key_state state;
    model_state(&of, &state);
    ck_assert(key_state_note(&state, TEMPORARY_DELETE, 0));
    temporary_history_encode(&state.history, &of.temporary);
    key_state_release(&state);
    of.temporary_commit = 11;
    of.holds[0] = false;
    of.holds[1] = true; /* by a server at delete-only, which records no gain */
    model_ingest(&of, of.holds, 20);
    model_state(&of, &state);
    key_holders found = key_state_holders(&state);
    model_check(&of, &found);
    ck_assert(key_state_note(&state, TEMPORARY_DELETE, 2)); /* of a row that never had it */
    temporary_history_encode(&state.history, &of.temporary);
    key_state_release(&state);
    of.temporary_commit = 30;
    model_state(&of, &state);
    found = key_state_holders(&state);
    model_check(&of, &found);
    key_state_release(&state);
    buffer_release(&of.temporary);
}

/* The same, where the row that lost the key has it again. */
static void regain_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    model of = {.index = index_on_k(true), .now = 10, .holds = {true}};
    table_define_sbtest(&of.table, TABLE);
    key_state state;
    model_state(&of, &state);
    ck_assert(key_state_note(&state, TEMPORARY_DELETE, 0));
    temporary_history_encode(&state.history, &of.temporary);
    key_state_release(&state);
    of.temporary_commit = 11;
    model_ingest(&of, of.holds, 20);
    model_state(&of, &state);
    const key_holders found = key_state_holders(&state);
    model_check(&of, &found);
    key_state_release(&state);
    buffer_release(&of.temporary);
}

START_TEST(test_regained_at_delete_only)
{
    run_in_world(regain_world, NULL, 1);
}
END_TEST

START_TEST(test_replace_at_delete_only)
{
    run_in_world(replace_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------------- building by hand */

#define HANDLES 24
#define VALUES 48
#define WRITERS 2u /* of each server */

typedef struct build {
    cluster *of;
    bool unique;
    table_definition seen[2]; /* what the two servers see */
    timestamp snapshot;
    uint32_t pace; /* transactions of a writer in a round, at most */
    uint32_t refused, committed;
    engine_status ingested[2], merged;
    failure cause[2], merge_cause;
} build;

/* The rows at a timestamp: k of each handle, or -1. */
static void read_rows(cluster *of, timestamp at, int64_t *k)
{
    table_definition table;
    buffer start, end;
    pair_list rows;
    table_define_sbtest(&table, TABLE);
    buffer_init(&start);
    buffer_init(&end);
    row_range(TABLE, &start, &end);
    ck_assert_int_eq(
        cluster_scan(of, at, buffer_slice(&start), buffer_slice(&end), 100, &rows, NULL),
        ENGINE_OK);
    for (uint32_t i = 0; i < HANDLES; i++) {
        k[i] = -1;
    }
    for (uint32_t i = 0; i < rows.count; i++) {
        table_id id;
        row_handle handle;
        row one;
        ck_assert(row_key_decode(rows.pairs[i].key, &id, &handle));
        ck_assert(row_decode(&table, handle, rows.pairs[i].value, &one));
        k[handle] = one.columns[SBTEST_K].integer;
    }
    pair_list_release(&rows);
    buffer_release(&start);
    buffer_release(&end);
}

static bool is_taken(const int64_t *k, row_handle by_other_than, int64_t value)
{
    for (row_handle i = 0; i < HANDLES; i++) {
        if (i != by_other_than && k[i] == value) {
            return true;
        }
    }
    return false;
}

static bool has_duplicate(const int64_t *k)
{
    for (row_handle i = 0; i < HANDLES; i++) {
        if (k[i] >= 0 && is_taken(k, i, k[i])) {
            return true;
        }
    }
    return false;
}

static row some_row(row_handle handle, int64_t k)
{
    row one;
    memset(&one, 0, sizeof(one));
    one.columns[SBTEST_ID].integer = handle;
    one.columns[SBTEST_K].integer = k;
    one.columns[SBTEST_C].bytes = slice_of_string("c");
    one.columns[SBTEST_PAD].bytes = slice_of_string("pad");
    return one;
}

/* A refusal is right: somebody has the key, as of the transaction's start. */
static void check_refusal(const build *in, const transaction *begun, const row *wanted,
                          bool inserts)
{
    int64_t k[HANDLES];
    read_rows(in->of, transaction_start(begun), k);
    const row_handle handle = row_handle_of(wanted);
    ck_assert((inserts && k[handle] >= 0) ||
              (in->unique && is_taken(k, handle, wanted->columns[SBTEST_K].integer)));
}

/* Statements of one transaction.  Before the snapshot a value that a row has is nearly always left
 * alone: few builds shall end there. */
static engine_status change_rows(build *in, transaction *begun, const table_definition *table)
{
    const row_handle handle = (row_handle)below(HANDLES), other = (row_handle)below(HANDLES);
    int64_t k[HANDLES];
    read_rows(in->of, transaction_start(begun), k);
    int64_t value = below(VALUES);
    if (is_taken(k, handle, value) && below(2) > 0) {
        value = below(VALUES);
    }
    const uint32_t kind = below(8);
    if (kind >= 5 && k[handle] >= 0 && below(2) == 0) {
        value = k[handle]; /* replaced by itself */
    }
    const row wanted = some_row(handle, value);
    if (in->unique && in->snapshot == 0 && is_taken(k, handle, value) && below(12) > 0) {
        return ENGINE_CONFLICT;
    }
    engine_status status = ENGINE_OK;
    if (kind <= 2) {
        status = table_update(begun, table, &wanted, 1u << SBTEST_K, NULL);
    } else if (kind == 3) {
        status = table_delete(begun, table, handle, NULL);
    } else if (kind == 4) { /* the value goes from row to row */
        const row taker = some_row(other, k[handle]);
        status = table_delete(begun, table, handle, NULL);
        if (status == ENGINE_OK && k[handle] >= 0 && other != handle) {
            status = k[other] >= 0 ? table_update(begun, table, &taker, 1u << SBTEST_K, NULL)
                                   : table_insert(begun, table, &taker, NULL);
            return status == ENGINE_DUPLICATE ? ENGINE_CONFLICT : status; /* checked elsewhere */
        }
    } else { /* replace */
        status = table_delete(begun, table, handle, NULL);
        if (status == ENGINE_OK || status == ENGINE_NOT_FOUND) {
            status = table_insert(begun, table, &wanted, NULL);
        }
    }
    if (status == ENGINE_DUPLICATE) {
        check_refusal(in, begun, &wanted, false);
        in->refused++;
    }
    return status;
}

typedef struct writer_task {
    build *in;
    uint32_t server, transactions;
} writer_task;

static void writer_main(void *argument)
{
    const writer_task *of = argument;
    for (uint32_t i = 0; i < of->transactions; i++) {
        transaction *begun;
        (void)sb_sleep(below(8) * SB_MILLISECOND, NULL);
        ck_assert_int_eq(transaction_begin(of->in->of, 1, &begun, NULL), ENGINE_OK);
        engine_status status = change_rows(of->in, begun, &of->in->seen[of->server]);
        if (status == ENGINE_OK) {
            status = transaction_commit(begun, NULL, NULL);
        } else {
            transaction_rollback(begun);
        }
        transaction_release(begun);
        of->in->committed += status == ENGINE_OK;
        ck_assert(status == ENGINE_OK || status == ENGINE_NOT_FOUND || status == ENGINE_CONFLICT ||
                  status == ENGINE_DUPLICATE);
    }
}

/* One half of the rows. */
static void ingest_half(build *in, uint32_t half)
{
    const backfill_settings settings = {.batch_rows = 3, .writer_quota = 64};
    backfill *with = backfill_open(in->of, &settings);
    buffer start, middle, end;
    buffer_init(&start);
    buffer_init(&middle);
    buffer_init(&end);
    row_range(TABLE, &start, &end);
    key_row(&middle, TABLE, HANDLES / 2);
    const backfill_work work = {.job = JOB,
                                .number = half,
                                .attempt = 1,
                                .table = in->seen[0],
                                .index = *table_index(&in->seen[0], INDEX),
                                .snapshot = in->snapshot,
                                .start = half == 0 ? buffer_slice(&start) : buffer_slice(&middle),
                                .end = half == 0 ? buffer_slice(&middle) : buffer_slice(&end)};
    uint64_t rows;
    do {
        (void)sb_sleep(below(100) * SB_MILLISECOND, NULL);
        in->ingested[half] = backfill_run(with, &work, &rows, &in->cause[half], NULL);
    } while (in->ingested[half] == ENGINE_CONFLICT ||
             (in->ingested[half] == ENGINE_OK && below(3) == 0)); /* its answer was lost */
    backfill_close(with);
    buffer_release(&start);
    buffer_release(&middle);
    buffer_release(&end);
}

static void ingest_first(void *argument)
{
    ingest_half(argument, 0);
}

static void ingest_second(void *argument)
{
    ingest_half(argument, 1);
}

/* As the executor does it: the row of the subtask is put first. */
static engine_status put_progress(void *context, transaction *in, slice merged, uint64_t *keys,
                                  sb_scope *scope)
{
    (void)context;
    (void)keys;
    (void)scope;
    buffer key;
    buffer_init(&key);
    key_subtask(&key, JOB, 1, 0);
    transaction_put(in, buffer_slice(&key), merged);
    buffer_release(&key);
    return below(8) == 0 ? ENGINE_NOT_FOUND : ENGINE_OK; /* taken away, and given back */
}

static void merge_main(void *argument)
{
    build *in = argument;
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    index_range(TABLE, INDEX | TEMPORARY_INDEX, &start, &end);
    const merge_work work = {.job = JOB,
                             .table = in->seen[0],
                             .index = *table_index(&in->seen[0], INDEX),
                             .snapshot = in->snapshot,
                             .start = buffer_slice(&start),
                             .end = buffer_slice(&end),
                             .progress = put_progress};
    uint64_t keys;
    do {
        in->merged = merge_run(in->of, &work, &keys, &in->merge_cause, NULL);
    } while (in->merged == ENGINE_NOT_FOUND);
    buffer_release(&start);
    buffer_release(&end);
}

/* Both servers write, at the versions they see; and what else is to happen meanwhile. */
static void run_round(build *in, uint32_t transactions, sb_task_main *first, sb_task_main *second)
{
    sb_wait_group tasks;
    writer_task writers[2] = {{in, 0, transactions}, {in, 1, transactions}};
    sb_wait_group_init(&tasks, "round");
    for (uint32_t i = 0; i < 2 * WRITERS; i++) {
        sb_spawn(&tasks, writer_main, &writers[i % 2], "writer-%u", i);
    }
    if (first != NULL) {
        sb_spawn(&tasks, first, in, "first");
    }
    if (second != NULL) {
        sb_spawn(&tasks, second, in, "second");
    }
    (void)sb_wait_group_wait(&tasks, NULL);
    sb_wait_group_release(&tasks);
}

static void see(build *in, uint32_t server, schema_state state, backfill_state way)
{
    table_definition *table = &in->seen[server];
    index_definition index = index_on_k(in->unique);
    index.state = state;
    index.backfill = way;
    (void)table_remove_index(table, INDEX);
    if (state != SCHEMA_NONE) {
        ck_assert(table_add_index(table, &index));
    }
}

/* One server is there first; they work side by side; then the other comes too. */
static void step(build *in, schema_state state, backfill_state way)
{
    const uint32_t ahead = below(2);
    see(in, ahead, state, way);
    run_round(in, 1 + below(in->pace), NULL, NULL);
    see(in, 1 - ahead, state, way);
    run_round(in, below(in->pace), NULL, NULL);
}

static uint64_t count_keys(cluster *of, index_id index)
{
    buffer start, end;
    pair_list found;
    buffer_init(&start);
    buffer_init(&end);
    index_range(TABLE, index, &start, &end);
    ck_assert_int_eq(cluster_scan(of, TIMESTAMP_MAX, buffer_slice(&start), buffer_slice(&end), 100,
                                  &found, NULL),
                     ENGINE_OK);
    const uint64_t count = found.count;
    pair_list_release(&found);
    buffer_release(&start);
    buffer_release(&end);
    return count;
}

/* The index has one entry for each row, and nothing else; nothing temporary is left. */
static void check_built(const build *in)
{
    int64_t k[HANDLES];
    uint64_t rows = 0;
    index_definition index = index_on_k(in->unique);
    buffer key, value, found;
    buffer_init(&key);
    buffer_init(&value);
    buffer_init(&found);
    read_rows(in->of, TIMESTAMP_MAX, k);
    for (row_handle handle = 0; handle < HANDLES; handle++) {
        if (k[handle] >= 0) {
            const row one = some_row(handle, k[handle]);
            rows++;
            index_entry(&in->seen[0], &index, &one, &key, &value);
            ck_assert_int_eq(cluster_read(in->of, TIMESTAMP_MAX, buffer_slice(&key), &found, NULL),
                             ENGINE_OK);
            ck_assert(slice_equal(buffer_slice(&found), buffer_slice(&value)));
        }
    }
    ck_assert_uint_eq(count_keys(in->of, INDEX), rows);
    ck_assert_uint_eq(count_keys(in->of, INDEX | TEMPORARY_INDEX), 0);
    buffer_release(&key);
    buffer_release(&value);
    buffer_release(&found);
}

/* Back from wherever the index is; refusals go on being right. */
static void give_up(build *in)
{
    const index_definition *index = table_index(&in->seen[0], INDEX);
    const backfill_state way = index->backfill;
    if (index->state > SCHEMA_DELETE_ONLY) {
        step(in, SCHEMA_DELETE_ONLY, way);
    }
    step(in, SCHEMA_NONE, BACKFILL_INAPPLICABLE);
}

/* False: it ended by a duplicate, and there was one. */
static bool ingest(build *in)
{
    int64_t k[HANDLES];
    ck_assert_int_eq(cluster_timestamp(in->of, &in->snapshot, NULL), ENGINE_OK);
    run_round(in, 2 + below(8), ingest_first, ingest_second);
    const bool failed = in->ingested[0] == ENGINE_FAILED || in->ingested[1] == ENGINE_FAILED;
    for (uint32_t half = 0; half < 2; half++) {
        ck_assert(in->ingested[half] == ENGINE_OK || (in->ingested[half] == ENGINE_FAILED &&
                                                      in->cause[half] == FAILURE_DUPLICATE_KEY));
    }
    read_rows(in->of, in->snapshot, k);
    ck_assert_int_eq(failed, in->unique && has_duplicate(k));
    return !failed;
}

/* A duplicate that the merge met may be gone by its end: ask again when nobody writes. */
static bool merge(build *in)
{
    int64_t k[HANDLES];
    run_round(in, 6, merge_main, NULL);
    if (in->merged == ENGINE_FAILED) {
        merge_main(in);
    }
    read_rows(in->of, TIMESTAMP_MAX, k);
    ck_assert(in->merged == ENGINE_OK ||
              (in->merged == ENGINE_FAILED && in->merge_cause == FAILURE_DUPLICATE_KEY));
    ck_assert_int_eq(in->merged == ENGINE_FAILED, in->unique && has_duplicate(k));
    return in->merged == ENGINE_OK;
}

/* The whole way; *done: how many stations are passed before it is cancelled. */
static void build_index(build *in, uint32_t stations)
{
    static const struct {
        schema_state state;
        backfill_state backfill;
    } way[] = {
        {SCHEMA_DELETE_ONLY, BACKFILL_RUNNING},
        {SCHEMA_WRITE_ONLY, BACKFILL_RUNNING},
        {SCHEMA_WRITE_REORGANIZATION, BACKFILL_RUNNING}, /* and the ingest */
        {SCHEMA_WRITE_REORGANIZATION, BACKFILL_READY_TO_MERGE},
        {SCHEMA_WRITE_REORGANIZATION, BACKFILL_MERGING}, /* and the merge */
        {SCHEMA_PUBLIC, BACKFILL_INAPPLICABLE},
    };
    for (uint32_t i = 0; i < 6; i++) {
        if (i == stations) {
            give_up(in);
            return;
        }
        step(in, way[i].state, way[i].backfill);
        if ((i == 2 && !ingest(in)) || (i == 4 && !merge(in))) {
            give_up(in);
            return;
        }
    }
    check_built(in);
}

static void build_world(sb_world *world, void *context)
{
    const uint64_t seed = *(const uint64_t *)context;
    test_cluster machines;
    test_cluster_start(&machines, world);
    build in = {.of = test_cluster_open(&machines), .unique = seed % 2 == 0, .pace = 1 + below(6)};
    for (uint32_t i = 0; i < 2; i++) {
        table_define_sbtest(&in.seen[i], TABLE);
    }
    transaction *load;
    ck_assert_int_eq(transaction_begin(in.of, 0, &load, NULL), ENGINE_OK);
    for (row_handle handle = 0; handle < HANDLES; handle += 1 + below(2)) {
        const row one = some_row(handle, 2 * handle);
        ck_assert_int_eq(table_insert(load, &in.seen[0], &one, NULL), ENGINE_OK);
    }
    ck_assert_int_eq(transaction_commit(load, NULL, NULL), ENGINE_OK);
    transaction_release(load);
    build_index(&in, seed % 3 == 0 ? 1 + below(5) : UINT32_MAX);
    ck_assert_uint_gt(in.committed, 0);
    test_cluster_close(&machines, in.of);
}

/* An index that is built while its table is written is right, whatever the interleaving: its
 * entries are those of the rows, a duplicate ends it exactly when there is one, and no statement is
 * refused for a key that nobody has. */
START_TEST(test_building)
{
    uint64_t seed = (uint64_t)_i + 1;
    run_in_world(build_world, &seed, seed);
}
END_TEST

/* -------------------------------------------------------------------------------- neighbours */

/* Two rows gain one key at the same time, at two servers; the first commits. */
static void gain_at_once(build *in, uint32_t first, row_handle handle)
{
    transaction *begun[2];
    for (uint32_t i = 0; i < 2; i++) {
        const row one = some_row(handle + i, handle);
        ck_assert_int_eq(transaction_begin(in->of, 1, &begun[i], NULL), ENGINE_OK);
        ck_assert_int_eq(table_insert(begun[i], &in->seen[i], &one, NULL), ENGINE_OK);
    }
    ck_assert_int_eq(transaction_commit(begun[first], NULL, NULL), ENGINE_OK);
    ck_assert_int_eq(transaction_commit(begun[1 - first], NULL, NULL), ENGINE_CONFLICT);
    transaction_release(begun[0]);
    transaction_release(begun[1]);
    /* And from now on each of them sees it. */
    for (uint32_t i = 0; i < 2; i++) {
        const row one = some_row(handle + 2 + i, handle);
        ck_assert_int_eq(transaction_begin(in->of, 1, &begun[i], NULL), ENGINE_OK);
        ck_assert_int_eq(table_insert(begun[i], &in->seen[i], &one, NULL), ENGINE_DUPLICATE);
        transaction_rollback(begun[i]);
        transaction_release(begun[i]);
    }
}

static void neighbours_world(sb_world *world, void *context)
{
    static const struct {
        schema_state state;
        backfill_state backfill;
    } way[] = {
        {SCHEMA_WRITE_ONLY, BACKFILL_RUNNING},
        {SCHEMA_WRITE_REORGANIZATION, BACKFILL_RUNNING},
        {SCHEMA_WRITE_REORGANIZATION, BACKFILL_READY_TO_MERGE},
        {SCHEMA_WRITE_REORGANIZATION, BACKFILL_MERGING},
        {SCHEMA_PUBLIC, BACKFILL_INAPPLICABLE},
    };
    (void)context;
    test_cluster machines;
    test_cluster_start(&machines, world);
    build in = {.of = test_cluster_open(&machines), .unique = true};
    row_handle handle = 1;
    for (uint32_t i = 0; i + 1 < sizeof(way) / sizeof(way[0]); i++) {
        for (uint32_t order = 0; order < 4; order++) {
            for (uint32_t server = 0; server < 2; server++) {
                const uint32_t at = i + (order / 2 == server);
                table_define_sbtest(&in.seen[server], TABLE);
                see(&in, server, way[at].state, way[at].backfill);
            }
            gain_at_once(&in, order % 2, handle);
            handle += 4;
        }
    }
    test_cluster_close(&machines, in.of);
}

/* Neighbours never overlook each other: of two that give one key to two rows one conflicts, and
 * whoever comes later is refused. */
START_TEST(test_neighbours)
{
    run_in_world(neighbours_world, NULL, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine: the temporary index");
    TCase *all = tcase_create("temporary");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, test_bytes);
    tcase_add_loop_test(all, test_present_state, 0, 4);
    tcase_add_test(all, test_replace_at_delete_only);
    tcase_add_test(all, test_regained_at_delete_only);
    tcase_add_test(all, test_neighbours);
    tcase_add_loop_test(all, test_building, 0, 120);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
