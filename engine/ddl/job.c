/*
 * Job rows.  The value:
 *
 *     u8 format | u64 nonce | u64 table | u8 kind | u8 single
 *               | u8 indexes | for each: as in a table's definition
 *               | u8 state | u8 phase | u64 version | u64 snapshot | u64 tenure | u64 row count
 *               | u64 row count of the phases done | u8 cause | u32 errors | u8 the first of them
 *               | u64 checksum of all before and of the job's number
 */
#include "engine/ddl/job.h"

#include <string.h>

#include "engine/base/checksum.h"
#include "engine/wire/keys.h"

#define JOB_FORMAT 4u
#define CHECKSUM_SIZE 8u

/* ------------------------------------------------------------------------------------- states */

static const char *const job_state_texts[] = {
#define JOB_STATE(name, text) [JOB_##name] = text,
#include "engine/ddl/job_states.def"
#undef JOB_STATE
};

static const sb_move job_moves[] = {
    {JOB_QUEUEING, JOB_RUNNING},
    {JOB_RUNNING, JOB_DONE},
    {JOB_DONE, JOB_SYNCED},
    {JOB_QUEUEING, JOB_CANCELLING},
    {JOB_RUNNING, JOB_CANCELLING},
    {JOB_RUNNING, JOB_ROLLINGBACK},
    {JOB_CANCELLING, JOB_ROLLINGBACK},
    {JOB_CANCELLING, JOB_CANCELLED},
    {JOB_ROLLINGBACK, JOB_ROLLBACKDONE},
    {JOB_RUNNING, JOB_PAUSING},
    {JOB_QUEUEING, JOB_PAUSING},
    {JOB_PAUSING, JOB_PAUSED},
    {JOB_PAUSING, JOB_QUEUEING},
    {JOB_PAUSED, JOB_QUEUEING},
    {JOB_PAUSING, JOB_CANCELLING},
    {JOB_PAUSED, JOB_CANCELLING},
};

SB_MACHINE(job_machine, "job", job_state_texts, job_moves, .initial = JOB_QUEUEING,
           .finals = SB_STATE(JOB_SYNCED) | SB_STATE(JOB_ROLLBACKDONE) | SB_STATE(JOB_CANCELLED),
           .source = "TiDB's job states; issues 47902, 49114, 52747");

const char *job_state_text(job_state state)
{
    sb_assert_op(state, <, JOB_STATE_COUNT);
    return job_state_texts[state];
}

bool job_state_is_final(job_state state)
{
    return state == JOB_SYNCED || state == JOB_ROLLBACKDONE || state == JOB_CANCELLED;
}

/* -------------------------------------------------------------------------------------- bytes */

static bool is_undone(const job_row *row)
{
    return row->state == JOB_ROLLINGBACK || row->state == JOB_ROLLBACKDONE ||
           row->state == JOB_CANCELLED;
}

/* Its indexes go through their states together; those of an ADD INDEX have numbers from the start.
 */
static bool indexes_are_possible(const job_row *row)
{
    bool possible = row->index_count > 0;
    for (uint32_t i = 0; i < row->index_count; i++) {
        possible &= row->indexes[i].state == row->indexes[0].state &&
                    row->indexes[i].backfill == row->indexes[0].backfill;
        possible &= row->kind == JOB_KIND_DROP_INDEX || row->indexes[i].id != 0;
    }
    return possible;
}

static bool schema_is_possible(const job_row *row)
{
    const bool ended_well = row->state == JOB_DONE || row->state == JOB_SYNCED;
    if (row->kind == JOB_KIND_ADD_INDEX) {
        return ended_well == (job_schema(row) == SCHEMA_PUBLIC);
    }
    return row->index_count == 1 && (row->version != 0) == (row->indexes[0].id != 0) &&
           (!ended_well || (job_schema(row) == SCHEMA_NONE && row->version != 0)) &&
           (!is_undone(row) || row->version == 0);
}

/* A job is marked with the cause when it turns back; one that is cancelled for its errors, at once.
 */
static bool causes_are_possible(const job_row *row)
{
    const bool cause_fits = row->state == JOB_CANCELLING
                                ? row->cause == FAILURE_NONE || row->cause == FAILURE_ERROR_LIMIT
                                : is_undone(row) == (row->cause != FAILURE_NONE);
    return cause_fits && (row->error_count > 0) == (row->error != FAILURE_NONE);
}

/* What no step can have made. */
static bool row_is_possible(const job_row *row)
{
    return row->id != 0 && row->phase <= JOB_PHASES_MAX && indexes_are_possible(row) &&
           schema_is_possible(row) && causes_are_possible(row) &&
           (row->snapshot == 0 || row->version != 0);
}

void job_row_encode(const job_row *from, buffer *into)
{
    sb_assert(row_is_possible(from));
    buffer_clear(into);
    buffer_add_u8(into, JOB_FORMAT);
    buffer_add_u64(into, from->nonce);
    buffer_add_u64(into, from->table);
    buffer_add_u8(into, (uint8_t)from->kind);
    buffer_add_u8(into, from->single);
    buffer_add_u8(into, from->index_count);
    for (uint32_t i = 0; i < from->index_count; i++) {
        index_definition_encode(&from->indexes[i], into);
    }
    buffer_add_u8(into, (uint8_t)from->state);
    buffer_add_u8(into, (uint8_t)from->phase);
    buffer_add_u64(into, from->version);
    buffer_add_u64(into, from->snapshot);
    buffer_add_u64(into, from->tenure);
    buffer_add_u64(into, from->row_count);
    buffer_add_u64(into, from->done_row_count);
    buffer_add_u8(into, (uint8_t)from->cause);
    buffer_add_u32(into, from->error_count);
    buffer_add_u8(into, (uint8_t)from->error);
    buffer_add_u64(into, checksum64_of_part(buffer_slice(into), from->id));
}

bool job_row_decode(job_id id, slice value, job_row *into)
{
    if (value.size < CHECKSUM_SIZE) {
        return false;
    }
    const slice body = {value.data, value.size - CHECKSUM_SIZE};
    cursor sum = cursor_of((slice){value.data + body.size, CHECKSUM_SIZE});
    if (cursor_u64(&sum) != checksum64_of_part(body, id)) {
        return false;
    }
    cursor at = cursor_of(body);
    memset(into, 0, sizeof(*into));
    into->id = id;
    at.failed |= cursor_u8(&at) != JOB_FORMAT;
    into->nonce = cursor_u64(&at);
    into->table = cursor_u64(&at);
    const uint8_t kind = cursor_u8(&at);
    const uint8_t single = cursor_u8(&at);
    into->index_count = cursor_u8(&at);
    if (kind >= JOB_KIND_COUNT || single > 1 || into->index_count > JOB_INDEXES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < into->index_count; i++) {
        index_definition_decode(&at, &into->indexes[i]);
    }
    const uint8_t state = cursor_u8(&at);
    into->phase = cursor_u8(&at);
    into->version = cursor_u64(&at);
    into->snapshot = cursor_u64(&at);
    into->tenure = cursor_u64(&at);
    into->row_count = cursor_u64(&at);
    into->done_row_count = cursor_u64(&at);
    const uint8_t cause = cursor_u8(&at);
    into->error_count = cursor_u32(&at);
    const uint8_t error = cursor_u8(&at);
    if (!cursor_finished(&at) || state >= JOB_STATE_COUNT || cause >= FAILURE_COUNT ||
        error >= FAILURE_COUNT) {
        return false;
    }
    into->kind = (job_kind)kind;
    into->single = single == 1;
    into->state = (job_state)state;
    into->cause = (failure)cause;
    into->error = (failure)error;
    return row_is_possible(into);
}

/* ------------------------------------------------------------------------------------ reading */

static void decode_or_fail(job_id id, slice value, job_row *into)
{
    if (!job_row_decode(id, value, into)) {
        sb_fail("the row of job %llu is damaged", (unsigned long long)id);
    }
}

engine_status job_read(cluster *of, timestamp at, job_id id, job_row *found, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_job(&key, id);
    const engine_status status = cluster_read(of, at, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK) {
        decode_or_fail(id, buffer_slice(&value), found);
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

engine_status job_read_in(transaction *in, job_id id, job_row *found, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_job(&key, id);
    const engine_status status = transaction_read(in, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK) {
        decode_or_fail(id, buffer_slice(&value), found);
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

engine_status job_read_history(cluster *of, job_id id, job_row *found, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_history(&key, id);
    const engine_status status = cluster_read(of, TIMESTAMP_MAX, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK) {
        decode_or_fail(id, buffer_slice(&value), found);
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

engine_status jobs_read(cluster *of, job_row **rows, uint32_t *count, sb_scope *scope)
{
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    key_meta(&start, "job", NULL, 0);
    key_prefix_end(&end, buffer_slice(&start));
    pair_list found;
    const engine_status status = cluster_scan(of, TIMESTAMP_MAX, buffer_slice(&start),
                                              buffer_slice(&end), JOBS_MAX, &found, scope);
    if (status == ENGINE_OK) {
        *rows = sb_alloc((found.count + 1) * sizeof(**rows));
        *count = found.count;
        for (uint32_t i = 0; i < found.count; i++) {
            uint64_t id;
            if (!key_meta_decode(found.pairs[i].key, "job", &id, 1)) {
                sb_fail("the key of a job is damaged");
            }
            decode_or_fail(id, found.pairs[i].value, &(*rows)[i]);
        }
        pair_list_release(&found);
    }
    buffer_release(&start);
    buffer_release(&end);
    return status;
}

/* ------------------------------------------------------------------------------------ writing */

static void put_row(transaction *in, const job_row *row, const buffer *key)
{
    buffer value;
    buffer_init(&value);
    job_row_encode(row, &value);
    transaction_put(in, buffer_slice(key), buffer_slice(&value));
    buffer_release(&value);
}

void job_put(transaction *in, const job_row *row)
{
    sb_assert(!job_state_is_final(row->state));
    buffer key;
    buffer_init(&key);
    key_job(&key, row->id);
    put_row(in, row, &key);
    buffer_release(&key);
}

void job_put_history(transaction *in, const job_row *row)
{
    sb_assert(job_state_is_final(row->state));
    buffer key;
    buffer_init(&key);
    key_history(&key, row->id);
    put_row(in, row, &key);
    key_job(&key, row->id);
    transaction_delete(in, buffer_slice(&key));
    buffer_release(&key);
}
