/*
 * Bodies of the requests about jobs, field by field in the order of their structs.
 */
#include "engine/wire/job.h"

static const char *const failure_texts[] = {
#define FAILURE(name, text) [FAILURE_##name] = text,
#include "engine/wire/failures.def"
#undef FAILURE
};

static const char *const job_answer_texts[] = {
    [JOB_ANSWER_OK] = "ok",
    [JOB_ANSWER_NOT_READY] = "the server is not ready",
    [JOB_ANSWER_NOT_FOUND] = "no such job",
    [JOB_ANSWER_TOO_LATE] = "too late",
    [JOB_ANSWER_UNKNOWN] = "outcome unknown",
    [JOB_ANSWER_BAD_REQUEST] = "bad request",
};

const char *failure_text(failure of)
{
    sb_assert_op(of, <, FAILURE_COUNT);
    return failure_texts[of];
}

const char *job_answer_text(job_answer answer)
{
    sb_assert_op(answer, <, JOB_ANSWER_COUNT);
    return job_answer_texts[answer];
}

static void encode_index_request(const index_request *from, buffer *into)
{
    sb_assert_op(from->column_count, <=, JOB_COLUMNS_MAX);
    buffer_add_slice(into, from->name);
    buffer_add_u8(into, from->unique);
    buffer_add_u8(into, from->column_count);
    buffer_add(into, from->columns, from->column_count);
}

static void decode_index_request(cursor *from, index_request *into)
{
    into->name = cursor_slice(from);
    into->unique = cursor_u8_below(from, 2) == 1;
    into->column_count = cursor_u8_below(from, JOB_COLUMNS_MAX + 1);
    for (uint32_t i = 0; i < into->column_count; i++) {
        into->columns[i] = cursor_u8(from);
    }
}

void submit_job_request_encode(const submit_job_request *from, buffer *into)
{
    sb_assert_op(from->index_count, <=, JOB_INDEXES_MAX);
    buffer_clear(into);
    buffer_add_u64(into, from->nonce);
    buffer_add_u8(into, (uint8_t)from->kind);
    buffer_add_u64(into, from->table);
    buffer_add_u8(into, from->single);
    buffer_add_u8(into, from->index_count);
    for (uint32_t i = 0; i < from->index_count; i++) {
        encode_index_request(&from->indexes[i], into);
    }
}

bool submit_job_request_decode(submit_job_request *into, slice bytes)
{
    cursor at = cursor_of(bytes);
    *into = (submit_job_request){0};
    into->nonce = cursor_u64(&at);
    into->kind = (job_kind)cursor_u8_below(&at, JOB_KIND_COUNT);
    into->table = cursor_u64(&at);
    into->single = cursor_u8_below(&at, 2) == 1;
    into->index_count = cursor_u8_below(&at, JOB_INDEXES_MAX + 1);
    for (uint32_t i = 0; i < into->index_count; i++) {
        decode_index_request(&at, &into->indexes[i]);
    }
    return cursor_finished(&at);
}

void submit_job_reply_encode(const submit_job_reply *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u8(into, (uint8_t)from->answer);
    buffer_add_u64(into, from->job);
    buffer_add_u8(into, (uint8_t)from->bad);
}

bool submit_job_reply_decode(submit_job_reply *into, slice bytes)
{
    cursor at = cursor_of(bytes);
    into->answer = (job_answer)cursor_u8_below(&at, JOB_ANSWER_COUNT);
    into->job = cursor_u64(&at);
    into->bad = (job_field)cursor_u8_below(&at, JOB_FIELD_COUNT);
    return cursor_finished(&at);
}

void job_request_encode(const job_request *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u64(into, from->job);
}

bool job_request_decode(job_request *into, slice bytes)
{
    cursor at = cursor_of(bytes);
    into->job = cursor_u64(&at);
    return cursor_finished(&at);
}

void job_order_reply_encode(const job_order_reply *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u8(into, (uint8_t)from->answer);
}

bool job_order_reply_decode(job_order_reply *into, slice bytes)
{
    cursor at = cursor_of(bytes);
    into->answer = (job_answer)cursor_u8_below(&at, JOB_ANSWER_COUNT);
    return cursor_finished(&at);
}

void job_status_reply_encode(const job_status_reply *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u8(into, (uint8_t)from->answer);
    buffer_add_u8(into, from->ended);
    buffer_add_u8(into, (uint8_t)from->kind);
    buffer_add_u8(into, from->state);
    buffer_add_u8(into, from->schema);
    buffer_add_u8(into, (uint8_t)from->cause);
    buffer_add_u32(into, from->error_count);
    buffer_add_u8(into, (uint8_t)from->error);
    buffer_add_u64(into, from->row_count);
}

bool job_status_reply_decode(job_status_reply *into, slice bytes)
{
    cursor at = cursor_of(bytes);
    into->answer = (job_answer)cursor_u8_below(&at, JOB_ANSWER_COUNT);
    into->ended = cursor_u8_below(&at, 2) == 1;
    into->kind = (job_kind)cursor_u8_below(&at, JOB_KIND_COUNT);
    into->state = cursor_u8(&at);
    into->schema = cursor_u8(&at);
    into->cause = (failure)cursor_u8_below(&at, FAILURE_COUNT);
    into->error_count = cursor_u32(&at);
    into->error = (failure)cursor_u8_below(&at, FAILURE_COUNT);
    into->row_count = cursor_u64(&at);
    return cursor_finished(&at);
}
