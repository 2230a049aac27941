/*
 * The merge of one range of a temporary index into its index.
 *
 * It works in transactions, a batch of keys each.  A batch's transaction also puts how far the run
 * is into the row of its subtask, which is its primary: so it is committed only while the subtask
 * is this run's, and work and progress are one.
 */
#ifndef ENGINE_BACKFILL_MERGE_H
#define ENGINE_BACKFILL_MERGE_H

#include "engine/schema/definitions.h"
#include "engine/wire/job.h"

/* Read the subtask's row in the transaction, see that it is still this run's, and put it with this
 * progress: all keys before `merged` are in the index, and they are *keys more than the row says,
 * which is what an earlier commit of unknown outcome has left there.  *keys is then all of them.
 * Called before anything else is put.  ENGINE_NOT_FOUND: it is not the run's any more. */
typedef engine_status merge_progress(void *context, transaction *in, slice merged, uint64_t *keys,
                                     sb_scope *scope);

typedef struct merge_work {
    job_id job;
    uint32_t number;        /* subtask_number: of the subtask within its job */
    table_definition table; /* a copy: the schema must not stay pinned for so long */
    index_definition index;
    timestamp snapshot; /* the backfill's */
    slice start, end;   /* of the temporary index; borrowed */
    slice merged;       /* the progress saved last: begin there; empty: none; borrowed */
    uint64_t merged_keys;
    merge_progress *progress;
    void *progress_context;
} merge_work;

/* Do the work.
 * ENGINE_OK: the range is merged; *key_count is how many keys it had, those before included.
 * ENGINE_FAILED: for ever, because of *cause.
 * ENGINE_CONFLICT: passing trouble; run it again.  ENGINE_FENCED, ENGINE_CANCELED, ENGINE_TIMEOUT,
 * and ENGINE_NOT_FOUND of the hook: as they say. */
engine_status merge_run(cluster *of, const merge_work *work, uint64_t *key_count, failure *cause,
                        sb_scope *scope);

#endif
