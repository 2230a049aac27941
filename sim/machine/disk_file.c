/*
 * The bytes of files: the present ones, how to go back to the durable ones, and what a crash makes
 * of them.
 *
 *   | data ............................ size | ... capacity |
 *     change 1   change 2 ... change n       each knows what it overwrote
 *                                            and how long the file was before
 *
 * Undoing change n, n-1, ... 1 gives the durable bytes.  While it is undone, the bytes in the range
 * of a write are just those that it wrote; so nothing needs to be kept to do it again after a
 * crash.
 */
#include <string.h>

#include "sim/machine/disk.h"

/* ------------------------------------------------------------------------------------- memory */

void *sb_disk_alloc(sb_world *world, size_t size)
{
    void *const block = sb_heap_alloc_bare(&world->disk_heap, size, "disk");
    if (SB_UNLIKELY(block == NULL)) {
        sb_misuse(world, SB_FINDING_RUNAWAY, "disk memory", "the disks are full at %llu bytes",
                  (unsigned long long)world->disk_heap.live_bytes);
    }
    return block;
}

void sb_disk_free(sb_world *world, void *block)
{
    if (block != NULL) {
        const bool was_live = sb_heap_free(&world->disk_heap, block);
        sb_assert(was_live);
    }
}

void *sb_disk_grow(sb_world *world, void *block, uint32_t count, uint32_t *capacity,
                   size_t item_size)
{
    if (SB_LIKELY(count < *capacity)) {
        return block;
    }
    *capacity = *capacity == 0 ? 8 : 2 * *capacity;
    void *const wider = sb_disk_alloc(world, *capacity * item_size);
    if (block != NULL) {
        memcpy(wider, block, count * item_size);
        sb_disk_free(world, block);
    }
    return wider;
}

sb_disk_file *sb_disk_file_new(sb_world *world, uint64_t path_hash)
{
    sb_disk_file *const file = sb_disk_alloc(world, sizeof(*file));
    *file = (sb_disk_file){.path_hash = path_hash};
    return file;
}

void sb_disk_file_drop(sb_world *world, sb_disk_file *file)
{
    sb_assert_op(file->references, >, 0);
    if (--file->references == 0) {
        sb_disk_file_settle(world, file, file->settled + file->change_count);
        sb_disk_free(world, file->changes);
        sb_disk_free(world, file->data);
        sb_disk_free(world, file);
    }
}

static void reserve(sb_world *world, sb_disk_file *file, uint64_t size)
{
    if (size <= file->capacity) {
        return;
    }
    uint64_t capacity = file->capacity == 0 ? 256 : file->capacity;
    while (capacity < size) {
        capacity *= 2;
    }
    unsigned char *const wider = sb_disk_alloc(world, capacity);
    if (file->size != 0) {
        memcpy(wider, file->data, file->size);
    }
    sb_disk_free(world, file->data);
    file->data = wider;
    file->capacity = capacity;
}

/* ------------------------------------------------------------------------------------ changes */

/* The file gets this size; what is new is zero. */
static void resize(sb_world *world, sb_disk_file *file, uint64_t size)
{
    reserve(world, file, size);
    if (size > file->size) {
        memset(file->data + file->size, 0, size - file->size);
    }
    file->size = size;
}

static void put(sb_world *world, sb_disk_file *file, uint64_t offset, const void *data, size_t size)
{
    if (offset > file->size) {
        resize(world, file, offset);
    }
    reserve(world, file, offset + size);
    memcpy(file->data + offset, data, size);
    if (offset + size > file->size) {
        file->size = offset + size;
    }
}

/* Note a change that will overwrite or cut [from, to) as far as the file goes. */
static void note_change(sb_world *world, sb_disk_file *file, sb_file_change change, uint64_t from,
                        uint64_t to)
{
    to = to < file->size ? to : file->size;
    change.old_size = file->size;
    change.saved = NULL;
    change.saved_size = 0;
    if (from < to) {
        change.saved_size = (uint32_t)(to - from);
        change.saved = sb_disk_alloc(world, change.saved_size);
        memcpy(change.saved, file->data + from, change.saved_size);
    }
    file->changes = sb_disk_grow(world, file->changes, file->change_count, &file->change_capacity,
                                 sizeof(change));
    file->changes[file->change_count++] = change;
}

void sb_disk_file_write(sb_world *world, sb_disk_file *file, uint64_t offset, const void *data,
                        size_t size)
{
    if (size != 0) {
        const sb_file_change change = {.kind = SB_CHANGE_WRITE, .offset = offset, .size = size};
        note_change(world, file, change, offset, offset + size);
        put(world, file, offset, data, size);
    }
}

void sb_disk_file_truncate(sb_world *world, sb_disk_file *file, uint64_t size)
{
    if (size != file->size) {
        const sb_file_change change = {.kind = SB_CHANGE_TRUNCATE, .offset = size};
        note_change(world, file, change, size, UINT64_MAX);
        resize(world, file, size);
    }
}

/* What was there before a change comes back; data has room for the longest of the sizes it had. */
static void undo(const sb_file_change *change, unsigned char *data, uint64_t *size)
{
    if (change->saved != NULL) {
        memcpy(data + change->offset, change->saved, change->saved_size);
    }
    *size = change->old_size;
}

uint64_t sb_disk_file_unsynced(const sb_disk_file *file)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < file->change_count; i++) {
        bytes += file->changes[i].size;
    }
    return bytes;
}

void sb_disk_file_settle(sb_world *world, sb_disk_file *file, uint64_t number)
{
    if (number <= file->settled) {
        return; /* a later sync has come first */
    }
    const uint32_t count = (uint32_t)(number - file->settled);
    sb_assert_op(count, <=, file->change_count);
    for (uint32_t i = 0; i < count; i++) {
        sb_disk_free(world, file->changes[i].saved);
    }
    file->change_count -= count;
    memmove(file->changes, file->changes + count, file->change_count * sizeof(sb_file_change));
    file->settled = number;
}

void sb_disk_file_forget(sb_world *world, sb_disk_file *file)
{
    for (uint32_t i = file->change_count; i-- > 0;) {
        undo(&file->changes[i], file->data, &file->size);
    }
    sb_disk_file_settle(world, file, file->settled + file->change_count);
}

/* ------------------------------------------------------------------------------------ a crash */

/* What a crash keeps of a change. */
typedef struct remnant {
    bool whole;
    uint64_t from, to; /* of a write: the bytes that are there */
} remnant;

static remnant everything(const sb_file_change *change)
{
    return (remnant){true, change->offset, change->offset + change->size};
}

static sb_fault fault_of(remnant kept)
{
    return kept.from < kept.to ? SB_FAULT_TORN_WRITE : SB_FAULT_LOST_WRITE;
}

static void note_crash(sb_world *world, const sb_disk_state *disk, sb_disk_file *file,
                       const sb_file_change *change, remnant kept)
{
    const sb_node_state *const node = disk->node;
    const bool torn = fault_of(kept) == SB_FAULT_TORN_WRITE;
    sb_event_add(world, SB_EVENT_CRASHED_WRITE, node->number, node->incarnation, 0, 0,
                 file->path_hash, change->offset, kept.to - kept.from);
    file->lost = file->lost || !torn;
    file->torn = file->torn || torn;
}

/* A write that covers several sectors may break at any boundary between them; either side may be
 * there. */
static remnant draw_tear(sb_world *world, sb_node_state *node, const sb_file_change *change,
                         uint64_t first, uint64_t boundaries)
{
    const uint64_t cut =
        (first + 1 + sb_choose_at(world, node, SB_STREAM_CRASH, boundaries)) * SB_SECTOR;
    if (sb_choose_at(world, node, SB_STREAM_CRASH, 2) == 0) {
        return (remnant){false, change->offset, cut};
    }
    return (remnant){false, cut, change->offset + change->size};
}

/* 0 keeps all of it. */
static remnant draw_remnant(sb_world *world, sb_node_state *node, const sb_file_change *change,
                            const sb_disk_fate *fate)
{
    const remnant nothing = {false, 0, 0};
    if (fate->lose_all) {
        return nothing;
    }
    const uint64_t first = change->offset / SB_SECTOR;
    const uint64_t boundaries = change->kind == SB_CHANGE_WRITE
                                    ? (change->offset + change->size - 1) / SB_SECTOR - first
                                    : 0;
    const bool may_tear = fate->may_tear && boundaries != 0;
    const uint64_t choice = sb_choose_at(world, node, SB_STREAM_CRASH,
                                         1 + (uint64_t)fate->may_lose + (uint64_t)may_tear);
    if (choice == 0) {
        return everything(change);
    }
    if (choice == 1 && fate->may_lose) {
        return nothing;
    }
    return draw_tear(world, node, change, first, boundaries);
}

/* Go back over all changes; what each write wrote is kept beside. */
static unsigned char **unwind(sb_world *world, sb_disk_file *file)
{
    unsigned char **const written =
        sb_disk_alloc(world, file->change_count * sizeof(unsigned char *));
    for (uint32_t i = file->change_count; i-- > 0;) {
        const sb_file_change *const change = &file->changes[i];
        written[i] = NULL;
        if (change->kind == SB_CHANGE_WRITE) {
            written[i] = sb_disk_alloc(world, change->size);
            memcpy(written[i], file->data + change->offset, change->size);
        }
        undo(change, file->data, &file->size);
    }
    return written;
}

/* Do a change again, as far as the crash keeps it. */
static void redo(sb_world *world, sb_disk_state *disk, sb_disk_file *file,
                 const sb_file_change *change, const unsigned char *written,
                 const sb_disk_fate *fate)
{
    remnant kept = draw_remnant(world, disk->node, change, fate);
    if (!kept.whole && !sb_fault_strikes(world, fault_of(kept))) {
        kept = everything(change);
    }
    if (change->kind == SB_CHANGE_TRUNCATE && kept.whole) {
        resize(world, file, change->offset);
    } else if (kept.from < kept.to) {
        put(world, file, kept.from, written + (kept.from - change->offset), kept.to - kept.from);
    }
    if (!kept.whole) {
        note_crash(world, disk, file, change, kept);
    }
}

void sb_disk_file_crash(sb_world *world, sb_disk_state *disk, sb_disk_file *file,
                        const sb_disk_fate *fate)
{
    if (file->change_count == 0) {
        return;
    }
    unsigned char **const written = unwind(world, file);
    for (uint32_t i = 0; i < file->change_count; i++) {
        redo(world, disk, file, &file->changes[i], written[i], fate);
        sb_disk_free(world, written[i]);
    }
    sb_disk_free(world, written);
    sb_disk_file_settle(world, file, file->settled + file->change_count);
}

/* ------------------------------------------------------------------------------ durable bytes */

static unsigned char *scratch(sb_world *world, sb_disk_state *disk, uint64_t size)
{
    if (size > disk->scratch_capacity) {
        sb_disk_free(world, disk->scratch);
        disk->scratch_capacity = 2 * size;
        disk->scratch = sb_disk_alloc(world, disk->scratch_capacity);
    }
    return disk->scratch;
}

const unsigned char *sb_disk_file_durable(sb_world *world, sb_disk_state *disk,
                                          const sb_disk_file *file, size_t *size)
{
    static const unsigned char empty[1] = {0};
    uint64_t longest = file->size;
    bool only_appends = true;
    for (uint32_t i = 0; i < file->change_count; i++) {
        const sb_file_change *const change = &file->changes[i];
        longest = change->old_size > longest ? change->old_size : longest;
        only_appends = only_appends && change->saved == NULL;
    }
    *size = file->change_count == 0 ? file->size : file->changes[0].old_size;
    if (*size == 0) {
        return empty;
    }
    if (only_appends) { /* the durable bytes are the first of the present ones */
        return file->data;
    }
    unsigned char *const view = scratch(world, disk, longest);
    uint64_t view_size = file->size;
    memcpy(view, file->data, file->size);
    for (uint32_t i = file->change_count; i-- > 0;) {
        undo(&file->changes[i], view, &view_size);
    }
    sb_assert_op(view_size, ==, *size);
    return view;
}
