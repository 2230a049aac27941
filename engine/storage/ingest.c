/*
 * Bulk work: uploaded files become versions, and ranges are given up.
 *
 * Ingest bypasses transactions.  Its versions carry the timestamp of the snapshot they were made
 * from, so whatever a transaction has committed since lies above them, deletes included.  The
 * content goes through the log like everything else, in one record, and once the answer is sent for
 * good.  A store does not take more pairs at once than its setting says, so that one request does
 * not hold up the log for long: the answer then says where to go on (TiKV does the same by failing
 * an ingest that has been done for some peers of a region only, and TiDB goes on with the rest).
 */
#include "engine/base/checksum.h"
#include "engine/storage/command.h"
#include "engine/storage/sorted_file.h"

#define PARTIAL_PAIRS 8u /* that an injected partial ingest does */

/* ------------------------------------------------------------------------------------- upload */

void command_upload(command *of)
{
    upload_request request;
    upload_reply reply = {0};
    if (!upload_request_decode(&request, of->body)) {
        reply.head.status = REPLY_BAD_REQUEST;
    } else if (storage_is_full(of->service)) {
        reply.head.status = REPLY_NO_SPACE;
    } else {
        reply.head.status = uploads_write(&of->service->uploads, &request, &reply.size);
    }
    upload_reply_encode(&reply, of->reply);
}

/* ------------------------------------------------------------------------------------- ingest */

/* May the range be ingested into now?  Asked before the file is read, and again after. */
static reply_status check_ingest(command *of, const ingest_request *request, reply_head *head,
                                 slice *end)
{
    const region *within = NULL;
    const store_state *state = &of->service->store->state;
    reply_status status = command_region(of, &request->region, head, &within);
    *end = request->end;
    if (status == REPLY_OK) {
        status = command_range(within, request->start, end);
    }
    if (status == REPLY_OK && (request->at == 0 || request->at >= TIMESTAMP_MAX)) {
        status = REPLY_BAD_REQUEST;
    }
    if (status == REPLY_OK && storage_is_full(of->service)) {
        status = REPLY_NO_SPACE;
    }
    if (status == REPLY_OK && store_state_deleted_overlaps(state, request->start, *end)) {
        command_depends_on(of, state->deletion);
        SOMETIMES(true, "a straggler ingests into a deleted range");
        status = REPLY_RANGE_DELETED;
    }
    if (status == REPLY_OK && command_is_too_old(of, request->at, head)) {
        SOMETIMES(true, "a straggler ingests below the safe point");
        status = REPLY_TOO_OLD; /* it could bring back what was deleted and collected since */
    }
    return status;
}

/* How many pairs one request may bring in. */
static uint64_t pairs_max(const command *of)
{
    return failpoint("storage-ingest-is-partial") ? PARTIAL_PAIRS
                                                  : of->service->settings.ingest_pairs_max;
}

/* Add the pairs of the range that are not there yet to the record.  *count: all that were looked
 * at; `next`: where the range goes on behind them, empty when it does not. */
static reply_status add_pairs(command *of, const ingest_request *request, slice end,
                              sorted_reader *reader, buffer *record, uint64_t *count, bool *fresh,
                              buffer *next)
{
    const uint64_t most = pairs_max(of);
    slice key, value;
    sorted_status status = sorted_reader_seek(reader, request->start);
    while (status == SORTED_OK) {
        status = sorted_reader_next(reader, &key, &value);
        if (status != SORTED_OK || !key_in_range(key, request->start, end)) {
            break;
        }
        if (key.size > KEY_SIZE_MAX || value.size > VALUE_SIZE_MAX) {
            return REPLY_BAD_REQUEST;
        }
        if (*count == most) {
            SOMETIMES(true, "an ingest is done in part");
            buffer_add(next, key.data, key.size);
            break;
        }
        (*count)++;
        const entry *found = command_find(of, key);
        const version *there = found != NULL ? entry_ingested(found, request->at) : NULL;
        if (there == NULL) {
            record_add_pair(record, key, value);
            *fresh = true;
        } else if (!slice_equal(version_value(there), value)) {
            SOMETIMES(true, "an ingest finds another row's unique key");
            return REPLY_DUPLICATE;
        }
        if (of->service->watcher != NULL) {
            buffer_add_u64(&of->ingested, checksum64(key));
        }
    }
    return status == SORTED_DAMAGED ? REPLY_CORRUPT : REPLY_OK;
}

static reply_status apply_file(command *of, const ingest_request *request, slice end, slice file,
                               uint64_t *count, buffer *next)
{
    store *at = of->service->store;
    sorted_reader reader;
    bool fresh = false;
    buffer *record = store_record(at);
    record_ingest(record, request->at);
    reply_status status =
        sorted_reader_open(&reader, file) == SORTED_OK && reader.summary.digest == request->digest
            ? REPLY_OK
            : REPLY_CORRUPT;
    if (status == REPLY_OK) {
        status = add_pairs(of, request, end, &reader, record, count, &fresh, next);
    }
    if (status == REPLY_OK && fresh) {
        command_depends_on(of, store_apply(at));
    } else {
        SOMETIMES(status == REPLY_OK && *count > 0, "an ingest finds everything in its place");
        write_log_abandon(&at->log);
    }
    sorted_reader_release(&reader);
    return status;
}

static reply_status ingest(command *of, const ingest_request *request, ingest_reply *reply,
                           buffer *next)
{
    buffer file;
    slice end;
    buffer_init(&file);
    reply_status status = check_ingest(of, request, &reply->head, &end);
    if (status == REPLY_OK) {
        status = uploads_read(&of->service->uploads, request->name, &file);
    }
    if (status == REPLY_OK) {
        status = check_ingest(of, request, &reply->head, &end);
    }
    if (status == REPLY_OK) {
        status = apply_file(of, request, end, buffer_slice(&file), &reply->pair_count, next);
    }
    buffer_release(&file);
    return status;
}

void command_ingest(command *of)
{
    ingest_request request;
    ingest_reply reply = {0};
    buffer next;
    buffer_init(&next);
    const bool good = ingest_request_decode(&request, of->body);
    reply.head.status = good ? ingest(of, &request, &reply, &next) : REPLY_BAD_REQUEST;
    if (reply.head.status == REPLY_OK) {
        of->decision = (storage_decision){.kind = DECISION_INGEST, .start = request.at};
        reply.next = buffer_slice(&next);
    }
    ingest_reply_encode(&reply, of->reply);
    if (reply.head.status == REPLY_OK && next.size == 0 && request.remove &&
        store_wait(of->service->store, of->after)) {
        uploads_remove(&of->service->uploads, request.name);
    } else if (reply.head.status == REPLY_CORRUPT) {
        SOMETIMES(true, "an upload has decayed");
        uploads_remove(&of->service->uploads, request.name); /* so that it comes again, whole */
    }
    buffer_release(&next);
}

/* ------------------------------------------------------------------------------- delete range */

static uint64_t count_keys(const store_state *state, slice start, slice end)
{
    uint64_t count = 0;
    ordered_map_cursor at = ordered_map_seek(&state->data.entries, start);
    while (ordered_map_valid(&at) && key_in_range(ordered_map_key(&at), start, end)) {
        count++;
        ordered_map_next(&at);
    }
    return count;
}

static reply_status delete_range(command *of, const delete_range_request *request,
                                 delete_range_reply *reply)
{
    store *at = of->service->store;
    const region *within = NULL;
    slice end = request->end;
    reply_status status = command_region(of, &request->region, &reply->head, &within);
    if (status == REPLY_OK) {
        status = command_range(within, request->start, &end);
    }
    if (status != REPLY_OK) {
        return status;
    }
    reply->key_count = count_keys(&at->state, request->start, end);
    if (reply->key_count == 0 && store_state_deleted_covers(&at->state, request->start, end)) {
        command_depends_on(of, at->state.deletion);
        return REPLY_OK;
    }
    record_delete_range(store_record(at), request->start, end);
    command_depends_on(of, store_apply(at));
    return REPLY_OK;
}

void command_delete_range(command *of)
{
    delete_range_request request;
    delete_range_reply reply = {0};
    reply.head.status = delete_range_request_decode(&request, of->body)
                            ? delete_range(of, &request, &reply)
                            : REPLY_BAD_REQUEST;
    delete_range_reply_encode(&reply, of->reply);
}
