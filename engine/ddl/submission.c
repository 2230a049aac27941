/*
 * Submitting, ordering and telling: see submission.h.
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

/* The row `m submission nonce`: which job came of it.  It is kept as long as history, so that a
 * request that comes again late finds its job without a look at all of them. */
static engine_status find_nonce(transaction *in, uint64_t nonce, job_id *found, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_submission(&key, nonce);
    engine_status status = transaction_read(in, buffer_slice(&key), &value, scope);
    *found = 0;
    if (status == ENGINE_OK) {
        cursor at = cursor_of(buffer_slice(&value));
        *found = cursor_u64(&at);
        if (!cursor_finished(&at) || *found == 0) {
            sb_fail("the row of a submission is damaged");
        }
    }
    buffer_release(&key);
    buffer_release(&value);
    return status == ENGINE_NOT_FOUND ? ENGINE_OK : status;
}

static void put_nonce(transaction *in, uint64_t nonce, job_id job)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_submission(&key, nonce);
    buffer_add_u64(&value, job);
    transaction_put(in, buffer_slice(&key), buffer_slice(&value));
    buffer_release(&key);
    buffer_release(&value);
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

/* The numbers behind the job's own are those of the indexes it adds, and are never used again. */
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
        index->id = asked->kind == JOB_KIND_ADD_INDEX ? id + 1 + i : 0;
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
    status = find_nonce(in, asked->nonce, job, scope);
    const bool is_new = status == ENGINE_OK && *job == 0;
    if (is_new) {
        status = take_ids(in, 1 + asked->index_count, job, scope);
    }
    if (is_new && status == ENGINE_OK) {
        const job_row row = new_job(asked, *job);
        job_put(in, &row);
        put_nonce(in, asked->nonce, *job);
        status = transaction_commit(in, NULL, scope);
        if (status == ENGINE_OK && failpoint("submission-outcome-is-lost")) {
            status = ENGINE_UNKNOWN;
        }
    } else {
        transaction_rollback(in);
    }
    transaction_release(in);
    return status;
}

static job_field bad_field_of_index(const submit_job_request *asked, const index_request *index)
{
    const bool adds = asked->kind == JOB_KIND_ADD_INDEX;
    const bool named = index->name.size > 0 && index->name.size < NAME_SIZE_MAX &&
                       memchr(index->name.data, 0, index->name.size) == NULL;
    if (!named) {
        return JOB_FIELD_NAME;
    }
    return adds == (index->column_count > 0) && (adds || !index->unique) ? JOB_FIELD_NONE
                                                                         : JOB_FIELD_COLUMNS;
}

/* What cannot be kept in a job's row is no job.  Whatever else is wrong with it, its first step
 * finds out, and history tells. */
static job_field bad_field_of(const submit_job_request *asked)
{
    const bool drops = asked->kind == JOB_KIND_DROP_INDEX;
    if (asked->nonce == 0) {
        return JOB_FIELD_NONCE;
    }
    if (asked->table == 0) {
        return JOB_FIELD_TABLE;
    }
    if (asked->index_count == 0 || (drops && asked->index_count > 1)) {
        return JOB_FIELD_INDEXES;
    }
    job_field bad = JOB_FIELD_NONE;
    for (uint32_t i = 0; i < asked->index_count && bad == JOB_FIELD_NONE; i++) {
        bad = bad_field_of_index(asked, &asked->indexes[i]);
    }
    return bad;
}

submit_job_reply job_submit(cluster *of, const submit_job_request *asked, sb_scope *scope)
{
    submit_job_reply reply = {.answer = JOB_ANSWER_BAD_REQUEST, .bad = bad_field_of(asked)};
    if (reply.bad != JOB_FIELD_NONE) {
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

/* ------------------------------------------------------------------------------------- orders */

typedef enum order_effect {
    TOO_LATE, /* the job is past that */
    ALREADY,  /* it is, or is on its way to be, as ordered */
    MOVES     /* to order.to */
} order_effect;

typedef struct order {
    job_state to;
    order_effect on[JOB_STATE_COUNT];
} order;

/* A job that rolls back for another reason is being given up as well; one that was never paused
 * goes on, as a resume wants it. */
static const order orders[] = {
    [JOB_ORDER_CANCEL] = {.to = JOB_CANCELLING,
                          .on = {[JOB_QUEUEING] = MOVES,
                                 [JOB_RUNNING] = MOVES,
                                 [JOB_PAUSING] = MOVES,
                                 [JOB_PAUSED] = MOVES,
                                 [JOB_CANCELLING] = ALREADY,
                                 [JOB_ROLLINGBACK] = ALREADY}},
    [JOB_ORDER_PAUSE] = {.to = JOB_PAUSING,
                         .on = {[JOB_QUEUEING] = MOVES,
                                [JOB_RUNNING] = MOVES,
                                [JOB_PAUSING] = ALREADY,
                                [JOB_PAUSED] = ALREADY}},
    [JOB_ORDER_RESUME] = {.to = JOB_QUEUEING,
                          .on = {[JOB_QUEUEING] = ALREADY,
                                 [JOB_RUNNING] = ALREADY,
                                 [JOB_PAUSING] = MOVES,
                                 [JOB_PAUSED] = MOVES}},
};

/* Nothing stops a DROP INDEX that has begun; to go on is what it does. */
static order_effect effect_on(const order *of, const job_row *row)
{
    return job_is_dropping(row) && of->on[row->state] == MOVES ? TOO_LATE : of->on[row->state];
}

/* ENGINE_NOT_FOUND: it is no live job. */
static engine_status try_order(cluster *of, const order *what, job_id job, order_effect *effect,
                               sb_scope *scope)
{
    transaction *in;
    engine_status status = transaction_begin(of, NO_SCHEMA, &in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    job_row row;
    status = job_read_in(in, job, &row, scope);
    *effect = status == ENGINE_OK ? effect_on(what, &row) : TOO_LATE;
    const job_state from = status == ENGINE_OK ? row.state : what->to;
    if (*effect == MOVES) {
        row.state = what->to;
        job_put(in, &row);
        status = transaction_commit(in, NULL, scope);
        if (status == ENGINE_OK && failpoint("order-outcome-is-lost")) {
            status = ENGINE_UNKNOWN;
        }
    } else {
        transaction_rollback(in);
    }
    transaction_release(in);
    if (status == ENGINE_OK && *effect == MOVES) {
        sb_machine_move(&job_machine, job, from, what->to);
    }
    return status;
}

/* What is certain once a try has found the job, alive or not. */
static job_answer answer_to_order(cluster *of, job_id job, job_order what, engine_status *status,
                                  order_effect effect, bool in_doubt, sb_scope *scope)
{
    bool obeyed = false;
    if (*status == ENGINE_OK && effect != TOO_LATE) {
        SOMETIMES(in_doubt && effect == ALREADY, "order-with-unknown-outcome-was-committed");
        return JOB_ANSWER_OK;
    }
    if (*status == ENGINE_NOT_FOUND) {
        job_row row;
        *status = job_read_history(of, job, &row, scope);
        if (*status == ENGINE_NOT_FOUND) {
            *status = ENGINE_OK;
            return JOB_ANSWER_NOT_FOUND;
        }
        obeyed = *status == ENGINE_OK && what == JOB_ORDER_CANCEL && row.cause == FAILURE_CANCELLED;
    }
    /* An order of ours may have been committed, obeyed, and overtaken by what came after it. */
    if (in_doubt) {
        return obeyed ? JOB_ANSWER_OK : JOB_ANSWER_UNKNOWN;
    }
    return JOB_ANSWER_TOO_LATE;
}

job_order_reply job_give_order(cluster *of, job_order what, job_id job, sb_scope *scope)
{
    sb_assert_op(what, <, JOB_ORDER_COUNT);
    backoff wait;
    backoff_init(&wait);
    bool in_doubt = false;
    order_effect effect = TOO_LATE;
    engine_status status = try_order(of, &orders[what], job, &effect, scope);
    while (engine_status_is_passing(status)) {
        in_doubt |= status == ENGINE_UNKNOWN;
        status = backoff_wait(&wait, scope);
        if (status == ENGINE_OK) {
            status = try_order(of, &orders[what], job, &effect, scope);
        }
    }
    job_answer answer = JOB_ANSWER_UNKNOWN;
    if (status == ENGINE_OK || status == ENGINE_NOT_FOUND) {
        answer = answer_to_order(of, job, what, &status, effect, in_doubt, scope);
    }
    return (job_order_reply){status == ENGINE_OK ? answer : answer_of(status, in_doubt)};
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
        status = job_read_history(of, job, &row, scope);
        reply.ended = status == ENGINE_OK;
    }
    if (status == ENGINE_OK) {
        reply.answer = JOB_ANSWER_OK;
        reply.kind = row.kind;
        reply.state = (uint8_t)row.state;
        reply.schema = (uint8_t)job_schema(&row);
        reply.cause = row.cause;
        reply.error_count = row.error_count;
        reply.error = row.error;
        reply.row_count = row.row_count;
    } else if (status == ENGINE_NOT_FOUND) {
        reply.answer = JOB_ANSWER_NOT_FOUND;
    }
    return reply;
}
