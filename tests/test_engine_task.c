/*
 * The distributed task: plans over both kinds of keys, and what the scheduler makes of its rows.
 */
#include <string.h>

#include "engine/schema/row.h"
#include "engine/museum.h"
#include "engine/task/registration.h"
#include "engine/task/scheduler.h"
#include "engine/wire/keys.h"
#include "tests/engine_cluster.h"

#define TABLE 1u
#define INDEX 9u

/* -------------------------------------------------------------------------------------- plans */

#define BEGINNING 200u /* bytes that a group of keys has in common: more than a range key holds */
#define GROUPS 5u
#define KEYS_PER_GROUP 8u

/* Entries of the temporary index, in groups of keys that differ only far behind. */
static void put_long_keys(cluster *of)
{
    transaction *in;
    buffer key;
    buffer_init(&key);
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    key_row(&key, TABLE, 1); /* the primary: never an index entry */
    transaction_put(in, buffer_slice(&key), slice_of_string("x"));
    for (uint32_t i = 0; i < GROUPS * KEYS_PER_GROUP; i++) {
        key_index_prefix(&key, TABLE, INDEX | TEMPORARY_INDEX);
        unsigned char *bytes = buffer_extend(&key, BEGINNING);
        memset(bytes, 'a' + (int)(i / KEYS_PER_GROUP), BEGINNING);
        buffer_add_u8(&key, (uint8_t)(i % KEYS_PER_GROUP));
        transaction_put(in, buffer_slice(&key), slice_of_string("x"));
    }
    ck_assert_int_eq(transaction_commit(in, NULL, NULL), ENGINE_OK);
    transaction_release(in);
    buffer_release(&key);
}

static void check_plan(cluster *of, task_kind kind, uint32_t rows_max, uint32_t at_least,
                       uint32_t at_most)
{
    const task_row task = {.kind = kind, .table = TABLE, .index = INDEX, .snapshot = 1};
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    task_range(kind, TABLE, INDEX, &start, &end);
    task_plan plan;
    task_plan_init(&plan);
    ck_assert_int_eq(task_plan_make(&plan, of, &task, rows_max, NULL), ENGINE_OK);
    ck_assert(task_plan_tiles(&plan, buffer_slice(&start), buffer_slice(&end)));
    ck_assert_uint_ge(plan.count, at_least);
    ck_assert_uint_le(plan.count, at_most);
    task_plan_release(&plan);
    buffer_release(&start);
    buffer_release(&end);
}

static void long_keys_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    test_cluster_start(&machines, world);
    cluster *of = test_cluster_open(&machines);
    check_plan(of, TASK_KIND_MERGE, 10, 1, 1); /* nothing there: one range all the same */
    check_plan(of, TASK_KIND_BACKFILL, 10, 1, 1);
    put_long_keys(of);
    check_plan(of, TASK_KIND_MERGE, 1000, 1, 1);
    check_plan(of, TASK_KIND_MERGE, KEYS_PER_GROUP, 2, GROUPS);
    check_plan(of, TASK_KIND_MERGE, 3, GROUPS - 1, GROUPS + 1); /* no cut within a group */
    check_plan(of, TASK_KIND_BACKFILL, 3, 1, 1);
    test_cluster_close(&machines, of);
}

/* Keys longer than a boundary may be are cut by their beginnings, and the ranges still tile. */
START_TEST(test_plan_over_long_keys)
{
    run_in_world(long_keys_world, NULL, 1);
}
END_TEST

#define MANY (SUBTASKS_MAX + 100u)

static void put_many_keys(cluster *of)
{
    transaction *in;
    buffer key;
    buffer_init(&key);
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    key_row(&key, TABLE, 1); /* the primary: never an index entry */
    transaction_put(in, buffer_slice(&key), slice_of_string("x"));
    for (uint32_t i = 0; i < MANY; i++) {
        key_index_prefix(&key, TABLE, INDEX | TEMPORARY_INDEX);
        buffer_add_u8(&key, (uint8_t)(i >> 8));
        buffer_add_u8(&key, (uint8_t)i);
        transaction_put(in, buffer_slice(&key), slice_of_string("x"));
    }
    ck_assert_int_eq(transaction_commit(in, NULL, NULL), ENGINE_OK);
    transaction_release(in);
    buffer_release(&key);
}

static void many_keys_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    test_cluster_start(&machines, world);
    cluster *of = test_cluster_open(&machines);
    put_many_keys(of);
    check_plan(of, TASK_KIND_MERGE, 1, SUBTASKS_MAX - 1, SUBTASKS_MAX);
    check_plan(of, TASK_KIND_MERGE, 2, MANY / 2, MANY / 2 + 1);
    test_cluster_close(&machines, of);
}

/* There are never more subtasks than there may be: the last one takes what is left. */
START_TEST(test_plan_of_many_keys)
{
    run_in_world(many_keys_world, NULL, 1);
}
END_TEST

/* ---------------------------------------------------------------------------------- scheduler */

#define JOB 7u
#define ROWS 40

/* The director is owner and the only server; what an executor would do, the test does by hand. */
typedef struct desk {
    test_cluster machines;
    cluster *of;
    session_id session;
    sb_mutex order;
    tenure tenure;
    scheduler scheduler;
    sb_wait_group running;
    engine_status status;
    task_row ended;
} desk;

static void put_rows(cluster *of)
{
    transaction *in;
    buffer key;
    buffer_init(&key);
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    for (int64_t id = 1; id <= ROWS; id++) {
        key_row(&key, TABLE, id);
        transaction_put(in, buffer_slice(&key), slice_of_string("row"));
    }
    ck_assert_int_eq(transaction_commit(in, NULL, NULL), ENGINE_OK);
    transaction_release(in);
    buffer_release(&key);
}

static session_id take_session(cluster *of)
{
    const session_grant_request ask = {.server = sb_self(), .nonce = 5, .ttl = 3600 * SB_SECOND};
    session_grant_reply got;
    buffer request;
    sb_reply reply;
    buffer_init(&request);
    session_grant_request_encode(&ask, &request);
    ck_assert_int_eq(cluster_ask(of, METHOD_SESSION_GRANT, &request, &reply, NULL), ENGINE_OK);
    ck_assert(session_grant_reply_decode(&got, slice_of(reply.data, reply.size)));
    sb_reply_release(&reply);
    buffer_release(&request);
    cluster_set_session(of, got.session);
    return got.session;
}

static void register_server(desk *on)
{
    transaction *in;
    const server_row us = {sb_self(), on->session};
    ck_assert_int_eq(transaction_begin(on->of, 0, &in, NULL), ENGINE_OK);
    server_put(in, &us);
    ck_assert_int_eq(transaction_commit(in, NULL, NULL), ENGINE_OK);
    transaction_release(in);
}

static void desk_open(desk *on, sb_world *world)
{
    memset(on, 0, sizeof(*on));
    test_cluster_start(&on->machines, world);
    on->of = test_cluster_open(&on->machines);
    on->session = take_session(on->of);
    register_server(on);
    put_rows(on->of);
    sb_mutex_init(&on->order, "order");
    on->tenure = (tenure){on->of, 1, &on->order};
    ck_assert_int_eq(tenure_inaugurate(&on->tenure, NULL), ENGINE_OK);
    sb_wait_group_init(&on->running, "scheduler");
}

static void desk_close(desk *on)
{
    sb_wait_group_release(&on->running);
    sb_mutex_release(&on->order);
    test_cluster_close(&on->machines, on->of);
}

static void schedule_main(void *argument)
{
    desk *on = argument;
    on->status = scheduler_run(&on->scheduler, &on->ended, NULL);
}

static void schedule(desk *on, scheduler_order order)
{
    task_row wanted = {.job = JOB, .table = TABLE, .index = INDEX};
    ck_assert_int_eq(cluster_timestamp(on->of, &wanted.snapshot, NULL), ENGINE_OK);
    const scheduler_settings settings = {.rows_per_subtask = 10, .tick = 100 * SB_MILLISECOND};
    scheduler_init(&on->scheduler, &on->tenure, &wanted, &settings);
    on->scheduler.order = order;
    sb_spawn(&on->running, schedule_main, on, "scheduler");
}

/* Until the scheduler returns: how the task stands then. */
static task_state await_end(desk *on)
{
    ck_assert_int_eq(sb_wait_group_wait(&on->running, NULL), SB_OK);
    ck_assert_int_eq(on->status, ENGINE_OK);
    scheduler_release(&on->scheduler);
    return on->ended.state;
}

/* What a server makes of a subtask: a transaction that expects its state. */
static void move_subtask(desk *on, uint32_t number, subtask_state from, subtask_state to)
{
    engine_status status = ENGINE_CONFLICT;
    while (status == ENGINE_CONFLICT) {
        transaction *in;
        subtask_row now;
        ck_assert_int_eq(transaction_begin(on->of, 0, &in, NULL), ENGINE_OK);
        ck_assert_int_eq(subtask_read_in(in, JOB, 0, number, &now, NULL), ENGINE_OK);
        ck_assert_int_eq(now.state, from);
        sb_machine_move(&subtask_machine, subtask_identity(JOB, subtask_number(0, number)), from,
                        to);
        now.state = to;
        now.session = on->session;
        now.row_count = to == SUBTASK_SUCCEED ? 10 : 0;
        now.cause = to == SUBTASK_FAILED ? FAILURE_INJECTED : FAILURE_NONE;
        now.imported = now.start;
        subtask_put(in, &now);
        status = transaction_commit(in, NULL, NULL);
        transaction_release(in);
    }
    ck_assert_int_eq(status, ENGINE_OK);
}

/* The rows, when there are any; free them. */
static uint32_t read_subtasks(desk *on, subtask_row **rows)
{
    uint32_t count;
    ck_assert_int_eq(subtasks_read_all(on->of, rows, &count, NULL), ENGINE_OK);
    return count;
}

static uint32_t await_subtasks(desk *on)
{
    uint32_t count = 0;
    while (count == 0) {
        subtask_row *rows;
        (void)sb_sleep(50 * SB_MILLISECOND, NULL);
        count = read_subtasks(on, &rows);
        sb_free(rows);
    }
    return count;
}

static void pause_world(sb_world *world, void *context)
{
    (void)context;
    desk on;
    desk_open(&on, world);
    schedule(&on, SCHEDULER_PAUSE);
    ck_assert_int_eq(await_end(&on), TASK_PENDING); /* nothing to pause, nothing submitted */
    ck_assert_uint_eq(on.ended.subtask_count, 0);

    schedule(&on, SCHEDULER_GO);
    const uint32_t count = await_subtasks(&on);
    ck_assert_uint_ge(count, 4);
    move_subtask(&on, 0, SUBTASK_PENDING, SUBTASK_RUNNING);
    move_subtask(&on, 1, SUBTASK_PENDING, SUBTASK_RUNNING);
    move_subtask(&on, 1, SUBTASK_RUNNING, SUBTASK_SUCCEED);
    scheduler_set_order(&on.scheduler, SCHEDULER_PAUSE);
    ck_assert_int_eq(await_end(&on), TASK_PAUSED);
    subtask_row *rows;
    ck_assert_uint_eq(read_subtasks(&on, &rows), count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(rows[i].state, i == 1 ? SUBTASK_SUCCEED : SUBTASK_PAUSED);
    }
    ck_assert(slice_equal(range_key_slice(&rows[0].imported), range_key_slice(&rows[0].start)));
    sb_free(rows);

    schedule(&on, SCHEDULER_PAUSE); /* the next owner finds it paused */
    ck_assert_int_eq(await_end(&on), TASK_PAUSED);

    schedule(&on, SCHEDULER_GO);
    (void)sb_sleep(2 * SB_SECOND, NULL);
    ck_assert_uint_eq(read_subtasks(&on, &rows), count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(rows[i].state, i == 1 ? SUBTASK_SUCCEED : SUBTASK_PENDING);
        ck_assert_uint_eq(rows[i].attempt, i == 1 ? 1 : 2);
    }
    ck_assert(slice_equal(range_key_slice(&rows[0].imported), range_key_slice(&rows[0].start)));
    sb_free(rows);
    for (uint32_t i = 0; i < count; i++) {
        if (i != 1) {
            move_subtask(&on, i, SUBTASK_PENDING, SUBTASK_RUNNING);
            move_subtask(&on, i, SUBTASK_RUNNING, SUBTASK_SUCCEED);
        }
    }
    ck_assert_int_eq(await_end(&on), TASK_SUCCEED);
    desk_close(&on);
}

/* A paused task keeps what is done and what is half done; whoever goes on with it, goes on there.
 */
START_TEST(test_pause_and_resume)
{
    run_in_world(pause_world, NULL, (uint64_t)_i + 1);
}
END_TEST

static void end_world(sb_world *world, void *context)
{
    const bool cancels = context != NULL;
    desk on;
    desk_open(&on, world);
    schedule(&on, SCHEDULER_GO);
    const uint32_t count = await_subtasks(&on);
    move_subtask(&on, 2, SUBTASK_PENDING, SUBTASK_RUNNING);
    if (cancels) {
        scheduler_set_order(&on.scheduler, SCHEDULER_PAUSE);
        ck_assert_int_eq(await_end(&on), TASK_PAUSED);
        schedule(&on, SCHEDULER_CANCEL);
    } else {
        move_subtask(&on, 2, SUBTASK_RUNNING, SUBTASK_FAILED);
    }
    ck_assert_int_eq(await_end(&on), TASK_REVERTED);
    ck_assert_int_eq(on.ended.cause, cancels ? FAILURE_CANCELLED : FAILURE_INJECTED);
    subtask_row *rows;
    ck_assert_uint_eq(read_subtasks(&on, &rows), count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert(subtask_state_is_final(rows[i].state));
        ck_assert(cancels ? rows[i].state == SUBTASK_CANCELED
                          : (i == 2) == (rows[i].state == SUBTASK_FAILED));
    }
    sb_free(rows);
    desk_close(&on);
}

/* A failed subtask, or a cancel of a paused task, ends all of it; the first cause is kept. */
START_TEST(test_revert)
{
    run_in_world(end_world, _i % 2 == 0 ? NULL : "cancel", (uint64_t)_i + 1);
}
END_TEST

static void unplanned_world(sb_world *world, void *context)
{
    (void)context;
    desk on;
    desk_open(&on, world);
    sb_failpoints_enable(world, "plan-permanent-error", 1000000);
    schedule(&on, SCHEDULER_GO);
    ck_assert_int_eq(await_end(&on), TASK_FAILED);
    ck_assert_int_eq(on.ended.cause, FAILURE_INJECTED);
    desk_close(&on);
}

START_TEST(test_no_plan)
{
    run_in_world(unplanned_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------------------- registration */

typedef struct registering {
    cluster *of;
    sb_scope scope;
} registering;

static void registration_main(void *argument)
{
    registering *on = argument;
    registration_run(on->of, SB_SECOND, &on->scope);
}

/* The session in our row; 0: there is none. */
static session_id registered_session(cluster *of)
{
    transaction *in;
    server_row found = {0};
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    const engine_status status = server_read_in(in, sb_self(), &found, NULL);
    ck_assert(status == ENGINE_OK || status == ENGINE_NOT_FOUND);
    transaction_rollback(in);
    transaction_release(in);
    return status == ENGINE_OK ? found.session : 0;
}

/* What a scheduler does that cannot see the server for a while. */
static void take_out(cluster *of)
{
    transaction *in;
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    server_delete(in, sb_self());
    ck_assert_int_eq(transaction_commit(in, NULL, NULL), ENGINE_OK);
    transaction_release(in);
}

static void registration_world(sb_world *world, void *context)
{
    const bool heals = context == NULL;
    test_cluster machines;
    test_cluster_start(&machines, world);
    registering on = {.of = test_cluster_open(&machines)};
    sb_wait_group running;
    sb_wait_group_init(&running, "registration");
    sb_scope_init(&on.scope, NULL, "registration");
    sb_spawn(&running, registration_main, &on, "registration");
    (void)sb_sleep(3 * SB_SECOND, NULL);
    ck_assert_uint_eq(registered_session(on.of), 0); /* no session, no row */
    const session_id first = take_session(on.of);
    (void)sb_sleep(3 * SB_SECOND, NULL);
    ck_assert_uint_eq(registered_session(on.of), first);
    take_out(on.of);
    (void)sb_sleep(3 * SB_SECOND, NULL);
    ck_assert_uint_eq(registered_session(on.of), heals ? first : 0);
    cluster_set_session(on.of, first + 1);
    (void)sb_sleep(3 * SB_SECOND, NULL);
    ck_assert_uint_eq(registered_session(on.of), heals ? first + 1 : 0);
    sb_scope_cancel(&on.scope);
    (void)sb_wait_group_wait(&running, NULL);
    sb_scope_release(&on.scope);
    sb_wait_group_release(&running);
    test_cluster_close(&machines, on.of);
}

/* A row that others take out comes back, and with another session it is another row. */
START_TEST(test_registration_heals)
{
    run_in_world(registration_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* With the bug of issue 47954 it does not. */
START_TEST(test_registration_once)
{
    run_in_world_with(registration_world, "once", (uint64_t)_i + 1, (uint64_t)1 << BUG_tidb_47954);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine: the distributed task");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, test_plan_over_long_keys);
    tcase_add_test(all, test_plan_of_many_keys);
    tcase_add_loop_test(all, test_pause_and_resume, 0, 5);
    tcase_add_loop_test(all, test_revert, 0, 6);
    tcase_add_test(all, test_no_plan);
    tcase_add_loop_test(all, test_registration_heals, 0, 5);
    tcase_add_loop_test(all, test_registration_once, 0, 2);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
