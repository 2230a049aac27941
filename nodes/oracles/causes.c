/*
 * Law 10: a job ends without its index only for a cause that the seed itself has put into the
 * world, and that this job has met.
 *
 * What a user may do wrong (a name, a column, two rows with one value) is looked up in the durable
 * versions of definitions and rows; an order, an injected error or a full disk in what the scenario
 * knows; and a failure of the reorganization must be that of a task of this job.
 */
#include <string.h>

#include "engine/task/task.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "outcome"
#define INDEX_KEY_MAX 1024u /* bytes; docs/ENGINE.md, "Wrong requests" */

/* --------------------------------------------------------------------------------- definitions */

/* Whether the table had an index of that name at some time before the job ended, and not by this
 * job. */
static bool name_was_taken(const evidence *of, const job_row *undone, timestamp ended)
{
    const entry *found = durable_find_table(of->durable, undone->table);
    for (const version *at = found == NULL ? NULL : found->values; at != NULL; at = at->older) {
        table_definition then;
        if (at->commit >= ended || at->kind != VERSION_PUT ||
            !table_decode(version_value(at), &then)) {
            continue;
        }
        for (uint32_t i = 0; i < undone->index_count; i++) {
            const index_definition *index = table_index_named(&then, undone->indexes[i].name);
            if (index != NULL && index->id != undone->indexes[i].id) {
                return true;
            }
        }
    }
    return false;
}

/* The definition of a table at a time; false: there was none. */
static bool table_at(const evidence *of, table_id id, timestamp at, table_definition *table)
{
    const entry *found = durable_find_table(of->durable, id);
    const version *then = found == NULL ? NULL : durable_entry_read(found, at);
    return then != NULL && table_decode(version_value(then), table);
}

/* Whether the table had no public index of the name that a DROP INDEX gave, when the job ended. */
static bool index_was_missing(const evidence *of, const job_row *undone, timestamp ended)
{
    table_definition table;
    return undone->kind == JOB_KIND_DROP_INDEX && table_at(of, undone->table, ended, &table) &&
           table_index_named(&table, undone->indexes[0].name) == NULL;
}

/* Whether a column stands twice in one index of the job, or a name in two. */
static bool repeats_itself(const job_row *undone)
{
    bool repeats = false;
    for (uint32_t i = 0; i < undone->index_count; i++) {
        const index_definition *index = &undone->indexes[i];
        for (uint32_t j = 0; j < index->column_count && undone->cause == FAILURE_DUPLICATE_COLUMN;
             j++) {
            repeats |= memchr(index->columns, index->columns[j], j) != NULL;
        }
        for (uint32_t j = 0; j < i && undone->cause == FAILURE_INDEX_EXISTS; j++) {
            repeats |= strcmp(index->name, undone->indexes[j].name) == 0;
        }
    }
    return repeats;
}

/* Whether the job names a table or a column that is not there. */
static bool names_nothing(const evidence *of, const job_row *undone)
{
    if (undone->cause == FAILURE_NO_TABLE) {
        return evidence_table(of, undone->table) == NULL;
    }
    const judged_table *table = evidence_table(of, undone->table);
    for (uint32_t i = 0; i < undone->index_count && table != NULL; i++) {
        for (uint32_t j = 0; j < undone->indexes[i].column_count; j++) {
            if (undone->indexes[i].columns[j] >= table->definition.column_count) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the table had no room for the indexes of the job when that ended. */
static bool had_no_room(const evidence *of, const job_row *undone, timestamp ended)
{
    table_definition table;
    return table_at(of, undone->table, ended, &table) &&
           table.index_count + undone->index_count > TABLE_INDEXES_MAX;
}

/* ---------------------------------------------------------------------------------------- rows */

/* The size of the key of a row's entry: encode_index_entry_key has room for short ones only. */
static uint32_t entry_key_size(const index_definition *index, const row_columns *of)
{
    const encoded_key prefix = encode_index_prefix(0, 0);
    uint32_t size = prefix.size + (index->unique ? 0 : 8);
    for (uint32_t i = 0; i < index->column_count; i++) {
        const slice *bytes = index->columns[i] == SBTEST_C     ? &of->c
                             : index->columns[i] == SBTEST_PAD ? &of->pad
                                                               : NULL;
        size += bytes == NULL ? 8 : (bytes->size / 8 + 1) * 9;
    }
    return size;
}

static bool is_too_long(const version *one, const job_row *undone)
{
    row_columns columns;
    bool found = false;
    if (one->kind == VERSION_PUT && decode_row_columns(version_value(one), &columns)) {
        for (uint32_t i = 0; i < undone->index_count; i++) {
            found |= entry_key_size(&undone->indexes[i], &columns) > INDEX_KEY_MAX;
        }
    }
    return found;
}

/* Whether a row had, before the job ended, a value that is too long for a key of its indexes. */
static bool met_long_key(const evidence *of, const job_row *undone, timestamp ended)
{
    const encoded_key start = encode_rows_prefix(undone->table), end = encode_behind(&start);
    bool found = false;
    durable_walk walk;
    for (durable_walk_init(&walk, of->durable, encoded_slice(&start), encoded_slice(&end));
         !found && durable_walk_next(&walk);) {
        for (const version *one = walk.found->values; one != NULL && !found; one = one->older) {
            found = one->commit < ended && is_too_long(one, undone);
        }
    }
    return found;
}

/* --------------------------------------------------------------------------------------- tasks */

/* Whether a task of the job failed for that.  The owner alone has none for its backfills. */
static bool failed_in_a_task(const evidence *of, const job_row *undone)
{
    bool found = undone->single;
    buffer key;
    buffer_init(&key);
    for (uint32_t phase = 0; phase < JOB_PHASES_MAX && !found; phase++) {
        task_row task;
        key_task_history(&key, undone->id, phase);
        const version *ended = durable_read(of->durable, buffer_slice(&key), TIMESTAMP_MAX);
        found = ended != NULL && task_row_decode(undone->id, phase, version_value(ended), &task) &&
                task.cause == undone->cause;
    }
    buffer_release(&key);
    return found;
}

/* -------------------------------------------------------------------------------------- causes */

static bool is_excused(const evidence *of, const job_row *undone, timestamp ended)
{
    const judged_job *job = evidence_job(of, undone->id);
    const bool must_fail = job != NULL && job->must_fail != FAILURE_NONE;
    switch (undone->cause) {
    case FAILURE_CANCELLED:
        return job != NULL && job->cancel_asked;
    case FAILURE_INJECTED:
        return of->permanent_error && failed_in_a_task(of, undone);
    case FAILURE_NO_SPACE:
        return job != NULL && job->met_full_disk && failed_in_a_task(of, undone);
    case FAILURE_KEY_TOO_LONG:
        return met_long_key(of, undone, ended) && failed_in_a_task(of, undone);
    case FAILURE_ERROR_LIMIT:
        return of->permanent_error && undone->error_count > 0 &&
               undone->error_count >= of->error_limit;
    case FAILURE_NO_INDEX:
        return index_was_missing(of, undone, ended);
    case FAILURE_DUPLICATE_COLUMN:
        return repeats_itself(undone);
    case FAILURE_INDEX_EXISTS:
        return repeats_itself(undone) || name_was_taken(of, undone, ended);
    case FAILURE_TOO_MANY_INDEXES:
        return had_no_room(of, undone, ended);
    case FAILURE_NO_TABLE:
    case FAILURE_BAD_COLUMNS:
        return names_nothing(of, undone) && (!must_fail || job->must_fail == undone->cause);
    default:
        return false;
    }
}

void oracle_cause(const evidence *of, const job_row *undone, timestamp ended)
{
    if (undone->cause == FAILURE_DUPLICATE_KEY) {
        oracle_duplicates(of, undone, ended);
    } else if (!is_excused(of, undone, ended)) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE, "job %llu ended %s: %s",
                   number(undone->id), job_state_text(undone->state), failure_text(undone->cause));
    }
}
