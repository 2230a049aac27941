/*
 * I5 and law 10: how the job ended, and what that must have left behind.
 */
#include <string.h>

#include "engine/ddl/job.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "outcome"

static unsigned long long number(uint64_t of)
{
    return (unsigned long long)of;
}

static bool is_there(const evidence *of, void (*make_key)(buffer *, job_id), job_id job)
{
    buffer key;
    buffer_init(&key);
    make_key(&key, job);
    const bool there = durable_read(of->durable, buffer_slice(&key), TIMESTAMP_MAX) != NULL;
    buffer_release(&key);
    return there;
}

/* A row of history is written once and never touched again. */
static void check_once(const evidence *of, job_id job, const entry *found)
{
    if (found->values->older != NULL) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE, "job %llu went into history twice",
                   number(job));
    }
    if (is_there(of, key_job, job)) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                   "job %llu is in history and lives on", number(job));
    }
}

/* Whether the table had an index of that name at some time before the job ended, and not by this
 * job. */
static bool name_was_taken(const evidence *of, const job_row *row, timestamp ended)
{
    buffer key;
    buffer_init(&key);
    key_table(&key, row->table);
    const entry *found = durable_find(of->durable, buffer_slice(&key));
    buffer_release(&key);
    for (const version *at = found == NULL ? NULL : found->values; at != NULL; at = at->older) {
        table_definition then;
        if (at->commit >= ended || at->kind != VERSION_PUT ||
            !table_decode(version_value(at), &then)) {
            continue;
        }
        for (uint32_t i = 0; i < row->index_count; i++) {
            const index_definition *index = table_index_named(&then, row->indexes[i].name);
            if (index != NULL && index->id != row->indexes[i].id) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the table had no public index of the name that a DROP INDEX gave, when the job ended. */
static bool index_was_missing(const evidence *of, const job_row *row, timestamp ended)
{
    buffer key;
    buffer_init(&key);
    key_table(&key, row->table);
    const version *then = durable_read(of->durable, buffer_slice(&key), ended);
    buffer_release(&key);
    table_definition table;
    return row->kind == JOB_KIND_DROP_INDEX && then != NULL &&
           table_decode(version_value(then), &table) &&
           table_index_named(&table, row->indexes[0].name) == NULL;
}

/* Whether a column stands twice in one index of the job, or a name in two. */
static bool repeats_itself(const job_row *row)
{
    bool repeats = false;
    for (uint32_t i = 0; i < row->index_count; i++) {
        const index_definition *index = &row->indexes[i];
        for (uint32_t j = 0; j < index->column_count && row->cause == FAILURE_DUPLICATE_COLUMN;
             j++) {
            repeats |= memchr(index->columns, index->columns[j], j) != NULL;
        }
        for (uint32_t j = 0; j < i && row->cause == FAILURE_INDEX_EXISTS; j++) {
            repeats |= strcmp(index->name, row->indexes[j].name) == 0;
        }
    }
    return repeats;
}

/* Whether the job names a table or a column that is not there. */
static bool names_nothing(const evidence *of, const job_row *row)
{
    if (row->cause == FAILURE_NO_TABLE) {
        return evidence_table(of, row->table) == NULL;
    }
    const judged_table *table = evidence_table(of, row->table);
    for (uint32_t i = 0; i < row->index_count && table != NULL; i++) {
        for (uint32_t j = 0; j < row->indexes[i].column_count; j++) {
            if (row->indexes[i].columns[j] >= table->definition.column_count) {
                return true;
            }
        }
    }
    return false;
}

/* A job may end without its index only for a cause that the scenario has put into the world. */
static void check_cause(const evidence *of, const job_row *row, timestamp ended)
{
    if (row->cause == FAILURE_DUPLICATE_KEY) {
        oracle_duplicates(of, row, ended);
        return;
    }
    const judged_job *job = evidence_job(of, row->id);
    const bool must_fail = job != NULL && job->must_fail != FAILURE_NONE;
    const bool bad = row->cause == FAILURE_NO_TABLE || row->cause == FAILURE_BAD_COLUMNS;
    const bool excused =
        (row->cause == FAILURE_CANCELLED && job != NULL && job->cancel_asked) ||
        (row->cause == FAILURE_INJECTED && of->permanent_error) ||
        (row->cause == FAILURE_NO_SPACE && of->disk_full) ||
        (row->cause == FAILURE_ERROR_LIMIT && of->permanent_error && row->error_count > 0) ||
        (row->cause == FAILURE_NO_INDEX && index_was_missing(of, row, ended)) ||
        repeats_itself(row) ||
        (row->cause == FAILURE_INDEX_EXISTS && name_was_taken(of, row, ended)) ||
        (bad && names_nothing(of, row) && (!must_fail || job->must_fail == row->cause));
    if (!excused) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE, "job %llu ended %s: %s",
                   number(row->id), job_state_text(row->state), failure_text(row->cause));
    }
}

/* Whether another job has dropped that index; a DROP INDEX that has begun knows the index's number.
 */
static bool was_dropped(const evidence *of, index_id id)
{
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    key_meta(&start, "history", NULL, 0);
    key_prefix_end(&end, buffer_slice(&start));
    durable_walk walk;
    bool dropped = false;
    for (durable_walk_init(&walk, of->durable, buffer_slice(&start), buffer_slice(&end));
         durable_walk_next(&walk);) {
        const version *last = durable_entry_read(walk.found, TIMESTAMP_MAX);
        job_id job;
        job_row row;
        dropped |= last != NULL && key_meta_decode(walk.key, "history", &job, 1) &&
                   job_row_decode(job, version_value(last), &row) &&
                   row.kind == JOB_KIND_DROP_INDEX && row.state == JOB_SYNCED &&
                   row.indexes[0].id == id;
    }
    buffer_release(&end);
    buffer_release(&start);
    return dropped;
}

/* What the job has left of one of its indexes. */
static void check_index(const evidence *of, const judged_table *table, const job_row *row,
                        index_id id)
{
    const index_definition *index = table_index(&table->definition, id);
    if (row->kind == JOB_KIND_DROP_INDEX) {
        if (row->state == JOB_SYNCED && index != NULL) {
            sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                       "job %llu ended synced, and the index that it dropped is %s",
                       number(row->id), schema_state_text(index->state));
        }
        return;
    }
    if (row->state == JOB_SYNCED && index == NULL && was_dropped(of, id)) {
        return;
    }
    if (row->state == JOB_SYNCED && (index == NULL || index->state != SCHEMA_PUBLIC)) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                   "job %llu ended synced, its index is %s", number(row->id),
                   index == NULL ? "gone" : schema_state_text(index->state));
    }
    if (row->state != JOB_SYNCED && index != NULL) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                   "job %llu ended %s and left its index %s", number(row->id),
                   job_state_text(row->state), schema_state_text(index->state));
    }
}

/* What the operator was told about the job is so. */
static void check_answers(const evidence *of, const job_row *row)
{
    const judged_job *job = evidence_job(of, row->id);
    if (job == NULL || row->state != JOB_SYNCED) {
        return;
    }
    if (job->cancel_accepted) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                   "job %llu was cancelled, the operator was told so, and it ended synced",
                   number(row->id));
    }
    if (job->must_fail != FAILURE_NONE) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                   "job %llu, for which there is \"%s\", ended synced", number(row->id),
                   failure_text(job->must_fail));
    }
}

static void check_row(const evidence *of, const job_row *row, timestamp ended)
{
    const judged_table *table = evidence_table(of, row->table);
    if (!job_state_is_final(row->state)) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE, "job %llu is in history and %s",
                   number(row->id), job_state_text(row->state));
    }
    if ((row->state == JOB_SYNCED) != (row->cause == FAILURE_NONE)) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                   "job %llu ended %s with the cause \"%s\"", number(row->id),
                   job_state_text(row->state), failure_text(row->cause));
    }
    for (uint32_t i = 0; i < row->index_count && table != NULL; i++) {
        check_index(of, table, row, row->indexes[i].id);
    }
    check_answers(of, row);
    if (row->state != JOB_SYNCED) {
        check_cause(of, row, ended);
    }
}

void oracle_outcome(const evidence *of)
{
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    key_meta(&start, "history", NULL, 0);
    key_prefix_end(&end, buffer_slice(&start));
    durable_walk walk;
    bool found[JUDGED_JOBS_MAX] = {false};
    for (durable_walk_init(&walk, of->durable, buffer_slice(&start), buffer_slice(&end));
         durable_walk_next(&walk);) {
        const version *last = durable_entry_read(walk.found, TIMESTAMP_MAX);
        job_id job = 0;
        job_row row;
        if (last == NULL) {
            continue;
        }
        if (!key_meta_decode(walk.key, "history", &job, 1) ||
            !job_row_decode(job, version_value(last), &row)) {
            sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                       "a row of history cannot be read");
        }
        for (uint32_t i = 0; i < of->job_count; i++) {
            found[i] |= job == of->jobs[i].id;
        }
        check_once(of, job, walk.found);
        check_row(of, &row, last->commit);
    }
    buffer_release(&end);
    buffer_release(&start);
    for (uint32_t i = 0; i < of->job_count; i++) {
        if (!found[i]) {
            sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE, "job %llu is not in history",
                       number(of->jobs[i].id));
        }
    }
}
