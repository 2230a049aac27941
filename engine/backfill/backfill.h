/*
 * The backfill of one subtask: a range of rows becomes entries of an index.
 *
 *     scan       rows at the snapshot, a batch at a time
 *       ↓
 *     encode     key and value of the entry
 *       ↓
 *     writer     buffers within the machine's memory quota
 *       ↓ runs, through a bounded channel
 *     engine     spills them, sorted, to this machine's disk        ──→ local checkpoint
 *       ↓ merge
 *     import     region by region: upload, ingest                   ──→ global checkpoint
 *
 * Everything is written at the job's snapshot timestamp, so doing a part again, here or elsewhere,
 * writes the same versions of the same entries.  A backend is what one such run has open on this
 * machine: the local engine, its writers and its files.  It is registered here from its opening to
 * its clean-up, which runs exactly once, however the run ends (TiDB issues 43915, 47967).
 *
 * Two quotas belong to the machine, whatever the number of its backends.  Memory: encoded entries
 * that are buffered, sorted or merged (engine/sort/memory_quota.h).  Disk: local files; a backend
 * whose files have grown to its share imports what is there, removes it, and goes on with a fresh
 * engine (TiDB's tidb_ddl_disk_quota).
 */
#ifndef ENGINE_BACKFILL_BACKFILL_H
#define ENGINE_BACKFILL_BACKFILL_H

#include "engine/schema/definitions.h"
#include "engine/wire/job.h"

typedef struct backfill_settings {
    uint32_t batch_rows;             /* read in one go, at most 64; 0: 64 */
    sb_duration batch_pause;         /* between two batches of a run: a limit to its rate */
    uint32_t writer_count;           /* of one backend, at most 8; 0: 2 */
    uint32_t writer_quota;           /* bytes a writer buffers before it flushes; 0: 2 KiB */
    uint64_t memory_quota;           /* bytes of entries in memory, of the machine; 0: 8 MiB */
    uint64_t disk_quota;             /* bytes of local files, of the machine; 0: no limit */
    sb_duration checkpoint_interval; /* between local checkpoints of a run; 0: none is made */
    uint32_t channel_capacity;       /* runs between writers and engine; 0: 2 */
    uint32_t upload_part;            /* bytes in one message to a store; 0: 64 KiB, the most */
    uint32_t scatter_regions;        /* of a new index, before it is filled; 0: none are made */
    uint64_t split_size; /* bytes of a region that an import asks for ahead; 0: it does not */
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
    uint32_t haste;      /* the pause between batches is so many times shorter; 0: 1 */
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

/* The same in stages, for whoever keeps a backend over several tries: begin; write all rows; close
 * the engine; import; end.  `work` outlives the backend.  After anything but ENGINE_OK, end is all
 * that may follow; but an import that is done stays done, whatever it returns. */
typedef struct backend backend;
backend *backfill_open_backend(backfill *of, const backfill_work *work);
engine_status backfill_write(backfill *of, backend *into, failure *cause, sb_scope *scope);
void backfill_close_engine(backfill *of, backend *written);
engine_status backfill_import(backfill *of, backend *closed, failure *cause, sb_scope *scope);

/* Close what is open and clean up.  keep: leave local files with a checkpoint to a later run. */
void backfill_end_backend(backfill *of, backend *begun, bool keep);

bool backend_is_imported(const backend *of);
uint64_t backend_rows(const backend *of); /* written so far, and imported before it began */

/* Before the first run: what earlier incarnations of this machine have left in its folder is looked
 * at.  Folders with a local checkpoint are kept for the run that continues them, the rest goes. */
void backfill_find_leftovers(backfill *of);

/* Remove the kept folders that nobody on this server will continue.  The same rows that start runs
 * must decide here.  single: those of the single-node path, which the owner's role looks after;
 * else those of subtasks, which are the executor's. */
typedef bool backfill_claims(void *context, job_id job, uint32_t number);
void backfill_remove_unclaimed(backfill *of, bool single, backfill_claims *claimed, void *context);
bool backfill_has_leftovers(const backfill *of, bool single);

typedef enum local_engine_state {
    LOCAL_ENGINE_OPEN,
    LOCAL_ENGINE_WRITERS,
    LOCAL_ENGINE_WRITERS_CLOSED,
    LOCAL_ENGINE_CLOSED,
    LOCAL_ENGINE_IMPORTING,
    LOCAL_ENGINE_IMPORTED,
    LOCAL_ENGINE_RESET, /* imported early, its files removed: a fresh one is next */
    LOCAL_ENGINE_CLEANING,
    LOCAL_ENGINE_CLEANED
} local_engine_state;

extern const sb_machine local_engine_machine; /* moved with id = subtask_identity */
extern const sb_machine region_job_machine;   /* with that, shifted by 24, + number of the job */

#endif
