/*
 * The bytes of EXECUTE: see client.h.
 *
 *     request   u64 session | u64 number | u32 worker | u64 table | u32 count | statements
 *     statement u8 kind | u32 think | i64 id
 *               | by kind: i64 k, c, pad, u32 columns, index name, i64 last
 *     reply     u8 outcome | u8 reason | u64 session | u64 start | u64 committed
 *               | u64 schema version | u32 count | results
 *     result    u8 kind | by kind: i64 k, c, pad  or  u8 more, u32 count, ids
 */
#include "engine/wire/client.h"

static const char *const statement_texts[] = {"read",   "read-index", "insert",
                                              "update", "delete",     "scan"};

const char *statement_kind_text(statement_kind kind)
{
    sb_assert_op(kind, <, STATEMENT_KIND_COUNT);
    return statement_texts[kind];
}

static void add_i64(buffer *into, int64_t value)
{
    buffer_add_u64(into, (uint64_t)value);
}

static int64_t take_i64(cursor *from)
{
    return (int64_t)cursor_u64(from);
}

/* The count of a list; the list cannot have more elements than bytes are left. */
static uint32_t take_count(cursor *from, uint32_t count_max)
{
    const uint32_t count = cursor_u32(from);
    if (from->failed || count > count_max || count > (size_t)(from->end - from->at)) {
        from->failed = true;
        return 0;
    }
    return count;
}

/* ----------------------------------------------------------------------------------- requests */

static bool has_values(statement_kind kind)
{
    return kind == STATEMENT_INSERT || kind == STATEMENT_UPDATE || kind == STATEMENT_READ_INDEX;
}

static bool has_columns(statement_kind kind)
{
    return kind == STATEMENT_UPDATE || kind == STATEMENT_READ_INDEX;
}

static void add_statement(buffer *into, const statement *one)
{
    buffer_add_u8(into, (uint8_t)one->kind);
    buffer_add_u32(into, one->think_ms);
    add_i64(into, one->id);
    if (has_values(one->kind)) {
        add_i64(into, one->k);
        buffer_add_slice(into, one->c);
        buffer_add_slice(into, one->pad);
    }
    if (has_columns(one->kind)) {
        buffer_add_u32(into, one->columns);
    }
    if (one->kind == STATEMENT_READ_INDEX) {
        buffer_add_slice(into, one->index_name);
    }
    if (one->kind == STATEMENT_SCAN) {
        add_i64(into, one->last);
    }
}

static void take_statement(cursor *from, statement *one)
{
    *one = (statement){.kind = (statement_kind)cursor_u8_below(from, STATEMENT_KIND_COUNT)};
    one->think_ms = cursor_u32(from);
    one->id = take_i64(from);
    if (has_values(one->kind)) {
        one->k = take_i64(from);
        one->c = cursor_slice(from);
        one->pad = cursor_slice(from);
    }
    if (has_columns(one->kind)) {
        one->columns = cursor_u32(from);
    }
    if (one->kind == STATEMENT_READ_INDEX) {
        one->index_name = cursor_slice(from);
    }
    if (one->kind == STATEMENT_SCAN) {
        one->last = take_i64(from);
    }
}

void execute_request_encode(const execute_request *from, buffer *into)
{
    sb_assert_op(from->statement_count, <=, STATEMENTS_MAX);
    buffer_add_u64(into, from->session);
    buffer_add_u64(into, from->number);
    buffer_add_u32(into, from->worker);
    buffer_add_u64(into, from->table);
    buffer_add_u32(into, from->statement_count);
    for (uint32_t i = 0; i < from->statement_count; i++) {
        add_statement(into, &from->statements[i]);
    }
}

bool execute_request_decode(slice from, execute_request *into)
{
    cursor at = cursor_of(from);
    *into = (execute_request){0};
    into->session = cursor_u64(&at);
    into->number = cursor_u64(&at);
    into->worker = cursor_u32(&at);
    into->table = cursor_u64(&at);
    const uint32_t count = take_count(&at, STATEMENTS_MAX);
    if (count > 0) {
        into->statements = sb_alloc(count * sizeof(*into->statements));
    }
    while (into->statement_count < count && !at.failed) {
        take_statement(&at, &into->statements[into->statement_count++]);
    }
    return cursor_finished(&at);
}

void execute_request_release(execute_request *of)
{
    sb_free(of->statements);
    *of = (execute_request){0};
}

/* ------------------------------------------------------------------------------------ replies */

static void add_result(buffer *into, const statement_result *one)
{
    buffer_add_u8(into, (uint8_t)one->kind);
    if (one->kind == RESULT_ROW) {
        add_i64(into, one->k);
        buffer_add_slice(into, one->c);
        buffer_add_slice(into, one->pad);
    } else if (one->kind == RESULT_IDS) {
        sb_assert_op(one->id_count, <=, RESULT_IDS_MAX);
        buffer_add_u8(into, one->id_more);
        buffer_add_u32(into, one->id_count);
        for (uint32_t i = 0; i < one->id_count; i++) {
            add_i64(into, one->ids[i]);
        }
    }
}

static void take_ids(cursor *from, statement_result *one)
{
    one->id_more = cursor_u8_below(from, 2) == 1;
    const uint32_t count = take_count(from, RESULT_IDS_MAX);
    if (count == 0) {
        return;
    }
    one->ids = sb_alloc(count * sizeof(*one->ids));
    while (one->id_count < count) {
        one->ids[one->id_count++] = take_i64(from);
    }
}

static void take_result(cursor *from, statement_result *one)
{
    *one = (statement_result){.kind = (result_kind)cursor_u8_below(from, RESULT_KIND_COUNT)};
    if (one->kind == RESULT_ROW) {
        one->k = take_i64(from);
        one->c = cursor_slice(from);
        one->pad = cursor_slice(from);
    } else if (one->kind == RESULT_IDS) {
        take_ids(from, one);
    }
}

void execute_reply_encode(const execute_reply *from, buffer *into)
{
    sb_assert(from->outcome == OUTCOME_COMMITTED || from->result_count == 0);
    buffer_add_u8(into, (uint8_t)from->outcome);
    buffer_add_u8(into, (uint8_t)from->reason);
    buffer_add_u64(into, from->session);
    buffer_add_u64(into, from->start);
    buffer_add_u64(into, from->committed);
    buffer_add_u64(into, from->schema_version);
    buffer_add_u32(into, from->result_count);
    for (uint32_t i = 0; i < from->result_count; i++) {
        add_result(into, &from->results[i]);
    }
}

bool execute_reply_decode(slice from, execute_reply *into)
{
    cursor at = cursor_of(from);
    *into = (execute_reply){0};
    into->outcome = (execute_outcome)cursor_u8_below(&at, OUTCOME_COUNT);
    into->reason = (refusal)cursor_u8_below(&at, REFUSAL_COUNT);
    into->session = cursor_u64(&at);
    into->start = cursor_u64(&at);
    into->committed = cursor_u64(&at);
    into->schema_version = cursor_u64(&at);
    const uint32_t count = take_count(&at, STATEMENTS_MAX);
    if (count > 0) {
        into->results = sb_alloc(count * sizeof(*into->results));
    }
    while (into->result_count < count && !at.failed) {
        take_result(&at, &into->results[into->result_count++]);
    }
    return cursor_finished(&at) && (into->outcome == OUTCOME_COMMITTED || into->result_count == 0);
}

void execute_reply_release(execute_reply *of)
{
    for (uint32_t i = 0; i < of->result_count; i++) {
        sb_free(of->results[i].ids);
    }
    sb_free(of->results);
    *of = (execute_reply){0};
}
