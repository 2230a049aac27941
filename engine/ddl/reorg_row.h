/*
 * The row `m reorg <job>`: how far the single-node path of a job is.
 *
 * Its fields are read together and written together, and whoever is the owner reads all of them,
 * also what another machine has written (TiDB issue 44619: some were taken only if the instance was
 * the same, and the next owner saved zeros).  Written only under a tenure, and only upwards: start
 * never goes back within a phase.
 *
 * It is a global checkpoint: the entries of all rows before `start` are in storage.  What a machine
 * has on its own disk beyond that is that machine's (backfill/backfill.h).
 */
#ifndef ENGINE_DDL_REORG_ROW_H
#define ENGINE_DDL_REORG_ROW_H

#include "engine/task/task.h"
#include "engine/task/tenure.h"

typedef struct reorg_row {
    job_id job;
    uint32_t phase;     /* of the job's reorganization */
    index_id element;   /* the index it works at */
    range_key start;    /* what is left begins here, */
    range_key end;      /* and ends before this key; start = end: the phase is done */
    timestamp snapshot; /* at which rows are read and entries ingested */
    uint64_t watermark; /* rows before start */
    tenure_id tenure;   /* who wrote it last */
} reorg_row;

bool reorg_row_is_done(const reorg_row *of);

/* The value of the row.  Encoding clears `into` first; decoding is false on damage or on another
 * job's row. */
void reorg_row_encode(const reorg_row *from, buffer *into);
bool reorg_row_decode(job_id job, slice value, reorg_row *into);

/* ENGINE_NOT_FOUND: there is none. */
engine_status reorg_row_read_in(transaction *in, job_id job, reorg_row *found, sb_scope *scope);
void reorg_row_delete(transaction *in, job_id job);

/* The row for the phase of this task, made when there is none or when that of an earlier phase
 * stands there. */
engine_status reorg_row_load(const tenure *by, const task_row *wanted, reorg_row *row,
                             sb_scope *scope);

/* Everything before `start` is in storage, and that is so many rows.  *row is what stands there
 * afterwards.  ENGINE_NOT_FOUND: the row is not of this phase any more. */
engine_status reorg_row_save(const tenure *by, reorg_row *row, slice start, uint64_t watermark,
                             sb_scope *scope);

#endif
