/*
 * Job workers: see worker.h.
 */
#include "engine/ddl/worker.h"

#include "engine/counters.h"
#include "engine/ddl/delete_ranges.h"
#include "engine/ddl/drop.h"
#include "engine/ddl/garbage.h"
#include "engine/ddl/reorg_row.h"
#include "engine/ddl/rollback.h"
#include "engine/transaction/route.h"
#include "engine/transaction/safe_point.h"

/* -------------------------------------------------------------------------------- plain steps */

/* The job goes to another state, and nothing else. */
static engine_status step_state(job_worker *of, const job_row *seen, job_state to)
{
    job_step step;
    const engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    step.row.state = to;
    return step_end(&step, ENGINE_OK, &of->scope);
}

/* The indexes go one state further; at public the job is done. */
static engine_status step_forward(job_worker *of, const job_row *seen, schema_state to,
                                  backfill_state backfill)
{
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    if (to == SCHEMA_PUBLIC) {
        sb_assert_op(step.row.phase, ==, merge_phase(step.row.index_count, step.row.index_count));
        step.row.state = JOB_DONE;
        delete_ranges_put(&step, REMOVE_TEMPORARY_INDEXES);
    }
    status = step_schema(&step, to, backfill, &of->scope);
    return step_end(&step, status, &of->scope);
}

/* The backfills of a job on the single-node path are done by its owner; merges are always tasks. */
static bool is_single_phase(const job_row *of)
{
    return of->single && of->phase < merge_phase(0, of->index_count);
}

/* What the rows say of the phase at hand, which some memory takes for done: that is a hint, and
 * they decide (TiDB issue 54897). */
static engine_status check_phase(job_step *step, sb_scope *scope)
{
    engine_status status;
    if (is_single_phase(&step->row)) {
        reorg_row row;
        status = reorg_row_read_in(step->in, step->row.id, &row, scope);
        sb_assert(status != ENGINE_NOT_FOUND);
        sb_assert(status != ENGINE_OK || (row.phase == step->row.phase && reorg_row_is_done(&row)));
    } else {
        task_row task;
        status = task_read_in(step->in, step->row.id, step->row.phase, &task, scope);
        sb_assert(status != ENGINE_NOT_FOUND);
        sb_assert(status != ENGINE_OK || task.state == TASK_SUCCEED);
    }
    return status;
}

/* The phase at hand is done: the next one's turn. */
static engine_status step_phase(job_worker *of, const job_row *seen)
{
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    status = check_phase(&step, &of->scope);
    step.row.phase++;
    step.row.done_row_count = step.row.row_count;
    return step_end(&step, status, &of->scope);
}

static engine_status step_first(job_worker *of, const job_row *seen)
{
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    failure cause = FAILURE_NONE;
    status = step_check_definition(&step, &cause, &of->scope);
    if (status == ENGINE_OK && cause != FAILURE_NONE) {
        step.row.state = JOB_ROLLINGBACK;
        step.row.cause = cause;
    } else if (status == ENGINE_OK) {
        status = step_schema(&step, SCHEMA_DELETE_ONLY, BACKFILL_RUNNING, &of->scope);
    }
    return step_end(&step, status, &of->scope);
}

/* Every live server double-writes: choose the moment that divides its work from the backfill's.  It
 * is held before anybody relies on it. */
static engine_status step_snapshot(job_worker *of, const job_row *seen)
{
    timestamp snapshot;
    cluster *in = of->reign->ddl->cluster;
    engine_status status = cluster_timestamp(in, &snapshot, &of->scope);
    job_step step;
    if (status == ENGINE_OK) {
        status = cluster_hold_safe_point(in, of->job, snapshot, &of->scope);
        if (status == ENGINE_CONFLICT) { /* the row is read again before the next try */
            (void)garbage_make_room(in, &of->scope);
        }
    }
    if (status == ENGINE_OK) {
        status = step_begin(&step, of, seen, &of->scope);
    }
    if (status != ENGINE_OK) {
        return status;
    }
    sb_assert_op(snapshot, >, 0);
    step.row.snapshot = snapshot;
    return step_end(&step, ENGINE_OK, &of->scope);
}

/* ---------------------------------------------------------------------------------- the reorg */

/* How far the present phase is. */
static engine_status save_progress(job_worker *of, const job_row *seen, uint64_t phase_row_count)
{
    const uint64_t row_count = seen->done_row_count + phase_row_count;
    if (row_count <= seen->row_count) {
        return ENGINE_OK;
    }
    job_step step;
    const engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    step.row.row_count = row_count;
    return step_end(&step, ENGINE_OK, &of->scope);
}

static reorg_context *attach(job_worker *of, const job_row *seen, reorg_signal signal)
{
    ddl *in = of->reign->ddl;
    reorg_context *context = reorg_context_of(&in->reorgs, of->job);
    if (context == NULL) {
        const bool merges = seen->phase >= merge_phase(0, seen->index_count);
        const uint32_t index = merges ? seen->phase - merge_phase(0, seen->index_count)
                                      : seen->phase - backfill_phase(0);
        const reorg_plan plan = {.wanted = {.job = of->job,
                                            .phase = seen->phase,
                                            .kind = merges ? TASK_KIND_MERGE : TASK_KIND_BACKFILL,
                                            .table = seen->table,
                                            .index = seen->indexes[index].id,
                                            .snapshot = seen->snapshot},
                                 .single = is_single_phase(seen),
                                 .scheduler = in->settings.scheduler,
                                 .signal = signal};
        return reorg_begin(&in->reorgs, &of->reign->tenure, &plan, &of->scope);
    }
    reorg_notify(context, signal);
    return context;
}

engine_status worker_reorganize(job_worker *of, const job_row *seen, reorg_signal signal)
{
    ddl *in = of->reign->ddl;
    reorg_context *context = attach(of, seen, signal);
    engine_status status = reorg_wait(context, in->settings.reorg_round, &of->scope);
    if (status == ENGINE_TIMEOUT) {
        return save_progress(of, seen, reorg_row_count(context));
    }
    if (status != ENGINE_OK) {
        return status;
    }
    task_row task;
    const uint64_t row_count = reorg_row_count(context);
    status = reorg_end(&in->reorgs, of->job, &task);
    if (status == ENGINE_OK && task.state != TASK_SUCCEED) { /* given up, or it will wait */
        reorg_unregister_backend(&in->reorgs, of->job, task.state == TASK_PAUSED);
    }
    /* A pause or a cancel that was taken back may have left its task on the way. */
    if (status != ENGINE_OK || signal != REORG_RUN || !task_state_is_final(task.state)) {
        return status;
    }
    if (task.state != TASK_SUCCEED) {
        return rollback_begin(of, seen, task.cause);
    }
    status = save_progress(of, seen, row_count);
    return status == ENGINE_OK ? step_phase(of, seen) : status;
}

/* Nobody runs anything of it, nor will before a scheduler is told to go on. */
static bool task_stands_still(task_state task)
{
    return task == TASK_PENDING || task == TASK_PAUSED || task_state_is_final(task);
}

/* A job that is pausing: its task has to stand still first, whoever started it. */
static engine_status step_pausing(job_worker *of, const job_row *seen)
{
    if (reorg_context_of(&of->reign->ddl->reorgs, of->job) != NULL) {
        return worker_reorganize(of, seen, REORG_PAUSE);
    }
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    task_state task;
    status = step_task_state(&step, &task, &of->scope);
    if (status == ENGINE_OK && !task_stands_still(task)) {
        tenure_abandon(&of->reign->tenure, step.in);
        return worker_reorganize(of, seen, REORG_PAUSE);
    }
    SOMETIMES(task == TASK_PAUSED, "job-paused-in-its-reorganization");
    step.row.state = JOB_PAUSED;
    return step_end(&step, status, &of->scope);
}

/* -------------------------------------------------------------------------------------- steps */

/* In write-reorganization: snapshot, backfills, both are written, merges, public. */
static engine_status step_reorganization(job_worker *of, const job_row *seen)
{
    const uint32_t first_merge = merge_phase(0, seen->index_count);
    const uint32_t end = merge_phase(seen->index_count, seen->index_count);
    if (seen->snapshot == 0) {
        return step_snapshot(of, seen);
    }
    if (seen->phase < first_merge) {
        return worker_reorganize(of, seen, REORG_RUN);
    }
    switch (job_backfill(seen)) {
    case BACKFILL_RUNNING:
        return step_forward(of, seen, SCHEMA_WRITE_REORGANIZATION, BACKFILL_READY_TO_MERGE);
    case BACKFILL_READY_TO_MERGE:
        return step_forward(of, seen, SCHEMA_WRITE_REORGANIZATION, BACKFILL_MERGING);
    default:
        sb_assert(job_backfill(seen) == BACKFILL_MERGING);
        return seen->phase < end ? worker_reorganize(of, seen, REORG_RUN)
                                 : step_forward(of, seen, SCHEMA_PUBLIC, BACKFILL_INAPPLICABLE);
    }
}

static engine_status step_running(job_worker *of, const job_row *seen)
{
    if (seen->kind == JOB_KIND_DROP_INDEX) {
        return drop_step(of, seen);
    }
    switch (job_schema(seen)) {
    case SCHEMA_NONE:
        return step_first(of, seen);
    case SCHEMA_DELETE_ONLY:
        return step_forward(of, seen, SCHEMA_WRITE_ONLY, BACKFILL_RUNNING);
    case SCHEMA_WRITE_ONLY:
        return step_forward(of, seen, SCHEMA_WRITE_REORGANIZATION, BACKFILL_RUNNING);
    default:
        sb_assert(job_schema(seen) == SCHEMA_WRITE_REORGANIZATION);
        return step_reorganization(of, seen);
    }
}

static engine_status take_step(job_worker *of, const job_row *seen)
{
    switch (seen->state) {
    case JOB_QUEUEING:
        return step_state(of, seen, JOB_RUNNING);
    case JOB_RUNNING:
        return step_running(of, seen);
    case JOB_CANCELLING:
    case JOB_ROLLINGBACK:
        return rollback_step(of, seen);
    case JOB_PAUSING:
        return step_pausing(of, seen);
    case JOB_DONE:
        return delete_ranges_step(of, seen, JOB_SYNCED);
    default:
        sb_fail("job %llu is %s, which no owner can go on with", (unsigned long long)of->job,
                job_state_text(seen->state));
    }
}

/* Look at the job and bring it one step further. */
static engine_status work_once(job_worker *of)
{
    job_row seen;
    engine_status status =
        job_read(of->reign->ddl->cluster, TIMESTAMP_MAX, of->job, &seen, &of->scope);
    if (status == ENGINE_OK || status == ENGINE_NOT_FOUND) {
        step_settle_doubt(of, status, &seen);
    }
    if (status != ENGINE_OK) {
        return status;
    }
    if (seen.state == JOB_PAUSED) {
        return ENGINE_NOT_FOUND; /* no owner has anything to do with it until it is resumed */
    }
    if (seen.state == JOB_QUEUEING && !of->may_begin) {
        SOMETIMES(true, "job-resumed-before-it-had-paused");
        return ENGINE_NOT_FOUND; /* it is perhaps not its turn */
    }
    if (seen.version > of->synced) {
        status = schema_sync_wait(&of->reign->sync, of->job, seen.version, &of->scope);
        if (status != ENGINE_OK) {
            return status;
        }
        of->synced = seen.version;
    }
    if (failpoint("job-step-fails")) {
        return ENGINE_CONFLICT;
    }
    if (failpoint("job-step-permanent-error")) {
        of->error = FAILURE_INJECTED;
        return ENGINE_FAILED;
    }
    return take_step(of, &seen);
}

/* ------------------------------------------------------------------------------------- errors */

/* An error that is none of ours to explain is tried again, so often; then the job is cancelled for
 * it. What is being undone, or cannot be, has no other way out than to be tried again. */
static void count_error(job_row *row, failure error, uint32_t limit)
{
    row->error = row->error == FAILURE_NONE ? error : row->error;
    row->error_count += row->error_count < limit;
    if (row->error_count < limit || job_is_dropping(row)) {
        return;
    }
    if (row->state == JOB_QUEUEING || row->state == JOB_RUNNING || row->state == JOB_PAUSING) {
        SOMETIMES(true, "job-cancelled-for-its-errors");
        row->state = JOB_CANCELLING;
        row->cause = FAILURE_ERROR_LIMIT;
    }
}

/* The worker has met an error: note it in the job's row, so that the next owner counts on. */
static engine_status step_error(job_worker *of)
{
    job_row seen;
    engine_status status =
        job_read(of->reign->ddl->cluster, TIMESTAMP_MAX, of->job, &seen, &of->scope);
    if (status == ENGINE_OK || status == ENGINE_NOT_FOUND) {
        step_settle_doubt(of, status, &seen);
    }
    job_step step;
    if (status == ENGINE_OK) {
        status = step_begin(&step, of, &seen, &of->scope);
    }
    if (status != ENGINE_OK) {
        return status;
    }
    count_error(&step.row, of->error, of->reign->ddl->settings.error_limit);
    status = step_end(&step, ENGINE_OK, &of->scope);
    if (status == ENGINE_OK) {
        of->error = FAILURE_NONE;
        sb_count(COUNTER_job_errors, 1);
    }
    return status;
}

/* Only what may be the job's own fault counts: not that we are owner no more, nor a conflict, nor
 * that we are told to stop (TiDB issue 52805). */
static engine_status work(job_worker *of)
{
    backoff wait;
    backoff_init(&wait);
    for (;;) {
        const bool has_failed = of->error != FAILURE_NONE;
        engine_status status = has_failed ? step_error(of) : work_once(of);
        if (status == ENGINE_FAILED) {
            of->error = of->error == FAILURE_NONE ? FAILURE_STEP_FAILED : of->error;
            status = backoff_wait(&wait, &of->scope);
        } else if (engine_status_is_passing(status)) {
            status = backoff_wait(&wait, &of->scope);
        } else if (status == ENGINE_OK && !has_failed) {
            backoff_init(&wait);
        }
        if (status != ENGINE_OK) {
            return status;
        }
    }
}

/* ----------------------------------------------------------------------------------- lifetime */

static void worker_main(void *argument)
{
    job_worker *of = argument;
    reign *in = of->reign;
    const engine_status status = work(of);
    sb_assert(status != ENGINE_DUPLICATE);
    reorg_leave(&in->ddl->reorgs, of->job);
    reorg_unregister_backend(&in->ddl->reorgs, of->job, status != ENGINE_NOT_FOUND);
    moves_release(&of->doubtful_moves);
    job_worker **link = &in->workers;
    while (*link != of) {
        link = &(*link)->next;
    }
    *link = of->next;
    sb_scope_release(&of->scope);
    sb_free(of);
    if (status == ENGINE_NOT_OWNER || status == ENGINE_FENCED) {
        sb_scope_cancel(&in->scope);
    }
}

bool worker_is_there(const reign *in, job_id job)
{
    const job_worker *one = in->workers;
    while (one != NULL && one->job != job) {
        one = one->next;
    }
    return one != NULL;
}

void worker_start(reign *in, const job_row *row)
{
    const job_id job = row->id;
    sb_assert(!worker_is_there(in, job)); /* TiDB issue 51846 */
    job_worker *made = sb_alloc_zero(sizeof(*made));
    made->reign = in;
    made->job = job;
    made->may_begin = row->state == JOB_QUEUEING || row->state == JOB_RUNNING;
    made->next = in->workers;
    in->workers = made;
    sb_scope_init(&made->scope, &in->scope, "job worker");
    sb_spawn(&in->tasks, worker_main, made, "ddl-worker-%llu", (unsigned long long)job);
}
