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

/* The row `m delete-range job`: ranges of keys to be deleted for ever.  Encoding clears `into`
 * first; decoded spans borrow from the value, and spans has room for DELETE_RANGES_MAX. */
#define DELETE_RANGES_MAX (2u * JOB_INDEXES_MAX)
typedef struct key_span {
    slice start, end;
} key_span;
void delete_ranges_encode(const key_span *spans, uint32_t count, buffer *into);
bool delete_ranges_decode(slice value, key_span *spans, uint32_t *count);

/* Note, in the step that takes the job's indexes out of the schema, everything that was ever
 * written for them. */
void delete_ranges_put(job_step *step);

/* Delete what is noted, everywhere and for ever; nothing may be noted.  Once every live server has
 * the version of that step. */
engine_status delete_ranges_execute(job_worker *of);

/* Take the note away, in the step after. */
void delete_ranges_forget(job_step *step);

#endif
