/*
 * Import: from the sorted stream of the local engine into the regions that hold the index.
 *
 *     merge ──→ a piece: some pairs in memory ──→ region jobs, until all of it is in storage
 *
 * A region job is the pairs of the piece, from the first that is not yet ingested, as far as they
 * lie in one region:
 *
 *     scanned ──→ wrote ──→ ingested       scanned: its region is known
 *        ↑__________|                      wrote: its file is whole at the store
 *
 * Whatever goes wrong, the job goes on from the stage it is in: a busy store is asked again later
 * at the same stage; another region, leader or epoch, and a file that the store does not have any
 * more, lead back to scanned with the range that remains (the stages and their ways back are those
 * of TiDB's local backend, lightning/backend/local/region_job.go).  Uploading or ingesting twice is
 * harmless: names carry the digest of the bytes, and versions are written at the snapshot
 * timestamp.
 */
#include "engine/backfill/pipeline.h"

#include <stdio.h>

#include "engine/storage/sorted_file.h"
#include "engine/transaction/route.h"

#define PIECE_SIZE_MAX ((uint32_t)256 << 10)
#define PIECE_SIZE_MIN 1024u
#define PIECES_IN_QUOTA 8u
#define COPIES 3u              /* of a piece in memory: pairs, file, message */
#define UPLOAD_TRIES_MAX 4096u /* parts of one file, before the region is found anew */

/* ------------------------------------------------------------------------------------- stages */

typedef enum region_job_stage {
    REGION_JOB_SCANNED,
    REGION_JOB_WROTE,
    REGION_JOB_INGESTED,
    REGION_JOB_FAILED /* for ever: the store is full, or the index was given up */
} region_job_stage;

static const char *const region_job_stages[] = {"scanned", "wrote", "ingested", "failed"};

static const sb_move region_job_moves[] = {
    {REGION_JOB_SCANNED, REGION_JOB_WROTE}, {REGION_JOB_WROTE, REGION_JOB_INGESTED},
    {REGION_JOB_WROTE, REGION_JOB_SCANNED}, {REGION_JOB_SCANNED, REGION_JOB_FAILED},
    {REGION_JOB_WROTE, REGION_JOB_FAILED},
};

SB_MACHINE(region_job_machine, "region-job", region_job_stages, region_job_moves,
           .initial = REGION_JOB_SCANNED,
           .finals = SB_STATE(REGION_JOB_INGESTED) | SB_STATE(REGION_JOB_FAILED),
           .source = "TiDB, lightning/backend/local/region_job.go");

typedef struct region_job {
    uint64_t number; /* unique in the import */
    region_job_stage stage;
    region_id region; /* for which its file was written */
    region_epoch epoch;
    sb_address store;
    uint32_t first, end; /* pairs of the piece */
    sorted_builder file;
    sorted_summary summary;
    char name[UPLOAD_NAME_MAX + 1];
} region_job;

/* An import under way. */
typedef struct import_state {
    const backfill_work *work;
    sorter *from;
    uint32_t part; /* bytes in one message */
    uint32_t scatter_regions;
    uint32_t piece_size;
    route way;
    entry_run *piece;
    uint32_t done;   /* pairs of the piece that are in storage */
    buffer position; /* where the next ingest begins: the first key that may not be in storage */
    buffer end;      /* behind the last key of the job at hand */
    region_job job;
    buffer request;
    failure cause;
} import_state;

/* How one try of a step has ended. */
typedef enum import_result {
    IMPORT_DONE,
    IMPORT_LATER,    /* the same again after a while */
    IMPORT_AGAIN,    /* find the region anew */
    IMPORT_GIVEN_UP, /* the index's range was deleted for ever */
    IMPORT_NO_SPACE,
    IMPORT_DUPLICATE /* another row of the snapshot has a unique key of ours */
} import_result;

static void move(import_state *of, region_job_stage to)
{
    const uint64_t id = subtask_identity(of->work->job, of->work->number) << 24 | of->job.number;
    sb_machine_move(&region_job_machine, id, of->job.stage, to);
    of->job.stage = to;
}

/* ---------------------------------------------------------------------------------- the piece */

static engine_status status_of_sorter(sorter_status status)
{
    switch (status) {
    case SORTER_OK:
    case SORTER_END:
        return ENGINE_OK;
    case SORTER_CONFLICT:
        return ENGINE_DUPLICATE;
    default:
        return ENGINE_CONFLICT; /* this machine's disk: run it again */
    }
}

/* The next pairs of the stream; none at its end. */
static engine_status fill_piece(import_state *of)
{
    sorter_status status = SORTER_OK;
    entry_run_clear(of->piece);
    of->done = 0;
    while (status == SORTER_OK && of->piece->bytes.size < of->piece_size) {
        const unsigned char *encoded;
        uint32_t size;
        status = sorter_merge_next(of->from, &encoded, &size);
        if (status == SORTER_OK) {
            const entry_pair one = pair_of(encoded);
            entry_run_add(of->piece, one.key, one.value);
        }
    }
    return status_of_sorter(status);
}

static slice key_at(const import_state *of, uint32_t at)
{
    return entry_run_pair(of->piece, at).key;
}

static void set_position(import_state *of, slice key)
{
    buffer_clear(&of->position);
    buffer_add(&of->position, key.data, key.size);
}

/* Everything before the position is in storage. */
static void pass_done(import_state *of)
{
    const slice position = buffer_slice(&of->position);
    while (of->done < of->piece->count && slice_compare(key_at(of, of->done), position) < 0) {
        of->done++;
    }
}

/* ------------------------------------------------------------------------------------ the job */

/* The file of the pairs that remain and lie in the region found. */
static void build_file(import_state *of)
{
    region_job *job = &of->job;
    const slice end = of->way.region->end;
    sorted_builder_release(&job->file);
    sorted_builder_init(&job->file, SORTED_BLOCK_SIZE_DEFAULT);
    job->first = job->end = of->done;
    while (job->end < of->piece->count &&
           (end.size == 0 || slice_compare(key_at(of, job->end), end) < 0)) {
        const entry_pair one = entry_run_pair(of->piece, job->end++);
        sorted_builder_add(&job->file, one.key, one.value);
    }
    sb_assert_op(job->end, >, job->first);
    job->summary = sorted_builder_finish(&job->file);
    (void)snprintf(job->name, sizeof(job->name), "%llu-%u-%016llx",
                   (unsigned long long)of->work->job, of->work->number,
                   (unsigned long long)job->summary.digest);
    job->region = of->way.region->id;
    job->epoch = of->way.region->epoch;
    job->store = of->way.region->leader;
    const slice last = key_at(of, job->end - 1);
    buffer_clear(&of->end);
    buffer_add(&of->end, last.data, last.size);
    buffer_add_u8(&of->end, 0); /* the least key behind the last */
}

/* What an answer that is not OK calls for. */
static import_result trouble(import_state *of, reply_status said)
{
    switch (said) {
    case REPLY_RANGE_DELETED:
    case REPLY_TOO_OLD: /* a job that lives holds the safe point below its snapshot */
        return IMPORT_GIVEN_UP;
    case REPLY_NO_SPACE:
        return IMPORT_NO_SPACE;
    case REPLY_DUPLICATE:
        return IMPORT_DUPLICATE;
    case REPLY_BUSY:
        route_trouble(&of->way, said);
        SOMETIMES(of->job.stage == REGION_JOB_WROTE, "busy-store-asked-again-at-the-same-stage");
        return IMPORT_LATER;
    default:
        SOMETIMES(said == REPLY_NOT_FOUND, "ingest-finds-no-upload");
        route_trouble(&of->way, said);
        return IMPORT_AGAIN;
    }
}

/* No answer: it may or may not have happened. */
static import_result no_answer(import_state *of)
{
    of->way.waiting = true;
    return IMPORT_LATER;
}

/* ---------------------------------------------------------------------------------- uploading */

/* Send one part; *offset is where the store wants the next one.  *whole: it has the whole file. */
static import_result upload_part(import_state *of, uint64_t *offset, bool *whole)
{
    const slice file = buffer_slice(&of->job.file.out);
    const uint64_t left = file.size - *offset;
    const uint32_t size = left < of->part ? (uint32_t)left : of->part;
    const upload_request ask = {.name = slice_of_string(of->job.name),
                                .offset = *offset,
                                .last = size == left,
                                .bytes = {file.data + *offset, size}};
    upload_request_encode(&ask, &of->request);
    sb_reply reply;
    if (failpoint("upload-fails") || !route_send(&of->way, METHOD_UPLOAD, &of->request, &reply)) {
        return no_answer(of);
    }
    upload_reply got;
    import_result result = IMPORT_DONE;
    if (!upload_reply_decode(&got, slice_of(reply.data, reply.size))) {
        result = trouble(of, REPLY_CORRUPT);
    } else if (got.head.status != REPLY_OK) {
        result = trouble(of, got.head.status);
    } else {
        *whole = ask.last && got.size == file.size;
        SOMETIMES(got.size != *offset + size, "upload-resumed-elsewhere");
        /* The last part is always sent by us: its answer says that the file is whole. */
        *offset = got.size < file.size ? got.size
                                       : file.size - (file.size < of->part ? file.size : of->part);
    }
    sb_reply_release(&reply);
    return result;
}

/* From scanned to wrote. */
static import_result write_job(import_state *of)
{
    build_file(of);
    uint64_t offset = 0;
    bool whole = false;
    import_result result = IMPORT_DONE;
    for (uint32_t tries = 0; !whole && result == IMPORT_DONE; tries++) {
        result = upload_part(of, &offset, &whole);
        if (tries == UPLOAD_TRIES_MAX) { /* the store loses what we send */
            route_trouble(&of->way, REPLY_BUSY);
            return IMPORT_AGAIN;
        }
    }
    if (result == IMPORT_DONE) {
        move(of, REGION_JOB_WROTE);
    }
    return result;
}

/* ---------------------------------------------------------------------------------- ingesting */

/* What an answer to an ingest says; the position goes up to where the store has come. */
static import_result take_ingest(import_state *of, const sb_reply *reply)
{
    ingest_reply got;
    if (!ingest_reply_decode(&got, slice_of(reply->data, reply->size))) {
        return trouble(of, REPLY_CORRUPT);
    }
    if (got.head.status != REPLY_OK) {
        return trouble(of, got.head.status);
    }
    SOMETIMES(got.next.size > 0, "ingest-goes-on-with-the-rest");
    set_position(of, got.next.size > 0 ? got.next : buffer_slice(&of->end));
    pass_done(of);
    return IMPORT_DONE;
}

/* From wrote to ingested, or a part of the way: a store may do some of the range at a time. */
static import_result ingest_job(import_state *of)
{
    const ingest_request ask = {.region = {of->way.region->id, of->way.region->epoch},
                                .name = slice_of_string(of->job.name),
                                .digest = of->job.summary.digest,
                                .at = of->work->snapshot,
                                .start = buffer_slice(&of->position),
                                .end = buffer_slice(&of->end),
                                .remove = true};
    sb_assert_op(ask.at, >, 0); /* TiDB issue 48804 */
    ingest_request_encode(&ask, &of->request);
    sb_reply reply;
    if (failpoint("ingest-fails") || !route_send(&of->way, METHOD_INGEST, &of->request, &reply)) {
        return no_answer(of);
    }
    const import_result result = take_ingest(of, &reply);
    sb_reply_release(&reply);
    if (result == IMPORT_DONE && of->done == of->job.end) {
        move(of, REGION_JOB_INGESTED);
    }
    return result;
}

/* --------------------------------------------------------------------------------------- jobs */

/* The file stands where the region is now? */
static bool is_where_it_was(const import_state *of)
{
    const region_description *found = of->way.region;
    return found->id == of->job.region && found->epoch == of->job.epoch &&
           found->leader == of->job.store;
}

static engine_status fail(import_state *of, import_result result)
{
    move(of, REGION_JOB_FAILED);
    if (result == IMPORT_GIVEN_UP) {
        SOMETIMES(true, "import-into-an-index-that-was-given-up");
        return ENGINE_CANCELED;
    }
    of->cause = result == IMPORT_DUPLICATE ? FAILURE_DUPLICATE_KEY : FAILURE_NO_SPACE;
    return ENGINE_FAILED;
}

/* One try at the job's next stage; its region is found. */
static engine_status try_job(import_state *of)
{
    if (of->job.stage == REGION_JOB_WROTE && !is_where_it_was(of)) {
        SOMETIMES(true, "region-changed-between-write-and-ingest");
        move(of, REGION_JOB_SCANNED);
    }
    const import_result result =
        of->job.stage == REGION_JOB_SCANNED ? write_job(of) : ingest_job(of);
    if (result == IMPORT_GIVEN_UP || result == IMPORT_NO_SPACE || result == IMPORT_DUPLICATE) {
        return fail(of, result);
    }
    if (result == IMPORT_AGAIN && of->job.stage == REGION_JOB_WROTE) {
        move(of, REGION_JOB_SCANNED);
    }
    return ENGINE_OK;
}

/* The pairs that are next, as far as they lie in one region. */
static engine_status run_job(import_state *of)
{
    of->job.number++;
    of->job.stage = REGION_JOB_SCANNED;
    set_position(of, key_at(of, of->done));
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && of->job.stage != REGION_JOB_INGESTED) {
        status = route_find(&of->way, buffer_slice(&of->position));
        if (status == ENGINE_OK) {
            status = try_job(of);
        }
    }
    return status;
}

/* ------------------------------------------------------------------------------------- import */

static uint32_t piece_size_of(const memory_quota *memory)
{
    const uint64_t size = memory->limit / PIECES_IN_QUOTA;
    return size < PIECE_SIZE_MIN   ? PIECE_SIZE_MIN
           : size > PIECE_SIZE_MAX ? PIECE_SIZE_MAX
                                   : (uint32_t)size;
}

static engine_status import_stream(import_state *of)
{
    engine_status status = fill_piece(of);
    if (status == ENGINE_OK && of->piece->count > 0) {
        status = scatter_index(of->way.of, of->work, of->piece, of->scatter_regions, of->way.scope);
    }
    while (status == ENGINE_OK && of->piece->count > 0) {
        while (status == ENGINE_OK && of->done < of->piece->count) {
            status = run_job(of);
        }
        if (status == ENGINE_OK) {
            status = fill_piece(of);
        }
    }
    return status;
}

static void log_conflict(const import_state *of)
{
    const sorter_conflict *found = &of->from->conflict;
    cursor first = cursor_of(buffer_slice(&found->first));
    cursor second = cursor_of(buffer_slice(&found->second));
    sb_log("job %llu: rows %llu and %llu have one key of a unique index",
           (unsigned long long)of->work->job, (unsigned long long)cursor_u64(&first),
           (unsigned long long)cursor_u64(&second));
}

static engine_status import_all(import_state *of)
{
    const engine_status status = import_stream(of);
    sorter_merge_close(of->from);
    return status;
}

engine_status import_pairs(cluster *of, const backfill_work *work, sorter *from,
                           const backfill_settings *use, failure *cause, sb_scope *scope)
{
    import_state state = {.work = work,
                          .from = from,
                          .part = use->upload_part,
                          .scatter_regions = use->scatter_regions,
                          .piece_size = piece_size_of(from->memory),
                          .piece = entry_run_make()};
    route_init(&state.way, of, scope);
    sorted_builder_init(&state.job.file, SORTED_BLOCK_SIZE_DEFAULT);
    const sorter_status opened =
        failpoint("local-engine-merge-fails")
            ? SORTER_DISK
            : sorter_merge_open(from, (uint64_t)COPIES * state.piece_size, scope);
    engine_status status =
        opened == SORTER_CANCELED ? engine_scope_status(scope) : status_of_sorter(opened);
    if (status == ENGINE_OK) {
        status = import_all(&state);
    }
    if (status == ENGINE_DUPLICATE) {
        log_conflict(&state);
        state.cause = FAILURE_DUPLICATE_KEY;
        status = ENGINE_FAILED;
    }
    *cause = state.cause;
    sorted_builder_release(&state.job.file);
    buffer_release(&state.request);
    buffer_release(&state.end);
    buffer_release(&state.position);
    entry_run_free(state.piece);
    route_release(&state.way);
    return status;
}
