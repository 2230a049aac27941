/*
 * Ranges to be deleted: see delete_ranges.h.
 */
#include "engine/ddl/delete_ranges.h"

#include "engine/base/checksum.h"
#include "engine/schema/row.h"
#include "engine/transaction/route.h"
#include "engine/wire/keys.h"

/* ------------------------------------------------------------------------------------ the row */

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

/* Spans under construction, with the keys they point into. */
typedef struct gathered {
    buffer start[DELETE_RANGES_MAX], end[DELETE_RANGES_MAX];
    key_span spans[DELETE_RANGES_MAX];
    uint32_t count;
} gathered;

static void gather(gathered *into, table_id table, index_id index)
{
    sb_assert_op(into->count, <, DELETE_RANGES_MAX);
    buffer *start = &into->start[into->count], *end = &into->end[into->count];
    buffer_init(start);
    buffer_init(end);
    index_range(table, index, start, end);
    into->spans[into->count++] = (key_span){buffer_slice(start), buffer_slice(end)};
}

static void gathered_release(gathered *of)
{
    for (uint32_t i = 0; i < of->count; i++) {
        buffer_release(&of->start[i]);
        buffer_release(&of->end[i]);
    }
}

void delete_ranges_put(job_step *step, removal what)
{
    gathered all = {.count = 0};
    for (uint32_t i = 0; i < step->row.index_count; i++) {
        const index_id index = step->row.indexes[i].id;
        gather(&all, step->row.table, index | TEMPORARY_INDEX);
        if (what == REMOVE_INDEXES) {
            gather(&all, step->row.table, index);
        }
    }
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    delete_ranges_encode(all.spans, all.count, &value);
    key_delete_range(&key, step->row.id);
    transaction_put(step->in, buffer_slice(&key), buffer_slice(&value));
    buffer_release(&key);
    buffer_release(&value);
    gathered_release(&all);
}

/* Take the note away, in the step that comes after. */
static void forget(job_step *step)
{
    buffer key;
    buffer_init(&key);
    key_delete_range(&key, step->row.id);
    transaction_delete(step->in, buffer_slice(&key));
    buffer_release(&key);
}

/* ----------------------------------------------------------------------------------- deleting */

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

static engine_status execute(job_worker *of)
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
        status = ENGINE_OK; /* nothing was noted */
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

/* -------------------------------------------------------------------------------------- steps */

engine_status delete_ranges_note(job_worker *of, const job_row *seen)
{
    job_step step;
    engine_status status = step_begin(&step, of, seen, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    status = step_schema(&step, SCHEMA_NONE, BACKFILL_INAPPLICABLE, &of->scope);
    if (status == ENGINE_OK) {
        delete_ranges_put(&step, REMOVE_INDEXES);
    }
    return step_end(&step, status, &of->scope);
}

engine_status delete_ranges_step(job_worker *of, const job_row *seen, job_state to)
{
    engine_status status = execute(of);
    job_step step;
    if (status == ENGINE_OK) {
        status = step_begin(&step, of, seen, &of->scope);
    }
    if (status != ENGINE_OK) {
        return status;
    }
    forget(&step);
    step.row.state = to;
    return step_end(&step, ENGINE_OK, &of->scope);
}
