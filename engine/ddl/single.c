/*
 * The single-node path: see single.h.
 */
#include "engine/ddl/single.h"

#include "engine/counters.h"
#include "engine/museum.h"

/* One machine does what else many do side by side. */
#define HASTE 8u

void single_run_init(single_run *of, const tenure *by, const task_row *wanted, schema_cache *schema,
                     backend_registry *backends, sb_scope *scope)
{
    *of = (single_run){.tenure = *by, .wanted = *wanted, .schema = schema, .backends = backends};
    sb_scope_init(&of->scope, scope, "single-node backfill");
}

void single_run_release(single_run *of)
{
    sb_scope_release(&of->scope);
}

void single_run_set_order(single_run *of, scheduler_order order)
{
    of->order = order;
    if (order != SCHEDULER_GO) {
        sb_scope_cancel(&of->scope);
    }
}

uint64_t single_run_row_count(const single_run *of)
{
    return of->row.watermark;
}

/* --------------------------------------------------------------------------------- checkpoints */

/* The global checkpoint, under our tenure. */
static engine_status save(single_run *of, slice start, uint64_t rows, sb_scope *scope)
{
    const engine_status status = failpoint("reorg-row-is-not-saved")
                                     ? ENGINE_CONFLICT
                                     : reorg_row_save(&of->tenure, &of->row, start, rows, scope);
    if (status == ENGINE_NOT_OWNER || status == ENGINE_FENCED || status == ENGINE_NOT_FOUND) {
        of->refused = status == ENGINE_FENCED ? ENGINE_FENCED : ENGINE_NOT_OWNER;
        return ENGINE_NOT_FOUND;
    }
    return status;
}

static engine_status save_imported(void *context, slice imported, uint64_t rows, sb_scope *scope)
{
    return save(context, imported, rows, scope);
}

/* ------------------------------------------------------------------------------------- the way */

/* A copy of the definitions, as all live servers have them. */
static bool find_definitions(const single_run *of, backfill_work *work)
{
    const schema_snapshot *schema = schema_acquire(of->schema);
    if (schema == NULL) {
        return false;
    }
    const table_definition *table = schema_table(schema, of->wanted.table);
    const index_definition *index = table != NULL ? table_index(table, of->wanted.index) : NULL;
    const bool found = index != NULL && index->state == SCHEMA_WRITE_REORGANIZATION;
    if (found) {
        work->table = *table;
        work->index = *index;
    }
    schema_release(of->schema, schema);
    return found;
}

/* Behind what the row says. */
static backfill_work work_from_here(single_run *of)
{
    backfill_work work = {.job = of->wanted.job,
                          .number = subtask_number(of->wanted.phase, SINGLE_SUBTASK),
                          .attempt = 1, /* at the snapshot every owner writes the same */
                          .snapshot = of->row.snapshot,
                          .start = range_key_slice(&of->row.start),
                          .end = range_key_slice(&of->row.end),
                          .imported = range_key_slice(&of->row.start),
                          .imported_rows = of->row.watermark,
                          .haste = HASTE,
                          .save = save_imported,
                          .save_context = of};
    return work;
}

/* From what the index's engine has already to all entries in storage. */
static engine_status bring_in(single_run *of, engine_entry *engine, failure *cause)
{
    /* What is written needs no open engine any more: neither when the engine is closed, nor when it
     * is imported and there is none (TiDB issue 53641 asked for a closed one alone). */
    bool written = engine_entry_is_closed(engine);
    if (!BUG(tidb_53641)) {
        SOMETIMES(engine_entry_is_imported(engine), "retry-finds-its-engine-imported");
        written |= engine_entry_is_imported(engine);
    }
    engine_status status = ENGINE_OK;
    if (!written) {
        status = engine_entry_write(engine, cause, &of->scope);
    }
    if (status == ENGINE_OK && failpoint("single-path-fails-before-import")) {
        status = ENGINE_CONFLICT;
    }
    if (status == ENGINE_OK && !engine_entry_is_imported(engine)) {
        status = engine_entry_import(engine, cause, &of->scope);
    }
    return status;
}

/* Once through. */
static engine_status go_through(single_run *of, failure *cause)
{
    engine_status status = reorg_row_load(&of->tenure, &of->wanted, &of->row, &of->scope);
    if (status != ENGINE_OK || reorg_row_is_done(&of->row)) {
        return status;
    }
    backfill_work work = work_from_here(of);
    if (!find_definitions(of, &work)) {
        return ENGINE_CONFLICT; /* our schema is not that far yet */
    }
    backend_context *context = backend_context_register(of->backends, of->wanted.job);
    engine_entry *engine = backend_context_engine(context, &work);
    status = bring_in(of, engine, cause);
    if (status == ENGINE_OK && failpoint("single-path-fails-after-import")) {
        status = ENGINE_CONFLICT; /* mockFinishImportErr of TiDB */
    }
    if (status != ENGINE_OK) {
        return status;
    }
    const uint64_t rows = engine_entry_rows(engine);
    status = save(of, range_key_slice(&of->row.end), rows, &of->scope);
    if (status == ENGINE_OK) {
        sb_count(COUNTER_rows_indexed, rows);
    }
    return status;
}

/* The run has come to an end of its own, in words of the phase's task. */
static engine_status end_with(single_run *of, task_state state, failure cause, task_row *ended)
{
    *ended = of->wanted;
    ended->state = state;
    ended->cause = cause;
    return ENGINE_OK;
}

engine_status single_run_main(single_run *of, task_row *ended)
{
    failure cause = FAILURE_NONE;
    const engine_status status =
        of->order == SCHEDULER_GO ? go_through(of, &cause) : ENGINE_CANCELED;
    if (status == ENGINE_OK) {
        return end_with(of, TASK_SUCCEED, FAILURE_NONE, ended);
    }
    if (of->refused != ENGINE_OK) {
        return of->refused;
    }
    if (status == ENGINE_FAILED) {
        return end_with(of, TASK_REVERTED, cause, ended);
    }
    if (sb_scope_status(of->scope.parent) != SB_OK) {
        return engine_scope_status(of->scope.parent);
    }
    switch (of->order) {
    case SCHEDULER_PAUSE:
        return end_with(of, TASK_PAUSED, FAILURE_NONE, ended);
    case SCHEDULER_CANCEL:
        return end_with(of, TASK_REVERTED, FAILURE_CANCELLED, ended);
    default:
        return status == ENGINE_NOT_OWNER || status == ENGINE_FENCED ? status : ENGINE_CONFLICT;
    }
}
