/*
 * Submitting, cancelling and telling: see submission.h.
 */
#include "engine/ddl/submission.h"

#include <string.h>

#include "engine/task/tenure.h"
#include "engine/transaction/route.h"
#include "engine/wire/keys.h"

#define FIRST_ID 1u
#define NO_SCHEMA 0u

/* What is certain after `status`, other than ENGINE_OK, has ended the tries. */
static job_answer answer_of(engine_status status, bool in_doubt)
{
    if (in_doubt || status == ENGINE_UNKNOWN) {
        return JOB_ANSWER_UNKNOWN;
    }
    return JOB_ANSWER_NOT_READY;
}

/* --------------------------------------------------------------------------------- submission */

/* The job with that nonce among the rows under `word`; 0: none. */
static engine_status find_nonce(transaction *in, const char *word, uint64_t nonce, job_id *found,
                                sb_scope *scope)
{
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    key_meta(&start, word, NULL, 0);
    key_prefix_end(&end, buffer_slice(&start));
    pair_list rows;
    const engine_status status =
        transaction_scan(in, buffer_slice(&start), buffer_slice(&end), JOBS_MAX, &rows, scope);
    for (uint32_t i = 0; status == ENGINE_OK && i < rows.count; i++) {
        job_row row;
        uint64_t id;
        if (!key_meta_decode(rows.pairs[i].key, word, &id, 1) ||
            !job_row_decode(id, rows.pairs[i].value, &row)) {
            sb_fail("a job is damaged");
        }
        if (row.nonce == nonce) {
            *found = id;
        }
    }
    if (status == ENGINE_OK) {
        pair_list_release(&rows);
    }
    buffer_release(&start);
    buffer_release(&end);
    return status;
}

/* Take numbers that nobody else gets: *id and those behind it. */
static engine_status take_ids(transaction *in, uint32_t count, uint64_t *id, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_next_id(&key);
    engine_status status = transaction_read(in, buffer_slice(&key), &value, scope);
    *id = FIRST_ID;
    if (status == ENGINE_OK) {
        cursor at = cursor_of(buffer_slice(&value));
        *id = cursor_u64(&at);
        if (!cursor_finished(&at) || *id == 0) {
            sb_fail("the row of the next number is damaged");
        }
    }
    if (status == ENGINE_OK || status == ENGINE_NOT_FOUND) {
        buffer_clear(&value);
        buffer_add_u64(&value, *id + count);
        transaction_put(in, buffer_slice(&key), buffer_slice(&value));
        status = ENGINE_OK;
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

/* The numbers behind the job's own are its indexes', and are never used again. */
static job_row new_job(const submit_job_request *asked, job_id id)
{
    job_row row;
    memset(&row, 0, sizeof(row));
    row.id = id;
    row.nonce = asked->nonce;
    row.kind = asked->kind;
    row.table = asked->table;
    row.single = asked->single;
    row.state = JOB_QUEUEING;
    row.index_count = asked->index_count;
    for (uint32_t i = 0; i < asked->index_count; i++) {
        const index_request *from = &asked->indexes[i];
        index_definition *index = &row.indexes[i];
        index->id = id + 1 + i;
        index->state = SCHEMA_NONE;
        index->unique = from->unique;
        index->column_count = from->column_count;
        memcpy(index->columns, from->columns, from->column_count);
        memcpy(index->name, from->name.data, from->name.size);
    }
    return row;
}

static engine_status try_submit(cluster *of, const submit_job_request *asked, job_id *job,
                                sb_scope *scope)
{
    transaction *in;
    engine_status status = transaction_begin(of, NO_SCHEMA, &in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    *job = 0;
    status = find_nonce(in, "job", asked->nonce, job, scope);
    if (status == ENGINE_OK && *job == 0) {
        status = find_nonce(in, "history", asked->nonce, job, scope);
    }
    const bool is_new = status == ENGINE_OK && *job == 0;
    if (is_new) {
        status = take_ids(in, 1 + asked->index_count, job, scope);
    }
    if (is_new && status == ENGINE_OK) {
        const job_row row = new_job(asked, *job);
        job_put(in, &row);
        status = transaction_commit(in, NULL, scope);
    } else {
        transaction_rollback(in);
    }
    transaction_release(in);
    return status;
}

static bool index_is_good(const index_request *asked)
{
    return asked->name.size > 0 && asked->name.size < NAME_SIZE_MAX &&
           memchr(asked->name.data, 0, asked->name.size) == NULL && asked->column_count > 0 &&
           asked->column_count <= INDEX_COLUMNS_MAX;
}

static bool request_is_good(const submit_job_request *asked)
{
    bool good = asked->nonce != 0 && asked->table != 0 && asked->kind == JOB_KIND_ADD_INDEX &&
                asked->index_count > 0 && asked->index_count <= JOB_INDEXES_MAX;
    for (uint32_t i = 0; i < asked->index_count && good; i++) {
        good = index_is_good(&asked->indexes[i]);
    }
    return good;
}

submit_job_reply job_submit(cluster *of, const submit_job_request *asked, sb_scope *scope)
{
    submit_job_reply reply = {.answer = JOB_ANSWER_BAD_REQUEST};
    if (!request_is_good(asked)) {
        return reply;
    }
    backoff wait;
    backoff_init(&wait);
    bool in_doubt = false;
    engine_status status = try_submit(of, asked, &reply.job, scope);
    while (engine_status_is_passing(status)) {
        in_doubt |= status == ENGINE_UNKNOWN;
        status = backoff_wait(&wait, scope);
        if (status == ENGINE_OK) {
            status = try_submit(of, asked, &reply.job, scope);
        }
    }
    reply.answer = status == ENGINE_OK ? JOB_ANSWER_OK : answer_of(status, in_doubt);
    reply.job = status == ENGINE_OK ? reply.job : 0;
    return reply;
}

/* --------------------------------------------------------------------------------- cancelling */

static bool is_giving_up(const job_row *row)
{
    return row->state == JOB_CANCELLING || row->state == JOB_ROLLINGBACK;
}

/* ENGINE_NOT_FOUND: it is no live job. */
static engine_status try_cancel(cluster *of, job_id job, bool in_doubt, job_answer *answer,
                                sb_scope *scope)
{
    transaction *in;
    engine_status status = transaction_begin(of, NO_SCHEMA, &in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    job_row row;
    status = job_read_in(in, job, &row, scope);
    const job_state from = status == ENGINE_OK ? row.state : JOB_CANCELLING;
    if (status == ENGINE_OK && (from == JOB_QUEUEING || from == JOB_RUNNING)) {
        row.state = JOB_CANCELLING;
        job_put(in, &row);
        status = transaction_commit(in, NULL, scope);
        *answer = JOB_ANSWER_OK;
    } else {
        transaction_rollback(in);
        if (status == ENGINE_OK) {
            SOMETIMES(in_doubt && is_giving_up(&row), "cancel-with-unknown-outcome-was-committed");
            *answer = is_giving_up(&row) ? JOB_ANSWER_OK : JOB_ANSWER_TOO_LATE;
        }
    }
    transaction_release(in);
    if (status == ENGINE_OK && row.state != from) {
        sb_machine_move(&job_machine, job, from, row.state);
    }
    return status;
}

/* The job in history; ENGINE_NOT_FOUND: there never was one. */
static engine_status read_history(cluster *of, job_id job, job_row *found, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_history(&key, job);
    const engine_status status = cluster_read(of, TIMESTAMP_MAX, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK && !job_row_decode(job, buffer_slice(&value), found)) {
        sb_fail("job %llu is damaged in history", (unsigned long long)job);
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

cancel_job_reply job_cancel(cluster *of, job_id job, sb_scope *scope)
{
    backoff wait;
    backoff_init(&wait);
    bool in_doubt = false;
    job_answer answer = JOB_ANSWER_UNKNOWN;
    engine_status status = try_cancel(of, job, in_doubt, &answer, scope);
    while (engine_status_is_passing(status)) {
        in_doubt |= status == ENGINE_UNKNOWN;
        status = backoff_wait(&wait, scope);
        if (status == ENGINE_OK) {
            status = try_cancel(of, job, in_doubt, &answer, scope);
        }
    }
    if (status == ENGINE_NOT_FOUND) {
        job_row row;
        status = read_history(of, job, &row, scope);
        answer = status == ENGINE_NOT_FOUND ? JOB_ANSWER_NOT_FOUND : JOB_ANSWER_TOO_LATE;
        if (status == ENGINE_OK && in_doubt && row.cause == FAILURE_CANCELLED) {
            answer = JOB_ANSWER_OK;
        }
        status = status == ENGINE_NOT_FOUND ? ENGINE_OK : status;
    }
    return (cancel_job_reply){status == ENGINE_OK ? answer : answer_of(status, in_doubt)};
}

/* ------------------------------------------------------------------------------------ telling */

job_status_reply job_status(cluster *of, job_id job, sb_scope *scope)
{
    job_status_reply reply = {.answer = JOB_ANSWER_NOT_READY};
    job_row row;
    /* A job leaves its row and enters history in one commit: looked for in this order, it is not
     * missed. */
    engine_status status = job_read(of, TIMESTAMP_MAX, job, &row, scope);
    if (status == ENGINE_NOT_FOUND) {
        status = read_history(of, job, &row, scope);
        reply.ended = status == ENGINE_OK;
    }
    if (status == ENGINE_OK) {
        reply.answer = JOB_ANSWER_OK;
        reply.state = (uint8_t)row.state;
        reply.schema = (uint8_t)job_schema(&row);
        reply.cause = row.cause;
        reply.row_count = row.row_count;
    } else if (status == ENGINE_NOT_FOUND) {
        reply.answer = JOB_ANSWER_NOT_FOUND;
    }
    return reply;
}
