/*
 * Import: from the sorted file on this machine's disk into the regions that hold the index.
 *
 *     the first pair not yet in storage ──→ its region ──→ a piece: a sorted file in memory with
 *             ↑                                            pairs of that region
 *             └── behind the piece ←── ingested ←── uploaded to its store, 64 KiB a message
 *
 * Whatever goes wrong on the way, the next try begins at the first pair that is not known to be
 * ingested, with the region map as it is then (the region error machine of TiDB's local backend:
 * back to "scanned" with the remaining range).  Uploading or ingesting twice is harmless: names
 * carry the digest of the bytes, and versions are written at the snapshot timestamp.
 */
#include "engine/backfill/pipeline.h"

#include <stdio.h>

#include "engine/transaction/route.h"

#define PIECE_SIZE_MAX ((uint32_t)256 << 10)
#define UPLOAD_TRIES_MAX 4096u /* parts of one piece, before the region is found anew */

/* An import under way. */
typedef struct import_state {
    const backfill_work *work;
    uint32_t part; /* bytes in one message */
    route way;
    sorted_reader reader;
    buffer position; /* the first key not yet ingested; empty before the first */
    buffer last;     /* the last key of the piece at hand */
    sorted_builder piece;
    sorted_summary summary;
    char name[UPLOAD_NAME_MAX + 1];
    buffer request;
} import_state;

/* How one try of a step has ended. */
typedef enum import_result {
    IMPORT_DONE,
    IMPORT_AGAIN,    /* find the region anew and begin at the position */
    IMPORT_GIVEN_UP, /* the index's range was deleted for ever */
    IMPORT_NO_SPACE
} import_result;

/* ---------------------------------------------------------------------------------- the piece */

static engine_status status_of_sorted(sorted_status status)
{
    switch (status) {
    case SORTED_OK:
        return ENGINE_OK;
    case SORTED_END:
        return ENGINE_NOT_FOUND;
    default:
        return ENGINE_CONFLICT; /* this machine's disk: make the file again */
    }
}

/* The pair at the position, if the file has one that far: ENGINE_NOT_FOUND at the end. */
static engine_status pair_at_position(import_state *of, slice *key, slice *value)
{
    sorted_status status = sorted_reader_seek(&of->reader, buffer_slice(&of->position));
    if (status == SORTED_OK) {
        status = sorted_reader_next(&of->reader, key, value);
    }
    return status_of_sorted(status);
}

/* Build the piece that begins at the position and lies in the region found; its first key is *key.
 */
static engine_status build_piece(import_state *of, slice key, slice value)
{
    const slice end = of->way.region->end;
    sorted_builder_release(&of->piece);
    sorted_builder_init(&of->piece, SORTED_BLOCK_SIZE_DEFAULT);
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && (end.size == 0 || slice_compare(key, end) < 0) &&
           of->piece.out.size < PIECE_SIZE_MAX) {
        sorted_builder_add(&of->piece, key, value);
        buffer_clear(&of->last);
        buffer_add(&of->last, key.data, key.size);
        status = status_of_sorted(sorted_reader_next(&of->reader, &key, &value));
    }
    if (status != ENGINE_OK && status != ENGINE_NOT_FOUND) {
        return status;
    }
    of->summary = sorted_builder_finish(&of->piece);
    snprintf(of->name, sizeof(of->name), "%llu-%u-%016llx", (unsigned long long)of->work->job,
             of->work->number, (unsigned long long)of->summary.digest);
    return ENGINE_OK;
}

/* ---------------------------------------------------------------------------------- uploading */

/* Send one part; *offset is where the store wants the next one.  *whole: it has the whole file. */
static import_result upload_part(import_state *of, uint64_t *offset, bool *whole)
{
    const slice file = buffer_slice(&of->piece.out);
    const uint64_t left = file.size - *offset;
    const uint32_t size = left < of->part ? (uint32_t)left : of->part;
    const upload_request ask = {.name = slice_of_string(of->name),
                                .offset = *offset,
                                .last = size == left,
                                .bytes = {file.data + *offset, size}};
    upload_request_encode(&ask, &of->request);
    sb_reply reply;
    if (failpoint("upload-fails") || !route_send(&of->way, METHOD_UPLOAD, &of->request, &reply)) {
        of->way.waiting = true;
        return IMPORT_AGAIN;
    }
    upload_reply got;
    import_result result = IMPORT_AGAIN;
    if (!upload_reply_decode(&got, slice_of(reply.data, reply.size))) {
        route_trouble(&of->way, REPLY_CORRUPT);
    } else if (got.head.status == REPLY_NO_SPACE) {
        result = IMPORT_NO_SPACE;
    } else if (got.head.status != REPLY_OK) {
        route_trouble(&of->way, got.head.status);
    } else {
        *whole = ask.last && got.size == file.size;
        SOMETIMES(got.size != *offset + size, "upload-resumed-elsewhere");
        /* The last part is always sent by us: its answer says that the file is synced. */
        *offset = got.size < file.size ? got.size
                                       : file.size - (file.size < of->part ? file.size : of->part);
        result = IMPORT_DONE;
    }
    sb_reply_release(&reply);
    return result;
}

static import_result upload_piece(import_state *of)
{
    uint64_t offset = 0;
    bool whole = false;
    import_result result = IMPORT_DONE;
    for (uint32_t tries = 0; !whole && result == IMPORT_DONE; tries++) {
        result = upload_part(of, &offset, &whole);
        if (tries ==
            UPLOAD_TRIES_MAX) { /* the store loses what we send: let the region be found anew */
            route_trouble(&of->way, REPLY_BUSY);
            return IMPORT_AGAIN;
        }
    }
    return result;
}

/* ---------------------------------------------------------------------------------- ingesting */

/* What an answer to an ingest says; done: the position goes up to where the store has come. */
static import_result take_ingest(import_state *of, const sb_reply *reply, slice end)
{
    ingest_reply got;
    if (!ingest_reply_decode(&got, slice_of(reply->data, reply->size))) {
        route_trouble(&of->way, REPLY_CORRUPT);
        return IMPORT_AGAIN;
    }
    switch (got.head.status) {
    case REPLY_OK:
        if (failpoint("ingest-reply-is-lost")) {
            break;
        }
        SOMETIMES(got.next.size > 0, "ingest-goes-on-with-the-rest");
        buffer_clear(&of->position);
        buffer_add(&of->position, got.next.size > 0 ? got.next.data : end.data,
                   got.next.size > 0 ? got.next.size : end.size);
        return IMPORT_DONE;
    case REPLY_RANGE_DELETED:
        return IMPORT_GIVEN_UP;
    case REPLY_NO_SPACE:
        return IMPORT_NO_SPACE;
    default:
        SOMETIMES(got.head.status == REPLY_NOT_FOUND, "ingest-finds-no-upload");
        break;
    }
    route_trouble(&of->way, got.head.status);
    return IMPORT_AGAIN;
}

/* One request for what is left of the piece, up to `end`. */
static import_result ingest_rest(import_state *of, slice end)
{
    const ingest_request ask = {.region = {of->way.region->id, of->way.region->epoch},
                                .name = slice_of_string(of->name),
                                .digest = of->summary.digest,
                                .at = of->work->snapshot,
                                .start = buffer_slice(&of->position),
                                .end = end,
                                .remove = true};
    sb_assert_op(ask.at, >, 0); /* TiDB issue 48804 */
    ingest_request_encode(&ask, &of->request);
    sb_reply reply;
    if (failpoint("ingest-fails") || !route_send(&of->way, METHOD_INGEST, &of->request, &reply)) {
        of->way.waiting = true;
        return IMPORT_AGAIN;
    }
    const import_result result = take_ingest(of, &reply, end);
    sb_reply_release(&reply);
    return result;
}

/* A store may do a part of the range at a time. */
static import_result ingest_piece(import_state *of)
{
    buffer end;
    import_result result = IMPORT_DONE;
    buffer_init(&end);
    buffer_add(&end, of->last.data, of->last.size);
    buffer_add_u8(&end, 0); /* the least key behind the last */
    while (result == IMPORT_DONE &&
           slice_compare(buffer_slice(&of->position), buffer_slice(&end)) < 0) {
        result = ingest_rest(of, buffer_slice(&end));
    }
    buffer_release(&end);
    return result;
}

/* ------------------------------------------------------------------------------------- import */

/* One piece, or one try at it. */
static engine_status import_next(import_state *of, failure *cause)
{
    slice key, value;
    engine_status status = pair_at_position(of, &key, &value);
    if (status != ENGINE_OK) {
        return status;
    }
    buffer_clear(&of->position);
    buffer_add(&of->position, key.data, key.size);
    status = route_find(&of->way, key); /* may switch; the pair is the reader's and stays */
    if (status == ENGINE_OK) {
        status = build_piece(of, key, value);
    }
    if (status != ENGINE_OK) {
        return status;
    }
    import_result result = upload_piece(of);
    if (result == IMPORT_DONE) {
        result = ingest_piece(of);
    }
    switch (result) {
    case IMPORT_GIVEN_UP:
        SOMETIMES(true, "import-into-an-index-that-was-given-up");
        return ENGINE_CANCELED;
    case IMPORT_NO_SPACE:
        *cause = FAILURE_NO_SPACE;
        return ENGINE_FAILED;
    default:
        return ENGINE_OK;
    }
}

engine_status import_sorted_file(cluster *of, const backfill_work *work, const char *path,
                                 uint32_t part, failure *cause, sb_scope *scope)
{
    import_state state = {.work = work, .part = part};
    route_init(&state.way, of, scope);
    buffer_init(&state.position);
    buffer_init(&state.last);
    buffer_init(&state.request);
    sorted_builder_init(&state.piece, SORTED_BLOCK_SIZE_DEFAULT);
    engine_status status = status_of_sorted(sorted_reader_open(&state.reader, path));
    while (status == ENGINE_OK) {
        status = import_next(&state, cause);
    }
    sorted_reader_release(&state.reader);
    sorted_builder_release(&state.piece);
    buffer_release(&state.request);
    buffer_release(&state.last);
    buffer_release(&state.position);
    route_release(&state.way);
    return status == ENGINE_NOT_FOUND ? ENGINE_OK : status;
}
