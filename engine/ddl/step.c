/*
 * Steps: see step.h.
 */
#include "engine/ddl/step.h"

#include <string.h>

#include "engine/ddl/reorg_row.h"
#include "engine/schema/acknowledgement.h"
#include "engine/transaction/watch.h"
#include "engine/wire/keys.h"

engine_status step_begin(job_step *step, job_worker *by, const job_row *seen, sb_scope *scope)
{
    *step = (job_step){.by = by};
    engine_status status = tenure_begin(&by->reign->tenure, &step->in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    status = job_read_in(step->in, by->job, &step->before, scope);
    if (status == ENGINE_OK &&
        (step->before.state != seen->state || job_schema(&step->before) != job_schema(seen) ||
         step->before.version != seen->version || step->before.snapshot != seen->snapshot ||
         step->before.phase != seen->phase)) {
        SOMETIMES(true, "job-changed-since-its-worker-looked");
        status = ENGINE_CONFLICT;
    }
    if (status != ENGINE_OK) {
        tenure_abandon(&by->reign->tenure, step->in);
        return status;
    }
    step->row = step->before;
    step->row.tenure = by->reign->tenure.id;
    /* The first key put is the primary: the job's row, which outlives the step. */
    if (!job_state_is_final(step->row.state)) {
        job_put(step->in, &step->row);
    }
    return ENGINE_OK;
}

/* -------------------------------------------------------------------------------- definitions */

/* ENGINE_NOT_FOUND: there is no such table. */
static engine_status read_table(job_step *step, table_definition *table, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_table(&key, step->row.table);
    const engine_status status = transaction_read(step->in, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK && !table_decode(buffer_slice(&value), table)) {
        sb_fail("the definition of table %llu is damaged", (unsigned long long)step->row.table);
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

static failure check_index(table_definition *table, const index_definition *index)
{
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (index->columns[i] >= table->column_count) {
            return FAILURE_BAD_COLUMNS;
        }
        if (memchr(index->columns, index->columns[i], i) != NULL) {
            return FAILURE_DUPLICATE_COLUMN;
        }
    }
    if (table_index_named(table, index->name) != NULL) {
        return FAILURE_INDEX_EXISTS;
    }
    return table_add_index(table, index) ? FAILURE_NONE : FAILURE_TOO_MANY_INDEXES;
}

engine_status step_check_definition(job_step *step, failure *cause, sb_scope *scope)
{
    table_definition table;
    const engine_status status = read_table(step, &table, scope);
    if (status == ENGINE_NOT_FOUND) {
        *cause = FAILURE_NO_TABLE;
        return ENGINE_OK;
    }
    *cause = FAILURE_NONE;
    for (uint32_t i = 0; status == ENGINE_OK && i < step->row.index_count; i++) {
        if (*cause == FAILURE_NONE) { /* each with those before it */
            *cause = check_index(&table, &step->row.indexes[i]);
        }
    }
    return status;
}

engine_status step_find_index(job_step *step, failure *cause, sb_scope *scope)
{
    table_definition table;
    const engine_status status = read_table(step, &table, scope);
    *cause = FAILURE_NONE;
    if (status == ENGINE_NOT_FOUND) {
        *cause = FAILURE_NO_TABLE;
    } else if (status == ENGINE_OK) {
        const index_definition *found = table_index_named(&table, step->row.indexes[0].name);
        if (found == NULL) {
            *cause = FAILURE_NO_INDEX;
        } else {
            sb_assert(found->state == SCHEMA_PUBLIC); /* jobs of one table run one by one */
            step->row.indexes[0] = *found;
        }
    }
    return status == ENGINE_NOT_FOUND ? ENGINE_OK : status;
}

static void put_table(job_step *step, const table_definition *table)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_table(&key, table->id);
    table_encode(table, &value);
    transaction_put(step->in, buffer_slice(&key), buffer_slice(&value));
    buffer_release(&key);
    buffer_release(&value);
}

/* The next global version, written. */
static engine_status bump_version(job_step *step, schema_version *version, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_schema_version(&key);
    const engine_status status = transaction_read(step->in, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK) {
        if (!schema_version_decode(buffer_slice(&value), version)) {
            sb_fail("the row of the schema version is damaged");
        }
        schema_version_encode(++*version, &value);
        transaction_put(step->in, buffer_slice(&key), buffer_slice(&value));
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

/* One index in its table's definition and in the job's row. */
static void change_index(job_step *step, table_definition *table, index_definition *index,
                         schema_state to, backfill_state backfill)
{
    const schema_state from = index->state;
    if (from != to) {
        moves_note(&step->moves, &schema_state_machine, index->id, from, to);
    }
    if (index->backfill != backfill) {
        moves_note(&step->moves, &backfill_state_machine, index->id, index->backfill, backfill);
    }
    index->state = to;
    index->backfill = backfill;
    bool changed;
    if (from == SCHEMA_NONE) {
        changed = table_add_index(table, index);
    } else if (to == SCHEMA_NONE) {
        changed = table_remove_index(table, index->id);
    } else {
        changed = table_set_index_state(table, index->id, to, backfill);
    }
    sb_assert(changed);
}

engine_status step_schema(job_step *step, schema_state to, backfill_state backfill, sb_scope *scope)
{
    table_definition table;
    sb_assert(job_schema(&step->row) == to || schema_move_allowed(job_schema(&step->row), to));
    engine_status status = read_table(step, &table, scope);
    if (status == ENGINE_OK) {
        status = bump_version(step, &table.version, scope);
    }
    if (status != ENGINE_OK) {
        sb_assert(status != ENGINE_NOT_FOUND); /* both rows are there as long as there is a job */
        return status;
    }
    for (uint32_t i = 0; i < step->row.index_count; i++) {
        change_index(step, &table, &step->row.indexes[i], to, backfill);
    }
    put_table(step, &table);
    step->row.version = table.version;
    return ENGINE_OK;
}

engine_status step_task_state(job_step *step, task_state *state, sb_scope *scope)
{
    task_row task;
    const engine_status status =
        task_read_in(step->in, step->row.id, step->row.phase, &task, scope);
    *state = status == ENGINE_OK ? task.state : TASK_SUCCEED;
    return status == ENGINE_NOT_FOUND ? ENGINE_OK : status;
}

/* ---------------------------------------------------------------------------------------- end */

/* Nothing of an ended job stays behind but its history. */
static engine_status put_final(job_step *step, sb_scope *scope)
{
    server_sessions servers;
    engine_status status = server_sessions_read(step->by->reign->ddl->cluster, &servers, scope);
    for (uint32_t phase = 0; status == ENGINE_OK && phase < JOB_PHASES_MAX; phase++) {
        status = task_put_history(step->in, step->row.id, phase, scope);
    }
    if (status != ENGINE_OK) {
        return status;
    }
    for (uint32_t i = 0; i < servers.count; i++) {
        acknowledgements_forget(step->in, step->row.id, &servers.items[i].server, 1);
    }
    if (step->row.single) {
        reorg_row_delete(step->in, step->row.id);
    }
    job_put_history(step->in, &step->row);
    return ENGINE_OK;
}

/* The outcome is unknown: keep the moves until the row tells. */
static void begin_doubt(job_step *step)
{
    job_worker *by = step->by;
    sb_assert(!by->in_doubt);
    by->in_doubt = true;
    by->doubtful = step->row;
    by->doubtful_moves = step->moves;
    moves_init(&step->moves);
}

static bool is_done(const job_row *row, const job_row *wanted)
{
    return row->state == wanted->state && job_schema(row) == job_schema(wanted) &&
           row->version == wanted->version && row->snapshot == wanted->snapshot &&
           row->phase == wanted->phase && row->error_count == wanted->error_count;
}

void step_settle_doubt(job_worker *of, engine_status found, const job_row *row)
{
    if (!of->in_doubt) {
        return;
    }
    /* Only an owner takes a job to history, and until a later tenure shows, that is we. */
    const bool done = found == ENGINE_NOT_FOUND ? job_state_is_final(of->doubtful.state)
                                                : is_done(row, &of->doubtful);
    SOMETIMES(done, "step-with-unknown-outcome-was-committed");
    if (done) {
        moves_record(&of->doubtful_moves);
    }
    moves_release(&of->doubtful_moves);
    of->in_doubt = false;
}

engine_status step_end(job_step *step, engine_status so_far, sb_scope *scope)
{
    const tenure *owner = &step->by->reign->tenure;
    engine_status status = so_far;
    if (status == ENGINE_OK) {
        if (step->row.state != step->before.state) {
            moves_note(&step->moves, &job_machine, step->row.id, step->before.state,
                       step->row.state);
        }
        if (job_state_is_final(step->row.state)) {
            status = put_final(step, scope);
        } else {
            job_put(step->in, &step->row);
        }
    }
    if (status == ENGINE_OK) {
        status = tenure_commit(owner, step->in, scope);
    } else {
        tenure_abandon(owner, step->in);
    }
    if (status == ENGINE_OK && step->row.version != step->before.version) {
        cluster_publish(owner->cluster, NEWS_SCHEMA);
    }
    if (status == ENGINE_OK) {
        moves_record(&step->moves);
    } else if (status == ENGINE_UNKNOWN) {
        begin_doubt(step);
    }
    moves_release(&step->moves);
    return status;
}
