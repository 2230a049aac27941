/*
 * One run of the pipeline, and the backends of this machine.
 *
 *     open → writers → writers closed → engine closed → importing → imported
 *                                                                       └──→ cleaning → cleaned
 *
 * Every station is passed exactly once; from each of them a failure leads to cleaning, which closes
 * what is still open in the same order: the writers first, because they flush into the engine when
 * they are closed, then the engine, then the files (TiDB issue 54568 is the other order).
 */
#include "engine/backfill/backfill.h"

#include <string.h>

#include "engine/backfill/pipeline.h"
#include "engine/counters.h"
#include "engine/museum.h"
#include "engine/wire/messages.h"

#define WRITERS 2u
#define WRITER_QUOTA 2048u
#define CHANNEL_CAPACITY 2u
#define LEFTOVERS_MAX 1024u

/* ------------------------------------------------------------------------------------- states */

typedef enum backend_state {
    BACKEND_OPEN,
    BACKEND_WRITERS,
    BACKEND_WRITERS_CLOSED,
    BACKEND_ENGINE_CLOSED,
    BACKEND_IMPORTING,
    BACKEND_IMPORTED,
    BACKEND_CLEANING,
    BACKEND_CLEANED
} backend_state;

static const char *const backend_states[] = {"open",          "writers",   "writers-closed",
                                             "engine-closed", "importing", "imported",
                                             "cleaning",      "cleaned"};

static const sb_move backend_moves[] = {
    {BACKEND_OPEN, BACKEND_WRITERS},
    {BACKEND_WRITERS, BACKEND_WRITERS_CLOSED},
    {BACKEND_WRITERS_CLOSED, BACKEND_ENGINE_CLOSED},
    {BACKEND_ENGINE_CLOSED, BACKEND_IMPORTING},
    {BACKEND_IMPORTING, BACKEND_IMPORTED},
    {BACKEND_IMPORTED, BACKEND_CLEANING},
    {BACKEND_WRITERS, BACKEND_CLEANING},
    {BACKEND_ENGINE_CLOSED, BACKEND_CLEANING},
    {BACKEND_IMPORTING, BACKEND_CLEANING},
    {BACKEND_CLEANING, BACKEND_CLEANED},
};

SB_MACHINE(local_engine_machine, "local-engine", backend_states, backend_moves,
           .initial = BACKEND_OPEN, .finals = SB_STATE(BACKEND_CLEANED),
           .source = "writers close before their engine, each exactly once: issue 54568");

/* ---------------------------------------------------------------------------------- lifetimes */

/* What one run has open. */
typedef struct backend {
    struct backend *next; /* in the registry */
    const backfill_work *work;
    backend_state state;
    local_engine engine;
    entry_writer writers[WRITERS_MAX];
    uint32_t writer_count;
} backend;

struct backfill {
    cluster *cluster;
    backfill_settings settings;
    backend *backends; /* the youngest first */
};

backfill *backfill_open(cluster *of, const backfill_settings *settings)
{
    backfill *made = sb_alloc_zero(sizeof(*made));
    made->cluster = of;
    made->settings = *settings;
    backfill_settings *use = &made->settings;
    if (use->batch_rows == 0 || use->batch_rows > BATCH_ROWS_MAX) {
        use->batch_rows = BATCH_ROWS_MAX;
    }
    if (use->writer_count == 0 || use->writer_count > WRITERS_MAX) {
        use->writer_count = WRITERS;
    }
    use->writer_quota = use->writer_quota > 0 ? use->writer_quota : WRITER_QUOTA;
    use->channel_capacity = use->channel_capacity > 0 ? use->channel_capacity : CHANNEL_CAPACITY;
    if (use->upload_part == 0 || use->upload_part > UPLOAD_PIECE_MAX) {
        use->upload_part = UPLOAD_PIECE_MAX;
    }
    return made;
}

void backfill_close(backfill *of)
{
    sb_assert_op(backfill_backend_count(of), ==, 0);
    sb_free(of);
}

uint32_t backfill_backend_count(const backfill *of)
{
    uint32_t count = 0;
    for (const backend *one = of->backends; one != NULL; one = one->next) {
        count++;
    }
    return count;
}

static void move(backend *of, backend_state to)
{
    sb_machine_move(&local_engine_machine, subtask_identity(of->work->job, of->work->number),
                    of->state, to);
    of->state = to;
}

static backend *backend_open(backfill *in, const backfill_work *work)
{
    for (const backend *one = in->backends; one != NULL; one = one->next) {
        sb_assert(one->work->job != work->job || one->work->number != work->number);
    }
    backend *made = sb_alloc_zero(sizeof(*made));
    made->work = work;
    made->state = BACKEND_OPEN;
    made->next = in->backends;
    in->backends = made;
    local_engine_open(&made->engine, work->job, work->number, in->settings.channel_capacity);
    for (uint32_t i = 0; i < in->settings.writer_count; i++) {
        entry_writer_open(&made->writers[made->writer_count++], &made->engine,
                          in->settings.writer_quota);
    }
    move(made, BACKEND_WRITERS);
    return made;
}

static void close_writers(backend *of)
{
    for (uint32_t i = 0; i < of->writer_count; i++) {
        if (of->writers[i].open) {
            entry_writer_close(&of->writers[i]);
        }
    }
}

static void close_engine(backend *of)
{
    if (!of->engine.closed) {
        local_engine_close(&of->engine);
    }
}

/* However the run has ended: close what is open, remove the files, leave the registry. */
static void backend_clean_up(backfill *in, backend *of)
{
    move(of, BACKEND_CLEANING);
    of->engine.discarding = true;
    if (BUG(tidb_54568)) {
        close_engine(of);
        close_writers(of);
    } else {
        close_writers(of);
        close_engine(of);
    }
    local_engine_release(&of->engine);
    move(of, BACKEND_CLEANED);

    backend **link = &in->backends;
    while (*link != of) {
        link = &(*link)->next;
    }
    *link = of->next;
    sb_free(of);
}

/* ------------------------------------------------------------------------------------ filling */

/* The workers of a run: each has a writer and takes batches until there are no more. */
typedef struct filling {
    backfill *in;
    backend *into;
    row_scan scan;
    sb_scope scope; /* the first failure ends it for all */
    sb_wait_group workers;
    engine_status status;
    failure cause;
    uint64_t row_count;
    uint32_t taken; /* writers that have found their worker */
} filling;

static void fill_failed(filling *of, engine_status status, failure cause)
{
    if (of->status == ENGINE_OK) {
        of->status = status;
        of->cause = cause;
        sb_scope_cancel(&of->scope);
    }
}

/* Encode a batch and hand it to the writer. */
static engine_status write_batch(filling *of, entry_writer *into, const pair_list *batch,
                                 failure *cause)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    engine_status status = ENGINE_OK;
    for (uint32_t i = 0; i < batch->count && status == ENGINE_OK; i++) {
        if (encode_entry(of->into->work, batch->pairs[i].key, batch->pairs[i].value, &key,
                         &value)) {
            of->row_count++;
            status = entry_writer_add(into, buffer_slice(&key), buffer_slice(&value), &of->scope);
        } else {
            *cause = FAILURE_DAMAGED_ROW;
            status = ENGINE_FAILED;
        }
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

static engine_status fill_step(filling *of, entry_writer *into, failure *cause)
{
    pair_list batch;
    engine_status status = row_scan_next(&of->scan, &batch, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    sb_count(COUNTER_rows_scanned, batch.count);
    status = write_batch(of, into, &batch, cause);
    pair_list_release(&batch);
    if (status == ENGINE_OK && failpoint("backfill-permanent-error")) {
        *cause = FAILURE_INJECTED;
        status = ENGINE_FAILED;
    }
    return status;
}

static void fill_main(void *argument)
{
    filling *of = argument;
    entry_writer *into = &of->into->writers[of->taken++];
    failure cause = FAILURE_NONE;
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK) {
        status = fill_step(of, into, &cause);
    }
    if (status != ENGINE_NOT_FOUND) {
        fill_failed(of, status, cause);
    }
}

static engine_status fill(backfill *in, backend *into, uint64_t *row_count, failure *cause,
                          sb_scope *scope)
{
    filling of = {.in = in, .into = into, .row_count = into->work->imported_rows};
    row_scan_init(&of.scan, in->cluster, into->work, &in->settings);
    sb_scope_init(&of.scope, scope, "backfill workers");
    sb_wait_group_init(&of.workers, "backfill workers");
    for (uint32_t i = 0; i < into->writer_count; i++) {
        sb_spawn(&of.workers, fill_main, &of, "backfill-%llu-%u/%u",
                 (unsigned long long)into->work->job, into->work->number, i);
    }
    (void)sb_wait_group_wait(&of.workers, NULL);
    sb_wait_group_release(&of.workers);
    sb_scope_release(&of.scope);
    row_scan_release(&of.scan);
    *row_count = of.row_count;
    *cause = of.cause;
    return of.status;
}

/* ---------------------------------------------------------------------------------------- run */

/* The rest of the way, once every row is with a writer. */
static engine_status finish(backfill *in, backend *of, failure *cause, sb_scope *scope)
{
    close_writers(of);
    move(of, BACKEND_WRITERS_CLOSED);
    close_engine(of);
    move(of, BACKEND_ENGINE_CLOSED);
    engine_status status = local_engine_merge(&of->engine);
    if (status == ENGINE_DUPLICATE) {
        *cause = FAILURE_DUPLICATE_KEY;
        status = ENGINE_FAILED;
    }
    if (status != ENGINE_OK) {
        return status;
    }
    move(of, BACKEND_IMPORTING);
    char path[PATH_SIZE];
    local_engine_sorted_path(&of->engine, path);
    status =
        import_sorted_file(in->cluster, of->work, path, in->settings.upload_part, cause, scope);
    if (status == ENGINE_OK) {
        move(of, BACKEND_IMPORTED);
    }
    /* TiDB issue 53641: an error after the import has succeeded, and everything is done again. */
    return status == ENGINE_OK && failpoint("backfill-fails-after-import") ? ENGINE_CONFLICT
                                                                           : status;
}

engine_status backfill_run(backfill *of, const backfill_work *work, uint64_t *row_count,
                           failure *cause, sb_scope *scope)
{
    *row_count = 0;
    *cause = FAILURE_NONE;
    backend *open = backend_open(of, work);
    engine_status status = fill(of, open, row_count, cause, scope);
    if (status == ENGINE_OK) {
        status = finish(of, open, cause, scope);
    }
    SOMETIMES(status == ENGINE_CONFLICT, "backfill-meets-passing-trouble");
    backend_clean_up(of, open);
    sb_assert((status == ENGINE_FAILED) == (*cause != FAILURE_NONE));
    return status;
}

/* ---------------------------------------------------------------------------------- leftovers */

typedef struct leftovers {
    buffer paths; /* each with its terminating zero */
    uint32_t count;
} leftovers;

static void note_leftover(void *context, const char *path, uint64_t size)
{
    leftovers *found = context;
    (void)size;
    if (found->count < LEFTOVERS_MAX) {
        const slice text = slice_of_string(path);
        buffer_add(&found->paths, text.data, text.size + 1);
        found->count++;
    }
}

/* Where the last folder of the path ends. */
static uint32_t folder_size(slice path)
{
    uint32_t size = path.size;
    while (size > 0 && path.data[size - 1] != '/') {
        size--;
    }
    return size > 0 ? size - 1 : 0;
}

/* Its name stays away only once the folder is synced. */
static void remove_durably(const char *path)
{
    char folder[PATH_SIZE * 2];
    const uint32_t size = folder_size(slice_of_string(path));
    (void)sb_remove(path);
    if (size < sizeof(folder)) {
        memcpy(folder, path, size);
        folder[size] = 0;
        (void)sb_directory_sync(folder);
    }
}

void backfill_remove_leftovers(void)
{
    leftovers found = {0};
    (void)sb_directory_list(JOBS_FOLDER, note_leftover, &found);
    SOMETIMES(found.count > 0, "files-of-an-earlier-incarnation-removed");
    uint32_t at = 0;
    for (uint32_t i = 0; i < found.count; i++) {
        const char *path = (const char *)found.paths.data + at;
        remove_durably(path);
        at += slice_of_string(path).size + 1;
    }
    buffer_release(&found.paths);
}
