/*
 * The oracles, each shown a picture of a cluster in which its property is broken, and none when all
 * is well.  Here: transactions, ingests, fences, tenures, the wait for acknowledgements, results of
 * subtasks, pauses, progress.
 */
#include "engine/ddl/reorg_row.h"
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

/* A row of the framework that was committed when it began: no ingest writes those. */
static void committed_at_its_start(picture *in)
{
    put(in, slice_of("mx", 2), slice_of("x", 1), 240, 241);
    mvcc_find(data_of(in), slice_of("mx", 2))->values->commit = 240;
}

/* ------------------------------------------------------------------------------------ ingests */

static void ingest(picture *in, index_id index, timestamp at)
{
    const encoded_key key = encode_entry_key(TABLE, index, 3, 3);
    mvcc_ingest(data_of(in), encoded_slice(&key), slice_of("0", 1), at, 1);
}

/* By the next owner, with a timestamp of its own (TiDB issue 49233). */
static void ingested_again(picture *in)
{
    ingest(in, INDEX, SNAPSHOT);
    ingest(in, INDEX, SNAPSHOT + 1);
}

static void ingested_for_nobody(picture *in)
{
    ingest(in, 8, SNAPSHOT);
}

static void ingested_below(picture *in)
{
    ingest(in, INDEX | TEMPORARY_INDEX, SNAPSHOT);
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

/* A subtask is given away again, in a transaction that locks the row of the owner. */
static void give_subtask(picture *in, timestamp start, timestamp commit)
{
    const subtask_row row = {.job = JOB,
                             .table = TABLE,
                             .index = INDEX,
                             .state = SUBTASK_PENDING,
                             .server = SERVER,
                             .attempt = 2,
                             .snapshot = SNAPSHOT};
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_subtask(&key, JOB, 0, 0);
    subtask_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), start, commit);
    own(in, start, commit);
    buffer_release(&value);
    buffer_release(&key);
}

/* By a server that has lost its office and does not know (TiDB issue 50055). */
static void somebody_gives_subtasks(picture *in)
{
    give_subtask(in, 240, 241);
    decide_commit(in, OTHER_SERVER, SESSION, 240, 241);
}

static void subtasks_of_another_session(picture *in)
{
    give_subtask(in, 240, 241);
    decide_commit(in, SERVER, SESSION + 1, 240, 241);
}

static void somebody_takes_a_subtask_away(picture *in)
{
    buffer key;
    buffer_init(&key);
    key_subtask(&key, JOB, 0, 0);
    drop(in, buffer_slice(&key), 240, 241);
    buffer_release(&key);
}

/* The row of a reorganization by the owner alone, which has all rows before it. */
static reorg_row reorganization(timestamp snapshot, tenure_id under)
{
    reorg_row row = {.job = JOB, .element = INDEX, .snapshot = snapshot, .tenure = under};
    const encoded_key start = encode_rows_prefix(TABLE), end = encode_behind(&start);
    range_key_set(&row.start, encoded_slice(&start));
    range_key_set(&row.end, encoded_slice(&end));
    return row;
}

static void put_reorganization(picture *in, const reorg_row *row, timestamp start)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_reorg(&key, JOB);
    reorg_row_encode(row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), start, start + 1);
    buffer_release(&value);
    buffer_release(&key);
}

/* `locks`: its transaction locks the owner's row. */
static void reorganize_as(picture *in, tenure_id under, bool locks)
{
    const reorg_row row = reorganization(SNAPSHOT, under);
    put_reorganization(in, &row, 156);
    if (locks) {
        own(in, 156, 157);
    }
}

static void anybody_reorganizes(picture *in)
{
    reorganize_as(in, TENURE, false);
}

static void reorganized_under_another_tenure(picture *in)
{
    reorganize_as(in, TENURE + 1, true);
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

static void judge_pauses(const evidence *of, const judged_table *table)
{
    (void)table;
    oracle_pauses(of);
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

/* ------------------------------------------------------------------------------------ progress */

/* A job that lives, twice; its row is changed in between.  Another one than the picture's. */
static void two_rows_of_a_job(picture *in, const job_row *before, const job_row *after)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_job(&key, before->id);
    job_row_encode(before, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 60, 61);
    job_row_encode(after, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 62, 63);
    buffer_release(&value);
    buffer_release(&key);
}

static job_row working_job(void)
{
    job_row row = new_job(2);
    row.state = JOB_RUNNING;
    row.phase = 1;
    row.version = 3;
    row.snapshot = SNAPSHOT;
    row.error_count = 2;
    row.error = FAILURE_STEP_FAILED;
    row.indexes[0].state = SCHEMA_WRITE_REORGANIZATION;
    return row;
}

static void a_state_is_skipped(picture *in)
{
    job_row before = working_job(), after = before;
    before.state = JOB_QUEUEING;
    after.state = JOB_DONE;
    after.indexes[0].state = SCHEMA_PUBLIC;
    two_rows_of_a_job(in, &before, &after);
}

static void a_schema_state_is_skipped(picture *in)
{
    job_row before = working_job(), after = before;
    before.indexes[0].state = SCHEMA_DELETE_ONLY;
    two_rows_of_a_job(in, &before, &after);
}

static void a_phase_goes_back(picture *in)
{
    job_row before = working_job(), after = before;
    after.phase = 0;
    two_rows_of_a_job(in, &before, &after);
}

static void another_snapshot(picture *in)
{
    job_row before = working_job(), after = before;
    after.snapshot++;
    two_rows_of_a_job(in, &before, &after);
}

static void another_first_error(picture *in)
{
    job_row before = working_job(), after = before;
    after.error = FAILURE_NO_SPACE;
    two_rows_of_a_job(in, &before, &after);
}

static void another_first_cause(picture *in)
{
    job_row before = working_job(), after = before;
    before.state = after.state = JOB_ROLLINGBACK;
    before.cause = FAILURE_NO_SPACE;
    after.cause = FAILURE_CANCELLED;
    two_rows_of_a_job(in, &before, &after);
}

static void public_without_a_merge(picture *in)
{
    job_row before = working_job(), after = before;
    before.indexes[0].backfill = BACKFILL_READY_TO_MERGE;
    after.state = JOB_DONE;
    after.indexes[0].state = SCHEMA_PUBLIC;
    two_rows_of_a_job(in, &before, &after);
}

static void back_without_its_backfill_state(picture *in)
{
    job_row before = working_job(), after = before;
    before.indexes[0].backfill = BACKFILL_RUNNING;
    after.indexes[0].backfill = BACKFILL_INAPPLICABLE;
    after.indexes[0].state = SCHEMA_DELETE_ONLY;
    after.state = JOB_ROLLINGBACK;
    after.cause = FAILURE_CANCELLED;
    two_rows_of_a_job(in, &before, &after);
}

static void errors_beyond_the_limit(picture *in)
{
    job_row before = working_job(), after = before;
    in->seen.error_limit = 3;
    after.error_count = 3;
    two_rows_of_a_job(in, &before, &after);
}

/* DROP INDEX learns with its first step which index it is about. */
static void a_drop_begins(picture *in)
{
    job_row before = working_job(), after;
    before.kind = JOB_KIND_DROP_INDEX;
    before.phase = 0;
    before.version = 0;
    before.snapshot = 0;
    before.indexes[0].state = SCHEMA_NONE;
    before.indexes[0].id = 0;
    after = before;
    after.version = 6;
    after.indexes[0].id = INDEX;
    after.indexes[0].state = SCHEMA_WRITE_ONLY;
    two_rows_of_a_job(in, &before, &after);
}

static void judge_progress(const evidence *of, const judged_table *table)
{
    (void)table;
    oracle_progress(of);
}

/* Two versions of a subtask's row: how far it is. */
static void import_two_times(picture *in, int64_t first, int64_t second)
{
    subtask_row row = {.job = 2,
                       .table = TABLE,
                       .index = INDEX,
                       .state = SUBTASK_RUNNING,
                       .server = SERVER,
                       .session = SESSION,
                       .attempt = 1,
                       .snapshot = SNAPSHOT};
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_subtask(&key, 2, 0, 0);
    for (uint32_t i = 0; i < 2; i++) {
        const encoded_key imported = encode_row_key(TABLE, i == 0 ? first : second);
        range_key_set(&row.imported, encoded_slice(&imported));
        subtask_row_encode(&row, &value);
        put(in, buffer_slice(&key), buffer_slice(&value), 60 + 2 * i, 61 + 2 * i);
    }
    buffer_release(&value);
    buffer_release(&key);
}

static void an_import_goes_back(picture *in)
{
    import_two_times(in, 3, 2);
}

static void an_import_goes_on(picture *in)
{
    import_two_times(in, 2, 3);
}

/* Two versions of the row of a reorganization. */
static void reorganize_two_times(picture *in, uint32_t second_phase, int64_t first, int64_t second)
{
    reorg_row row = {.job = 2, .element = INDEX, .snapshot = SNAPSHOT, .tenure = TENURE};
    const encoded_key end = encode_row_key(TABLE, 9);
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_reorg(&key, 2);
    range_key_set(&row.end, encoded_slice(&end));
    for (uint32_t i = 0; i < 2; i++) {
        const encoded_key start = encode_row_key(TABLE, i == 0 ? first : second);
        range_key_set(&row.start, encoded_slice(&start));
        row.phase = i == 0 ? 0 : second_phase;
        reorg_row_encode(&row, &value);
        put(in, buffer_slice(&key), buffer_slice(&value), 60 + 2 * i, 61 + 2 * i);
    }
    buffer_release(&value);
    buffer_release(&key);
}

static void a_reorganization_goes_back(picture *in)
{
    reorganize_two_times(in, 0, 5, 4);
}

static void a_reorganization_leaves_its_phase(picture *in)
{
    reorganize_two_times(in, 1, 5, 1);
}

static void a_reorganization_goes_on(picture *in)
{
    reorganize_two_times(in, 1, 9, 1);
}

/* Without having been cancelling. */
static void a_task_reverts_for_a_cancel(picture *in)
{
    task_row row = {.job = 2, .state = TASK_RUNNING, .snapshot = SNAPSHOT, .tenure = TENURE};
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_task(&key, 2, 0);
    task_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 60, 61);
    row.state = TASK_REVERTING;
    row.cause = FAILURE_CANCELLED;
    task_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 62, 63);
    buffer_release(&value);
    buffer_release(&key);
}

/* ------------------------------------------------------------------------------- undone tasks */

static void judge_tasks(const evidence *of, const judged_table *table)
{
    (void)table;
    oracle_tasks(of);
}

/* A task of one subtask, in history. */
static void undo_task(picture *in, failure of_task, subtask_state ended, failure of_subtask)
{
    task_row task = {.job = 2, .state = TASK_REVERTED, .snapshot = SNAPSHOT, .subtask_count = 1};
    subtask_row row = {.job = 2, .state = ended, .attempt = 1, .snapshot = SNAPSHOT};
    task.cause = of_task;
    row.cause = of_subtask;
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_task_history(&key, 2, 0);
    task_row_encode(&task, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 60, 61);
    key_subtask_history(&key, 2, 0, 0);
    subtask_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 60, 61);
    buffer_release(&value);
    buffer_release(&key);
}

static void undone_for_a_failure(picture *in)
{
    undo_task(in, FAILURE_NO_SPACE, SUBTASK_FAILED, FAILURE_NO_SPACE);
}

static void undone_for_no_failure(picture *in)
{
    undo_task(in, FAILURE_NO_SPACE, SUBTASK_FAILED, FAILURE_DUPLICATE_KEY);
}

static void undone_for_a_cancel(picture *in)
{
    undo_task(in, FAILURE_CANCELLED, SUBTASK_CANCELED, FAILURE_NONE);
}

static void undone_while_it_runs(picture *in)
{
    undo_task(in, FAILURE_CANCELLED, SUBTASK_RUNNING, FAILURE_NONE);
}

#define PROGRESS(what, plant, words)                                                               \
    {                                                                                              \
        what, plant, BRUSH(.only = judge_progress), SB_FINDING_WRONG_STATE, words                  \
    }
#define NO_HARM(what, plant)                                                                       \
    {                                                                                              \
        what, plant, BRUSH(.only = judge_progress), SB_FINDING_NONE, ""                            \
    }

/* The owner alone says that it has brought in all rows of that snapshot. */
static void reorganize_whole_table(picture *in, timestamp snapshot)
{
    reorg_row row = reorganization(snapshot, TENURE);
    buffer key;
    put_reorganization(in, &row, 156);
    own(in, 156, 157);
    row.start = row.end;
    put_reorganization(in, &row, 158);
    own(in, 158, 159);
    buffer_init(&key);
    key_reorg(&key, JOB);
    drop(in, buffer_slice(&key), 160, 161);
    own(in, 160, 161);
    buffer_release(&key);
}

static void the_owner_brings_all_in(picture *in)
{
    reorganize_whole_table(in, SNAPSHOT);
}

/* Of that one no store has told. */
static void the_owner_brings_nothing_in(picture *in)
{
    reorganize_whole_table(in, SNAPSHOT + 1);
}

static const plant plants[] = {
    {"a transaction with two commits", two_commits, BRUSH(), SB_FINDING_LOST_WRITE,
     "committed at 261 and at 263"},
    {"committed and rolled back", rolled_back_too, BRUSH(), SB_FINDING_LOST_WRITE,
     "was rolled back and is committed"},
    {"locks side by side", locks_side_by_side, BRUSH(), SB_FINDING_LOST_WRITE, "beside one that"},
    {"locks in turn", locks_in_turn, BRUSH(), SB_FINDING_NONE, ""},
    {"committed when it began", committed_at_its_start, BRUSH(), SB_FINDING_LOST_WRITE,
     "the transaction of 240 committed at 240 beside"},
    {"ingested again at another timestamp", ingested_again, BRUSH(), SB_FINDING_WRONG_STATE,
     "was ingested at 136, and its job's snapshot is 135"},
    {"ingested for nobody", ingested_for_nobody, BRUSH(), SB_FINDING_WRONG_STATE,
     "of index 8 of table 1 was ingested at 135"},
    {"ingested into a temporary index", ingested_below, BRUSH(), SB_FINDING_WRONG_STATE,
     "was ingested at 135, and its job's snapshot is 0"},
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
    {"somebody gives subtasks away", somebody_gives_subtasks, BRUSH(), SB_FINDING_STALE_OWNER,
     "\"subtask\" was written at 241 by a transaction of 240 that was not the owner's"},
    {"subtasks given away under another session", subtasks_of_another_session, BRUSH(),
     SB_FINDING_STALE_OWNER, "under another session"},
    {"somebody takes a subtask away", somebody_takes_a_subtask_away, BRUSH(),
     SB_FINDING_STALE_OWNER, "did not lock the row of the owner"},
    {"anybody reorganizes", anybody_reorganizes, BRUSH(), SB_FINDING_STALE_OWNER,
     "did not lock the row of the owner"},
    {"reorganized under another tenure", reorganized_under_another_tenure, BRUSH(),
     SB_FINDING_STALE_OWNER, "bears another tenure"},
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
    {"the owner brings all in", the_owner_brings_all_in, BRUSH(), SB_FINDING_NONE, ""},
    {"the owner brings nothing in", the_owner_brings_nothing_in, BRUSH(), SB_FINDING_WRONG_STATE,
     "reorg 0 of job 1 called row 1 imported"},
    {"a result under another session", NULL, BRUSH(.run_session = SESSION - 1),
     SB_FINDING_WRONG_STATE, "under another session than it says"},
    {"subtasks that run in a pause", subtasks_run_in_a_pause, BRUSH(.only = judge_pauses),
     SB_FINDING_WRONG_STATE, "while the job was paused"},
    {"subtasks that have run before a pause", subtasks_run_before_a_pause,
     BRUSH(.only = judge_pauses), SB_FINDING_NONE, ""},
    {"subtasks that run in a pause of their task", subtasks_run_in_a_pause_of_their_task, BRUSH(),
     SB_FINDING_WRONG_STATE, "while the task was paused"},
    PROGRESS("a state is skipped", a_state_is_skipped, "went from queueing to done"),
    PROGRESS("a schema state is skipped", a_schema_state_is_skipped, "from delete-only to write-r"),
    PROGRESS("a phase goes back", a_phase_goes_back, "its phase went back"),
    PROGRESS("another snapshot", another_snapshot, "its snapshot is another"),
    PROGRESS("another first error", another_first_error, "its first error was not kept"),
    PROGRESS("another first cause", another_first_cause, "its first cause was not kept"),
    PROGRESS("public without a merge", public_without_a_merge, "was not merging"),
    PROGRESS("back without its backfill state", back_without_its_backfill_state,
             "lost its backfill state"),
    PROGRESS("errors beyond the limit", errors_beyond_the_limit, "with too many errors"),
    PROGRESS("an import goes back", an_import_goes_back, "what is imported became less"),
    PROGRESS("a reorganization goes back", a_reorganization_goes_back, "what is left became more"),
    PROGRESS("a phase left undone", a_reorganization_leaves_its_phase, "before it was done"),
    PROGRESS("a cancel unseen", a_task_reverts_for_a_cancel, "was never cancelling"),
    {"undone while it runs", undone_while_it_runs, BRUSH(.only = judge_tasks),
     SB_FINDING_WRONG_STATE, "its subtask 0 has not ended"},
    {"undone for no failure", undone_for_no_failure, BRUSH(.only = judge_tasks),
     SB_FINDING_WRONG_STATE, "for which no subtask failed"},
    {"undone for a failure", undone_for_a_failure, BRUSH(.only = judge_tasks), SB_FINDING_NONE, ""},
    {"undone for a cancel", undone_for_a_cancel, BRUSH(.only = judge_tasks), SB_FINDING_NONE, ""},
    NO_HARM("a drop begins", a_drop_begins),
    NO_HARM("an import goes on", an_import_goes_on),
    NO_HARM("the next phase", a_reorganization_goes_on),
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
