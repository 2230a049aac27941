/*
 * The local checkpoint of a subtask, and the folders that earlier incarnations have left: see
 * pipeline.h.
 */
#include <stdio.h>
#include <string.h>

#include "engine/backfill/pipeline.h"
#include "engine/base/disk_points.h"
#include "engine/base/durable_file.h"
#include "engine/sort/local_disk.h"

#define FORMAT 1u
#define RUNS_MAX 65536u
#define CHECKPOINT_NAME "checkpoint"

static void checkpoint_path(const char *folder, char path[SORTER_PATH_MAX])
{
    (void)snprintf(path, SORTER_PATH_MAX, "%s/" CHECKPOINT_NAME, folder);
}

/* ------------------------------------------------------------------------------------ writing */

static void encode_identity(const backfill_work *work, buffer *into)
{
    buffer_add_u32(into, FORMAT);
    buffer_add_u64(into, work->job);
    buffer_add_u32(into, work->number);
    buffer_add_u64(into, work->attempt);
    buffer_add_u64(into, work->table.id);
    buffer_add_u64(into, work->index.id);
    buffer_add_u64(into, work->snapshot);
    buffer_add_slice(into, work->start);
    buffer_add_slice(into, work->end);
}

static void encode(const backfill_work *work, const local_checkpoint *from, const sorter *of,
                   buffer *into)
{
    encode_identity(work, into);
    buffer_add_slice(into, buffer_slice(&from->position));
    buffer_add_u8(into, from->finished);
    buffer_add_u64(into, from->rows);
    buffer_add_u32(into, of->run_count);
    for (uint32_t i = 0; i < of->run_count; i++) {
        const sorted_run *run = &of->runs[i];
        sb_assert(run->synced); /* I7 */
        buffer_add_u32(into, run->number);
        buffer_add_u64(into, run->summary.pair_count);
        buffer_add_u64(into, run->summary.file_size);
        buffer_add_u64(into, run->summary.digest);
        buffer_add_u32(into, run->summary.block_max);
    }
}

sb_status local_checkpoint_write(const backfill_work *work, const local_checkpoint *from,
                                 sorter *of)
{
    sb_status status = sorter_sync(of);
    if (status == SB_OK) {
        status = local_disk_before();
    }
    if (status != SB_OK) {
        return status;
    }
    buffer bytes;
    char path[SORTER_PATH_MAX];
    buffer_init(&bytes);
    checkpoint_path(of->folder, path);
    encode(work, from, of, &bytes);
    status = local_disk_after(durable_file_replace(of->folder, path, buffer_slice(&bytes)));
    buffer_release(&bytes);
    return status;
}

bool local_checkpoint_remove(const char *folder)
{
    char path[SORTER_PATH_MAX];
    checkpoint_path(folder, path);
    const sb_status status = disk_do("local-checkpoint-removal", sb_remove(path));
    const bool removed = status != SB_IO_ERROR || file_remove(path);
    return (status == SB_NOT_FOUND || directory_settle(folder)) && removed;
}

/* Is there one in this folder at all? */
static bool local_checkpoint_is_there(const char *folder)
{
    buffer bytes;
    char path[SORTER_PATH_MAX];
    buffer_init(&bytes);
    checkpoint_path(folder, path);
    const bool there = durable_file_read(path, &bytes) == DURABLE_READ;
    buffer_release(&bytes);
    return there;
}

/* ------------------------------------------------------------------------------------ reading */

/* The bytes begin with what this work would have written. */
static bool is_of(const backfill_work *work, slice bytes, cursor *rest)
{
    buffer wanted;
    buffer_init(&wanted);
    encode_identity(work, &wanted);
    const bool same =
        bytes.size >= wanted.size && memcmp(bytes.data, wanted.data, wanted.size) == 0;
    if (same) {
        *rest = cursor_of((slice){bytes.data + wanted.size, bytes.size - wanted.size});
    }
    buffer_release(&wanted);
    return same;
}

/* A run is taken up once all of it has been read and found to be what was written. */
static bool adopt_run(cursor *from, sorter *into)
{
    sorted_run run = {.number = cursor_u32(from), .synced = true};
    run.summary.pair_count = cursor_u64(from);
    run.summary.file_size = cursor_u64(from);
    run.summary.digest = cursor_u64(from);
    run.summary.block_max = cursor_u32(from);
    if (from->failed) {
        return false;
    }
    char path[SORTER_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/run-%u", into->folder, run.number);
    if (run_file_check(path, &run.summary) != RUN_END) {
        SOMETIMES(true, "local-checkpoint-names-a-run-that-is-damaged");
        return false;
    }
    sorter_adopt(into, &run);
    return true;
}

static bool decode(const backfill_work *work, slice bytes, local_checkpoint *into, sorter *of)
{
    cursor at;
    if (!is_of(work, bytes, &at)) {
        SOMETIMES(true, "local-checkpoint-of-another-attempt");
        return false;
    }
    const slice position = cursor_slice(&at);
    into->finished = cursor_u8(&at) != 0;
    into->rows = cursor_u64(&at);
    const uint32_t count = cursor_u32(&at);
    if (at.failed || count > RUNS_MAX || slice_compare(position, work->imported) <= 0) {
        return false; /* damaged, or overtaken by the global one */
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!adopt_run(&at, of)) {
            return false;
        }
    }
    buffer_add(&into->position, position.data, position.size);
    return cursor_finished(&at);
}

bool local_checkpoint_read(const backfill_work *work, local_checkpoint *into, sorter *of)
{
    buffer bytes;
    char path[SORTER_PATH_MAX];
    sb_assert_op(of->run_count, ==, 0);
    buffer_init(&bytes);
    checkpoint_path(of->folder, path);
    const bool good = durable_file_read(path, &bytes) == DURABLE_READ &&
                      decode(work, buffer_slice(&bytes), into, of);
    buffer_release(&bytes);
    SOMETIMES(good, "local-checkpoint-taken-up");
    return good;
}

/* ---------------------------------------------------------------------------------- leftovers */

typedef struct file_list {
    buffer paths; /* each with its terminating zero */
    uint32_t count;
} file_list;

static void note_file(void *context, const char *path, uint64_t size)
{
    file_list *found = context;
    (void)size;
    buffer_add(&found->paths, path, strlen(path) + 1);
    found->count++;
}

static bool is_kept(const char *path, const sorter *keep)
{
    char kept[SORTER_PATH_MAX];
    if (keep == NULL || keep->run_count == 0) {
        return false;
    }
    checkpoint_path(keep->folder, kept);
    bool found = strcmp(path, kept) == 0;
    for (uint32_t i = 0; i < keep->run_count && !found; i++) {
        (void)snprintf(kept, sizeof(kept), "%s/run-%u", keep->folder, keep->runs[i].number);
        found = strcmp(path, kept) == 0;
    }
    return found;
}

bool backend_folder_clean(const char *folder, const sorter *keep)
{
    file_list found = {0};
    bool removed = keep == NULL, clean = true;
    if (keep == NULL || keep->run_count == 0) {
        clean = local_checkpoint_remove(folder); /* first: it may name the others */
    }
    clean = directory_paths(folder, note_file, &found) && clean;
    uint32_t at = 0;
    for (uint32_t i = 0; i < found.count; i++) {
        const char *path = (const char *)found.paths.data + at;
        at += (uint32_t)strlen(path) + 1;
        if (!is_kept(path, keep)) {
            clean = file_remove(path) && clean;
            removed = true;
        }
    }
    buffer_release(&found.paths);
    return (!removed || directory_settle(folder)) && clean;
}

/* A decimal number and the '/' behind it. */
static bool take_number(const char **at, uint64_t *number)
{
    const char *from = *at;
    *number = 0;
    while (**at >= '0' && **at <= '9' && *number <= UINT64_MAX / 10 - 1) {
        *number = *number * 10 + (uint64_t)(*(*at)++ - '0');
    }
    return *at != from && *(*at)++ == '/';
}

/* "jobs/7/3/run-0" is of job 7, number 3. */
static bool parse_path(const char *path, job_id *job, uint32_t *number)
{
    uint64_t parsed;
    const char *at = path + strlen(JOBS_FOLDER "/");
    if (strncmp(path, JOBS_FOLDER "/", strlen(JOBS_FOLDER "/")) != 0 || !take_number(&at, job) ||
        !take_number(&at, &parsed) || parsed > UINT32_MAX) {
        return false;
    }
    *number = (uint32_t)parsed;
    return true;
}

/* The folder of the path joins the list, once. */
static leftover *note_folder(leftover *list, const char *path)
{
    job_id job;
    uint32_t number;
    if (!parse_path(path, &job, &number)) {
        return list;
    }
    for (const leftover *one = list; one != NULL; one = one->next) {
        if (one->job == job && one->number == number) {
            return list;
        }
    }
    leftover *made = sb_alloc_zero(sizeof(*made));
    *made = (leftover){.next = list, .job = job, .number = number};
    return made;
}

static leftover *note_folders(const file_list *found)
{
    leftover *list = NULL;
    uint32_t at = 0;
    for (uint32_t i = 0; i < found->count; i++) {
        const char *path = (const char *)found->paths.data + at;
        at += (uint32_t)strlen(path) + 1;
        list = note_folder(list, path);
    }
    return list;
}

/* All files of all jobs.  Who does not find them now never will, so a disk that refuses is waited
 * for, until the program is asked to stop: then they are the next incarnation's. */
static void find_files(file_list *found)
{
    uint32_t tries = 0;
    while (!directory_paths(JOBS_FOLDER, note_file, found) &&
           disk_back_off(&tries, sb_shutdown_scope()) == SB_OK) {
        buffer_clear(&found->paths);
        found->count = 0;
    }
}

leftover *leftovers_find(void)
{
    file_list found = {0};
    find_files(&found);
    leftover *list = note_folders(&found);
    buffer_release(&found.paths);
    leftover **link = &list;
    while (*link != NULL) {
        leftover *one = *link;
        char folder[SORTER_FOLDER_MAX];
        backend_folder(one->job, one->number, folder);
        if (local_checkpoint_is_there(folder)) {
            link = &one->next;
            continue;
        }
        SOMETIMES(true, "files-of-an-earlier-incarnation-removed");
        if (backend_folder_clean(folder, NULL)) {
            *link = one->next;
            sb_free(one);
        } else {
            link = &one->next; /* litter, for whoever looks after leftovers */
        }
    }
    return list;
}
