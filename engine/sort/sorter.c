/*
 * Spilling and merging: see sorter.h.
 */
#include "engine/sort/sorter.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/durable_file.h"
#include "engine/sort/local_disk.h"

#define BLOCK_SIZE_MIN 512u
#define BLOCK_SIZE_MAX ((uint32_t)64 << 10)
#define BLOCKS_IN_QUOTA 64u
#define MERGE_SHARE 2u /* a merge takes at most so large a part of the quota: a half */
#define PREFETCH 8u

uint32_t sorter_block_size(const memory_quota *memory)
{
    const uint64_t size = memory->limit / BLOCKS_IN_QUOTA;
    return size < BLOCK_SIZE_MIN   ? BLOCK_SIZE_MIN
           : size > BLOCK_SIZE_MAX ? BLOCK_SIZE_MAX
                                   : (uint32_t)size;
}

/* ----------------------------------------------------------------------------------- lifetime */

void sorter_init(sorter *of, const char *folder, memory_quota *memory, disk_meter *disk,
                 uint32_t shared)
{
    *of = (sorter){.memory = memory, .disk = disk, .shared = shared};
    key_sample_init(&of->sample);
    const int length = snprintf(of->folder, sizeof(of->folder), "%s", folder);
    sb_assert_op(length, <, (int)sizeof(of->folder));
}

void sorter_release(sorter *of)
{
    sb_assert(!of->merging);
    sb_assert_op(of->disk_used, <=, of->disk->used);
    of->disk->used -= of->disk_used;
    of->disk_used = 0;
    sb_free(of->runs);
    key_sample_release(&of->sample);
    buffer_release(&of->conflict.key);
    buffer_release(&of->conflict.first);
    buffer_release(&of->conflict.second);
}

static void run_path(const sorter *of, uint32_t number, char path[SORTER_PATH_MAX])
{
    (void)snprintf(path, SORTER_PATH_MAX, "%s/run-%u", of->folder, number);
}

static void count_disk(sorter *of, uint64_t size)
{
    of->disk_used += size;
    of->disk->used += size;
    of->disk->peak = of->disk->used > of->disk->peak ? of->disk->used : of->disk->peak;
}

static void uncount_run(sorter *of, const sorted_run *run)
{
    sb_assert_op(run->summary.file_size, <=, of->disk_used);
    of->disk_used -= run->summary.file_size;
    of->disk->used -= run->summary.file_size;
}

static bool remove_run(sorter *of, const sorted_run *run)
{
    char path[SORTER_PATH_MAX];
    run_path(of, run->number, path);
    sb_status status = local_disk_before();
    if (status == SB_OK) {
        status = sb_remove(path);
    }
    uncount_run(of, run);
    return status == SB_OK || status == SB_NOT_FOUND;
}

bool sorter_remove_files(sorter *of)
{
    sb_assert(!of->merging);
    bool removed = !of->litter;
    while (of->run_count > 0) {
        removed = remove_run(of, &of->runs[--of->run_count]) && removed;
    }
    of->litter = !removed;
    return removed;
}

static sorted_run *add_run(sorter *of)
{
    if (of->run_count == of->run_room) {
        of->run_room = of->run_room == 0 ? 8 : of->run_room * 2;
        const size_t size = of->run_room * sizeof(*of->runs);
        of->runs = of->runs == NULL ? sb_alloc(size) : sb_realloc(of->runs, size);
    }
    return &of->runs[of->run_count++];
}

void sorter_adopt(sorter *of, const sorted_run *run)
{
    *add_run(of) = *run;
    count_disk(of, run->summary.file_size);
    if (run->number >= of->next_number) {
        of->next_number = run->number + 1;
    }
}

static sorter_status status_of_disk(sorter *of, sb_status status)
{
    if (status == SB_NO_SPACE) {
        of->disk->full_at = of->disk->used > 0 ? of->disk->used : 1;
        return SORTER_NO_SPACE;
    }
    return status == SB_OK ? SORTER_OK : SORTER_DISK;
}

/* ----------------------------------------------------------------------------------- spilling */

static void note_conflict(sorter *of, entry_pair first, slice second)
{
    if (of->conflict.found) {
        return;
    }
    of->conflict.found = true;
    buffer_add(&of->conflict.key, first.key.data, first.key.size);
    buffer_add(&of->conflict.first, first.value.data, first.value.size);
    buffer_add(&of->conflict.second, second.data, second.size);
}

static sb_status write_sorted(sorter *of, const entry_run *run, run_writer *into)
{
    entry_pair last = {{0}, {0}};
    sb_status status = SB_OK;
    for (uint32_t i = 0; i < run->count && status == SB_OK; i++) {
        if (i + PREFETCH < run->count) { /* sorted, they lie anywhere */
            __builtin_prefetch(entry_run_encoded(run, i + PREFETCH));
        }
        const unsigned char *encoded = entry_run_encoded(run, i);
        const entry_pair pair = pair_of(encoded);
        if (i > 0 && slice_equal(pair.key, last.key)) {
            if (!slice_equal(pair.value, last.value)) {
                note_conflict(of, last, pair.value);
            }
            continue; /* the same row read twice */
        }
        last = pair;
        key_sample_add(&of->sample, pair.key);
        status = run_writer_add(into, encoded, PAIR_HEADER + pair.key.size + pair.value.size);
    }
    return status;
}

static void drop_file(const char *path)
{
    (void)file_remove(path);
}

sorter_status sorter_spill(sorter *of, entry_run *run)
{
    sb_assert(!of->merging);
    run_writer into;
    run_summary summary;
    char path[SORTER_PATH_MAX];
    const uint32_t number = of->next_number++;
    run_path(of, number, path);
    entry_run_sort(run, of->shared);
    sb_status status = run_writer_open(&into, path, sorter_block_size(of->memory));
    if (status == SB_OK) {
        status = write_sorted(of, run, &into);
    }
    if (status == SB_OK) {
        status = run_writer_finish(&into, &summary);
    }
    run_writer_release(&into);
    if (status != SB_OK) {
        drop_file(path);
        return status_of_disk(of, status);
    }
    *add_run(of) = (sorted_run){.number = number, .summary = summary};
    count_disk(of, summary.file_size);
    return SORTER_OK;
}

/* -------------------------------------------------------------------------------------- syncs */

/* It is sound again for a sync, although one has failed. */
static sb_status recover_run(sorter *of, sorted_run *run, const char *path)
{
    const run_read found = run_file_write_again(path, &run->summary);
    run->doubtful = found != RUN_END;
    of->lost = of->lost || found == RUN_DAMAGED;
    return found == RUN_END ? SB_OK : SB_IO_ERROR;
}

static sb_status sync_run(sorter *of, sorted_run *run)
{
    char path[SORTER_PATH_MAX];
    sb_file *file = NULL;
    run_path(of, run->number, path);
    sb_status status = local_disk_before();
    if (status == SB_OK && run->doubtful) {
        status = recover_run(of, run, path);
    }
    if (status == SB_OK) {
        status = sb_file_open(path, 0, &file);
    }
    if (status != SB_OK) {
        return status;
    }
    status = local_disk_after(sb_file_sync(file));
    sb_file_close(file);
    run->synced = status == SB_OK;
    run->doubtful = !run->synced;
    return status;
}

sb_status sorter_sync(sorter *of)
{
    sb_status status = SB_OK;
    for (uint32_t i = 0; i < of->run_count && status == SB_OK; i++) {
        if (!of->runs[i].synced) {
            status = sync_run(of, &of->runs[i]);
        }
    }
    if (status == SB_OK) {
        status = local_disk_before();
    }
    return status == SB_OK ? local_disk_after(sb_directory_sync(of->folder)) : status;
}

/* ------------------------------------------------------------------------------------ merging */

/* The bytes that a merge of the first `count` runs holds: a block of each, and one to be written.
 */
static uint64_t merge_memory(const sorter *of, uint32_t count)
{
    uint64_t bytes = sorter_block_size(of->memory);
    for (uint32_t i = 0; i < count; i++) {
        bytes += of->runs[i].summary.block_max;
    }
    return bytes;
}

/* How many of the first runs one merge takes under the quota; two at least. */
static uint32_t fan_in(const sorter *of)
{
    const uint64_t share = of->memory->limit / MERGE_SHARE;
    uint32_t count = of->run_count < 2 ? of->run_count : 2;
    while (count < of->run_count && count < SORTER_FAN_IN_MAX &&
           merge_memory(of, count + 1) <= share) {
        count++;
    }
    return count;
}

static sorter_status status_of_read(run_read status)
{
    switch (status) {
    case RUN_OK:
        return SORTER_OK;
    case RUN_END:
        return SORTER_END;
    case RUN_DAMAGED:
        return SORTER_DAMAGED;
    default:
        return SORTER_DISK;
    }
}

/* Open a merge of the first `count` runs, its memory taken. */
static sorter_status begin_merge(sorter *of, uint32_t count, uint64_t extra, sb_scope *scope)
{
    of->merge_charge = merge_memory(of, count) + extra;
    if (memory_quota_acquire(of->memory, of->merge_charge, scope) != SB_OK) {
        return SORTER_CANCELED;
    }
    of->merging = true;
    run_merge_init(&of->merge, count > 0 ? count : 1, of->shared);
    run_read status = RUN_OK;
    for (uint32_t i = 0; i < count && status == RUN_OK; i++) {
        char path[SORTER_PATH_MAX];
        run_path(of, of->runs[i].number, path);
        status = run_merge_add(&of->merge, path, &of->runs[i].summary);
    }
    if (status != RUN_OK) {
        sorter_merge_close(of);
    }
    return status_of_read(status);
}

void sorter_merge_close(sorter *of)
{
    sb_assert(of->merging);
    run_merge_release(&of->merge);
    memory_quota_return(of->memory, of->merge_charge);
    of->merging = false;
}

sorter_status sorter_merge_next(sorter *of, const unsigned char **encoded, uint32_t *size)
{
    sb_assert(of->merging);
    switch (run_merge_next(&of->merge, encoded, size)) {
    case MERGE_OK:
        return SORTER_OK;
    case MERGE_END:
        return of->conflict.found ? SORTER_CONFLICT : SORTER_END;
    case MERGE_CONFLICT:
        note_conflict(of, pair_of(of->merge.last.data), pair_of(*encoded).value);
        return SORTER_CONFLICT;
    case MERGE_DAMAGED:
        return SORTER_DAMAGED;
    default:
        return SORTER_DISK;
    }
}

static sorter_status write_merged(sorter *of, run_writer *into, sb_scope *scope)
{
    const unsigned char *encoded;
    uint32_t size;
    sorter_status status = SORTER_OK;
    sb_status disk = SB_OK;
    while (disk == SB_OK && (status = sorter_merge_next(of, &encoded, &size)) == SORTER_OK) {
        disk = run_writer_add(into, encoded, size);
    }
    if (disk != SB_OK) {
        return status_of_disk(of, disk);
    }
    return sb_scope_status(scope) == SB_OK ? status : SORTER_CANCELED;
}

/* The merged run in the place of the first `count`.  When its keeper has failed to write the new
 * list, either may stand, so the runs of both stay. */
static sorter_status replace_runs(sorter *of, uint32_t count, const sorted_run *merged)
{
    sorted_run *old = sb_alloc(count * sizeof(*old));
    memcpy(old, of->runs, count * sizeof(*old));
    memmove(of->runs, of->runs + count, (of->run_count - count) * sizeof(*of->runs));
    of->run_count -= count;
    *add_run(of) = *merged; /* behind the others, so that a pass takes them in turn */
    const sb_status kept = of->replaced != NULL ? of->replaced(of->replaced_context) : SB_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == SB_OK) {
            of->litter = !remove_run(of, &old[i]) || of->litter;
        } else {
            uncount_run(of, &old[i]);
            of->litter = true;
        }
    }
    sb_free(old);
    return status_of_disk(of, kept);
}

/* One merge of a pass: the first runs become one. */
static sorter_status merge_first(sorter *of, uint32_t count, sb_scope *scope)
{
    sorter_status status = begin_merge(of, count, 0, scope);
    if (status != SORTER_OK) {
        return status;
    }
    run_writer into;
    char path[SORTER_PATH_MAX];
    sorted_run merged = {.number = of->next_number++};
    run_path(of, merged.number, path);
    status = status_of_disk(of, run_writer_open(&into, path, sorter_block_size(of->memory)));
    if (status == SORTER_OK) {
        status = write_merged(of, &into, scope);
    }
    if (status == SORTER_END) {
        status = status_of_disk(of, run_writer_finish(&into, &merged.summary));
    }
    run_writer_release(&into);
    sorter_merge_close(of);
    if (status != SORTER_OK) {
        drop_file(path);
        return status;
    }
    count_disk(of, merged.summary.file_size);
    return replace_runs(of, count, &merged);
}

sorter_status sorter_merge_open(sorter *of, uint64_t extra, sb_scope *scope)
{
    sb_assert(!of->merging);
    if (of->conflict.found) {
        return SORTER_CONFLICT; /* seen while spilling: merging brings nothing better to light */
    }
    sorter_status status = SORTER_OK;
    uint32_t count;
    while (status == SORTER_OK && (count = fan_in(of)) < of->run_count) {
        /* No more than needed: the last merge takes all it can. */
        const uint32_t surplus = of->run_count - count + 1;
        SOMETIMES(true, "sorter-needs-another-pass");
        status = merge_first(of, surplus < count && surplus > 1 ? surplus : count, scope);
    }
    return status == SORTER_OK ? begin_merge(of, of->run_count, extra, scope) : status;
}
