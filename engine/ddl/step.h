/*
 * One step of a job: one transaction of the owner.
 *
 *     job_step step;
 *     status = step_begin(&step, worker, seen, scope);
 *     if (status == ENGINE_OK) {
 *         step.row.state = ...; status = step_schema(&step, SCHEMA_WRITE_ONLY, scope);
 *         status = step_end(&step, status, scope);
 *     }
 *
 * The step begins by reading the job's row and goes on only if that is still what its worker
 * decided by: a cancel that came in between is not overwritten, and a step whose outcome was
 * unknown is not done twice. Moves of the job and of its index are recorded once they are known to
 * be committed.
 */
#ifndef ENGINE_DDL_STEP_H
#define ENGINE_DDL_STEP_H

#include "engine/ddl/ddl.h"
#include "engine/ddl/job.h"
#include "engine/task/moves.h"

typedef struct job_worker {
    struct job_worker *next;
    reign *reign;
    job_id job;
    bool may_begin;        /* it was its turn when the worker was started */
    schema_version synced; /* every live server has it */
    failure error;         /* to be counted; NONE: there is none */
    bool in_doubt;         /* the outcome of its last step is unknown, */
    job_row doubtful;      /* which was to make this of the row */
    noted_moves doubtful_moves;
    sb_scope scope;
} job_worker;

typedef struct job_step {
    job_worker *by;
    transaction *in;
    job_row before, row; /* as it was; as it is to be */
    noted_moves moves;
} job_step;

/* ENGINE_CONFLICT: the row is not what was seen.  ENGINE_NOT_FOUND: the job has ended.  After
 * ENGINE_OK: step_end. */
engine_status step_begin(job_step *step, job_worker *by, const job_row *seen, sb_scope *scope);

/* Bring the indexes of the job to other states in the table's definition, at the next schema
 * version. */
engine_status step_schema(job_step *step, schema_state to, backfill_state backfill,
                          sb_scope *scope);

/* Why the indexes cannot be added to their table now; FAILURE_NONE: they can. */
engine_status step_check_definition(job_step *step, failure *cause, sb_scope *scope);

/* Find the index that a DROP INDEX names, and keep its definition in the job's row; or why there is
 * none. */
engine_status step_find_index(job_step *step, failure *cause, sb_scope *scope);

/* The state of the task of the job's phase, TASK_SUCCEED when it has none (nothing of it is left to
 * be undone). */
engine_status step_task_state(job_step *step, task_state *state, sb_scope *scope);

/* Commit when `so_far` is ENGINE_OK, else give up; returns how it went.  A final state goes to
 * history, with the task's rows, and takes the job's acknowledgements along. */
engine_status step_end(job_step *step, engine_status so_far, sb_scope *scope);

/* What the job is now, as the worker has just read it (`found` ENGINE_OK or ENGINE_NOT_FOUND),
 * settles a doubt. */
void step_settle_doubt(job_worker *of, engine_status found, const job_row *row);

#endif
