/*
 * What any server does about jobs when asked: submit, cancel, tell.
 *
 * Each is one transaction, or one read; the answer is made after the commit, once.  What the
 * outcome of a commit was is found out by looking again, so OK and TOO_LATE are certain, and
 * UNKNOWN is left for the end of the scope.
 */
#ifndef ENGINE_DDL_SUBMISSION_H
#define ENGINE_DDL_SUBMISSION_H

#include "engine/ddl/job.h"

/* The job of that nonce is there: made now, or before, alive or in history. */
submit_job_reply job_submit(cluster *of, const submit_job_request *asked, sb_scope *scope);

/* The job is marked for cancelling: now, or before. */
cancel_job_reply job_cancel(cluster *of, job_id job, sb_scope *scope);

job_status_reply job_status(cluster *of, job_id job, sb_scope *scope);

#endif
