/*
 * Rolling back: see rollback.h.
 */
#include "engine/ddl/rollback.h"

#include "engine/ddl/delete_ranges.h"
#include "engine/ddl/worker.h"

/* -------------------------------------------------------------------------------------- steps */

/* From here on the index is on its way back. */
static engine_status turn_back(job_step *step, failure cause, sb_scope *scope)
{
    reorg_unregister_backend(&step->by->reign->ddl->reorgs, step->row.id, false);
    const schema_state at = job_schema(&step->row);
    sb_assert(at != SCHEMA_PUBLIC && cause != FAILURE_NONE &&
              (step->row.cause == FAILURE_NONE || step->row.cause == cause));
    step->row.state = JOB_ROLLINGBACK;
    step->row.cause = cause;
    if (at == SCHEMA_WRITE_ONLY || at == SCHEMA_WRITE_REORGANIZATION) {
        /* Losses go on being recorded where servers that still check a unique key look for them. */
        return step_schema(step, SCHEMA_DELETE_ONLY, job_backfill(&step->row), scope);
    }
    return ENGINE_OK;
}

engine_status rollback_begin(job_worker *of, const job_row *seen, failure cause)
{
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    SOMETIMES(true, "job-rolled-back-for-a-permanent-failure");
    status = turn_back(&step, cause, &of->scope);
    return step_end(&step, status, &of->scope);
}

/* A job that is cancelling: its task has to be over first, whoever started it (TiDB issue 49114).
 */
static engine_status step_cancelling(job_worker *of, const job_row *seen)
{
    if (reorg_context_of(&of->reign->ddl->reorgs, of->job) != NULL) {
        return worker_reorganize(of, seen, REORG_CANCEL);
    }
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    /* The first cause is kept. */
    const failure cause = step.row.cause == FAILURE_NONE ? FAILURE_CANCELLED : step.row.cause;
    task_state task;
    status = step_task_state(&step, &task, &of->scope);
    if (status == ENGINE_OK && !task_state_is_final(task)) {
        tenure_abandon(&of->reign->tenure, step.in);
        return worker_reorganize(of, seen, REORG_CANCEL);
    }
    if (status == ENGINE_OK && job_schema(&step.row) == SCHEMA_NONE) {
        step.row.state = JOB_CANCELLED;
        step.row.cause = cause;
    } else if (status == ENGINE_OK) {
        status = turn_back(&step, cause, &of->scope);
    }
    return step_end(&step, status, &of->scope);
}

engine_status rollback_step(job_worker *of, const job_row *seen)
{
    if (seen->state == JOB_CANCELLING) {
        return step_cancelling(of, seen);
    }
    sb_assert(seen->state == JOB_ROLLINGBACK);
    switch (job_schema(seen)) {
    case SCHEMA_DELETE_ONLY:
        return delete_ranges_note(of, seen);
    default:
        sb_assert(job_schema(seen) == SCHEMA_NONE);
        return delete_ranges_step(of, seen, JOB_ROLLBACKDONE);
    }
}
