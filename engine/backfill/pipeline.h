/*
 * Inside engine/backfill: the stations of a row's way, and what they hand to each other.
 */
#ifndef ENGINE_BACKFILL_PIPELINE_H
#define ENGINE_BACKFILL_PIPELINE_H

#include "engine/backfill/backfill.h"
#include "engine/schema/row.h"
#include "engine/sort/sorter.h"

#define BATCH_ROWS_MAX 64u
#define WRITERS_MAX 8u
#define JOBS_FOLDER "jobs"

/* "jobs/7/3": the folder of a backend on this machine's disk. */
void backend_folder(job_id job, uint32_t number, char folder[SORTER_FOLDER_MAX]);

/* --------------------------------------------------------------------------------------- scan */

/* The rows of a range at one timestamp, handed out in batches to whoever asks next. */
typedef struct row_scan {
    cluster *cluster;
    timestamp snapshot;
    uint32_t batch_rows;
    buffer next; /* where the next batch begins */
    slice end;
    sb_duration pause; /* before each batch but the first */
    bool begun, finished;
    sb_mutex turn; /* one asks at a time: where a batch ends is known only when it is there */
} row_scan;

/* From `start`, which is copied; the work's end outlives it. */
void row_scan_init(row_scan *of, cluster *from, const backfill_work *work, slice start,
                   const backfill_settings *settings);
void row_scan_release(row_scan *of);

/* ENGINE_NOT_FOUND: there are no more rows, and *batch holds nothing. */
engine_status row_scan_next(row_scan *of, pair_list *batch, sb_scope *scope);

/* ------------------------------------------------------------------------------------- encode */

/* The entry that a stored row has in the index; both buffers are cleared first.  FAILURE_NONE,
 * or why it has none: FAILURE_DAMAGED_ROW, FAILURE_KEY_TOO_LONG. */
failure encode_entry(const backfill_work *work, slice row_key_bytes, slice row_value, buffer *key,
                     buffer *value);

/* ------------------------------------------------------------------------------- local engine */

/* Takes runs from its channel and spills each, sorted, to the disk.  One task receives until the
 * channel is closed and empty, also when nobody wants the runs any more: so a writer can always
 * flush, whatever has happened to the rest, and a run's memory always goes back to the quota. */
typedef struct local_engine {
    sorter sorter;
    sb_channel arrived; /* of uint32_t: a place in runs */
    entry_run **runs;   /* handed in; NULL once spilled */
    uint32_t run_count, run_room;
    uint32_t taken;  /* of them, in order: spilled or thrown away */
    bool discarding; /* nobody will want what still arrives */
    bool closed;
    sorter_status trouble; /* the first failure of this machine's disk */
    sb_condition drained;
    sb_wait_group tasks;
} local_engine;

typedef struct engine_plan {
    job_id job;
    uint32_t number;
    uint32_t shared; /* bytes that all keys begin with */
    uint32_t channel_capacity;
    memory_quota *memory;
    disk_meter *disk;
} engine_plan;

void local_engine_open(local_engine *of, const engine_plan *plan);

/* Hand a run over; it, and its charge on the quota, are the engine's in any case. */
sb_status local_engine_send(local_engine *of, entry_run *run, sb_scope *scope);

/* Waits until all that was sent is taken: ENGINE_OK when it is on the disk, ENGINE_CONFLICT when
 * the disk had trouble, or how the scope ended. */
engine_status local_engine_drain(local_engine *of, sb_scope *scope);

/* No more runs: waits until all that arrived are taken. */
void local_engine_close(local_engine *of);

/* Closed before; files that are left stay on the disk. */
void local_engine_release(local_engine *of);

/* ------------------------------------------------------------------------------------- writer */

/* Buffers entries within the machine's quota and hands full buffers to the engine. */
typedef struct entry_writer {
    local_engine *engine;
    memory_quota *memory;
    entry_run *run; /* not flushed yet; NULL: nothing */
    uint32_t size;  /* bytes at which it flushes by itself */
    bool open;
} entry_writer;

void entry_writer_open(entry_writer *of, local_engine *engine, memory_quota *memory, uint32_t size);

/* When the quota has no room for the entry, what is buffered is flushed before waiting for it: so
 * nobody waits for the quota while holding some of it. */
engine_status entry_writer_add(entry_writer *of, slice key, slice value, sb_scope *scope);
engine_status entry_writer_flush(entry_writer *of, sb_scope *scope);

/* Flushes what is buffered: a writer does not know why it is closed. */
void entry_writer_close(entry_writer *of);

/* --------------------------------------------------------------------------------- checkpoint */

/*
 * The local checkpoint of a subtask: which rows are in which runs on this machine's disk.  It
 * counts only here, for the attempt that made it, and only while every run it names is what was
 * written.
 *
 *   u32 format | u64 job | u32 number | u64 attempt | u64 table | u64 index | u64 snapshot
 *   | start | end | position | u8 finished | u64 rows | u32 runs
 *   | each: u32 number, u64 pairs, u64 file size, u64 digest, u32 largest block
 *
 * It lies beside the runs as a durable file (base/durable_file.h).
 */
typedef struct local_checkpoint {
    buffer position; /* rows before it are in the runs, or imported; a row's key */
    bool finished;   /* all rows of the range are */
    uint64_t rows;   /* how many, since the start of the range */
} local_checkpoint;

/* Make the runs durable, then say so (I7: in this order). */
sb_status local_checkpoint_write(const backfill_work *work, const local_checkpoint *from,
                                 sorter *of);

/* Take up what an earlier incarnation has left for this attempt: its runs, each of them checked,
 * are adopted by the sorter.  False: there is nothing that counts. */
bool local_checkpoint_read(const backfill_work *work, local_checkpoint *into, sorter *of);

/* It says nothing any more, durably: before the first of its runs goes.  False: the disk refuses
 * that for now. */
bool local_checkpoint_remove(const char *folder);

/* ---------------------------------------------------------------------------------- leftovers */

/* A folder that no run has open: an earlier incarnation, or a run that was interrupted, has left it
 * with a checkpoint in it. */
typedef struct leftover {
    struct leftover *next;
    job_id job;
    uint32_t number;
    bool ours; /* parked by this incarnation: the next one shall find it */
} leftover;

/* Remove every file of the folder but those of the sorter's runs and, if it keeps any, their
 * checkpoint.  sorter NULL: all files, also those that were removed before and whose directory
 * would not be synced then.  False: something is left, or a loss of power would bring it back. */
bool backend_folder_clean(const char *folder, const sorter *keep);

/* Those on the disk; files that belong to none are removed. */
leftover *leftovers_find(void);

/* ------------------------------------------------------------------------------------ backends */

/* What one run has open on this machine. */
struct backend {
    struct backend *next; /* in the registry */
    const backfill_work *work;
    local_engine_state state;
    local_engine engine;
    entry_writer writers[WRITERS_MAX];
    uint32_t writer_count;
    row_scan scan;
    uint64_t rows;        /* handed to writers, and those imported before the run began */
    sb_time checkpointed; /* when the last local checkpoint was written, or the run began */
    bool has_checkpoint;  /* there is, or may be, a local one */
    bool litter;          /* a file of an earlier run, or round, may be left in the folder */
};

struct backfill {
    cluster *cluster;
    backfill_settings settings;
    memory_quota memory; /* of this machine, for all its backends */
    disk_meter disk;
    uint64_t peak_told;
    backend *backends; /* the youngest first */
    leftover *leftovers;
};

/* Have the workers take batches until the rows have ended, the local files are as large as they may
 * get, or a local checkpoint is due; afterwards every row handed out is on this machine's disk. */
engine_status backend_fill(backfill *in, backend *of, failure *cause, sb_scope *scope);

/* The local files have grown to the backend's share of the machine's disk quota. */
bool backend_is_over_share(const backfill *in, const backend *of);

/* ----------------------------------------------------------------------------------- spreading */

/* Ask for regions of about split_size bytes in the range of the sorter's pairs, on several stores;
 * split_size 0: nothing is asked. */
void spread_range(cluster *of, const sorter *from, uint64_t split_size, sb_scope *scope);

/* ------------------------------------------------------------------------------------- import */

/* Bring the sorter's pairs into storage as versions of the work's snapshot, `part` bytes in one
 * message.  As backfill_run. */
engine_status import_pairs(cluster *of, const backfill_work *work, sorter *from,
                           const backfill_settings *use, failure *cause, sb_scope *scope);

/* Before the first ingest: if the index still shares its region with others, give it so many of its
 * own, cut where the run's pairs are, and spread them over the stores (TiDB's split and scatter).
 * What cannot be had soon is done without.  ENGINE_OK, or how the scope ended. */
engine_status scatter_index(cluster *of, const backfill_work *work, const entry_run *first,
                            uint32_t parts, sb_scope *scope);

#endif
