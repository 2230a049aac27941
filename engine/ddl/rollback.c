/*
 * Rolling back: see rollback.h.
 */
#include "engine/ddl/rollback.h"

#include "engine/base/checksum.h"
#include "engine/ddl/worker.h"
#include "engine/schema/row.h"
#include "engine/transaction/route.h"
#include "engine/wire/keys.h"

/* ------------------------------------------------------------------------------ delete ranges */

void delete_ranges_encode(const key_span *spans, uint32_t count, buffer *into)
{
    buffer_clear(into);
    buffer_add_u8(into, (uint8_t)count);
    for (uint32_t i = 0; i < count; i++) {
        buffer_add_slice(into, spans[i].start);
        buffer_add_slice(into, spans[i].end);
    }
    buffer_add_u64(into, checksum64(buffer_slice(into)));
}

bool delete_ranges_decode(slice value, key_span *spans, uint32_t *count)
{
    cursor at = cursor_of(value);
    *count = cursor_u8(&at);
    at.failed |= *count == 0 || *count > DELETE_RANGES_MAX;
    for (uint32_t i = 0; i < *count && !at.failed; i++) {
        spans[i].start = cursor_slice(&at);
        spans[i].end = cursor_slice(&at);
    }
    const uint64_t sum = cursor_u64(&at);
    return cursor_finished(&at) && sum == checksum64((slice){value.data, value.size - 8});
}

void delete_ranges_put(job_step *step)
{
    buffer start[JOB_INDEXES_MAX], end[JOB_INDEXES_MAX], key, value;
    key_span spans[JOB_INDEXES_MAX];
    for (uint32_t i = 0; i < step->row.index_count; i++) {
        buffer_init(&start[i]);
        buffer_init(&end[i]);
        index_range(step->row.table, step->row.indexes[i].id, &start[i], &end[i]);
        spans[i] = (key_span){buffer_slice(&start[i]), buffer_slice(&end[i])};
    }
    buffer_init(&key);
    buffer_init(&value);
    delete_ranges_encode(spans, step->row.index_count, &value);
    key_delete_range(&key, step->row.id);
    transaction_put(step->in, buffer_slice(&key), buffer_slice(&value));
    buffer_release(&key);
    buffer_release(&value);
    for (uint32_t i = 0; i < step->row.index_count; i++) {
        buffer_release(&start[i]);
        buffer_release(&end[i]);
    }
}

/* One region's part of [at, end): *next is where the region ends, or the end of the range. */
static engine_status delete_in_region(route *way, slice at, slice end, buffer *request,
                                      buffer *next)
{
    engine_status status;
    while ((status = route_find(way, at)) == ENGINE_OK) {
        const slice region_end = way->region->end;
        const bool last = region_end.size == 0 || slice_compare(end, region_end) <= 0;
        const slice stop = last ? end : region_end;
        const delete_range_request ask = {
            .region = {way->region->id, way->region->epoch}, .start = at, .end = stop};
        delete_range_request_encode(&ask, request);
        buffer_clear(next);
        buffer_add(next, stop.data, stop.size);
        sb_reply reply;
        if (failpoint("delete-range-fails") ||
            !route_send(way, METHOD_DELETE_RANGE, request, &reply)) {
            way->waiting = true;
            continue;
        }
        const reply_status said = reply_status_of(&reply);
        sb_reply_release(&reply);
        if (said == REPLY_OK) {
            break;
        }
        route_trouble(way, said);
    }
    return status;
}

static engine_status delete_everywhere(cluster *of, slice start, slice end, sb_scope *scope)
{
    buffer at, next, request;
    buffer_init(&at);
    buffer_init(&next);
    buffer_init(&request);
    buffer_add(&at, start.data, start.size);
    route way;
    route_init(&way, of, scope);
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && slice_compare(buffer_slice(&at), end) < 0) {
        status = delete_in_region(&way, buffer_slice(&at), end, &request, &next);
        const buffer swap = at;
        at = next;
        next = swap;
    }
    route_release(&way);
    buffer_release(&at);
    buffer_release(&next);
    buffer_release(&request);
    return status;
}

engine_status delete_ranges_execute(job_worker *of)
{
    cluster *in = of->reign->ddl->cluster;
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_delete_range(&key, of->job);
    engine_status status = cluster_read(in, TIMESTAMP_MAX, buffer_slice(&key), &value, &of->scope);
    if (status == ENGINE_OK) {
        key_span spans[DELETE_RANGES_MAX];
        uint32_t count;
        if (!delete_ranges_decode(buffer_slice(&value), spans, &count)) {
            sb_fail("the delete ranges of job %llu are damaged", (unsigned long long)of->job);
        }
        for (uint32_t i = 0; i < count && status == ENGINE_OK; i++) {
            status = delete_everywhere(in, spans[i].start, spans[i].end, &of->scope);
        }
    } else if (status == ENGINE_NOT_FOUND) {
        status = ENGINE_OK; /* the index was never in the schema */
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

void delete_ranges_forget(job_step *step)
{
    buffer key;
    buffer_init(&key);
    key_delete_range(&key, step->row.id);
    transaction_delete(step->in, buffer_slice(&key));
    buffer_release(&key);
}

/* -------------------------------------------------------------------------------------- steps */

/* From here on the index is on its way back. */
static engine_status turn_back(job_step *step, failure cause, sb_scope *scope)
{
    const schema_state at = job_schema(&step->row);
    sb_assert(at != SCHEMA_PUBLIC && cause != FAILURE_NONE && step->row.cause == FAILURE_NONE);
    step->row.state = JOB_ROLLINGBACK;
    step->row.cause = cause;
    if (at == SCHEMA_WRITE_ONLY || at == SCHEMA_WRITE_REORGANIZATION) {
        return step_schema(step, SCHEMA_DELETE_ONLY, BACKFILL_INAPPLICABLE, scope);
    }
    return ENGINE_OK;
}

engine_status rollback_begin(job_worker *of, const job_row *seen, failure cause)
{
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    SOMETIMES(true, "job-rolled-back-for-a-permanent-failure");
    status = turn_back(&step, cause, &of->scope);
    return step_end(&step, status, &of->scope);
}

/* A job that is cancelling: its task has to be over first, whoever started it (TiDB issue 49114).
 */
static engine_status step_cancelling(job_worker *of, const job_row *seen)
{
    if (reorg_context_of(&of->reign->ddl->reorgs, of->job) != NULL) {
        return worker_reorganize(of, seen, REORG_CANCEL);
    }
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    task_state task;
    status = step_task_state(&step, &task, &of->scope);
    if (status == ENGINE_OK && !task_state_is_final(task)) {
        tenure_abandon(&of->reign->tenure, step.in);
        return worker_reorganize(of, seen, REORG_CANCEL);
    }
    if (status == ENGINE_OK && job_schema(&step.row) == SCHEMA_NONE) {
        step.row.state = JOB_CANCELLED;
        step.row.cause = FAILURE_CANCELLED;
    } else if (status == ENGINE_OK) {
        status = turn_back(&step, FAILURE_CANCELLED, &of->scope);
    }
    return step_end(&step, status, &of->scope);
}

static engine_status step_remove_index(job_worker *of, const job_row *seen)
{
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    status = step_schema(&step, SCHEMA_NONE, BACKFILL_INAPPLICABLE, &of->scope);
    if (status == ENGINE_OK) {
        delete_ranges_put(&step);
    }
    return step_end(&step, status, &of->scope);
}

/* No server can write the index any more: take away what was written, then the job. */
static engine_status step_rolled_back(job_worker *of, const job_row *seen)
{
    engine_status status = delete_ranges_execute(of);
    job_step step;
    if (status == ENGINE_OK) {
        status = step_begin(&step, of, seen, &of->scope);
    }
    if (status != ENGINE_OK) {
        return status;
    }
    delete_ranges_forget(&step);
    step.row.state = JOB_ROLLBACKDONE;
    return step_end(&step, ENGINE_OK, &of->scope);
}

engine_status rollback_step(job_worker *of, const job_row *seen)
{
    if (seen->state == JOB_CANCELLING) {
        return step_cancelling(of, seen);
    }
    sb_assert(seen->state == JOB_ROLLINGBACK);
    switch (job_schema(seen)) {
    case SCHEMA_DELETE_ONLY:
        return step_remove_index(of, seen);
    default:
        sb_assert(job_schema(seen) == SCHEMA_NONE);
        return step_rolled_back(of, seen);
    }
}
