/*
 * DROP INDEX: the way back of a public index.
 *
 *     public → write-only → delete-only → none, a delete range noted
 *            ──→ every live server has no such index any more
 *            ──→ the range is deleted in every region ──→ done, synced, in history
 *
 * Each arrow is a version of its own, and the next waits until every live server has it.  Why
 * neighbours may work side by side (F1, section 4):
 *
 * - public and write-only: both keep every entry, so who still reads the index finds it complete.
 *   Nobody may stop writing an entry while somebody reads.
 * - write-only and delete-only: nobody reads.  Who is at delete-only deletes the entries of the
 * rows it changes and writes none, so an entry may be missing and none is left without its row; a
 * unique check at write-only never meets an entry of a row that is gone.
 * - delete-only and none: nobody reads and nobody checks; what is left goes with the range.
 *
 * The first step gives the index's readers up, so from its commit on the job can be neither
 * cancelled nor paused nor turned back.
 */
#ifndef ENGINE_DDL_DROP_H
#define ENGINE_DDL_DROP_H

#include "engine/ddl/step.h"

/* The next step of a running DROP INDEX. */
engine_status drop_step(job_worker *of, const job_row *seen);

#endif
