/*
 * The row of a single-node reorganization: see reorg_row.h.  Its value:
 *
 *     u8 format | u8 phase | u64 element | start | end | u64 snapshot | u64 watermark | u64 tenure
 *               | u64 checksum of all before and of the job's number
 */
#include "engine/ddl/reorg_row.h"

#include "engine/base/checksum.h"
#include "engine/task/plan.h"
#include "engine/transaction/route.h"
#include "engine/wire/keys.h"

#define FORMAT 1u
#define CHECKSUM_SIZE 8u

bool reorg_row_is_done(const reorg_row *of)
{
    return slice_equal(range_key_slice(&of->start), range_key_slice(&of->end));
}

/* -------------------------------------------------------------------------------------- bytes */

void reorg_row_encode(const reorg_row *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u8(into, FORMAT);
    buffer_add_u8(into, (uint8_t)from->phase);
    buffer_add_u64(into, from->element);
    buffer_add_slice(into, range_key_slice(&from->start));
    buffer_add_slice(into, range_key_slice(&from->end));
    buffer_add_u64(into, from->snapshot);
    buffer_add_u64(into, from->watermark);
    buffer_add_u64(into, from->tenure);
    buffer_add_u64(into, checksum64_of_part(buffer_slice(into), from->job));
}

static void take_key(cursor *from, range_key *into)
{
    const slice key = cursor_slice(from);
    from->failed |= key.size == 0 || key.size > RANGE_KEY_MAX;
    if (!from->failed) {
        range_key_set(into, key);
    }
}

bool reorg_row_decode(job_id job, slice value, reorg_row *into)
{
    if (value.size < CHECKSUM_SIZE) {
        return false;
    }
    const slice body = {value.data, value.size - CHECKSUM_SIZE};
    cursor sum = cursor_of((slice){value.data + body.size, CHECKSUM_SIZE});
    if (cursor_u64(&sum) != checksum64_of_part(body, job)) {
        return false;
    }
    cursor at = cursor_of(body);
    *into = (reorg_row){.job = job};
    at.failed |= cursor_u8(&at) != FORMAT;
    into->phase = cursor_u8(&at);
    into->element = cursor_u64(&at);
    take_key(&at, &into->start);
    take_key(&at, &into->end);
    into->snapshot = cursor_u64(&at);
    into->watermark = cursor_u64(&at);
    into->tenure = cursor_u64(&at);
    return cursor_finished(&at) && into->snapshot != 0 &&
           slice_compare(range_key_slice(&into->start), range_key_slice(&into->end)) <= 0;
}

/* ------------------------------------------------------------------------------- transactions */

engine_status reorg_row_read_in(transaction *in, job_id job, reorg_row *found, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_reorg(&key, job);
    const engine_status status = transaction_read(in, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK && !reorg_row_decode(job, buffer_slice(&value), found)) {
        sb_fail("the reorganization's row of job %llu is damaged", (unsigned long long)job);
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

static void put(transaction *in, const reorg_row *row)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_reorg(&key, row->job);
    reorg_row_encode(row, &value);
    transaction_put(in, buffer_slice(&key), buffer_slice(&value));
    buffer_release(&key);
    buffer_release(&value);
}

void reorg_row_delete(transaction *in, job_id job)
{
    buffer key;
    buffer_init(&key);
    key_reorg(&key, job);
    transaction_delete(in, buffer_slice(&key));
    buffer_release(&key);
}

static reorg_row fresh_row(const tenure *by, const task_row *wanted)
{
    reorg_row row = {.job = wanted->job,
                     .phase = wanted->phase,
                     .element = wanted->index,
                     .snapshot = wanted->snapshot,
                     .tenure = by->id};
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    task_range(wanted->kind, wanted->table, wanted->index, &start, &end);
    range_key_set(&row.start, buffer_slice(&start));
    range_key_set(&row.end, buffer_slice(&end));
    buffer_release(&start);
    buffer_release(&end);
    return row;
}

engine_status reorg_row_load(const tenure *by, const task_row *wanted, reorg_row *row,
                             sb_scope *scope)
{
    transaction *in;
    engine_status status = tenure_begin(by, &in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    status = reorg_row_read_in(in, wanted->job, row, scope);
    if (status == ENGINE_OK && row->phase == wanted->phase) {
        sb_assert(row->element == wanted->index && row->snapshot == wanted->snapshot);
        SOMETIMES(row->tenure != by->id, "single-node-path-goes-on-under-another-tenure");
        tenure_abandon(by, in);
        return ENGINE_OK;
    }
    if (status != ENGINE_OK && status != ENGINE_NOT_FOUND) {
        tenure_abandon(by, in);
        return status;
    }
    sb_assert(status == ENGINE_NOT_FOUND || row->phase < wanted->phase);
    *row = fresh_row(by, wanted);
    put(in, row);
    return tenure_commit(by, in, scope);
}

/* One transaction.  What stands there already is not taken back. */
static engine_status try_save(const tenure *by, const reorg_row *to, reorg_row *row,
                              sb_scope *scope)
{
    transaction *in;
    reorg_row found = {0};
    engine_status status = tenure_begin(by, &in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    status = reorg_row_read_in(in, to->job, &found, scope);
    if (status == ENGINE_OK && (found.phase != to->phase || found.snapshot != to->snapshot)) {
        status = ENGINE_NOT_FOUND;
    }
    const slice stands = range_key_slice(&found.start), wanted = range_key_slice(&to->start);
    if (status != ENGINE_OK || slice_compare(stands, wanted) >= 0) {
        tenure_abandon(by, in);
        *row = status == ENGINE_OK ? found : *row;
        return status;
    }
    put(in, to);
    status = tenure_commit(by, in, scope);
    if (status == ENGINE_OK) {
        *row = *to;
    }
    return status;
}

engine_status reorg_row_save(const tenure *by, reorg_row *row, slice start, uint64_t watermark,
                             sb_scope *scope)
{
    reorg_row to = *row;
    range_key_set(&to.start, start);
    to.watermark = watermark;
    to.tenure = by->id;
    backoff wait;
    backoff_init(&wait);
    engine_status status = try_save(by, &to, row, scope);
    while (engine_status_is_passing(status) && backoff_wait(&wait, scope) == ENGINE_OK) {
        status = try_save(by, &to, row, scope);
    }
    return status;
}
