/*
 * Jobs on a whole cluster: two servers, three stores, a placement, and a director who asks.  Every
 * kind of job, orders at every moment of its life, several jobs at once, and what each wrong
 * request ends in.
 */
#include <string.h>

#include "engine/ddl/job.h"
#include "engine/ddl/submission.h"
#include "engine/schema/table.h"
#include "engine/transaction/safe_point.h"
#include "engine/wire/keys.h"
#include "tests/engine_cluster.h"

#define ROWS 300
#define TABLE 1u
#define OTHER_TABLE 2u
#define LOOK (100 * SB_MILLISECOND)
#define LOOKS_MAX 6000u /* ten minutes */

typedef struct jobs_test {
    test_cluster machines;
    cluster *of;
    uint64_t nonce;
} jobs_test;

/* k of row id: some rows share one. */
static int64_t k_of(int64_t id)
{
    return id * 37 % 101 - 50;
}

static void load_table(cluster *of, table_id id)
{
    table_definition table;
    buffer key, value;
    table_define_sbtest(&table, id);
    buffer_init(&key);
    buffer_init(&value);
    transaction *in;
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    for (int64_t handle = 1; handle <= ROWS; handle++) {
        row one;
        memset(&one, 0, sizeof(one));
        one.columns[SBTEST_ID].integer = handle;
        one.columns[SBTEST_K].integer = k_of(handle);
        one.columns[SBTEST_C].bytes = slice_of_string("c");
        one.columns[SBTEST_PAD].bytes = slice_of_string("pad");
        row_key(&table, handle, &key);
        row_encode(&table, &one, &value);
        transaction_put(in, buffer_slice(&key), buffer_slice(&value));
    }
    ck_assert_int_eq(transaction_commit(in, NULL, NULL), ENGINE_OK);
    transaction_release(in);
    buffer_release(&key);
    buffer_release(&value);
}

static void test_begin_with(jobs_test *in, sb_world *world, uint32_t jobs_at_once,
                            uint32_t error_limit)
{
    test_cluster_start(&in->machines, world);
    in->of = test_cluster_open(&in->machines);
    in->nonce = 0;
    load_table(in->of, TABLE);
    load_table(in->of, OTHER_TABLE);
    boot_plan *plan = sb_alloc(sizeof(*plan));
    boot_plan_init(plan);
    plan->settings.jobs_at_once = jobs_at_once;
    plan->settings.job_error_limit = error_limit;
    test_cluster_start_servers(&in->machines, &plan->settings);
    sb_free(plan);
}

static void test_begin(jobs_test *in, sb_world *world)
{
    test_begin_with(in, world, 4, 512);
}

static void test_end(jobs_test *in)
{
    test_cluster_stop_servers(&in->machines);
    test_cluster_close(&in->machines, in->of);
}

/* --------------------------------------------------------------------------------------- asking */

static submit_job_request ask_add(table_id table, const char *name, uint8_t column)
{
    return (submit_job_request){
        .table = table,
        .index_count = 1,
        .indexes = {{.name = slice_of_string(name), .column_count = 1, .columns = {column}}}};
}

static void also(submit_job_request *asked, const char *name, uint8_t first, uint8_t second)
{
    asked->indexes[asked->index_count++] = (index_request){
        .name = slice_of_string(name), .column_count = 2, .columns = {first, second}};
}

static submit_job_request ask_drop(table_id table, const char *name)
{
    return (submit_job_request){.kind = JOB_KIND_DROP_INDEX,
                                .table = table,
                                .index_count = 1,
                                .indexes = {{.name = slice_of_string(name)}}};
}

static job_id submit(jobs_test *in, submit_job_request asked)
{
    asked.nonce = ++in->nonce;
    const submit_job_reply reply = job_submit(in->of, &asked, NULL);
    ck_assert_int_eq(reply.answer, JOB_ANSWER_OK);
    return reply.job;
}

static job_answer give(jobs_test *in, job_order order, job_id job)
{
    return job_give_order(in->of, order, job, NULL).answer;
}

static job_status_reply status_of(jobs_test *in, job_id job)
{
    const job_status_reply told = job_status(in->of, job, NULL);
    ck_assert_int_eq(told.answer, JOB_ANSWER_OK);
    return told;
}

/* It comes to that state. */
static void await_state(jobs_test *in, job_id job, job_state state)
{
    uint32_t looks = 0;
    job_status_reply told = status_of(in, job);
    while (told.state != state && looks++ < LOOKS_MAX) {
        ck_assert_msg(!told.ended, "job %llu ended %s: %s", (unsigned long long)job,
                      job_state_text((job_state)told.state), failure_text(told.cause));
        (void)sb_sleep(LOOK, NULL);
        told = status_of(in, job);
    }
    ck_assert_str_eq(job_state_text((job_state)told.state), job_state_text(state));
}

/* It ends in that state, for that cause. */
static void await_end(jobs_test *in, job_id job, job_state state, failure cause)
{
    uint32_t looks = 0;
    job_status_reply told = status_of(in, job);
    while (!told.ended && looks++ < LOOKS_MAX) {
        (void)sb_sleep(LOOK, NULL);
        told = status_of(in, job);
    }
    ck_assert(told.ended);
    ck_assert_str_eq(job_state_text((job_state)told.state), job_state_text(state));
    ck_assert_str_eq(failure_text(told.cause), failure_text(cause));
}

/* -------------------------------------------------------------------------------------- looking */

static table_definition definition_of(jobs_test *in, table_id id)
{
    table_definition table;
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_table(&key, id);
    ck_assert_int_eq(cluster_read(in->of, TIMESTAMP_MAX, buffer_slice(&key), &value, NULL),
                     ENGINE_OK);
    ck_assert(table_decode(buffer_slice(&value), &table));
    buffer_release(&key);
    buffer_release(&value);
    return table;
}

/* How many pairs there are in the range of an index. */
static uint32_t count_entries(jobs_test *in, table_id table, index_id index)
{
    buffer start, end;
    pair_list found;
    buffer_init(&start);
    buffer_init(&end);
    index_range(table, index, &start, &end);
    ck_assert_int_eq(cluster_scan(in->of, TIMESTAMP_MAX, buffer_slice(&start), buffer_slice(&end),
                                  2 * ROWS, &found, NULL),
                     ENGINE_OK);
    const uint32_t count = found.count;
    pair_list_release(&found);
    buffer_release(&start);
    buffer_release(&end);
    return count;
}

/* The table has that index, public, with an entry for every row.  Returns its number. */
static index_id check_public(jobs_test *in, table_id id, const char *name)
{
    const table_definition table = definition_of(in, id);
    const index_definition *index = table_index_named(&table, name);
    ck_assert_msg(index != NULL, "there is no index %s", name);
    ck_assert_int_eq(index->state, SCHEMA_PUBLIC);
    ck_assert_uint_eq(count_entries(in, id, index->id), ROWS);
    return index->id;
}

static void check_absent(jobs_test *in, table_id id, const char *name)
{
    const table_definition table = definition_of(in, id);
    ck_assert_msg(table_index_named(&table, name) == NULL, "there is an index %s", name);
}

/* No row of the framework is left of any job but its history. */
static void check_nothing_left(jobs_test *in)
{
    static const char *const words[] = {"job", "ack", "task", "subtask", "delete-range"};
    for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        buffer start, end;
        pair_list found;
        buffer_init(&start);
        buffer_init(&end);
        key_meta(&start, words[i], NULL, 0);
        key_prefix_end(&end, buffer_slice(&start));
        ck_assert_int_eq(cluster_scan(in->of, TIMESTAMP_MAX, buffer_slice(&start),
                                      buffer_slice(&end), 10, &found, NULL),
                         ENGINE_OK);
        ck_assert_msg(found.count == 0, "rows \"%s\" are left", words[i]);
        pair_list_release(&found);
        buffer_release(&start);
        buffer_release(&end);
    }
}

/* ---------------------------------------------------------------------------------------- kinds */

static void kinds_world(sb_world *world, void *context)
{
    (void)context;
    jobs_test in;
    test_begin(&in, world);
    submit_job_request several = ask_add(TABLE, "k_1", SBTEST_K);
    also(&several, "k_c", SBTEST_K, SBTEST_C);
    also(&several, "c_k", SBTEST_C, SBTEST_K);
    const job_id three = submit(&in, several);
    await_end(&in, three, JOB_SYNCED, FAILURE_NONE);
    ck_assert_uint_eq(status_of(&in, three).row_count, 3 * ROWS);
    const index_id first = check_public(&in, TABLE, "k_1");
    const index_id dropped = check_public(&in, TABLE, "k_c");
    ck_assert_uint_eq(check_public(&in, TABLE, "c_k"), first + 2);

    const job_id drop = submit(&in, ask_drop(TABLE, "k_c"));
    const job_id again = submit(&in, ask_drop(TABLE, "k_c")); /* it queues behind */
    const job_id add = submit(&in, ask_add(TABLE, "k_c", SBTEST_K));
    await_end(&in, drop, JOB_SYNCED, FAILURE_NONE);
    ck_assert_uint_eq(count_entries(&in, TABLE, dropped), 0);
    ck_assert_int_eq(give(&in, JOB_ORDER_CANCEL, drop), JOB_ANSWER_TOO_LATE);
    await_end(&in, again, JOB_ROLLBACKDONE, FAILURE_NO_INDEX);
    await_end(&in, add, JOB_SYNCED, FAILURE_NONE);
    ck_assert_uint_gt(check_public(&in, TABLE, "k_c"), dropped);
    (void)check_public(&in, TABLE, "k_1");
    (void)check_public(&in, TABLE, "c_k");
    check_nothing_left(&in);
    test_end(&in);
}

/* Several indexes in one job, a drop, a drop of what is gone, and the name given again. */
START_TEST(test_kinds)
{
    run_in_world(kinds_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* --------------------------------------------------------------------------------------- pauses */

static void pause_world(sb_world *world, void *context)
{
    (void)context;
    jobs_test in;
    test_begin(&in, world);
    const job_id job = submit(&in, ask_add(TABLE, "k_1", SBTEST_K));
    const job_id behind = submit(&in, ask_add(TABLE, "k_2", SBTEST_K));
    const job_id beside = submit(&in, ask_add(OTHER_TABLE, "k_1", SBTEST_K));
    (void)sb_sleep(below(9000) * SB_MILLISECOND, NULL);
    if (give(&in, JOB_ORDER_PAUSE, job) == JOB_ANSWER_OK) {
        ck_assert_int_eq(give(&in, JOB_ORDER_PAUSE, job), JOB_ANSWER_OK); /* as good as once */
        await_state(&in, job, JOB_PAUSED);
        const job_status_reply paused = status_of(&in, job);
        await_end(&in, beside, JOB_SYNCED, FAILURE_NONE); /* another table's job does not care */
        ck_assert_int_eq(status_of(&in, job).schema, paused.schema);
        ck_assert_uint_eq(status_of(&in, job).row_count, paused.row_count);
        ck_assert_int_eq(status_of(&in, behind).state, JOB_QUEUEING); /* its own table's waits */
        ck_assert_int_eq(give(&in, JOB_ORDER_RESUME, job), JOB_ANSWER_OK);
        ck_assert_int_eq(give(&in, JOB_ORDER_RESUME, job), JOB_ANSWER_OK);
    }
    await_end(&in, job, JOB_SYNCED, FAILURE_NONE);
    await_end(&in, behind, JOB_SYNCED, FAILURE_NONE);
    await_end(&in, beside, JOB_SYNCED, FAILURE_NONE);
    (void)check_public(&in, TABLE, "k_1");
    (void)check_public(&in, TABLE, "k_2");
    (void)check_public(&in, OTHER_TABLE, "k_1");
    ck_assert_int_eq(give(&in, JOB_ORDER_PAUSE, job), JOB_ANSWER_TOO_LATE);
    ck_assert_int_eq(give(&in, JOB_ORDER_RESUME, job), JOB_ANSWER_TOO_LATE);
    ck_assert_int_eq(give(&in, JOB_ORDER_PAUSE, 999), JOB_ANSWER_NOT_FOUND);
    check_nothing_left(&in);
    test_end(&in);
}

/* Paused at any moment, a job stands still until it is resumed, keeps its own table's queue
 * waiting, and nobody else. */
START_TEST(test_pause)
{
    run_in_world(pause_world, NULL, (uint64_t)_i + 1);
}
END_TEST

static void paused_cancel_world(sb_world *world, void *context)
{
    (void)context;
    jobs_test in;
    test_begin(&in, world);
    submit_job_request several = ask_add(TABLE, "k_1", SBTEST_K);
    also(&several, "k_c", SBTEST_K, SBTEST_C);
    const job_id job = submit(&in, several);
    (void)sb_sleep(below(12000) * SB_MILLISECOND, NULL);
    if (give(&in, JOB_ORDER_PAUSE, job) == JOB_ANSWER_OK) {
        if (below(2) == 0) {
            await_state(&in, job, JOB_PAUSED);
        }
        if (below(3) == 0) {
            ck_assert_int_eq(give(&in, JOB_ORDER_RESUME, job), JOB_ANSWER_OK);
        }
        ck_assert_int_eq(give(&in, JOB_ORDER_CANCEL, job), JOB_ANSWER_OK);
        ck_assert_int_eq(give(&in, JOB_ORDER_RESUME, job), JOB_ANSWER_TOO_LATE);
        uint32_t looks = 0;
        while (!status_of(&in, job).ended && looks++ < LOOKS_MAX) {
            (void)sb_sleep(LOOK, NULL);
        }
        const job_status_reply told = status_of(&in, job);
        ck_assert(told.state == JOB_CANCELLED || told.state == JOB_ROLLBACKDONE);
        ck_assert_int_eq(told.cause, FAILURE_CANCELLED);
        check_absent(&in, TABLE, "k_1");
        check_absent(&in, TABLE, "k_c");
        ck_assert_uint_eq(count_entries(&in, TABLE, job + 1), 0);
        ck_assert_uint_eq(count_entries(&in, TABLE, job + 2), 0);
    } else {
        await_end(&in, job, JOB_SYNCED, FAILURE_NONE);
    }
    check_nothing_left(&in);
    test_end(&in);
}

/* A job that is pausing, paused or just resumed can be cancelled, and leaves nothing. */
START_TEST(test_cancel_of_a_paused_job)
{
    run_in_world(paused_cancel_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ------------------------------------------------------------------------------------- failures */

static void expect_failure(jobs_test *in, submit_job_request asked, failure cause)
{
    await_end(in, submit(in, asked), JOB_ROLLBACKDONE, cause);
}

static job_field refused_for(jobs_test *in, submit_job_request asked)
{
    const submit_job_reply reply = job_submit(in->of, &asked, NULL);
    ck_assert_int_eq(reply.answer, JOB_ANSWER_BAD_REQUEST);
    return reply.bad;
}

static void bad_requests(jobs_test *in)
{
    submit_job_request asked = ask_add(TABLE, "k_1", SBTEST_K);
    ck_assert_int_eq(refused_for(in, asked), JOB_FIELD_NONCE);
    asked.nonce = 1000;
    asked.table = 0;
    ck_assert_int_eq(refused_for(in, asked), JOB_FIELD_TABLE);
    asked.table = TABLE;
    asked.index_count = 0;
    ck_assert_int_eq(refused_for(in, asked), JOB_FIELD_INDEXES);
    asked.index_count = 1;
    asked.indexes[0].column_count = 0;
    ck_assert_int_eq(refused_for(in, asked), JOB_FIELD_COLUMNS);
    asked = ask_add(TABLE, "a name that is longer than names may be", SBTEST_K);
    asked.nonce = 1000;
    ck_assert_int_eq(refused_for(in, asked), JOB_FIELD_NAME);
    asked = ask_drop(TABLE, "k_1");
    asked.nonce = 1000;
    asked.indexes[0].column_count = 1;
    ck_assert_int_eq(refused_for(in, asked), JOB_FIELD_COLUMNS);
    asked = ask_drop(TABLE, "k_1");
    asked.nonce = 1000;
    asked.index_count = 2;
    ck_assert_int_eq(refused_for(in, asked), JOB_FIELD_INDEXES);
}

static void failures_world(sb_world *world, void *context)
{
    (void)context;
    jobs_test in;
    test_begin(&in, world);
    bad_requests(&in);
    expect_failure(&in, ask_add(77, "k_1", SBTEST_K), FAILURE_NO_TABLE);
    expect_failure(&in, ask_drop(77, "k_1"), FAILURE_NO_TABLE);
    expect_failure(&in, ask_add(TABLE, "k_1", 7), FAILURE_BAD_COLUMNS);
    expect_failure(&in, ask_drop(TABLE, "k_1"), FAILURE_NO_INDEX);
    submit_job_request twice = ask_add(TABLE, "k_1", SBTEST_K);
    also(&twice, "k_2", SBTEST_K, SBTEST_K);
    expect_failure(&in, twice, FAILURE_DUPLICATE_COLUMN);
    submit_job_request same = ask_add(TABLE, "k_1", SBTEST_K);
    also(&same, "k_1", SBTEST_K, SBTEST_C);
    expect_failure(&in, same, FAILURE_INDEX_EXISTS);
    await_end(&in, submit(&in, ask_add(TABLE, "k_1", SBTEST_K)), JOB_SYNCED, FAILURE_NONE);
    expect_failure(&in, ask_add(TABLE, "k_1", SBTEST_C), FAILURE_INDEX_EXISTS);

    /* The second index of a job fails for its data: the first, which was built, goes as well. */
    submit_job_request unique = ask_add(TABLE, "c_1", SBTEST_C);
    also(&unique, "c_pad", SBTEST_C, SBTEST_PAD);
    unique.indexes[1].unique = true;
    const job_id undone = submit(&in, unique);
    await_end(&in, undone, JOB_ROLLBACKDONE, FAILURE_DUPLICATE_KEY);
    check_absent(&in, TABLE, "c_1");
    check_absent(&in, TABLE, "c_pad");
    ck_assert_uint_eq(count_entries(&in, TABLE, undone + 1), 0);
    ck_assert_uint_eq(count_entries(&in, TABLE, undone + 2), 0);

    (void)check_public(&in, TABLE, "k_1");
    check_nothing_left(&in);
    test_end(&in);
}

/* Every wrong request has its answer, or its cause in history, and leaves nothing. */
START_TEST(test_failures)
{
    run_in_world(failures_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ------------------------------------------------------------------------------------ long values
 */

/* A row of that handle with a c of `size` bytes, as a client's transaction on the latest schema
 * would insert it. */
static engine_status insert_long(jobs_test *in, row_handle handle, uint32_t size)
{
    unsigned char *bytes = sb_alloc(size);
    memset(bytes, 'l', size);
    const table_definition table = definition_of(in, TABLE);
    row one;
    memset(&one, 0, sizeof(one));
    one.columns[SBTEST_ID].integer = handle;
    one.columns[SBTEST_C].bytes = slice_of(bytes, size);
    one.columns[SBTEST_PAD].bytes = slice_of_string("pad");
    transaction *by;
    ck_assert_int_eq(transaction_begin(in->of, 0, &by, NULL), ENGINE_OK);
    engine_status status = table_insert(by, &table, &one, NULL);
    if (status == ENGINE_OK) {
        status = transaction_commit(by, NULL, NULL);
    } else {
        transaction_rollback(by);
    }
    transaction_release(by);
    sb_free(bytes);
    return status;
}

static void long_world(sb_world *world, void *context)
{
    (void)context;
    jobs_test in;
    test_begin(&in, world);
    await_end(&in, submit(&in, ask_add(TABLE, "c_1", SBTEST_C)), JOB_SYNCED, FAILURE_NONE);
    ck_assert_int_eq(insert_long(&in, ROWS + 1, INDEX_KEY_SIZE_MAX), ENGINE_KEY_TOO_LONG);
    (void)check_public(&in, TABLE, "c_1");
    await_end(&in, submit(&in, ask_drop(TABLE, "c_1")), JOB_SYNCED, FAILURE_NONE);
    ck_assert_int_eq(insert_long(&in, ROWS + 1, INDEX_KEY_SIZE_MAX), ENGINE_OK);
    submit_job_request several = ask_add(TABLE, "k_1", SBTEST_K);
    also(&several, "k_c", SBTEST_K, SBTEST_C);
    const job_id job = submit(&in, several);
    await_end(&in, job, JOB_ROLLBACKDONE, FAILURE_KEY_TOO_LONG);
    check_absent(&in, TABLE, "k_1");
    check_absent(&in, TABLE, "k_c");
    ck_assert_uint_eq(count_entries(&in, TABLE, job + 1), 0);
    check_nothing_left(&in);
    test_end(&in);
}

/* A value that no key can hold is refused where there is an index, and fails the job where there
 * was none. */
START_TEST(test_long_values)
{
    run_in_world(long_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* --------------------------------------------------------------------------------------- orders */

/* A job as it may be in that state. */
static job_row job_in_state(job_id id, job_kind kind, job_state state, bool begun)
{
    const bool undone =
        state == JOB_ROLLINGBACK || state == JOB_ROLLBACKDONE || state == JOB_CANCELLED;
    const bool over = state == JOB_DONE || state == JOB_SYNCED;
    job_row made;
    memset(&made, 0, sizeof(made));
    made.id = id;
    made.nonce = id;
    made.kind = kind;
    made.table = TABLE;
    made.index_count = 1;
    made.state = state;
    made.version = begun || over ? 4 : 0;
    made.cause = undone ? FAILURE_CANCELLED : FAILURE_NONE;
    memcpy(made.indexes[0].name, "k_1", 4);
    if (kind == JOB_KIND_ADD_INDEX || made.version != 0) {
        made.indexes[0].id = id + 1;
        made.indexes[0].column_count = 1;
    }
    if (kind == JOB_KIND_ADD_INDEX) {
        made.indexes[0].state = over ? SCHEMA_PUBLIC : begun ? SCHEMA_DELETE_ONLY : SCHEMA_NONE;
    } else {
        made.indexes[0].state = begun && !over ? SCHEMA_WRITE_ONLY : SCHEMA_NONE;
    }
    return made;
}

static void put_job(jobs_test *in, const job_row *job)
{
    transaction *by;
    ck_assert_int_eq(transaction_begin(in->of, 0, &by, NULL), ENGINE_OK);
    if (job_state_is_final(job->state)) {
        job_put_history(by, job);
    } else {
        job_put(by, job);
    }
    ck_assert_int_eq(transaction_commit(by, NULL, NULL), ENGINE_OK);
    transaction_release(by);
}

/* What comes of an order: the state it leads to, or (JOB_STATE_COUNT) that it is too late. */
typedef struct order_case {
    job_state from, cancelled, paused, resumed;
} order_case;

static const order_case order_cases[] = {
    {JOB_QUEUEING, JOB_CANCELLING, JOB_PAUSING, JOB_QUEUEING},
    {JOB_RUNNING, JOB_CANCELLING, JOB_PAUSING, JOB_RUNNING},
    {JOB_PAUSING, JOB_CANCELLING, JOB_PAUSING, JOB_QUEUEING},
    {JOB_PAUSED, JOB_CANCELLING, JOB_PAUSED, JOB_QUEUEING},
    {JOB_CANCELLING, JOB_CANCELLING, JOB_STATE_COUNT, JOB_STATE_COUNT},
    {JOB_ROLLINGBACK, JOB_ROLLINGBACK, JOB_STATE_COUNT, JOB_STATE_COUNT},
    {JOB_DONE, JOB_STATE_COUNT, JOB_STATE_COUNT, JOB_STATE_COUNT},
    {JOB_SYNCED, JOB_STATE_COUNT, JOB_STATE_COUNT, JOB_STATE_COUNT},
    {JOB_CANCELLED, JOB_STATE_COUNT, JOB_STATE_COUNT, JOB_STATE_COUNT},
    {JOB_ROLLBACKDONE, JOB_STATE_COUNT, JOB_STATE_COUNT, JOB_STATE_COUNT},
};

/* The order leads the job there; given again, nothing changes, the answer neither. */
static void check_order(jobs_test *in, const job_row *job, job_order order, job_state to)
{
    const bool late = to == JOB_STATE_COUNT;
    put_job(in, job);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(give(in, order, job->id), late ? JOB_ANSWER_TOO_LATE : JOB_ANSWER_OK);
        ck_assert_int_eq(status_of(in, job->id).state, late ? job->state : to);
    }
}

static void orders_world(sb_world *world, void *context)
{
    (void)context;
    jobs_test in;
    test_cluster_start(&in.machines, world);
    in.of = test_cluster_open(&in.machines);
    sb_failpoints_enable(world, "order-outcome-is-lost", 300000);
    job_id next = 100;
    for (uint32_t i = 0; i < sizeof(order_cases) / sizeof(order_cases[0]); i++) {
        const order_case *one = &order_cases[i];
        const job_state to[JOB_ORDER_COUNT] = {one->cancelled, one->paused, one->resumed};
        for (job_order order = 0; order < JOB_ORDER_COUNT; order++) {
            job_row job =
                job_in_state(next += 2, JOB_KIND_ADD_INDEX, one->from, one->from != JOB_QUEUEING);
            check_order(&in, &job, order, to[order]);
        }
    }
    /* A drop that has begun goes on. */
    job_row drop = job_in_state(next += 2, JOB_KIND_DROP_INDEX, JOB_RUNNING, true);
    check_order(&in, &drop, JOB_ORDER_CANCEL, JOB_STATE_COUNT);
    check_order(&in, &drop, JOB_ORDER_PAUSE, JOB_STATE_COUNT);
    check_order(&in, &drop, JOB_ORDER_RESUME, JOB_RUNNING);
    drop = job_in_state(next += 2, JOB_KIND_DROP_INDEX, JOB_RUNNING, false);
    check_order(&in, &drop, JOB_ORDER_PAUSE, JOB_PAUSING);
    check_order(&in, &drop, JOB_ORDER_CANCEL, JOB_CANCELLING);
    test_cluster_close(&in.machines, in.of);
}

/* Every order in every state has one answer, also when it is repeated and when its outcome had to
 * be looked up. */
START_TEST(test_orders)
{
    run_in_world(orders_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ------------------------------------------------------------------------------- several at once
 */

static void places_world(sb_world *world, void *context)
{
    (void)context;
    jobs_test in;
    test_begin_with(&in, world, 1, 512);
    const job_id first = submit(&in, ask_add(TABLE, "k_1", SBTEST_K));
    const job_id second = submit(&in, ask_add(OTHER_TABLE, "k_1", SBTEST_K));
    const job_id third = submit(&in, ask_add(OTHER_TABLE, "k_2", SBTEST_K));
    await_state(&in, first, JOB_RUNNING);
    (void)sb_sleep(2 * SB_SECOND, NULL);
    ck_assert_int_eq(status_of(&in, first).state, JOB_RUNNING);
    ck_assert_int_eq(status_of(&in, second).state, JOB_QUEUEING); /* there is one place */
    /* Orders need none. */
    ck_assert_int_eq(give(&in, JOB_ORDER_CANCEL, third), JOB_ANSWER_OK);
    await_end(&in, third, JOB_CANCELLED, FAILURE_CANCELLED);
    ck_assert_int_eq(give(&in, JOB_ORDER_PAUSE, second), JOB_ANSWER_OK);
    await_state(&in, second, JOB_PAUSED);
    ck_assert_int_eq(status_of(&in, first).state, JOB_RUNNING);
    /* A paused job gives its place away. */
    ck_assert_int_eq(give(&in, JOB_ORDER_PAUSE, first), JOB_ANSWER_OK);
    await_state(&in, first, JOB_PAUSED);
    ck_assert_int_eq(give(&in, JOB_ORDER_RESUME, second), JOB_ANSWER_OK);
    await_end(&in, second, JOB_SYNCED, FAILURE_NONE);
    ck_assert_int_eq(give(&in, JOB_ORDER_RESUME, first), JOB_ANSWER_OK);
    await_end(&in, first, JOB_SYNCED, FAILURE_NONE);
    (void)check_public(&in, TABLE, "k_1");
    (void)check_public(&in, OTHER_TABLE, "k_1");
    check_nothing_left(&in);
    test_end(&in);
}

/* So many jobs work at once, in the order of their submission; orders take effect all the same. */
START_TEST(test_places)
{
    run_in_world(places_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* --------------------------------------------------------------------------------------- errors */

#define TEST_ERROR_LIMIT 5u

static void errors_world(sb_world *world, void *context)
{
    (void)context;
    jobs_test in;
    test_begin_with(&in, world, 4, TEST_ERROR_LIMIT);
    submit_job_request several = ask_add(TABLE, "k_1", SBTEST_K);
    also(&several, "k_c", SBTEST_K, SBTEST_C);
    const job_id job = submit(&in, several);
    (void)sb_sleep((1 + below(3000)) * SB_MILLISECOND, NULL);
    sb_failpoints_enable(world, "job-step-permanent-error", 1000000);
    job_status_reply told = status_of(&in, job);
    for (uint32_t looks = 0; told.state != JOB_CANCELLING && looks < LOOKS_MAX; looks++) {
        ck_assert(told.state == JOB_QUEUEING || told.state == JOB_RUNNING);
        ck_assert_uint_lt(told.error_count, TEST_ERROR_LIMIT);
        (void)sb_sleep(LOOK, NULL);
        told = status_of(&in, job);
    }
    ck_assert_int_eq(told.state, JOB_CANCELLING);
    ck_assert_uint_eq(told.error_count, TEST_ERROR_LIMIT);
    ck_assert_int_eq(told.cause, FAILURE_ERROR_LIMIT);
    ck_assert_int_eq(told.error, FAILURE_INJECTED);
    ck_assert_int_eq(give(&in, JOB_ORDER_CANCEL, job), JOB_ANSWER_OK); /* it is on its way */
    sb_failpoints_enable(world, "job-step-permanent-error", 0);
    for (uint32_t looks = 0; !told.ended && looks < LOOKS_MAX; looks++) {
        (void)sb_sleep(LOOK, NULL);
        told = status_of(&in, job);
    }
    ck_assert(told.ended && (told.state == JOB_CANCELLED || told.state == JOB_ROLLBACKDONE));
    ck_assert_int_eq(told.cause, FAILURE_ERROR_LIMIT); /* the first cause is kept */
    ck_assert_int_eq(told.error, FAILURE_INJECTED);
    check_absent(&in, TABLE, "k_1");
    check_absent(&in, TABLE, "k_c");
    check_nothing_left(&in);

    /* Fewer than the limit are survived, and an owner's stop is none. */
    const job_id next = submit(&in, ask_add(TABLE, "k_1", SBTEST_K));
    sb_failpoints_enable(world, "job-step-permanent-error", 100000);
    told = status_of(&in, next);
    for (uint32_t looks = 0; told.error_count == 0 && !told.ended && looks < LOOKS_MAX; looks++) {
        (void)sb_sleep(LOOK, NULL);
        told = status_of(&in, next);
    }
    const uint32_t errors = told.error_count;
    sb_failpoints_enable(world, "job-step-permanent-error", 0);
    for (uint32_t i = 0; i < TEST_SERVERS; i++) {
        sb_node_stop(world, in.machines.servers[i]);
        ck_assert(sb_node_wait_down(world, in.machines.servers[i], 60 * SB_SECOND));
        sb_node_boot(world, in.machines.servers[i]);
    }
    await_end(&in, next, JOB_SYNCED, FAILURE_NONE);
    ck_assert_uint_ge(status_of(&in, next).error_count, errors);
    ck_assert_uint_le(status_of(&in, next).error_count, 1 + errors);
    (void)check_public(&in, TABLE, "k_1");
    test_end(&in);
}

/* Errors are counted in the job's row; a job that meets too many is cancelled for them. */
START_TEST(test_errors)
{
    run_in_world(errors_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ------------------------------------------------------------------------------------ snapshots */

#define HOLDERS 64u /* as many as placement has room for */

/* Jobs hold their snapshot; those from `over` on have ended. */
static void hold_all(jobs_test *in, job_id first, uint32_t over)
{
    timestamp now;
    ck_assert_int_eq(cluster_timestamp(in->of, &now, NULL), ENGINE_OK);
    for (uint32_t i = 0; i < HOLDERS; i++) {
        const job_id job = first + i;
        ck_assert_int_eq(cluster_hold_safe_point(in->of, job, now, NULL), ENGINE_OK);
        if (i >= over) {
            const job_row ended = job_in_state(job, JOB_KIND_ADD_INDEX, JOB_SYNCED, true);
            put_job(in, &ended);
        }
    }
    ck_assert_int_eq(cluster_hold_safe_point(in->of, 1, now, NULL), ENGINE_CONFLICT);
}

static void holders_world(sb_world *world, void *context)
{
    (void)context;
    jobs_test in;
    test_begin(&in, world);
    hold_all(&in, 1000, 1);
    const job_id first = submit(&in, ask_add(TABLE, "k_1", SBTEST_K));
    await_end(&in, first, JOB_SYNCED, FAILURE_NONE);
    (void)check_public(&in, TABLE, "k_1");
    ck_assert_int_eq(cluster_hold_safe_point(in.of, first, 0, NULL), ENGINE_OK);
    ck_assert_int_eq(cluster_hold_safe_point(in.of, 1000, 0, NULL), ENGINE_OK);

    hold_all(&in, 2000, HOLDERS); /* of jobs that live: one more has to wait */
    const job_id waits = submit(&in, ask_add(TABLE, "k_2", SBTEST_K));
    while (status_of(&in, waits).schema != SCHEMA_WRITE_REORGANIZATION) {
        (void)sb_sleep(LOOK, NULL);
    }
    (void)sb_sleep(3 * SB_SECOND, NULL);
    ck_assert_int_eq(give(&in, JOB_ORDER_PAUSE, waits), JOB_ANSWER_OK);
    await_state(&in, waits, JOB_PAUSED);
    ck_assert_int_eq(give(&in, JOB_ORDER_RESUME, waits), JOB_ANSWER_OK);
    (void)sb_sleep(3 * SB_SECOND, NULL);
    if (below(2) == 0) {
        ck_assert_int_eq(cluster_hold_safe_point(in.of, 2007, 0, NULL), ENGINE_OK);
        await_end(&in, waits, JOB_SYNCED, FAILURE_NONE);
        (void)check_public(&in, TABLE, "k_2");
    } else {
        ck_assert_int_eq(give(&in, JOB_ORDER_CANCEL, waits), JOB_ANSWER_OK);
        await_end(&in, waits, JOB_ROLLBACKDONE, FAILURE_CANCELLED);
        check_absent(&in, TABLE, "k_2");
    }
    check_nothing_left(&in);
    test_end(&in);
}

/* Nobody collects garbage here.  A job that finds no room to hold its snapshot lets those go that
 * are over; where none is, it waits, and can be paused and cancelled meanwhile. */
START_TEST(test_holders)
{
    run_in_world(holders_world, NULL, (uint64_t)_i + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine: jobs on a cluster");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, test_kinds, 0, 3);
    tcase_add_loop_test(all, test_pause, 0, 12);
    tcase_add_loop_test(all, test_cancel_of_a_paused_job, 0, 16);
    tcase_add_loop_test(all, test_failures, 0, 2);
    tcase_add_loop_test(all, test_long_values, 0, 2);
    tcase_add_loop_test(all, test_orders, 0, 4);
    tcase_add_loop_test(all, test_places, 0, 4);
    tcase_add_loop_test(all, test_errors, 0, 12);
    tcase_add_loop_test(all, test_holders, 0, 4);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
