/*
 * I5 and law 10: how the job ended, and what that must have left behind.
 */
#include <string.h>

#include "engine/ddl/job.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "outcome"
#define ENDED_JOBS_MAX 64u

static bool is_there(const evidence *of, void (*make_key)(buffer *, job_id), job_id job)
{
    buffer key;
    buffer_init(&key);
    make_key(&key, job);
    const bool there = durable_read(of->durable, buffer_slice(&key), TIMESTAMP_MAX) != NULL;
    buffer_release(&key);
    return there;
}

/* The jobs in history, and the requests that they came of. */
typedef struct ended_jobs {
    job_id ids[ENDED_JOBS_MAX];
    uint64_t nonces[ENDED_JOBS_MAX];
    uint32_t count;
} ended_jobs;

/* A request that was sent again, because no answer came, made no second job. */
static void check_request(const evidence *of, ended_jobs *known, const job_row *row)
{
    for (uint32_t i = 0; i < known->count; i++) {
        if (known->nonces[i] == row->nonce) {
            sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                       "jobs %llu and %llu came of one request", number(known->ids[i]),
                       number(row->id));
        }
    }
    if (known->count < ENDED_JOBS_MAX) {
        known->ids[known->count] = row->id;
        known->nonces[known->count++] = row->nonce;
    }
}

/* What goes away by itself is never counted against a job (I10), and what is counted stops at the
 * limit. */
static void check_errors(const evidence *of, const job_row *row)
{
    if (row->error_count > 0 && !of->permanent_error) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                   "%u errors were counted for job %llu, the first \"%s\", and none was one",
                   row->error_count, number(row->id), failure_text(row->error));
    }
    if (of->error_limit > 0 && row->error_count > of->error_limit) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE,
                   "%u errors were counted for job %llu, and %u are too many", row->error_count,
                   number(row->id), of->error_limit);
    }
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

/* Whether another job has dropped that index; a DROP INDEX that has begun knows the index's number.
 */
static bool was_dropped(const evidence *of, index_id id)
{
    durable_walk walk;
    bool dropped = false;
    for (durable_walk_rows(&walk, of->durable, "history"); durable_walk_next(&walk);) {
        const version *last = durable_entry_read(walk.found, TIMESTAMP_MAX);
        job_id job;
        job_row row;
        dropped |= last != NULL && key_meta_decode(walk.key, "history", &job, 1) &&
                   job_row_decode(job, version_value(last), &row) &&
                   row.kind == JOB_KIND_DROP_INDEX && row.state == JOB_SYNCED &&
                   row.indexes[0].id == id;
    }
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
    check_errors(of, row);
    if (row->state != JOB_SYNCED) {
        oracle_cause(of, row, ended);
    }
}

void oracle_outcome(const evidence *of)
{
    durable_walk walk;
    bool found[JUDGED_JOBS_MAX] = {false};
    ended_jobs known = {.count = 0};
    for (durable_walk_rows(&walk, of->durable, "history"); durable_walk_next(&walk);) {
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
        check_request(of, &known, &row);
        check_row(of, &row, last->commit);
    }
    for (uint32_t i = 0; i < of->job_count; i++) {
        if (!found[i]) {
            sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, ORACLE, "job %llu is not in history",
                       number(of->jobs[i].id));
        }
    }
}
