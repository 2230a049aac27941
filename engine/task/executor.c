/*
 * The executor: see executor.h.
 *
 *     look ──→ start a run for each subtask to be run, at most `concurrency`
 *          ──→ cancel runs whose row is not what they began with
 *
 *     a run: claim (pending → running, under our session) → backfill → record the end
 */
#include "engine/task/executor.h"

#include "engine/backfill/merge.h"
#include "engine/counters.h"
#include "engine/task/moves.h"
#include "engine/task/tenure.h"
#include "engine/transaction/route.h"

#define CONCURRENCY 2u
#define POLL_ACTIVE (300 * SB_MILLISECOND)
#define POLL_IDLE (2 * SB_SECOND)

typedef struct executor {
    cluster *cluster;
    schema_cache *schema;
    backfill *backfill;
    session_id session;
    executor_settings settings;
    struct subtask_run *runs;
    uint32_t run_count;
    sb_wait_group tasks;
    sb_condition look_now; /* a run has ended */
    bool woken;
    bool refused; /* storage does not accept our session any more */
} executor;

/* A subtask being run here. */
typedef struct subtask_run {
    struct subtask_run *next;
    executor *of;
    subtask_row row; /* as it was when it was last read by the run */
    sb_scope scope;
} subtask_run;

/* ------------------------------------------------------------------ conditional moves of rows */

/* The row is still the run's: this server, this attempt, and either not begun or begun by us. */
static bool is_ours(const subtask_run *run, const subtask_row *row)
{
    return row->server == sb_self() && row->attempt == run->row.attempt;
}

typedef bool expectation(const subtask_run *run, const subtask_row *row);

static bool is_to_be_run(subtask_state state)
{
    return state == SUBTASK_PENDING || state == SUBTASK_RUNNING;
}

/* To be begun: nobody has, or an earlier session of this server, or a run of ours that was lost. */
static bool may_begin(const subtask_run *run, const subtask_row *row)
{
    return is_ours(run, row) && is_to_be_run(row->state);
}

static bool is_running_here(const subtask_run *run, const subtask_row *row)
{
    return is_ours(run, row) && row->state == SUBTASK_RUNNING && row->session == run->of->session;
}

/* The row is what an earlier try, whose outcome is unknown, was to make of it. */
static bool is_moved_already(const subtask_run *run, const subtask_row *row, const subtask_row *to)
{
    return is_ours(run, row) && row->state == to->state && row->session == to->session &&
           slice_compare(range_key_slice(&row->imported), range_key_slice(&to->imported)) >= 0;
}

/* The row's own checkpoint counts, but for the move that saves a later one: an earlier incarnation
 * of ours may have saved it after the row was looked at. */
static void keep_checkpoint(const subtask_row *row, subtask_row *to)
{
    if (slice_compare(range_key_slice(&to->imported), range_key_slice(&row->imported)) < 0) {
        to->imported = row->imported;
        to->imported_rows = row->imported_rows;
    }
}

/* One transaction: if the row is as expected, it becomes `to`.  ENGINE_NOT_FOUND: it is not ours
 * any more. */
static engine_status try_move(subtask_run *run, expectation *expected, subtask_row *to,
                              bool in_doubt, sb_scope *scope)
{
    cluster *of = run->of->cluster;
    transaction *in;
    engine_status status = cluster_session(of) == run->of->session
                               ? transaction_begin(of, 0, &in, scope)
                               : ENGINE_FENCED;
    if (status != ENGINE_OK) {
        return status;
    }
    subtask_row row = {0};
    status = subtask_read_in(in, to->job, to->phase, to->number, &row, scope);
    const bool moved = status == ENGINE_OK && in_doubt && is_moved_already(run, &row, to);
    if (status == ENGINE_OK && !moved && !expected(run, &row)) {
        SOMETIMES(true, "subtask-is-not-ours-any-more");
        status = ENGINE_NOT_FOUND;
    }
    const subtask_state from = moved ? run->row.state : row.state;
    if (status == ENGINE_OK) {
        keep_checkpoint(&row, to);
    }
    if (status == ENGINE_OK && !moved) {
        subtask_put(in, to);
        status = transaction_commit(in, NULL, scope);
    } else {
        transaction_rollback(in);
    }
    transaction_release(in);
    if (status == ENGINE_OK && from != to->state) {
        sb_machine_move(&subtask_machine,
                        subtask_identity(to->job, subtask_number(to->phase, to->number)), from,
                        to->state);
    }
    return status;
}

/* Until it is certain. */
static engine_status move(subtask_run *run, expectation *expected, subtask_row *to, sb_scope *scope)
{
    backoff wait;
    backoff_init(&wait);
    bool in_doubt = false;
    engine_status status = try_move(run, expected, to, in_doubt, scope);
    while (engine_status_is_passing(status)) {
        in_doubt |= status == ENGINE_UNKNOWN;
        status = backoff_wait(&wait, scope);
        if (status == ENGINE_OK) {
            status = try_move(run, expected, to, in_doubt, scope);
        }
    }
    if (status == ENGINE_OK) {
        run->row = *to;
    }
    run->of->refused |= status == ENGINE_FENCED;
    return status;
}

/* --------------------------------------------------------------------------------------- runs */

static engine_status claim(subtask_run *run)
{
    subtask_row claimed = run->row;
    claimed.state = SUBTASK_RUNNING;
    claimed.session = run->of->session;
    return move(run, may_begin, &claimed, &run->scope);
}

/* A copy of the definitions: pinning them for so long would hold up every schema change. */
static bool find_definitions(const subtask_run *run, table_definition *table_copy,
                             index_definition *index_copy)
{
    const schema_snapshot *schema = schema_acquire(run->of->schema);
    if (schema == NULL) {
        return false;
    }
    const table_definition *table = schema_table(schema, run->row.table);
    const index_definition *index = table != NULL ? table_index(table, run->row.index) : NULL;
    const bool found = index != NULL && index->state == SCHEMA_WRITE_REORGANIZATION &&
                       (run->row.kind != TASK_KIND_MERGE || index->backfill == BACKFILL_MERGING);
    if (found) {
        *table_copy = *table;
        *index_copy = *index;
    }
    schema_release(run->of->schema, schema);
    return found;
}

static engine_status record(subtask_run *run, engine_status ended, uint64_t row_count,
                            failure cause)
{
    subtask_row to = run->row;
    if (ended == ENGINE_OK) {
        to.state = SUBTASK_SUCCEED;
        to.row_count = row_count;
    } else {
        to.state = SUBTASK_FAILED;
        to.cause = cause;
    }
    if (failpoint("subtask-end-is-not-recorded")) {
        return ENGINE_CONFLICT; /* it stays running; a later look runs it again */
    }
    const engine_status status = move(run, is_running_here, &to, &run->scope);
    if (status == ENGINE_OK && ended == ENGINE_OK) {
        if (to.kind == TASK_KIND_MERGE) {
            sb_count(COUNTER_entries_merged, row_count);
        } else {
            sb_count(COUNTER_rows_indexed, row_count);
        }
    }
    return status;
}

/* The global checkpoint: a move that changes nothing else, so it is ours under the same conditions.
 */
static engine_status save_checkpoint(void *context, slice imported, uint64_t rows, sb_scope *scope)
{
    subtask_run *run = context;
    subtask_row to = run->row;
    range_key_set(&to.imported, imported);
    to.imported_rows = rows;
    return failpoint("checkpoint-is-not-saved") ? ENGINE_CONFLICT
                                                : move(run, is_running_here, &to, scope);
}

/* The same inside a transaction of the merge, which commits work and progress as one. */
static engine_status put_progress(void *context, transaction *in, slice merged, uint64_t *keys,
                                  sb_scope *scope)
{
    const subtask_run *run = context;
    if (transaction_session(in) != run->of->session) {
        return ENGINE_FENCED;
    }
    subtask_row row = {0};
    const engine_status status =
        subtask_read_in(in, run->row.job, run->row.phase, run->row.number, &row, scope);
    if (status != ENGINE_OK || !is_running_here(run, &row)) {
        return status != ENGINE_OK ? status : ENGINE_NOT_FOUND;
    }
    range_key_set(&row.imported, merged);
    row.imported_rows += *keys;
    *keys = row.imported_rows;
    subtask_put(in, &row);
    return ENGINE_OK;
}

static engine_status run_backfill(subtask_run *run, backfill_work *work, uint64_t *row_count,
                                  failure *cause)
{
    const subtask_row row = run->row; /* the run's changes as it gets on */
    work->job = row.job;
    work->number = subtask_number(row.phase, row.number);
    work->attempt = row.attempt;
    work->snapshot = row.snapshot;
    work->start = range_key_slice(&row.start);
    work->end = range_key_slice(&row.end);
    work->imported = range_key_slice(&row.imported);
    work->imported_rows = row.imported_rows;
    work->save = save_checkpoint;
    work->save_context = run;
    return backfill_run(run->of->backfill, work, row_count, cause, &run->scope);
}

static engine_status run_merge(subtask_run *run, merge_work *work, uint64_t *key_count,
                               failure *cause)
{
    const subtask_row row = run->row;
    work->job = row.job;
    work->number = subtask_number(row.phase, row.number);
    work->snapshot = row.snapshot;
    work->start = range_key_slice(&row.start);
    work->end = range_key_slice(&row.end);
    work->merged = range_key_slice(&row.imported);
    work->merged_keys = row.imported_rows;
    work->progress = put_progress;
    work->progress_context = run;
    return merge_run(run->of->cluster, work, key_count, cause, &run->scope);
}

static engine_status execute(subtask_run *run)
{
    backfill_work rows = {0};
    merge_work entries = {0};
    const bool merges = run->row.kind == TASK_KIND_MERGE;
    SOMETIMES(run->row.state == SUBTASK_RUNNING, "orphan-subtask-run-again");
    if (merges ? !find_definitions(run, &entries.table, &entries.index)
               : !find_definitions(run, &rows.table, &rows.index)) {
        return ENGINE_CONFLICT; /* our schema is not that far yet */
    }
    engine_status status = claim(run);
    if (status != ENGINE_OK) {
        return status;
    }
    uint64_t count = 0;
    failure cause = FAILURE_NONE;
    status = merges ? run_merge(run, &entries, &count, &cause)
                    : run_backfill(run, &rows, &count, &cause);
    return status == ENGINE_OK || status == ENGINE_FAILED ? record(run, status, count, cause)
                                                          : status;
}

static void run_main(void *argument)
{
    subtask_run *run = argument;
    executor *of = run->of;
    if (execute(run) == ENGINE_CONFLICT) {
        (void)sb_sleep(of->settings.poll_active, &run->scope); /* not again at once */
    }
    subtask_run **link = &of->runs;
    while (*link != run) {
        link = &(*link)->next;
    }
    *link = run->next;
    of->run_count--;
    sb_scope_release(&run->scope);
    sb_free(run);
    of->woken = true;
    sb_condition_broadcast(&of->look_now);
}

static void start(executor *of, const subtask_row *row, sb_scope *scope)
{
    subtask_run *run = sb_alloc_zero(sizeof(*run));
    run->of = of;
    run->row = *row;
    run->next = of->runs;
    of->runs = run;
    of->run_count++;
    sb_scope_init(&run->scope, scope, "subtask");
    sb_spawn(&of->tasks, run_main, run, "subtask-%llu-%u-%u", (unsigned long long)row->job,
             row->phase, row->number);
}

/* ------------------------------------------------------------------------------------ looking */

/* Both are rows of one subtask. */
static bool is_same(const subtask_row *a, const subtask_row *b)
{
    return a->job == b->job && a->phase == b->phase && a->number == b->number;
}

static subtask_run *run_of(const executor *of, const subtask_row *row)
{
    for (subtask_run *run = of->runs; run != NULL; run = run->next) {
        if (is_same(&run->row, row)) {
            return run;
        }
    }
    return NULL;
}

/* Cancel what is not ours any more.  A cancel may let others run, so the list is searched anew
 * after each. */
static void cancel_lost(executor *of, const subtask_row *rows, uint32_t count)
{
    subtask_run *run = of->runs;
    while (run != NULL) {
        bool kept = sb_scope_status(&run->scope) != SB_OK; /* or on its way out already */
        for (uint32_t i = 0; i < count && !kept; i++) {
            kept = is_same(&rows[i], &run->row) && is_ours(run, &rows[i]) &&
                   rows[i].state != SUBTASK_CANCELED && rows[i].state != SUBTASK_PAUSED;
        }
        if (kept) {
            run = run->next;
        } else {
            SOMETIMES(true, "running-subtask-canceled-because-moved-away");
            sb_scope_cancel(&run->scope);
            run = of->runs;
        }
    }
}

typedef struct subtask_rows {
    const subtask_row *rows;
    uint32_t count;
} subtask_rows;

/* Will a folder that was left on this machine's disk be gone on with?  Asked of the rows that start
 * runs. */
static bool is_claimed(void *context, job_id job, uint32_t number)
{
    const subtask_rows *in = context;
    bool found = false;
    for (uint32_t i = 0; i < in->count && !found; i++) {
        const subtask_row *row = &in->rows[i];
        found = row->job == job && subtask_number(row->phase, row->number) == number &&
                row->server == sb_self() && !subtask_state_is_final(row->state);
    }
    return found;
}

/* Start what is ours and is not run yet, as far as may be.  The end of a run calls for another
 * look, so what is left now is not forgotten. */
static void start_ours(executor *of, const subtask_row *rows, uint32_t count, sb_scope *scope)
{
    for (uint32_t i = 0; i < count && of->run_count < of->settings.concurrency; i++) {
        const subtask_row *row = &rows[i];
        if (row->server == sb_self() && is_to_be_run(row->state) && run_of(of, row) == NULL) {
            start(of, row, scope);
        }
    }
}

/* One look; returns how long to rest after it. */
static sb_duration look(executor *of, sb_scope *scope)
{
    subtask_row *rows;
    uint32_t count;
    if (failpoint("executor-look-fails") ||
        subtasks_read_all(of->cluster, &rows, &count, scope) != ENGINE_OK) {
        return of->settings.poll_active;
    }
    cancel_lost(of, rows, count);
    subtask_rows known = {rows, count};
    backfill_remove_unclaimed(of->backfill, false, is_claimed, &known);
    start_ours(of, rows, count, scope);
    sb_free(rows);
    return of->runs != NULL ? of->settings.poll_active : of->settings.poll_idle;
}

/* Until it is time to look again, or a run has ended. */
static void rest(executor *of, sb_duration duration, sb_scope *scope)
{
    sb_scope until;
    sb_scope_init_timeout(&until, scope, "executor poll", duration);
    while (!of->woken && sb_scope_status(&until) == SB_OK) {
        sb_condition_wait(&of->look_now, NULL, &until);
    }
    of->woken = false;
    sb_scope_release(&until);
}

static void use_settings(executor *of, const executor_settings *settings)
{
    of->settings = *settings;
    executor_settings *use = &of->settings;
    use->concurrency = use->concurrency > 0 ? use->concurrency : CONCURRENCY;
    use->poll_active = use->poll_active > 0 ? use->poll_active : POLL_ACTIVE;
    use->poll_idle = use->poll_idle > 0 ? use->poll_idle : POLL_IDLE;
}

void executor_run(cluster *of, schema_cache *schema, backfill *with, session_id session,
                  const executor_settings *settings, sb_scope *scope)
{
    executor self = {.cluster = of, .schema = schema, .backfill = with, .session = session};
    use_settings(&self, settings);
    sb_condition_init(&self.look_now, "executor");
    sb_wait_group_init(&self.tasks, "subtask runs");
    sb_scope work;
    sb_scope_init(&work, scope, "executor");
    while (sb_scope_status(&work) == SB_OK && !self.refused) {
        rest(&self, look(&self, &work), &work);
    }
    sb_scope_cancel(&work);
    (void)sb_wait_group_wait(&self.tasks, NULL);
    sb_scope_release(&work);
    sb_wait_group_release(&self.tasks);
    sb_condition_release(&self.look_now);
}
