/*
 * The backfill of one subtask: a range of rows becomes entries of an index.
 *
 *     scan       rows at the snapshot, a batch at a time
 *       ↓
 *     encode     key and value of the entry
 *       ↓
 *     writer     buffers up to a quota, sorts
 *       ↓ runs, through a bounded channel
 *     engine     spills them to this machine's disk, merges them into one sorted file
 *       ↓
 *     import     region by region: upload, ingest
 *
 * Everything is written at the job's snapshot timestamp, so doing a part again, here or elsewhere,
 * writes the same versions of the same entries.  A backend is what one such run has open on this
 * machine: the local engine, its writers and its files.  It is registered here from its opening to
 * its clean-up, which runs exactly once, however the run ends (TiDB issues 43915, 47967).
 */
#ifndef ENGINE_BACKFILL_BACKFILL_H
#define ENGINE_BACKFILL_BACKFILL_H

#include "engine/schema/definitions.h"
#include "engine/wire/job.h"

typedef struct backfill_settings {
    uint32_t batch_rows;       /* read in one go, at most 64; 0: 64 */
    sb_duration batch_pause;   /* between two batches of a run: a limit to its rate */
    uint32_t writer_count;     /* of one backend, at most 8; 0: 2 */
    uint32_t writer_quota;     /* bytes a writer buffers before it flushes; 0: 2 KiB */
    uint32_t channel_capacity; /* runs between writers and engine; 0: 2 */
    uint32_t upload_part;      /* bytes in one message to a store; 0: 64 KiB, the most */
} backfill_settings;

/* Keep durably, for everybody, that the entries of all rows before `imported` (a row's key) are in
 * storage, and that those are so many rows since the start of the range.  Anything but ENGINE_OK:
 * it may or may not have been kept; the run goes on, or ends with its scope. */
typedef engine_status backfill_save(void *context, slice imported, uint64_t rows, sb_scope *scope);

typedef struct backfill_work {
    job_id job;
    uint32_t number;        /* subtask_number: of the subtask within its job */
    uint64_t attempt;       /* rises whenever the subtask is given to a server */
    table_definition table; /* a copy: the schema must not stay pinned for so long */
    index_definition index;
    timestamp snapshot;
    slice start, end; /* of rows; borrowed */
    slice imported;   /* what was saved last: begin there; empty: nothing; borrowed */
    uint64_t imported_rows;
    backfill_save *save; /* NULL: nobody wants to know */
    void *save_context;
} backfill_work;

typedef struct backfill backfill;

backfill *backfill_open(cluster *of, const backfill_settings *settings);
void backfill_close(backfill *of); /* no backend is registered */

/* Backends registered now. */
uint32_t backfill_backend_count(const backfill *of);

/* Do the work.  One run per (job, number) at a time.
 * ENGINE_OK: all entries are in storage; *row_count is how many, those before `imported` included.
 * ENGINE_FAILED: for ever, because of *cause.
 * ENGINE_CONFLICT: passing trouble of this machine; run it again.
 * ENGINE_CANCELED, ENGINE_TIMEOUT: the scope ended, or the index has been given up meanwhile. */
engine_status backfill_run(backfill *of, const backfill_work *work, uint64_t *row_count,
                           failure *cause, sb_scope *scope);

/* Remove what an earlier incarnation of this machine has left in its folder.  Before the first run.
 */
void backfill_remove_leftovers(void);

extern const sb_machine local_engine_machine; /* moved with id = subtask_identity */

#endif
