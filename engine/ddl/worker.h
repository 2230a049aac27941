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

/* Start a worker in the reign, if the job has none. */
void worker_start(reign *in, job_id job);

/* Wait a round for the task of the job's phase.
 * REORG_RUN: after submitting it if there is none; when it has succeeded, go to the next phase;
 * when it has failed, turn back. REORG_CANCEL, REORG_PAUSE: have it reverted, or paused, and change
 * nothing of the job. ENGINE_OK: look at the job again; ENGINE_TIMEOUT does not come out of here.
 * With *settled, which may be NULL: nothing of the task is run any more, as the signal wanted. */
engine_status worker_reorganize(job_worker *of, const job_row *seen, reorg_signal signal,
                                bool *settled);

#endif
