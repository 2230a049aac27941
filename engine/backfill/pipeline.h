/*
 * Inside engine/backfill: the stations of a row's way, and what they hand to each other.
 */
#ifndef ENGINE_BACKFILL_PIPELINE_H
#define ENGINE_BACKFILL_PIPELINE_H

#include "engine/backfill/backfill.h"
#include "engine/schema/row.h"
#include "engine/storage/sorted_file.h"

#define BATCH_ROWS_MAX 64u
#define WRITERS_MAX 8u
#define JOBS_FOLDER "jobs"
#define FOLDER_SIZE 48u
#define PATH_SIZE 64u

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

void row_scan_init(row_scan *of, cluster *from, const backfill_work *work,
                   const backfill_settings *settings);
void row_scan_release(row_scan *of);

/* ENGINE_NOT_FOUND: there are no more rows, and *batch holds nothing. */
engine_status row_scan_next(row_scan *of, pair_list *batch, sb_scope *scope);

/* ------------------------------------------------------------------------------------- encode */

/* The entry that a stored row has in the index; both buffers are cleared first.  False: the row is
 * damaged. */
bool encode_entry(const backfill_work *work, slice row_key_bytes, slice row_value, buffer *key,
                  buffer *value);

/* --------------------------------------------------------------------------------------- runs */

typedef struct run_entry {
    uint32_t offset, key_size, value_size; /* in bytes: the key, then the value */
} run_entry;

/* Pairs in memory, sorted before they are handed on. */
typedef struct entry_run {
    buffer bytes;
    run_entry *entries;
    uint32_t count, room;
} entry_run;

entry_run *entry_run_make(void);
void entry_run_free(entry_run *run); /* NULL is allowed */
void entry_run_add(entry_run *run, slice key, slice value);
void entry_run_sort(entry_run *run);
slice entry_run_key(const entry_run *run, uint32_t at);
slice entry_run_value(const entry_run *run, uint32_t at);

/* ------------------------------------------------------------------------------- local engine */

/* Takes sorted runs from its channel, spills each into a file, and merges the files into one. */
typedef struct local_engine {
    char folder[FOLDER_SIZE]; /* "jobs/7/3" */
    sb_channel arrived;       /* of uint32_t: a place in runs */
    entry_run **runs;         /* handed in; NULL once spilled */
    uint32_t run_count, run_room;
    uint32_t file_count; /* run files that may be there */
    bool sorted_there;   /* and the merged one */
    bool discarding;     /* nobody will want what still arrives */
    bool closed;
    sb_status disk; /* the first failure of this machine's disk */
    sb_wait_group tasks;
} local_engine;

void local_engine_open(local_engine *of, job_id job, uint32_t number, uint32_t channel_capacity);

/* Hand a run over; it is the engine's in any case. */
sb_status local_engine_send(local_engine *of, entry_run *run, sb_scope *scope);

/* No more runs: waits until all that arrived are spilled. */
void local_engine_close(local_engine *of);

/* After close: make `<folder>/sorted`.  ENGINE_CONFLICT: the disk had trouble; ENGINE_DUPLICATE:
 * two different entries have one key. */
engine_status local_engine_merge(local_engine *of);
void local_engine_sorted_path(const local_engine *of, char path[PATH_SIZE]);

/* Remove the files and free what is left; closed before. */
void local_engine_release(local_engine *of);

/* ------------------------------------------------------------------------------------- writer */

/* Buffers entries and hands full buffers, sorted, to the engine. */
typedef struct entry_writer {
    local_engine *engine;
    entry_run *run; /* not flushed yet; NULL: nothing */
    uint32_t quota;
    bool open;
} entry_writer;

void entry_writer_open(entry_writer *of, local_engine *engine, uint32_t quota);
engine_status entry_writer_add(entry_writer *of, slice key, slice value, sb_scope *scope);
engine_status entry_writer_flush(entry_writer *of, sb_scope *scope);

/* Flushes what is buffered: a writer does not know why it is closed. */
void entry_writer_close(entry_writer *of);

/* ------------------------------------------------------------------------------------- import */

/* Bring the pairs of a sorted file into storage as versions of the work's snapshot, `part` bytes in
 * one message.  As backfill_run. */
engine_status import_sorted_file(cluster *of, const backfill_work *work, const char *path,
                                 uint32_t part, failure *cause, sb_scope *scope);

#endif
