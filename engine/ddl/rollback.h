/*
 * Giving an index up: a job that was cancelled, or whose backfill failed for ever.
 *
 *     cancelling ──→ the task is reverted ──→ rollingback
 *     rollingback:  write-reorganization, write-only → delete-only → none, a delete range noted
 *                   ──→ every live server has no such index any more
 *                   ──→ the range is deleted in every region ──→ rollbackdone, in history
 *
 * Each arrow is a step that the next owner can find half-way and go on with.  The first cause is
 * kept.
 */
#ifndef ENGINE_DDL_ROLLBACK_H
#define ENGINE_DDL_ROLLBACK_H

#include "engine/ddl/step.h"

/* A running job has failed for ever, and its task, if any, has ended. */
engine_status rollback_begin(job_worker *of, const job_row *seen, failure cause);

/* The next step of a job that is cancelling or rolling back. */
engine_status rollback_step(job_worker *of, const job_row *seen);

#endif
