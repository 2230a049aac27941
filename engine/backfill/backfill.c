/*
 * One run of the pipeline, and the backends of this machine.
 *
 *     open → writers → writers closed → engine closed → importing → imported ──→ cleaning → cleaned
 *               ↑                                                      |
 *               `───────────────── reset ←── the disk share was used up ┘
 *
 * Every station is passed exactly once, or once a round; from each of them a failure leads to
 * cleaning, which closes what is still open in the same order: the writers first, because they
 * flush into the engine when they are closed, then the engine, then the files (TiDB issue 54568 is
 * the other order).
 */
#include "engine/backfill/backfill.h"
#include "engine/base/durable_file.h"

#include <string.h>

#include "engine/backfill/pipeline.h"
#include "engine/counters.h"
#include "engine/museum.h"
#include "engine/wire/keys.h"
#include "engine/wire/messages.h"

#define WRITERS 2u
#define WRITER_QUOTA 2048u
#define MEMORY_QUOTA ((uint64_t)8 << 20)
#define CHANNEL_CAPACITY 2u

/* ------------------------------------------------------------------------------------- states */

static const char *const engine_states[] = {"open",          "writers",   "writers-closed",
                                            "engine-closed", "importing", "imported",
                                            "reset",         "cleaning",  "cleaned"};

static const sb_move engine_moves[] = {
    {LOCAL_ENGINE_OPEN, LOCAL_ENGINE_WRITERS},
    {LOCAL_ENGINE_WRITERS, LOCAL_ENGINE_WRITERS_CLOSED},
    {LOCAL_ENGINE_WRITERS_CLOSED, LOCAL_ENGINE_CLOSED},
    {LOCAL_ENGINE_CLOSED, LOCAL_ENGINE_IMPORTING},
    {LOCAL_ENGINE_CLOSED, LOCAL_ENGINE_CLEANING},
    {LOCAL_ENGINE_IMPORTING, LOCAL_ENGINE_IMPORTED},
    {LOCAL_ENGINE_IMPORTED, LOCAL_ENGINE_RESET},
    {LOCAL_ENGINE_RESET, LOCAL_ENGINE_WRITERS},
    {LOCAL_ENGINE_IMPORTED, LOCAL_ENGINE_CLEANING},
    {LOCAL_ENGINE_WRITERS, LOCAL_ENGINE_CLEANING},
    {LOCAL_ENGINE_IMPORTING, LOCAL_ENGINE_CLEANING},
    {LOCAL_ENGINE_CLEANING, LOCAL_ENGINE_CLEANED},
};

SB_MACHINE(local_engine_machine, "local-engine", engine_states, engine_moves,
           .initial = LOCAL_ENGINE_OPEN, .finals = SB_STATE(LOCAL_ENGINE_CLEANED),
           .source = "writers close before their engine, each exactly once: issue 54568");

static void move(backend *of, local_engine_state to)
{
    sb_machine_move(&local_engine_machine, subtask_identity(of->work->job, of->work->number),
                    of->state, to);
    of->state = to;
}

/* ------------------------------------------------------------------------------- the machine's */

static void use_defaults(backfill_settings *use)
{
    if (use->batch_rows == 0 || use->batch_rows > BATCH_ROWS_MAX) {
        use->batch_rows = BATCH_ROWS_MAX;
    }
    if (use->writer_count == 0 || use->writer_count > WRITERS_MAX) {
        use->writer_count = WRITERS;
    }
    use->writer_quota = use->writer_quota > 0 ? use->writer_quota : WRITER_QUOTA;
    use->memory_quota = use->memory_quota > 0 ? use->memory_quota : MEMORY_QUOTA;
    use->channel_capacity = use->channel_capacity > 0 ? use->channel_capacity : CHANNEL_CAPACITY;
    if (use->upload_part == 0 || use->upload_part > UPLOAD_PIECE_MAX) {
        use->upload_part = UPLOAD_PIECE_MAX;
    }
}

backfill *backfill_open(cluster *of, const backfill_settings *settings)
{
    backfill *made = sb_alloc_zero(sizeof(*made));
    made->cluster = of;
    made->settings = *settings;
    use_defaults(&made->settings);
    memory_quota_init(&made->memory, made->settings.memory_quota);
    return made;
}

uint32_t backfill_backend_count(const backfill *of)
{
    uint32_t count = 0;
    for (const backend *one = of->backends; one != NULL; one = one->next) {
        count++;
    }
    return count;
}

static const backend *find_backend(const backfill *of, job_id job, uint32_t number)
{
    const backend *one = of->backends;
    while (one != NULL && (one->work->job != job || one->work->number != number)) {
        one = one->next;
    }
    return one;
}

/* The most that was ever held counts, once. */
static void tell_peak(backfill *of)
{
    if (of->memory.peak > of->peak_told) {
        sb_count(COUNTER_engine_memory_peak, of->memory.peak - of->peak_told);
        of->peak_told = of->memory.peak;
    }
}

/* --------------------------------------------------------------------------------- leftovers */

void backfill_find_leftovers(backfill *of)
{
    sb_assert(of->backends == NULL && of->leftovers == NULL);
    of->leftovers = leftovers_find();
}

/* False: the disk refuses it for now. */
static bool drop_leftover(leftover *of)
{
    char folder[SORTER_FOLDER_MAX];
    backend_folder(of->job, of->number, folder);
    const bool dropped = backend_folder_clean(folder, NULL);
    if (dropped) {
        sb_free(of);
    }
    return dropped;
}

static const leftover *find_leftover(const backfill *of, job_id job, uint32_t number)
{
    const leftover *one = of->leftovers;
    while (one != NULL && (one->job != job || one->number != number)) {
        one = one->next;
    }
    return one;
}

/* Unless the folder has been left again meanwhile. */
static void put_back(backfill *of, leftover *one)
{
    if (find_leftover(of, one->job, one->number) != NULL) {
        sb_free(one);
        return;
    }
    one->next = of->leftovers;
    of->leftovers = one;
}

/* Take it out of the list; false: there is none. */
static bool take_leftover(backfill *of, job_id job, uint32_t number)
{
    leftover **link = &of->leftovers;
    while (*link != NULL && ((*link)->job != job || (*link)->number != number)) {
        link = &(*link)->next;
    }
    leftover *found = *link;
    if (found != NULL) {
        *link = found->next;
        sb_free(found);
    }
    return found != NULL;
}

bool backfill_has_leftovers(const backfill *of, bool single)
{
    const leftover *one = of->leftovers;
    while (one != NULL && subtask_number_is_single(one->number) != single) {
        one = one->next;
    }
    return one != NULL;
}

void backfill_remove_unclaimed(backfill *of, bool single, backfill_claims *claimed, void *context)
{
    leftover **link = &of->leftovers;
    while (*link != NULL) {
        leftover *one = *link;
        if (subtask_number_is_single(one->number) != single) {
            link = &one->next;
            continue;
        }
        one->ours = claimed(context, one->job, one->number);
        if (one->ours) {
            link = &one->next;
            continue;
        }
        SOMETIMES(true, "leftover-folder-that-nobody-continues-removed");
        sb_assert(find_backend(of, one->job, one->number) == NULL); /* I9 */
        *link = one->next;
        if (!drop_leftover(one)) { /* may switch: begin anew */
            put_back(of, one);
            return; /* again at the next look */
        }
        link = &of->leftovers;
    }
}

/* ours: a checkpoint for the next run; else litter, for whoever looks after leftovers. */
static void park(backfill *of, const backfill_work *work, bool ours)
{
    sb_assert(find_leftover(of, work->job, work->number) == NULL);
    leftover *made = sb_alloc_zero(sizeof(*made));
    *made =
        (leftover){.next = of->leftovers, .job = work->job, .number = work->number, .ours = ours};
    of->leftovers = made;
    SOMETIMES(ours, "interrupted-run-leaves-its-checkpoint");
}

/* There is no next look, and no later incarnation would know: it is taken away now, however long
 * the disk refuses that.  Who cannot wait kills the machine, and then the names are there again,
 * for the next boot to find. */
static void drop_at_last(leftover *of)
{
    uint32_t tries = 0;
    while (!drop_leftover(of)) {
        SOMETIMES(true, "litter-waits-for-the-disk-at-a-stop");
        (void)disk_back_off(&tries, NULL);
    }
}

void backfill_close(backfill *of)
{
    sb_assert_op(backfill_backend_count(of), ==, 0);
    sb_assert_op(of->disk.used, ==, 0);
    while (of->leftovers != NULL) {
        leftover *one = of->leftovers;
        of->leftovers = one->next;
        if (one->ours) {
            sb_free(one); /* for the next incarnation */
        } else {
            drop_at_last(one);
        }
    }
    memory_quota_release(&of->memory);
    sb_free(of);
}

/* -------------------------------------------------------------------------------- checkpoints */

/* What the engine's files hold now; the position is borrowed. */
static sb_status write_checkpoint(void *context)
{
    backend *of = context;
    const local_checkpoint now = {
        .position = of->scan.next, .finished = of->scan.finished, .rows = of->rows};
    of->has_checkpoint = true;
    return local_checkpoint_write(of->work, &now, &of->engine.sorter);
}

/* All that was handed out is on the disk: say so, if it is worth it.  ENGINE_CONFLICT: it is not,
 * so what would still be read would be read in vain. */
static engine_status checkpoint(const backfill *in, backend *of)
{
    const sb_duration interval = in->settings.checkpoint_interval;
    const sb_time now = sb_monotonic_time();
    if (interval == 0 || now - of->checkpointed < interval) {
        return ENGINE_OK;
    }
    sb_assert_op(of->engine.taken, ==, of->engine.run_count); /* I7 */
    of->checkpointed = now;
    const bool written =
        !failpoint("local-checkpoint-is-not-written") && write_checkpoint(of) == SB_OK;
    sb_count(COUNTER_local_checkpoints, written); /* without one, more is done again */
    return of->engine.sorter.lost ? ENGINE_CONFLICT : ENGINE_OK;
}

/* --------------------------------------------------------------------------- open and clean up */

static uint32_t shared_key_size(const backfill_work *work)
{
    buffer prefix;
    buffer_init(&prefix);
    key_index_prefix(&prefix, work->table.id, work->index.id);
    const uint32_t size = prefix.size;
    buffer_release(&prefix);
    return size;
}

static void open_engine(backfill *in, backend *of)
{
    const engine_plan plan = {.job = of->work->job,
                              .number = of->work->number,
                              .shared = shared_key_size(of->work),
                              .channel_capacity = in->settings.channel_capacity,
                              .memory = &in->memory,
                              .disk = &in->disk};
    local_engine_open(&of->engine, &plan);
    of->writer_count = 0;
    for (uint32_t i = 0; i < in->settings.writer_count; i++) {
        entry_writer_open(&of->writers[of->writer_count++], &of->engine, &in->memory,
                          in->settings.writer_quota);
    }
}

/* Where the run begins: behind what an earlier one has brought into files or into storage. */
static void find_start(backfill *in, backend *of)
{
    const backfill_work *work = of->work;
    sorter *files = &of->engine.sorter;
    local_checkpoint found = {.rows = 0};
    slice start = work->imported.size > 0 ? work->imported : work->start;
    of->rows = work->imported_rows;
    if (take_leftover(in, work->job, work->number)) {
        of->has_checkpoint = local_checkpoint_read(work, &found, files);
        if (of->has_checkpoint) {
            start = buffer_slice(&found.position);
            of->rows = found.rows;
        } else {
            sorter_remove_files(files); /* those that were adopted before one was found damaged */
        }
        of->litter = !backend_folder_clean(files->folder, files);
    }
    row_scan_init(&of->scan, in->cluster, work, start, &in->settings);
    of->scan.finished = of->has_checkpoint && found.finished;
    buffer_release(&found.position);
}

static backend *backend_open(backfill *in, const backfill_work *work)
{
    sb_assert(find_backend(in, work->job, work->number) == NULL);
    backend *made = sb_alloc_zero(sizeof(*made));
    made->work = work;
    made->state = LOCAL_ENGINE_OPEN;
    made->next = in->backends;
    in->backends = made;
    open_engine(in, made);
    find_start(in, made);
    made->checkpointed = sb_monotonic_time();
    move(made, LOCAL_ENGINE_WRITERS);
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

/* The checkpoint goes first: it never names a file that is gone.  Names are gone for good only when
 * that is durable too: one of them may have been made durable by an earlier run of this folder.
 * False: something is left. */
static bool remove_files(backend *of)
{
    const char *folder = of->engine.sorter.folder;
    bool removed = !of->has_checkpoint || local_checkpoint_remove(folder);
    of->has_checkpoint = false;
    removed = sorter_remove_files(&of->engine.sorter) && removed;
    return directory_settle(folder) && removed;
}

static void leave_registry(backfill *in, backend *of)
{
    backend **link = &in->backends;
    while (*link != of) {
        link = &(*link)->next;
    }
    *link = of->next;
}

/* However the run has ended: close what is open, remove the files or leave them with their
 * checkpoint, leave the registry. */
static void backend_clean_up(backfill *in, backend *of, bool keep)
{
    move(of, LOCAL_ENGINE_CLEANING);
    of->engine.discarding = true;
    if (BUG(tidb_54568)) {
        close_engine(of);
        close_writers(of);
    } else {
        close_writers(of);
        close_engine(of);
    }
    const bool litter = !keep && (!remove_files(of) || of->litter);
    local_engine_release(&of->engine);
    row_scan_release(&of->scan);
    move(of, LOCAL_ENGINE_CLEANED);
    leave_registry(in, of);
    if (keep || litter) {
        park(in, of->work, keep);
    }
    sb_free(of);
}

/* ---------------------------------------------------------------------------------------- run */

/* Until the rows have ended, or the local files have grown to their share. */
static engine_status fill(backfill *in, backend *of, failure *cause, sb_scope *scope)
{
    engine_status status = ENGINE_OK;
    bool more = !of->scan.finished;
    while (more && status == ENGINE_OK) {
        status = backend_fill(in, of, cause, scope);
        if (status == ENGINE_OK) {
            status = checkpoint(in, of);
        }
        more = !of->scan.finished && !backend_is_over_share(in, of);
    }
    return status;
}

void backfill_close_engine(backfill *of, backend *written)
{
    (void)of;
    close_writers(written);
    move(written, LOCAL_ENGINE_WRITERS_CLOSED);
    close_engine(written);
    move(written, LOCAL_ENGINE_CLOSED);
}

engine_status backfill_import(backfill *of, backend *closed, failure *cause, sb_scope *scope)
{
    *cause = FAILURE_NONE;
    if (closed->has_checkpoint) {
        closed->engine.sorter.replaced = write_checkpoint;
        closed->engine.sorter.replaced_context = closed;
    }
    move(closed, LOCAL_ENGINE_IMPORTING);
    spread_range(of->cluster, &closed->engine.sorter, of->settings.split_size, scope);
    const engine_status status = import_pairs(of->cluster, closed->work, &closed->engine.sorter,
                                              &of->settings, cause, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    move(closed, LOCAL_ENGINE_IMPORTED);
    /* TiDB issue 53641: an error after the import has succeeded, and everything is done again. */
    return failpoint("backfill-fails-after-import") ? ENGINE_CONFLICT : ENGINE_OK;
}

/* All rows before the scan's position are in storage: that is worth saving.  Whatever comes of it,
 * the run goes on, but for a subtask that is not this server's any more. */
static engine_status save_global(const backend *of, sb_scope *scope)
{
    const backfill_work *work = of->work;
    sb_assert_op(of->state, ==, LOCAL_ENGINE_IMPORTED); /* I7 */
    engine_status status = ENGINE_OK;
    if (work->save != NULL) {
        status = work->save(work->save_context, buffer_slice(&of->scan.next), of->rows, scope);
        sb_count(COUNTER_global_checkpoints, status == ENGINE_OK);
    }
    if (status == ENGINE_NOT_FOUND || status == ENGINE_FENCED) {
        return ENGINE_CANCELED;
    }
    return engine_scope_status(scope);
}

/* After an early import: a fresh engine in the place of the one that is in storage now. */
static engine_status start_over(backfill *in, backend *of, sb_scope *scope)
{
    const engine_status status = save_global(of, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    sb_count(COUNTER_early_imports, 1);
    move(of, LOCAL_ENGINE_RESET);
    of->litter = !remove_files(of) || of->litter; /* for the end: the folder is still in use */
    local_engine_release(&of->engine);
    open_engine(in, of);
    of->checkpointed = sb_monotonic_time();
    move(of, LOCAL_ENGINE_WRITERS);
    return ENGINE_OK;
}

backend *backfill_open_backend(backfill *of, const backfill_work *work)
{
    return backend_open(of, work);
}

engine_status backfill_write(backfill *of, backend *into, failure *cause, sb_scope *scope)
{
    *cause = FAILURE_NONE;
    engine_status status = fill(of, into, cause, scope);
    while (status == ENGINE_OK && !into->scan.finished) {
        backfill_close_engine(of, into);
        status = backfill_import(of, into, cause, scope);
        if (status == ENGINE_OK) {
            status = start_over(of, into, scope);
        }
        if (status == ENGINE_OK) {
            status = fill(of, into, cause, scope);
        }
    }
    return status;
}

void backfill_end_backend(backfill *of, backend *begun, bool keep)
{
    backend_clean_up(of, begun, keep && begun->has_checkpoint);
    tell_peak(of);
}

bool backend_is_imported(const backend *of)
{
    return of->state == LOCAL_ENGINE_IMPORTED;
}

uint64_t backend_rows(const backend *of)
{
    return of->rows;
}

engine_status backfill_run(backfill *of, const backfill_work *work, uint64_t *row_count,
                           failure *cause, sb_scope *scope)
{
    backend *open = backfill_open_backend(of, work);
    engine_status status = backfill_write(of, open, cause, scope);
    if (status == ENGINE_OK) {
        backfill_close_engine(of, open);
        status = backfill_import(of, open, cause, scope);
    }
    *row_count = open->rows;
    SOMETIMES(status == ENGINE_CONFLICT, "backfill-meets-passing-trouble");
    backfill_end_backend(of, open, status != ENGINE_OK && status != ENGINE_FAILED);
    sb_assert((status == ENGINE_FAILED) == (*cause != FAILURE_NONE));
    return status;
}
