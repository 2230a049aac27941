/*
 * A store: see store.h.
 */
#include "engine/storage/store.h"

#include <string.h>

#include "engine/base/disk_points.h"
#include "engine/base/durable_file.h"

#define MANIFEST "manifest" /* says which generation counts: checkpoint.h */
#define CHECKPOINT_PREFIX "checkpoint-"
#define LOG_PREFIX "log-"
#define UPLOADS_DIRECTORY "ingest"

static store_opened damaged(const char *path, uint64_t offset, const char *what)
{
    sb_log("store: %s is damaged at offset %llu: %s", path, (unsigned long long)offset, what);
    return STORE_DAMAGED;
}

/* --------------------------------------------------------------------------------- first boot */

static sb_status write_manifest(const manifest *of)
{
    buffer bytes;
    buffer_init(&bytes);
    manifest_encode(of, &bytes);
    const sb_status status = durable_file_replace("", MANIFEST, buffer_slice(&bytes));
    buffer_release(&bytes);
    return status;
}

/* The two files of a generation, durable, but counting only once the manifest says so. */
static sb_status write_generation(const manifest *of, slice checkpoint)
{
    char path[CHECKPOINT_PATH_SIZE];
    checkpoint_path(path, of->generation);
    sb_status status = file_write_whole(path, checkpoint);
    if (status == SB_OK) {
        log_path(path, of->generation);
        status = write_log_create(path, of->generation, of->sequence);
    }
    return status == SB_OK ? disk_do("generation-directory-sync", sb_directory_sync("")) : status;
}

static sb_status create(packed_regions born_with)
{
    store_state state;
    buffer checkpoint;
    region_description one;
    store_state_init(&state);
    buffer_init(&checkpoint);
    for (cursor at = packed_cursor(born_with); unpack_region(&at, &one);) {
        if (one.leader == sb_self()) {
            store_state_add_region(&state, &one);
        }
    }
    const manifest first = {.generation = 1, .digest = checkpoint_encode(&state, &checkpoint)};
    sb_status status = write_generation(&first, buffer_slice(&checkpoint));
    if (status == SB_OK) {
        status = write_manifest(&first);
    }
    buffer_release(&checkpoint);
    store_state_release(&state);
    return status;
}

/* ----------------------------------------------------------------------------------- recovery */

static bool replay(void *context, log_sequence sequence, slice record)
{
    return store_state_apply(context, sequence, record);
}

/* One try at something that may have to be tried again: SB_IO_ERROR in *io asks for it. */
static store_opened load_checkpoint(store *of, sb_status *io)
{
    char path[CHECKPOINT_PATH_SIZE];
    buffer bytes;
    store_opened result = STORE_OPENED;
    uint64_t offset = 0;
    buffer_init(&bytes);
    checkpoint_path(path, of->manifest.generation);
    const sb_status status = file_read_whole(path, &bytes);
    if (status == SB_NOT_FOUND) {
        result = damaged(path, 0, "missing");
    } else if (status != SB_OK) {
        *io = status;
    } else if (!checkpoint_decode(&of->state, buffer_slice(&bytes), &of->manifest, &offset)) {
        result = damaged(path, offset, "not the checkpoint that the manifest names");
    }
    of->checkpoint_at = bytes.size > of->checkpoint_log_size ? bytes.size : of->checkpoint_log_size;
    buffer_release(&bytes);
    return result;
}

static store_opened load_log(store *of, sb_status *io)
{
    char path[CHECKPOINT_PATH_SIZE];
    uint64_t offset = 0;
    log_path(path, of->manifest.generation);
    switch (write_log_open(&of->log, path, of->manifest.generation, of->manifest.sequence, replay,
                           &of->state, &offset)) {
    case WRITE_LOG_DAMAGED:
        return damaged(path, offset, "not what was synced");
    case WRITE_LOG_IO_ERROR:
        *io = SB_IO_ERROR;
        return STORE_OPENED;
    default:
        sb_assert_op(of->log.appended, ==, of->state.applied);
        return STORE_OPENED;
    }
}

typedef struct listing {
    buffer paths; /* zero-terminated, one after the other */
    bool later;   /* files of a generation that only a manifest can have made */
} listing;

static bool begins_with(const char *path, const char *prefix)
{
    return strlen(path) >= strlen(prefix) && memcmp(path, prefix, strlen(prefix)) == 0;
}

static void list_path(void *context, const char *path, uint64_t size)
{
    listing *found = context;
    char log[CHECKPOINT_PATH_SIZE], checkpoint[CHECKPOINT_PATH_SIZE];
    (void)size;
    buffer_add(&found->paths, path, strlen(path) + 1);
    log_path(log, 1);
    checkpoint_path(checkpoint, 1);
    found->later |= begins_with(path, LOG_PREFIX) && strcmp(path, log) != 0;
    found->later |= begins_with(path, CHECKPOINT_PREFIX) && strcmp(path, checkpoint) != 0;
}

/* Remove what no manifest names and what was uploaded to an earlier incarnation, for good: a loss
 * of power would bring a name back until its directory is synced.  Failures leave litter, which the
 * next boot removes. */
static void sweep(const store *of, const listing *found)
{
    char log[CHECKPOINT_PATH_SIZE], checkpoint[CHECKPOINT_PATH_SIZE];
    bool removed = false;
    log_path(log, of->manifest.generation);
    checkpoint_path(checkpoint, of->manifest.generation);
    for (uint32_t at = 0; at < found->paths.size;) {
        const char *path = (const char *)found->paths.data + at;
        at += (uint32_t)strlen(path) + 1;
        if (strcmp(path, log) != 0 && strcmp(path, checkpoint) != 0 &&
            strcmp(path, MANIFEST) != 0) {
            (void)file_remove(path);
            removed = true;
        }
    }
    if (removed) {
        (void)directory_settle("");
    }
    (void)directory_settle(UPLOADS_DIRECTORY);
}

/* The names that were read are durable before they count, as the log's bytes are: an earlier boot,
 * or an earlier try of this one, may have renamed the manifest and then failed to sync that.  A
 * loss of power would take the rename back, and what the manifest before it names is removed here,
 * or what was acknowledged since would be gone with the first one. */
static sb_status settle_names(void)
{
    return disk_do("store-names-sync", sb_directory_sync(""));
}

static store_opened load(store *of, packed_regions born_with, const listing *found, sb_status *io)
{
    buffer bytes;
    store_opened result = STORE_OPENED;
    buffer_init(&bytes);
    switch (durable_file_read(MANIFEST, &bytes)) {
    case DURABLE_IO_ERROR:
        *io = SB_IO_ERROR;
        break;
    case DURABLE_DAMAGED:
        result = damaged(MANIFEST, 0, "not what was synced");
        break;
    case DURABLE_MISSING:
        if (found->later) {
            result = damaged(MANIFEST, 0, "missing beside files that it has named");
        } else {
            *io = create(born_with);
            *io = *io == SB_OK ? SB_EMPTY : *io; /* made: now load it */
        }
        break;
    default:
        if (!manifest_decode(&of->manifest, buffer_slice(&bytes))) {
            result = damaged(MANIFEST, 0, "not a manifest");
            break;
        }
        result = load_checkpoint(of, io);
        if (result == STORE_OPENED && *io == SB_OK) {
            result = load_log(of, io);
        }
    }
    buffer_release(&bytes);
    return result;
}

static void forget(store *of)
{
    write_log_release(&of->log);
    store_state_release(&of->state);
    write_log_init(&of->log);
    store_state_init(&of->state);
}

static store_opened try_open(store *of, packed_regions born_with, sb_status *io)
{
    listing found = {0};
    store_opened result = STORE_OPENED;
    *io = disk_do("store-listing", sb_directory_list("", list_path, &found));
    if (*io == SB_OK || *io == SB_NOT_FOUND) {
        *io = SB_OK;
        result = load(of, born_with, &found, io);
    }
    if (result == STORE_OPENED && *io == SB_OK) {
        *io = settle_names();
    }
    if (result == STORE_OPENED && *io == SB_OK) {
        sweep(of, &found);
    }
    buffer_release(&found.paths);
    return result;
}

store_opened store_open(store *of, packed_regions born_with, uint64_t checkpoint_log_size)
{
    uint32_t tries = 0;
    *of = (store){.checkpoint_log_size = checkpoint_log_size};
    store_state_init(&of->state);
    write_log_init(&of->log);
    sb_wait_group_init(&of->tasks, "checkpoint of the store");
    for (;;) {
        sb_status io = SB_OK;
        const store_opened result = try_open(of, born_with, &io);
        if (result != STORE_OPENED || io == SB_OK) {
            return result;
        }
        forget(of);
        if (io != SB_EMPTY && disk_back_off(&tries, sb_shutdown_scope()) != SB_OK) {
            return STORE_STOPPED;
        }
    }
}

void store_close(store *of)
{
    (void)sb_wait_group_wait(&of->tasks, NULL);
    sb_wait_group_release(&of->tasks);
    write_log_release(&of->log);
    store_state_release(&of->state);
}

/* -------------------------------------------------------------------------------- checkpoints */

static void remove_generation(uint64_t generation)
{
    char path[CHECKPOINT_PATH_SIZE];
    log_path(path, generation);
    (void)file_remove(path);
    checkpoint_path(path, generation);
    (void)file_remove(path);
}

/* The manifest may count from the first try on, whatever that returned, so there is no way back. */
static bool replace_manifest(store *of, const manifest *next)
{
    uint32_t tries = 0;
    while (write_manifest(next) != SB_OK) {
        if (disk_back_off(&tries, sb_shutdown_scope()) != SB_OK) {
            of->log.failed = true;
            return false;
        }
    }
    return true;
}

/* By the owner of the log.  False: the log goes on as it is. */
static bool replace_log(store *of)
{
    const write_log_mark mark = write_log_mark_now(&of->log);
    const uint64_t old = of->manifest.generation;
    char path[CHECKPOINT_PATH_SIZE];
    buffer checkpoint;
    sb_file *file = NULL;
    buffer_init(&checkpoint);
    manifest next = {.generation = old + 1, .sequence = mark.sequence};
    next.digest = checkpoint_encode(&of->state, &checkpoint);
    log_path(path, next.generation);
    if (write_generation(&next, buffer_slice(&checkpoint)) != SB_OK ||
        disk_open("generation-open", path, 0, &file) != SB_OK) {
        buffer_release(&checkpoint);
        remove_generation(next.generation);
        return false;
    }
    of->checkpoint_at =
        checkpoint.size > of->checkpoint_log_size ? checkpoint.size : of->checkpoint_log_size;
    buffer_release(&checkpoint);
    if (!replace_manifest(of, &next)) {
        sb_file_close(file);
        return false;
    }
    of->manifest = next;
    write_log_switch(&of->log, file, next.generation, mark);
    remove_generation(old);
    return true;
}

static void checkpoint_task(void *argument)
{
    store *of = argument;
    if (write_log_own(&of->log)) {
        const bool replaced = replace_log(of);
        if (!replaced) {
            of->checkpoint_at = of->log.size + of->checkpoint_log_size;
        }
        SOMETIMES(replaced, "a store replaces its log by a checkpoint");
        write_log_disown(&of->log);
    }
    of->checkpointing = false;
}

/* ----------------------------------------------------------------------------------- commands */

buffer *store_record(store *of)
{
    return write_log_begin(&of->log);
}

log_sequence store_apply(store *of)
{
    const bool applied =
        store_state_apply(&of->state, of->log.appended + 1, write_log_record(&of->log));
    sb_assert(applied);
    return write_log_end(&of->log);
}

bool store_wait(store *of, log_sequence sequence)
{
    if (sequence <= of->log.durable) {
        return true;
    }
    const bool durable = write_log_wait(&of->log, sequence);
    if (durable && of->log.size > of->checkpoint_at && !of->checkpointing && !of->log.failed) {
        of->checkpointing = true;
        sb_spawn(&of->tasks, checkpoint_task, of, "checkpoint");
    }
    return durable;
}
