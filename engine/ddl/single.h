/*
 * The single-node path: the owner does the backfill of one index by itself, without a distributed
 * task.
 *
 *     load the reorganization's row ──→ the index's engine, in the job's backend context
 *       ──→ write all rows ──→ close ──→ import ──→ save: nothing is left
 *
 * The workers that write are the backend's.  Every step may fail in passing; the job's worker then
 * comes again, finds the context and the row, and goes on with the first step that is not done.  A
 * pause or a cancel ends the run where it is.  Another owner finds the row alone.
 */
#ifndef ENGINE_DDL_SINGLE_H
#define ENGINE_DDL_SINGLE_H

#include "engine/backfill/backend_context.h"
#include "engine/ddl/reorg_row.h"
#include "engine/schema/schema_cache.h"
#include "engine/task/scheduler.h"

/* One try at one phase. */
typedef struct single_run {
    tenure tenure;
    task_row wanted; /* job, phase, kind, table, index, snapshot */
    schema_cache *schema;
    backend_registry *backends;
    scheduler_order order;
    reorg_row row;
    engine_status refused; /* the tenure or the row is not ours any more */
    sb_scope scope;
} single_run;

/* scope: of the group it belongs to. */
void single_run_init(single_run *of, const tenure *by, const task_row *wanted, schema_cache *schema,
                     backend_registry *backends, sb_scope *scope);
void single_run_release(single_run *of);

/* See it through.  ENGINE_OK: *ended has the state that the phase's task would have: succeed,
 * reverted with its cause, or, after SCHEDULER_PAUSE, paused.  ENGINE_CONFLICT: passing trouble,
 * run it again.  ENGINE_NOT_OWNER, ENGINE_FENCED, or how the scope ended. */
engine_status single_run_main(single_run *of, task_row *ended);

/* From any task: an order other than GO ends the run. */
void single_run_set_order(single_run *of, scheduler_order order);

/* Rows whose entries are in storage, as the row says. */
uint64_t single_run_row_count(const single_run *of);

#endif
