/*
 * The oracles, each shown a picture of a cluster in which its property is broken, and none when all
 * is well.  Here: transactions, fences, tenures, the wait for acknowledgements, results of
 * subtasks, pauses.
 */
#include "tests/oracle_picture.h"

/* ------------------------------------------------------------------------------- transactions */

static void two_commits(picture *in)
{
    const encoded_key one = encode_entry_key(TABLE, INDEX, 50, 50),
                      other = encode_entry_key(TABLE, INDEX, 51, 51);
    drop(in, encoded_slice(&one), 260, 261);
    drop(in, encoded_slice(&other), 260, 263);
}

/* Row 1 was written by the transaction of 140, and another key of it says it never was. */
static void rolled_back_too(picture *in)
{
    const encoded_key key = encode_row_key(TABLE, 77);
    mvcc_rollback(data_of(in), encoded_slice(&key), 140, 1);
}

/* Two that locked one key, side by side. */
static void locks_side_by_side(picture *in)
{
    const slice key = slice_of("mx", 2);
    write_version(in, MUTATION_LOCK, key, (slice){NULL, 0}, 270, 275);
    write_version(in, MUTATION_LOCK, key, (slice){NULL, 0}, 272, 277);
}

static void locks_in_turn(picture *in)
{
    const slice key = slice_of("mx", 2);
    write_version(in, MUTATION_LOCK, key, (slice){NULL, 0}, 270, 275);
    write_version(in, MUTATION_LOCK, key, (slice){NULL, 0}, 276, 277);
}

/* ------------------------------------------------------------------------------------- fences */

static void behind_its_fence(picture *in)
{
    decide_fence(in, SERVER, SESSION + 1, 300);
    decide_commit(in, SERVER, SESSION, 310, 311);
}

static void before_its_fence(picture *in)
{
    decide_commit(in, SERVER, SESSION, 310, 311);
    decide_fence(in, SERVER, SESSION + 1, 312);
}

static void under_a_new_session(picture *in)
{
    decide_fence(in, SERVER, SESSION + 1, 300);
    decide_commit(in, SERVER, SESSION + 1, 310, 311);
    decide_commit(in, OTHER_SERVER, SESSION - 1, 312, 313);
}

/* ------------------------------------------------------------------------------------ tenures */

static void two_reigns_of_one_tenure(picture *in)
{
    const owner_row row = {.tenure = TENURE, .owner = OTHER_SERVER};
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_owner(&key);
    owner_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 280, 281);
    decide_commit(in, OTHER_SERVER, SESSION, 280, 281);
    buffer_release(&value);
    buffer_release(&key);
}

/* Somebody who is no owner moves the schema in the row of a job. */
static void anybody_steps(picture *in)
{
    job_row row = new_job(2);
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_job(&key, row.id);
    job_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 280, 281);
    row.state = JOB_RUNNING;
    row.version = 6;
    job_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 282, 283);
    buffer_release(&value);
    buffer_release(&key);
}

/* ------------------------------------------------------------------------- the wait for others */

static void fence_too_late(picture *in)
{
    decide_fence(in, OTHER_SERVER, SILENT_SESSION + 1, 400);
}

static void late_session_is_no_excuse(picture *in)
{
    decide_session(in, OTHER_SERVER, SILENT_SESSION);
}

/* Told, and not in the store's bytes. */
static void fence_forgotten(picture *in)
{
    const session_report said = {
        .server = OTHER_SERVER, .session = SILENT_SESSION + 1, .sequence = 8};
    decide(in, REPORT_SERVER_FENCED, STORE, &said);
}

static void fence_lowered(picture *in)
{
    fence_forgotten(in);
    store_state_raise_fence(&in->store.state, OTHER_SERVER, SILENT_SESSION, 9);
}

/* Told when the subtask had already said so. */
static void ingested_too_late(picture *in)
{
    tell_ingested(in, 3, 3, 0);
}

/* ------------------------------------------------------------------------------------- pauses */

/* The job was paused from one commit to the next; then it ended. */
static void pause_job(picture *in, timestamp from, timestamp to)
{
    job_row row = new_job(JOB);
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_job(&key, JOB);
    row.state = JOB_PAUSED;
    row.tenure = TENURE;
    job_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), from - 1, from);
    own(in, from - 1, from);
    drop(in, buffer_slice(&key), to - 1, to);
    own(in, to - 1, to);
    buffer_release(&value);
    buffer_release(&key);
}

/* Its subtasks begin at 153 and end at 155. */
static void subtasks_run_in_a_pause(picture *in)
{
    pause_job(in, 153, 160);
}

static void subtasks_run_before_a_pause(picture *in)
{
    pause_job(in, 156, 160);
}

static void subtasks_run_in_a_pause_of_their_task(picture *in)
{
    task_row row = {.job = JOB,
                    .state = TASK_PAUSED,
                    .table = TABLE,
                    .index = INDEX,
                    .snapshot = SNAPSHOT,
                    .subtask_count = 2,
                    .tenure = TENURE};
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_task(&key, JOB, 0);
    task_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 150, 151);
    drop(in, buffer_slice(&key), 204, 205);
    buffer_release(&value);
    buffer_release(&key);
}

static const plant plants[] = {
    {"a transaction with two commits", two_commits, BRUSH(), SB_FINDING_LOST_WRITE,
     "committed at 261 and at 263"},
    {"committed and rolled back", rolled_back_too, BRUSH(), SB_FINDING_LOST_WRITE,
     "was rolled back and is committed"},
    {"locks side by side", locks_side_by_side, BRUSH(), SB_FINDING_LOST_WRITE, "beside one that"},
    {"locks in turn", locks_in_turn, BRUSH(), SB_FINDING_NONE, ""},
    {"a commit behind its fence", behind_its_fence, BRUSH(), SB_FINDING_WRONG_STATE,
     "behind its fence at 8"},
    {"a commit before its fence", before_its_fence, BRUSH(), SB_FINDING_NONE, ""},
    {"a commit under a new session", under_a_new_session, BRUSH(), SB_FINDING_NONE, ""},
    {"a fence that is forgotten", fence_forgotten, BRUSH(), SB_FINDING_WRONG_STATE,
     "accepts no session of server2 below 10"},
    {"a fence that came back lower", fence_lowered, BRUSH(), SB_FINDING_WRONG_STATE,
     "accepts no session of server2 below 10"},
    {"an owner without his lock", NULL, BRUSH(.forgets_lock = true), SB_FINDING_STALE_OWNER,
     "did not lock the row of the owner"},
    {"another tenure", NULL, BRUSH(.tenure = TENURE + 1), SB_FINDING_STALE_OWNER,
     "bears another tenure"},
    {"another server", NULL, BRUSH(.finisher = OTHER_SERVER), SB_FINDING_STALE_OWNER,
     "was not the owner's"},
    {"an owner of another session", NULL, BRUSH(.end_session = SESSION + 1), SB_FINDING_STALE_OWNER,
     "under another session"},
    {"two reigns of one tenure", two_reigns_of_one_tenure, BRUSH(), SB_FINDING_STALE_OWNER,
     "before a smaller one"},
    {"anybody moves the schema", anybody_steps, BRUSH(), SB_FINDING_STALE_OWNER,
     "did not lock the row of the owner"},
    {"no acknowledgement", NULL, BRUSH(.is_silent = true), SB_FINDING_WRONG_STATE,
     "had not acknowledged"},
    {"no acknowledgement and a fence too late", fence_too_late, BRUSH(.is_silent = true),
     SB_FINDING_WRONG_STATE, "had not acknowledged"},
    {"a fence instead of an acknowledgement", NULL, BRUSH(.is_silent = true, .is_fenced = true),
     SB_FINDING_NONE, ""},
    {"a session of later", late_session_is_no_excuse, BRUSH(), SB_FINDING_NONE, ""},
    {"a row that was never ingested", NULL, BRUSH(.not_ingested = 2), SB_FINDING_WRONG_STATE,
     "called row 2 imported"},
    {"a row ingested too late", ingested_too_late, BRUSH(.not_ingested = 3), SB_FINDING_WRONG_STATE,
     "called row 3 imported"},
    {"a result under another session", NULL, BRUSH(.run_session = SESSION - 1),
     SB_FINDING_WRONG_STATE, "under another session than it says"},
    {"subtasks that run in a pause", subtasks_run_in_a_pause, BRUSH(), SB_FINDING_WRONG_STATE,
     "while the job was paused"},
    {"subtasks that have run before a pause", subtasks_run_before_a_pause, BRUSH(), SB_FINDING_NONE,
     ""},
    {"subtasks that run in a pause of their task", subtasks_run_in_a_pause_of_their_task, BRUSH(),
     SB_FINDING_WRONG_STATE, "while the task was paused"},
};
#define PLANTS (sizeof(plants) / sizeof(plants[0]))

/* Each plant leads to its finding, and a picture without one to none. */
START_TEST(test_plants)
{
    judge_and_compare(&plants[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracles of the engine");
    TCase *of = tcase_create("plants");
    tcase_add_loop_test(of, test_plants, 0, (int)PLANTS);
    suite_add_tcase(suite, of);
    return run_suite(suite);
}
