/*
 * Jobs and tasks: their rows as bytes, the owner's fence, what a server answers about jobs, and
 * plans.
 */
#include <string.h>

#include "engine/ddl/delete_ranges.h"
#include "engine/ddl/submission.h"
#include "engine/schema/table.h"
#include "engine/task/plan.h"
#include "engine/task/task.h"
#include "engine/task/tenure.h"
#include "engine/wire/keys.h"
#include "tests/engine_backfill.h"

/* -------------------------------------------------------------------------------------- bytes */

typedef bool decodes(slice bytes);

static bool decodes_job(slice bytes)
{
    job_row found;
    return job_row_decode(7, bytes, &found);
}

static bool decodes_task(slice bytes)
{
    task_row found;
    return task_row_decode(7, 1, bytes, &found);
}

static bool decodes_subtask(slice bytes)
{
    subtask_row found;
    return subtask_row_decode(7, 1, 3, bytes, &found);
}

static bool decodes_server(slice bytes)
{
    server_row found;
    return server_row_decode(5, bytes, &found);
}

static bool decodes_owner(slice bytes)
{
    owner_row found;
    return owner_row_decode(bytes, &found);
}

static bool decodes_delete_ranges(slice bytes)
{
    key_span spans[DELETE_RANGES_MAX];
    uint32_t count;
    return delete_ranges_decode(bytes, spans, &count);
}

/* Decodes as it is; with no bit flipped and with no byte missing. */
static void refuses_damage(buffer *bytes, decodes *decode)
{
    ck_assert(decode(buffer_slice(bytes)));
    for (uint32_t i = 0; i < bytes->size * 8; i++) {
        bytes->data[i / 8] ^= (unsigned char)(1u << i % 8);
        ck_assert_msg(!decode(buffer_slice(bytes)), "bit %u", i);
        bytes->data[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    for (uint32_t size = 0; size < bytes->size; size++) {
        ck_assert_msg(!decode((slice){bytes->data, size}), "size %u", size);
    }
}

static job_row some_job(void)
{
    job_row made;
    memset(&made, 0, sizeof(made));
    made.id = 7;
    made.nonce = 77;
    made.table = TABLE;
    made.index_count = 2;
    made.indexes[0] = index_on_k(SCHEMA_WRITE_REORGANIZATION);
    made.indexes[1] = made.indexes[0];
    made.indexes[1].id++;
    made.indexes[1].name[0] = 'l';
    made.phase = 1;
    made.state = JOB_RUNNING;
    made.version = 4;
    made.snapshot = 1u << 20;
    made.tenure = 3;
    made.row_count = 12;
    made.done_row_count = 5;
    return made;
}

static void rows_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    buffer bytes;
    buffer_init(&bytes);
    const job_row job = some_job();
    job_row job_back;
    job_row_encode(&job, &bytes);
    ck_assert(job_row_decode(7, buffer_slice(&bytes), &job_back));
    ck_assert(memcmp(&job, &job_back, sizeof(job)) == 0);
    ck_assert(!job_row_decode(8, buffer_slice(&bytes), &job_back)); /* another job's */
    refuses_damage(&bytes, decodes_job);

    const task_row task = {.job = 7,
                           .phase = 1,
                           .state = TASK_RUNNING,
                           .table = TABLE,
                           .index = INDEX,
                           .snapshot = 1u << 20,
                           .subtask_count = 6};
    task_row_encode(&task, &bytes);
    refuses_damage(&bytes, decodes_task);

    subtask_row subtask = {.job = 7,
                           .phase = 1,
                           .number = 3,
                           .state = SUBTASK_RUNNING,
                           .server = 5,
                           .session = 4,
                           .attempt = 2,
                           .table = TABLE,
                           .index = INDEX,
                           .snapshot = 1u << 20};
    range_key_set(&subtask.start, slice_of_string("a"));
    range_key_set(&subtask.end, slice_of_string("b"));
    range_key_set(&subtask.imported, slice_of_string("aa"));
    subtask.imported_rows = 17;
    subtask_row subtask_back;
    subtask_row_encode(&subtask, &bytes);
    ck_assert(subtask_row_decode(7, 1, 3, buffer_slice(&bytes), &subtask_back));
    ck_assert_uint_eq(subtask_back.attempt, 2);
    ck_assert(slice_equal(range_key_slice(&subtask_back.end), slice_of_string("b")));
    ck_assert(slice_equal(range_key_slice(&subtask_back.imported), slice_of_string("aa")));
    ck_assert_uint_eq(subtask_back.imported_rows, 17);
    ck_assert(!subtask_row_decode(7, 1, 4, buffer_slice(&bytes), &subtask_back));
    refuses_damage(&bytes, decodes_subtask);

    server_row_encode(&(server_row){5, 9}, &bytes);
    refuses_damage(&bytes, decodes_server);
    owner_row_encode(&(owner_row){3, 5}, &bytes);
    refuses_damage(&bytes, decodes_owner);
    const key_span spans[2] = {{slice_of_string("a"), slice_of_string("b")},
                               {slice_of_string("c"), slice_of_string("d")}};
    delete_ranges_encode(spans, 2, &bytes);
    refuses_damage(&bytes, decodes_delete_ranges);
    buffer_release(&bytes);
}

/* Rows come back as they were; no flipped bit and no missing byte goes unnoticed. */
START_TEST(test_rows)
{
    run_in_world(rows_world, NULL, 1);
}
END_TEST

static void requests_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    buffer bytes;
    buffer_init(&bytes);
    const submit_job_request asked = {
        .nonce = 5,
        .table = TABLE,
        .index_count = 1,
        .indexes = {{.name = slice_of_string("k_1"), .column_count = 1, .columns = {SBTEST_K}}}};
    submit_job_request back;
    submit_job_request_encode(&asked, &bytes);
    ck_assert(submit_job_request_decode(&back, buffer_slice(&bytes)));
    ck_assert(slice_equal(back.indexes[0].name, asked.indexes[0].name));
    ck_assert_uint_eq(back.indexes[0].columns[0], SBTEST_K);
    for (uint32_t size = 0; size < bytes.size; size++) {
        ck_assert(!submit_job_request_decode(&back, (slice){bytes.data, size}));
    }
    const job_status_reply told = {.answer = JOB_ANSWER_OK, .ended = true, .state = JOB_SYNCED};
    job_status_reply told_back;
    job_status_reply_encode(&told, &bytes);
    ck_assert(job_status_reply_decode(&told_back, buffer_slice(&bytes)));
    ck_assert(told_back.ended && told_back.state == JOB_SYNCED);
    bytes.data[0] = JOB_ANSWER_COUNT;
    ck_assert(!job_status_reply_decode(&told_back, buffer_slice(&bytes)));
    buffer_release(&bytes);
}

START_TEST(test_requests)
{
    run_in_world(requests_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------------------------ tenures */

/* A row put under the tenure: how the transaction went. */
static engine_status put_under(const tenure *by, const char *value)
{
    transaction *in;
    engine_status status = tenure_begin(by, &in, NULL);
    if (status == ENGINE_OK) {
        transaction_put(in, slice_of_string("a"), slice_of_string(value));
        status = tenure_commit(by, in, NULL);
    }
    return status;
}

static void tenure_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    test_cluster_start(&machines, world);
    cluster *of = test_cluster_open(&machines);
    sb_mutex order, other_order;
    sb_mutex_init(&order, "order");
    sb_mutex_init(&other_order, "order of another");
    const tenure first = {of, 4, &order}, second = {of, 6, &other_order};
    ck_assert_int_eq(put_under(&first, "x"), ENGINE_NOT_OWNER); /* not inaugurated */
    ck_assert_int_eq(tenure_inaugurate(&first, NULL), ENGINE_OK);
    ck_assert_int_eq(tenure_inaugurate(&first, NULL), ENGINE_OK);
    ck_assert_int_eq(put_under(&first, "x"), ENGINE_OK);

    /* A transaction that began before the next tenure cannot commit after it. */
    transaction *late;
    ck_assert_int_eq(tenure_begin(&first, &late, NULL), ENGINE_OK);
    ck_assert_int_eq(tenure_inaugurate(&second, NULL), ENGINE_OK);
    transaction_put(late, slice_of_string("a"), slice_of_string("late"));
    ck_assert_int_eq(tenure_commit(&first, late, NULL), ENGINE_CONFLICT);

    ck_assert_int_eq(put_under(&first, "x"), ENGINE_NOT_OWNER);
    ck_assert_int_eq(tenure_inaugurate(&first, NULL), ENGINE_NOT_OWNER);
    ck_assert_int_eq(put_under(&second, "y"), ENGINE_OK);
    sb_mutex_release(&order);
    sb_mutex_release(&other_order);
    test_cluster_close(&machines, of);
}

/* The owner's fence: a later tenure ends the effects of an earlier one, also of one under way. */
START_TEST(test_tenure_fences)
{
    run_in_world(tenure_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* --------------------------------------------------------------------------------------- jobs */

static void submission_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    test_cluster_start(&machines, world);
    cluster *of = test_cluster_open(&machines);
    submit_job_request asked = {
        .nonce = 5,
        .table = TABLE,
        .index_count = 1,
        .indexes = {{.name = slice_of_string("k_1"), .column_count = 1, .columns = {SBTEST_K}}}};
    const submit_job_reply first = job_submit(of, &asked, NULL);
    ck_assert_int_eq(first.answer, JOB_ANSWER_OK);
    const submit_job_reply again = job_submit(of, &asked, NULL);
    ck_assert_int_eq(again.answer, JOB_ANSWER_OK);
    ck_assert_uint_eq(again.job, first.job); /* once for its nonce */
    asked.nonce = 6;
    const submit_job_reply second = job_submit(of, &asked, NULL);
    ck_assert_uint_gt(second.job, first.job);
    asked.indexes[0].column_count = 0;
    ck_assert_int_eq(job_submit(of, &asked, NULL).answer, JOB_ANSWER_BAD_REQUEST);

    ck_assert_int_eq(job_give_order(of, JOB_ORDER_CANCEL, first.job, NULL).answer, JOB_ANSWER_OK);
    ck_assert_int_eq(job_give_order(of, JOB_ORDER_CANCEL, first.job, NULL).answer, JOB_ANSWER_OK);
    ck_assert_int_eq(job_give_order(of, JOB_ORDER_CANCEL, 999, NULL).answer, JOB_ANSWER_NOT_FOUND);
    job_status_reply told = job_status(of, first.job, NULL);
    ck_assert_int_eq(told.state, JOB_CANCELLING);
    ck_assert(!told.ended);

    /* In history it is too late to cancel, and the nonce is still known. */
    job_row ended;
    transaction *in;
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    ck_assert_int_eq(job_read_in(in, first.job, &ended, NULL), ENGINE_OK);
    ended.state = JOB_CANCELLED;
    ended.cause = FAILURE_CANCELLED;
    job_put_history(in, &ended);
    ck_assert_int_eq(transaction_commit(in, NULL, NULL), ENGINE_OK);
    transaction_release(in);
    ck_assert_int_eq(job_give_order(of, JOB_ORDER_CANCEL, first.job, NULL).answer,
                     JOB_ANSWER_TOO_LATE);
    told = job_status(of, first.job, NULL);
    ck_assert(told.ended && told.cause == FAILURE_CANCELLED);
    asked.nonce = 5;
    asked.indexes[0].column_count = 1;
    ck_assert_uint_eq(job_submit(of, &asked, NULL).job, first.job);
    ck_assert_int_eq(job_status(of, 999, NULL).answer, JOB_ANSWER_NOT_FOUND);
    test_cluster_close(&machines, of);
}

/* What a server answers about jobs: each request may come twice, and late. */
START_TEST(test_submission)
{
    run_in_world(submission_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* -------------------------------------------------------------------------------------- plans */

static void plan_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    backfill_test in;
    backfill_begin(&in, &machines, world);
    static const uint32_t sizes[] = {1, 7, 64, 299, 300, 1000};
    const task_row task = {.table = TABLE, .index = INDEX, .snapshot = in.work.snapshot};
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        task_plan plan;
        task_plan_init(&plan);
        ck_assert_int_eq(task_plan_make(&plan, in.of, &task, sizes[i], NULL), ENGINE_OK);
        ck_assert(task_plan_tiles(&plan, in.work.start, in.work.end));
        ck_assert_uint_ge(plan.count, (ROWS + sizes[i] - 1) / sizes[i]);
        range_key_set(&plan.ranges[plan.count / 2].start, slice_of_string("t"));
        ck_assert(plan.count == 1 || !task_plan_tiles(&plan, in.work.start, in.work.end));
        task_plan_release(&plan);
    }
    backfill_end(&in, &machines);
}

/* Whatever the size of its subtasks, a plan covers the table without hole or overlap. */
START_TEST(test_plans_tile_the_table)
{
    run_in_world(plan_world, NULL, 1);
}
END_TEST

/* A machine that may do in one move what must take two is no machine: the tables are as told. */
START_TEST(test_states)
{
    ck_assert(job_state_is_final(JOB_SYNCED) && job_state_is_final(JOB_CANCELLED));
    ck_assert(!job_state_is_final(JOB_DONE) && !job_state_is_final(JOB_CANCELLING));
    ck_assert(task_state_is_final(TASK_REVERTED) && !task_state_is_final(TASK_REVERTING));
    ck_assert(subtask_state_is_final(SUBTASK_CANCELED));
    for (uint32_t i = 0; i < job_machine.move_count; i++) {
        ck_assert(!job_state_is_final((job_state)job_machine.moves[i].from));
    }
    for (uint32_t i = 0; i < task_machine.move_count; i++) {
        ck_assert(!task_state_is_final((task_state)task_machine.moves[i].from));
    }
    for (uint32_t i = 0; i < subtask_machine.move_count; i++) {
        ck_assert(!subtask_state_is_final((subtask_state)subtask_machine.moves[i].from));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine: jobs, tasks");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, test_rows);
    tcase_add_test(all, test_requests);
    tcase_add_test(all, test_states);
    tcase_add_loop_test(all, test_tenure_fences, 0, 5);
    tcase_add_loop_test(all, test_submission, 0, 5);
    tcase_add_test(all, test_plans_tile_the_table);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
