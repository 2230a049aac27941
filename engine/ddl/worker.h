/*
 * Job workers: one for each live job whose turn it is, on the owner.
 *
 * A worker reads the job, waits until every live server has the schema version of its last step (a
 * new owner does not know whether the one before has waited, so it waits again), takes the next
 * step, and so on until the job is in history.  Passing trouble is tried again and never becomes
 * the job's failure; the end of the worker's scope, on shutdown or at the end of the tenure, leaves
 * the job as it is (TiDB issue 52805).
 */
#ifndef ENGINE_DDL_WORKER_H
#define ENGINE_DDL_WORKER_H

#include "engine/ddl/step.h"

bool worker_is_there(const reign *in, job_id job);

/* Start a worker in the reign, for a job that has none; the row tells why.  A worker that was
 * started to stop a job leaves when the job is resumed instead: whose turn it is to begin, the
 * dispatcher decides. */
void worker_start(reign *in, const job_row *row);

/* Wait a round for the job's task, after submitting it if there is none; when it has succeeded,
 * make the index public; when it has failed, turn back.  REORG_PAUSE, REORG_CANCEL: have
 * the task paused or reverted instead, and do no more. */
engine_status worker_reorganize(job_worker *of, const job_row *seen, reorg_signal signal);

#endif
