/*
 * The schema: definitions, rows and index entries as bytes, what a client's request and a report
 * are as bytes, and a server's schema cache with its acknowledgements.
 */
#include <string.h>

#include "engine/schema/acknowledgement.h"
#include "engine/schema/bootstrap.h"
#include "engine/schema/schema_cache.h"
#include "engine/schema/table.h"
#include "engine/wire/keys.h"
#include "nodes/report.h"
#include "tests/engine_cluster.h"

static index_definition index_on(index_id id, const char *name, uint8_t column, schema_state state)
{
    index_definition index;
    memset(&index, 0, sizeof(index));
    index.id = id;
    index.state = state;
    index.column_count = 1;
    index.columns[0] = column;
    memcpy(index.name, name, strlen(name) + 1);
    return index;
}

/* -------------------------------------------------------------------------------- definitions */

START_TEST(test_states_walk_one_step_at_a_time)
{
    ck_assert_str_eq(schema_state_text(SCHEMA_WRITE_REORGANIZATION), "write-reorganization");
    for (uint32_t from = 0; from < SCHEMA_STATE_COUNT; from++) {
        for (uint32_t to = 0; to < SCHEMA_STATE_COUNT; to++) {
            const bool forward = to == from + 1;
            const bool allowed = schema_move_allowed((schema_state)from, (schema_state)to);
            ck_assert(!forward || allowed);
            ck_assert(to <= from || forward || !allowed);
        }
    }
    ck_assert(!schema_move_allowed(SCHEMA_PUBLIC, SCHEMA_NONE));
    ck_assert(!schema_move_allowed(SCHEMA_WRITE_REORGANIZATION, SCHEMA_NONE));
}
END_TEST

static void definitions_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    table_definition table, back;
    buffer bytes;
    buffer_init(&bytes);
    table_define_sbtest(&table, 7);
    table.version = 4;
    index_definition plain = index_on(9, "k_1", SBTEST_K, SCHEMA_WRITE_ONLY);
    ck_assert(table_add_index(&table, &plain));
    ck_assert(!table_add_index(&table, &plain));
    plain = index_on(10, "k_1", SBTEST_K, SCHEMA_PUBLIC);
    ck_assert(!table_add_index(&table, &plain)); /* the name is taken */

    table_encode(&table, &bytes);
    ck_assert(table_decode(buffer_slice(&bytes), &back));
    ck_assert(memcmp(&table, &back, sizeof(table)) == 0);
    for (uint32_t i = 0; i < bytes.size * 8; i++) {
        bytes.data[i / 8] ^= (unsigned char)(1u << i % 8);
        ck_assert(!table_decode(buffer_slice(&bytes), &back));
        bytes.data[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    ck_assert(table_set_index_state(&table, 9, SCHEMA_PUBLIC, BACKFILL_INAPPLICABLE));
    ck_assert_int_eq(table_index_named(&table, "k_1")->state, SCHEMA_PUBLIC);
    ck_assert(table_remove_index(&table, 9));
    ck_assert(!table_remove_index(&table, 9));
    ck_assert_ptr_null(table_index(&table, 9));
    buffer_release(&bytes);
}

/* A definition comes back as it was; no flipped bit goes unnoticed. */
START_TEST(test_definitions)
{
    run_in_world(definitions_world, NULL, 1);
}
END_TEST

/* --------------------------------------------------------------------------------------- rows */

static row random_row(unsigned char text[2][20])
{
    row made;
    memset(&made, 0, sizeof(made));
    made.columns[SBTEST_ID].integer = (int64_t)below(9) - 4;
    made.columns[SBTEST_K].integer = (int64_t)below(5) - 2;
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t size = below(20);
        for (uint32_t j = 0; j < size; j++) {
            text[i][j] = (unsigned char)below(3);
        }
        made.columns[SBTEST_C + i].bytes = slice_of(text[i], size);
    }
    return made;
}

static int sign(int64_t left, int64_t right)
{
    return (left > right) - (left < right);
}

/* By the indexed value, then by the handle. */
static int entry_order(const row *left, const row *right, uint8_t column)
{
    int order = column == SBTEST_K
                    ? sign(left->columns[column].integer, right->columns[column].integer)
                    : slice_compare(left->columns[column].bytes, right->columns[column].bytes);
    if (order == 0) {
        order = sign(row_handle_of(left), row_handle_of(right));
    }
    return sign(order, 0);
}

static void check_entries(const table_definition *table, const row *left, const row *right)
{
    buffer key, other, value, end;
    buffer_init(&key);
    buffer_init(&other);
    buffer_init(&value);
    buffer_init(&end);
    for (uint8_t column = SBTEST_K; column <= SBTEST_C; column++) {
        index_definition index = index_on(3, "i", column, SCHEMA_PUBLIC);
        row_handle handle;
        index_entry(table, &index, left, &key, &value);
        index_entry_key(table, &index, right, &other);
        ck_assert(
            index_entry_handle(table, &index, buffer_slice(&key), buffer_slice(&value), &handle));
        ck_assert_int_eq(handle, row_handle_of(left));
        ck_assert_int_eq(sign(slice_compare(buffer_slice(&key), buffer_slice(&other)), 0),
                         entry_order(left, right, column));
        index_values_range(table, &index, &left->columns[column], &other, &end);
        ck_assert(key_in_range(buffer_slice(&key), buffer_slice(&other), buffer_slice(&end)));

        index.unique = true;
        index_entry(table, &index, left, &key, &value);
        ck_assert(
            index_entry_handle(table, &index, buffer_slice(&key), buffer_slice(&value), &handle));
        ck_assert_int_eq(handle, row_handle_of(left));
    }
    buffer_release(&key);
    buffer_release(&other);
    buffer_release(&value);
    buffer_release(&end);
}

static void rows_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    table_definition table;
    table_define_sbtest(&table, 7);
    buffer bytes;
    buffer_init(&bytes);
    for (uint32_t round = 0; round < 2000; round++) {
        unsigned char left_text[2][20], right_text[2][20];
        const row left = random_row(left_text), right = random_row(right_text);
        row back;
        row_encode(&table, &left, &bytes);
        ck_assert(row_decode(&table, row_handle_of(&left), buffer_slice(&bytes), &back));
        ck_assert_int_eq(back.columns[SBTEST_K].integer, left.columns[SBTEST_K].integer);
        ck_assert(slice_equal(back.columns[SBTEST_C].bytes, left.columns[SBTEST_C].bytes));
        ck_assert(slice_equal(back.columns[SBTEST_PAD].bytes, left.columns[SBTEST_PAD].bytes));
        ck_assert(!row_decode(&table, 1, slice_of(bytes.data, bytes.size - 1), &back));
        check_entries(&table, &left, &right);
    }
    buffer_release(&bytes);
}

/* Rows come back; entries stand in the order of value and handle, and lead back to the row. */
START_TEST(test_rows_and_entries)
{
    run_in_world(rows_world, NULL, 1);
}
END_TEST

/* -------------------------------------------------------------------------- requests, reports */

static void check_request_bytes(const execute_request *asked)
{
    buffer bytes;
    buffer_init(&bytes);
    operation_begin_encode(4, asked, &bytes);
    operation_begin back;
    ck_assert(operation_begin_decode(buffer_slice(&bytes), &back));
    ck_assert_uint_eq(back.server, 4);
    ck_assert_uint_eq(back.request.number, asked->number);
    ck_assert_uint_eq(back.request.statement_count, asked->statement_count);
    const statement *update = &back.request.statements[STATEMENT_UPDATE];
    ck_assert_int_eq(update->k, asked->statements[STATEMENT_UPDATE].k);
    ck_assert_uint_eq(write_value_number(update->c), 0xfeed01);
    ck_assert_uint_eq(update->columns, STATEMENT_UPDATE);
    ck_assert_int_eq(back.request.statements[STATEMENT_SCAN].last, STATEMENT_SCAN);
    execute_request_release(&back.request);
    for (uint32_t size = 0; size < bytes.size; size++) {
        ck_assert(!operation_begin_decode(slice_of(bytes.data, size), &back));
        execute_request_release(&back.request);
    }
    buffer_release(&bytes);
}

static void check_reply_bytes(const execute_reply *said)
{
    buffer bytes;
    buffer_init(&bytes);
    operation_end_encode(9, SB_OK, said, &bytes);
    operation_end back;
    ck_assert(operation_end_decode(buffer_slice(&bytes), &back));
    ck_assert_uint_eq(back.number, 9);
    ck_assert_uint_eq(back.reply.committed, said->committed);
    ck_assert_uint_eq(back.reply.result_count, RESULT_KIND_COUNT);
    ck_assert_int_eq(back.reply.results[RESULT_IDS].ids[1], -5);
    execute_reply_release(&back.reply);
    for (uint32_t size = 0; size < bytes.size; size++) {
        ck_assert(!operation_end_decode(slice_of(bytes.data, size), &back));
        execute_reply_release(&back.reply);
    }
    buffer_release(&bytes);
}

static void wire_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    unsigned char c[24];
    write_value_format(0xfeed01, sizeof(c), c);
    ck_assert_uint_eq(write_value_number(slice_of(c, 16)), 0);
    statement statements[STATEMENT_KIND_COUNT];
    for (uint32_t i = 0; i < STATEMENT_KIND_COUNT; i++) {
        statements[i] = (statement){.kind = (statement_kind)i,
                                    .think_ms = i,
                                    .id = i,
                                    .k = -(int64_t)i,
                                    .c = slice_of(c, sizeof(c)),
                                    .pad = slice_of_string("pad"),
                                    .columns = i,
                                    .last = i,
                                    .index_name = slice_of_string("k_1")};
    }
    const execute_request asked = {5, 6, 7, 8, STATEMENT_KIND_COUNT, statements};
    check_request_bytes(&asked);

    int64_t ids[2] = {4, -5};
    statement_result results[RESULT_KIND_COUNT];
    memset(results, 0, sizeof(results));
    for (uint32_t i = 0; i < RESULT_KIND_COUNT; i++) {
        results[i].kind = (result_kind)i;
    }
    results[RESULT_ROW].c = slice_of(c, sizeof(c));
    results[RESULT_IDS].ids = ids;
    results[RESULT_IDS].id_count = 2;
    const execute_reply said = {OUTCOME_COMMITTED, REFUSAL_NONE, 3, 4, 5, 6,
                                RESULT_KIND_COUNT, results};
    check_reply_bytes(&said);
}

/* Requests, replies and reports come back as they were; none that is cut short is taken. */
START_TEST(test_requests_and_reports)
{
    run_in_world(wire_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------------------- schema cache */

#define JOB 3u
#define SESSION 5u

typedef struct poller {
    schema_cache *cache;
    sb_scope scope;
} poller;

static void poller_main(void *argument)
{
    poller *of = argument;
    schema_cache_run(of->cache, &of->scope);
}

/* The next schema version, with the index at this state, as the owner of job JOB writes it. */
static schema_version take_step(cluster *of, schema_state state)
{
    transaction *step;
    buffer key, value;
    schema_version version = 0;
    table_definition table;
    buffer_init(&key);
    buffer_init(&value);
    ck_assert_int_eq(transaction_begin(of, 0, &step, NULL), ENGINE_OK);
    key_schema_version(&key);
    ck_assert_int_eq(transaction_read(step, buffer_slice(&key), &value, NULL), ENGINE_OK);
    ck_assert(schema_version_decode(buffer_slice(&value), &version));
    schema_version_encode(++version, &value);
    transaction_put(step, buffer_slice(&key), buffer_slice(&value));
    key_table(&key, 1);
    ck_assert_int_eq(transaction_read(step, buffer_slice(&key), &value, NULL), ENGINE_OK);
    ck_assert(table_decode(buffer_slice(&value), &table));
    const index_definition index = index_on(9, "k_1", SBTEST_K, state);
    ck_assert(table_add_index(&table, &index) ||
              table_set_index_state(&table, 9, state, BACKFILL_INAPPLICABLE));
    table_encode(&table, &value);
    transaction_put(step, buffer_slice(&key), buffer_slice(&value));
    key_job(&key, JOB);
    transaction_put(step, buffer_slice(&key), slice_of_string("a job"));
    ck_assert_int_eq(transaction_commit(step, NULL, NULL), ENGINE_OK);
    transaction_release(step);
    buffer_release(&key);
    buffer_release(&value);
    return version;
}

/* The version that is acknowledged under the session now; 0 for none. */
static schema_version acknowledged(cluster *of, session_id session)
{
    acknowledgement found;
    uint32_t count;
    ck_assert_int_eq(acknowledgements_read(of, TIMESTAMP_MAX, JOB, &found, 1, &count, NULL),
                     ENGINE_OK);
    ck_assert(count == 0 || found.server == sb_self());
    return count == 1 && found.session == session ? found.version : 0;
}

static void await_acknowledged(cluster *of, session_id session, schema_version version)
{
    for (uint32_t i = 0; acknowledged(of, session) != version; i++) {
        ck_assert_uint_lt(i, 100);
        (void)sb_sleep(100 * SB_MILLISECOND, NULL);
    }
}

static void check_pins_hold_back(cluster *of, schema_cache *cache)
{
    const schema_snapshot *pinned;
    transaction *old;
    const schema_version first = take_step(of, SCHEMA_DELETE_ONLY);
    await_acknowledged(of, SESSION, first);
    ck_assert_int_eq(schema_begin(cache, &pinned, &old, NULL), ENGINE_OK);
    ck_assert_uint_eq(pinned->version, first);
    ck_assert_uint_eq(transaction_schema_version(old), first);

    const schema_version second = take_step(of, SCHEMA_WRITE_ONLY);
    (void)sb_sleep(5 * SB_SECOND, NULL);
    ck_assert_uint_eq(acknowledged(of, SESSION), first);
    ck_assert_uint_eq(schema_cache_version(cache), second);
    ck_assert_uint_eq(schema_cache_oldest(cache), first);
    ck_assert_int_eq(table_index(schema_table(pinned, 1), 9)->state, SCHEMA_DELETE_ONLY);

    transaction_rollback(old);
    transaction_release(old);
    schema_release(cache, pinned);
    await_acknowledged(of, SESSION, second);
    ck_assert_uint_eq(schema_cache_oldest(cache), second);
}

/* What a fenced session sees may have gone from under its schema: none of its reads is answered. */
static void check_fenced_reads(transaction *begun)
{
    const slice key = slice_of_string("x"), end = slice_of_string("y");
    slice value;
    version_list versions;
    pair_list pairs;
    ck_assert_int_eq(transaction_get(begun, key, &value, NULL), ENGINE_FENCED);
    ck_assert_int_eq(transaction_read_versions(begun, &key, 1, &versions, NULL), ENGINE_FENCED);
    ck_assert_int_eq(transaction_scan(begun, key, end, 10, &pairs, NULL), ENGINE_FENCED);
}

/* Storage refuses the session: nothing begins until there is another, under which all is loaded and
 * acknowledged again. */
static void check_fence(test_cluster *in, cluster *of, schema_cache *cache)
{
    const schema_snapshot *pinned;
    transaction *begun;
    ck_assert_int_eq(schema_begin(cache, &pinned, &begun, NULL), ENGINE_OK);
    slice value;
    ck_assert_int_eq(transaction_get(begun, slice_of_string("x"), &value, NULL), ENGINE_NOT_FOUND);
    test_cluster_fence(in, of, SESSION + 1);
    check_fenced_reads(begun);
    ck_assert(cluster_fenced(of));
    transaction_put(begun, slice_of_string("x"), slice_of_string("1"));
    ck_assert_int_eq(transaction_commit(begun, NULL, NULL), ENGINE_FENCED);
    transaction_release(begun);
    ck_assert_ptr_null(schema_acquire(cache));
    const schema_snapshot *other;
    ck_assert_int_eq(schema_begin(cache, &other, &begun, NULL), ENGINE_FENCED);

    cluster_set_session(of, SESSION + 1);
    ck_assert_ptr_null(schema_acquire(cache)); /* what is loaded, was loaded under the old one */
    schema_cache_reset(cache);
    ck_assert_int_eq(schema_cache_wait_loaded(cache, NULL), ENGINE_OK);
    (void)sb_sleep(3 * SB_SECOND, NULL);
    ck_assert_uint_eq(acknowledged(of, SESSION + 1), 0); /* the old pin holds this one back too */
    schema_release(cache, pinned);
    await_acknowledged(of, SESSION + 1, schema_cache_version(cache));
}

/* Once the job is gone, no acknowledgement of it appears again. */
static void check_forget(cluster *of)
{
    transaction *last;
    buffer key;
    buffer_init(&key);
    ck_assert_int_eq(transaction_begin(of, 0, &last, NULL), ENGINE_OK);
    key_job(&key, JOB);
    transaction_delete(last, buffer_slice(&key));
    const sb_address self = sb_self();
    acknowledgements_forget(last, JOB, &self, 1);
    ck_assert_int_eq(transaction_commit(last, NULL, NULL), ENGINE_OK);
    transaction_release(last);
    buffer_release(&key);
    acknowledgement found;
    uint32_t count;
    ck_assert_int_eq(acknowledgements_read(of, TIMESTAMP_MAX, JOB, &found, 1, &count, NULL),
                     ENGINE_OK);
    ck_assert_uint_eq(count, 0);
}

/* A session that is granted while a job's end is on its way, and acknowledges the job before it has
 * come: the end does not know of it, and must look again. */
static void check_late_session(cluster *of, schema_cache *cache)
{
    transaction *end;
    buffer key;
    buffer_init(&key);
    const schema_version version = take_step(of, SCHEMA_WRITE_REORGANIZATION);
    await_acknowledged(of, SESSION + 1, version);
    ck_assert_int_eq(transaction_begin(of, 0, &end, NULL), ENGINE_OK);
    cluster_set_session(of, SESSION + 2);
    schema_cache_reset(cache);
    await_acknowledged(of, SESSION + 2, version);
    key_job(&key, JOB);
    transaction_delete(end, buffer_slice(&key));
    ck_assert_int_eq(transaction_commit(end, NULL, NULL), ENGINE_CONFLICT);
    transaction_release(end);
    buffer_release(&key);
}

static void cache_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    test_cluster_start(&in, world);
    cluster *of = test_cluster_open(&in);
    cluster_set_session(of, SESSION);
    table_definition table;
    table_define_sbtest(&table, 1);
    ck_assert_int_eq(schema_bootstrap(of, &table, 1, NULL), ENGINE_OK);
    ck_assert_int_eq(schema_bootstrap(of, &table, 1, NULL), ENGINE_OK);

    poller polling = {.cache = schema_cache_open(of, NULL)};
    sb_wait_group pollers;
    sb_scope_init(&polling.scope, NULL, "poller");
    sb_wait_group_init(&pollers, "poller");
    sb_spawn(&pollers, poller_main, &polling, "poller");
    ck_assert_int_eq(schema_cache_wait_loaded(polling.cache, NULL), ENGINE_OK);
    check_pins_hold_back(of, polling.cache);
    check_fence(&in, of, polling.cache);
    check_late_session(of, polling.cache);
    check_forget(of);

    sb_scope_cancel(&polling.scope);
    sb_wait_group_wait(&pollers, NULL);
    sb_scope_release(&polling.scope);
    sb_wait_group_release(&pollers);
    schema_cache_close(polling.cache);
    test_cluster_close(&in, of);
}

/* A server acknowledges a version when no transaction of its own uses an older one, and never a
 * version that its session has not loaded. */
START_TEST(test_schema_cache)
{
    run_in_world(cache_world, NULL, (uint64_t)_i + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine schema");
    TCase *group = tcase_create("schema");
    tcase_set_timeout(group, 120);
    tcase_add_test(group, test_states_walk_one_step_at_a_time);
    tcase_add_test(group, test_definitions);
    tcase_add_test(group, test_rows_and_entries);
    tcase_add_test(group, test_requests_and_reports);
    tcase_add_loop_test(group, test_schema_cache, 0, 20);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
