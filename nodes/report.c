/*
 * The bytes of reports: see report.h.  Requests and replies stand in them as they stand in
 * messages.
 */
#include "nodes/report.h"

#include <string.h>

/* --------------------------------------------------------------------------------- operations */

void operation_begin_encode(sb_address server, const execute_request *request, buffer *into)
{
    buffer_clear(into);
    buffer_add_u16(into, server);
    execute_request_encode(request, into);
}

bool operation_begin_decode(slice from, operation_begin *into)
{
    *into = (operation_begin){0};
    cursor at = cursor_of(from);
    into->server = cursor_u16(&at);
    return !at.failed &&
           execute_request_decode(slice_of(at.at, (size_t)(at.end - at.at)), &into->request);
}

void operation_end_encode(uint64_t number, sb_status call, const execute_reply *reply, buffer *into)
{
    buffer_clear(into);
    buffer_add_u64(into, number);
    buffer_add_u8(into, (uint8_t)call);
    execute_reply_encode(reply, into);
}

bool operation_end_decode(slice from, operation_end *into)
{
    *into = (operation_end){0};
    cursor at = cursor_of(from);
    into->number = cursor_u64(&at);
    const uint8_t call = cursor_u8(&at);
    into->call = (sb_status)call;
    return !at.failed && call < SB_STATUS_COUNT &&
           execute_reply_decode(slice_of(at.at, (size_t)(at.end - at.at)), &into->reply);
}

/* ---------------------------------------------------------------------------------- summaries */

void loaded_report_encode(const loaded_report *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u64(into, from->table);
    buffer_add_u64(into, (uint64_t)from->first);
    buffer_add_u64(into, from->count);
}

bool loaded_report_decode(slice from, loaded_report *into)
{
    cursor at = cursor_of(from);
    into->table = cursor_u64(&at);
    into->first = (int64_t)cursor_u64(&at);
    into->count = cursor_u64(&at);
    return cursor_finished(&at);
}

/* ----------------------------------------------------------------------------------- sessions */

void session_report_encode(const session_report *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u16(into, from->server);
    buffer_add_u64(into, from->session);
    buffer_add_u64(into, from->version);
    buffer_add_u64(into, from->sequence);
    buffer_add_u64(into, from->start);
    buffer_add_u64(into, from->commit);
}

bool session_report_decode(slice from, session_report *into)
{
    cursor at = cursor_of(from);
    into->server = cursor_u16(&at);
    into->session = cursor_u64(&at);
    into->version = cursor_u64(&at);
    into->sequence = cursor_u64(&at);
    into->start = cursor_u64(&at);
    into->commit = cursor_u64(&at);
    return cursor_finished(&at);
}

/* ----------------------------------------------------------------------------------- promises */

void promise_report_encode(const promise_report *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u64(into, from->last);
    buffer_add_u64(into, from->session);
    buffer_add_u64(into, from->tenure);
}

bool promise_report_decode(slice from, promise_report *into)
{
    cursor at = cursor_of(from);
    into->last = cursor_u64(&at);
    into->session = cursor_u64(&at);
    into->tenure = cursor_u64(&at);
    return cursor_finished(&at);
}

/* ----------------------------------------------------------------------------- written values */

#define NUMBER_DIGITS 16u

void write_value_format(uint64_t number, uint32_t size, unsigned char *into)
{
    static const char digits[] = "0123456789abcdef";
    sb_assert_op(size, >=, WRITE_VALUE_SIZE_MIN);
    into[0] = 'w';
    for (uint32_t i = 0; i < NUMBER_DIGITS; i++) {
        into[1 + i] = (unsigned char)digits[number >> (4 * (NUMBER_DIGITS - 1 - i)) & 15];
    }
    memset(into + WRITE_VALUE_SIZE_MIN, '.', size - WRITE_VALUE_SIZE_MIN);
}

uint64_t write_value_number(slice c)
{
    uint64_t number = 0;
    if (c.size < WRITE_VALUE_SIZE_MIN || c.data[0] != 'w') {
        return 0;
    }
    for (uint32_t i = 1; i <= NUMBER_DIGITS; i++) {
        const unsigned char digit = c.data[i];
        if (digit >= '0' && digit <= '9') {
            number = number << 4 | (uint64_t)(digit - '0');
        } else if (digit >= 'a' && digit <= 'f') {
            number = number << 4 | (uint64_t)(digit - 'a' + 10);
        } else {
            return 0;
        }
    }
    return number;
}
