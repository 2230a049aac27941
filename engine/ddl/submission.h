/*
 * What any server does about jobs when asked: submit, cancel, pause, resume, tell.
 *
 * Each is one transaction, or one read; the answer is made after the commit, once.  What the
 * outcome of a commit was is found out by looking again, so OK, TOO_LATE and NOT_FOUND are certain;
 * UNKNOWN is left for the end of the scope, and for an order of which nobody can tell any more
 * whether it was obeyed before the job went further.
 */
#ifndef ENGINE_DDL_SUBMISSION_H
#define ENGINE_DDL_SUBMISSION_H

#include "engine/ddl/job.h"

/* The job of that nonce is there: made now, or before, alive or in history. */
submit_job_reply job_submit(cluster *of, const submit_job_request *asked, sb_scope *scope);

/* OK: the job is marked, by this order or before, or has that state already.
 *
 *     cancel   of a job that is not done; a DROP INDEX only before its first step
 *     pause    likewise; it takes effect at the job's next step, which is when every live server
 *              has the schema version of the last one, and when its subtasks stand still
 *     resume   of a job that is pausing or paused; it queues again */
typedef enum job_order {
    JOB_ORDER_CANCEL,
    JOB_ORDER_PAUSE,
    JOB_ORDER_RESUME,
    JOB_ORDER_COUNT
} job_order;

job_order_reply job_give_order(cluster *of, job_order what, job_id job, sb_scope *scope);

job_status_reply job_status(cluster *of, job_id job, sb_scope *scope);

#endif
