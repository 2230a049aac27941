/*
 * Disks: door 1's files and directories, the scenario's view of what is durable, and what a crash
 * does.
 *
 * Reads and writes are immediate, as in a page cache; a sync waits.  The machine lives on when its
 * program returns, so what that has not synced stays; a death (sb_disk_crash) loses, keeps or tears
 * it.  0 keeps all: the death of a process on a machine that lives.
 *
 * A sync covers what was written before it began.  Its caller sleeps through the latency and
 * settles the changes itself: the completion of a sync whose caller has died never happens.
 */
#include "sim/machine/disk.h"

#include <string.h>

#include "sim/machine/machine.h"

/* ------------------------------------------------------------------------------------ opening */

static sb_disk_state *disk_of(sb_world *world, sb_node_state *node)
{
    if (SB_UNLIKELY(node->disk == NULL)) {
        node->disk = sb_disk_alloc(world, sizeof(*node->disk));
        *node->disk = (sb_disk_state){.node = node};
    }
    return node->disk;
}

static sb_disk_state *disk_here(sb_world *world)
{
    return disk_of(world, world->running->node);
}

static uint64_t path_hash_of(sb_world *world, const char *path)
{
    return sb_text_hash(world, path, strlen(path));
}

static bool path_fits(const char *path)
{
    sb_assert(path[0] != '\0' && path[0] != '/');
    return strlen(path) <= SB_PATH_MAX;
}

static sb_status result(sb_world *world, sb_status status)
{
    sb_observe_value(world, status);
    return status;
}

/* Whether this operation is the one that fails: with an error, and nothing is done. */
static bool fails(sb_world *world, sb_fault kind)
{
    if (SB_LIKELY(!sb_exhaust_hits(world, SB_EXHAUST_DISK))) {
        return false;
    }
    sb_event_here(world, SB_EVENT_FAULT, kind, world->running->node->number, SB_IO_ERROR);
    sb_fault_armed(world, kind);
    if (!sb_fault_strikes(world, kind)) {
        return false;
    }
    sb_fault_effective(world, kind);
    return true;
}

/* A program looks for a name that a crash has taken. */
static void miss_name(sb_world *world, sb_disk_state *disk, uint32_t index)
{
    sb_fault_effective(world, SB_FAULT_LOST_NAME);
    disk->lost_count--;
    memmove(disk->lost[index], disk->lost[disk->lost_count], sizeof(*disk->lost));
}

static void miss_names(sb_world *world, sb_disk_state *disk, const char *path, bool below)
{
    if (SB_UNLIKELY(disk->wiped)) {
        sb_fault_effective(world, SB_FAULT_EMPTY_DISK);
        disk->wiped = false;
    }
    for (uint32_t i = disk->lost_count; i-- > 0;) {
        if (below ? sb_disk_is_below(disk->lost[i], path) : strcmp(disk->lost[i], path) == 0) {
            miss_name(world, disk, i);
        }
    }
}

/* A program looks into a file that a crash has altered. */
static inline void meet_crash(sb_world *world, sb_disk_file *file)
{
    if (SB_UNLIKELY(file->lost)) {
        sb_fault_effective(world, SB_FAULT_LOST_WRITE);
        file->lost = false;
    }
    if (SB_UNLIKELY(file->torn)) {
        sb_fault_effective(world, SB_FAULT_TORN_WRITE);
        file->torn = false;
    }
    if (SB_UNLIKELY(file->astray)) {
        sb_fault_effective(world, SB_FAULT_MISDIRECTED_WRITE);
        file->astray = false;
    }
    if (SB_UNLIKELY(file->persisted)) {
        sb_fault_effective(world, SB_FAULT_PERSISTED_UNACKNOWLEDGED);
        file->persisted = false;
    }
}

static sb_file *handle_new(sb_world *world, sb_disk_state *disk, sb_disk_file *file,
                           const char *path, uint64_t path_hash)
{
    sb_file *handle = disk->spare;
    if (handle != NULL) {
        disk->spare = handle->next;
    } else {
        handle = sb_disk_alloc(world, sizeof(*handle));
    }
    handle->file = file;
    handle->disk = disk;
    handle->path_hash = path_hash;
    handle->closed = false;
    handle->waits = 0;
    handle->syncing = 0;
    memcpy(handle->path, path, strlen(path) + 1);
    file->references++;
    handle->next = disk->handles;
    handle->link = &disk->handles;
    if (disk->handles != NULL) {
        disk->handles->link = &handle->next;
    }
    disk->handles = handle;
    disk->open_count++;
    return handle;
}

/* Once it is closed and nobody waits on it: it stays at hand, still closed, so that a program which
 * goes on to use it is found out. */
static void handle_settle(sb_world *world, sb_file *handle)
{
    if (!handle->closed || handle->waits != 0) {
        return;
    }
    *handle->link = handle->next;
    if (handle->next != NULL) {
        handle->next->link = handle->link;
    }
    sb_disk_file_drop(world, handle->file);
    handle->file = NULL;
    handle->next = handle->disk->spare;
    handle->disk->spare = handle;
}

static void handle_close(sb_world *world, sb_file *handle)
{
    handle->closed = true;
    handle->disk->open_count--;
    handle_settle(world, handle);
}

/* The handle's file; a handle that is closed, or another machine's, is a finding. */
static inline sb_disk_file *file_of(sb_world *world, const sb_file *handle)
{
    if (SB_UNLIKELY(!sb_heap_owns(&world->disk_heap, handle) || handle->closed ||
                    handle->disk->node != world->running->node)) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_file", "not an open file of this machine");
    }
    return handle->file;
}

/* The same at a moment that triggers may be bound to: while its machine stood still for one of
 * them, another task may have closed the handle. */
static inline sb_disk_file *file_at(sb_world *world, sb_moment moment, const sb_file *handle)
{
    sb_disk_file *const file = file_of(world, handle);
    if (!sb_moment_is_watched(world, moment) ||
        (moment == SB_MOMENT_SYNC && file->change_count == 0)) {
        return file;
    }
    sb_moment_here(world, moment, NULL, 0, handle->path);
    return file_of(world, handle);
}

sb_status sb_file_open(const char *path, unsigned flags, sb_file **handle)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    if (!path_fits(path)) {
        return result(world, SB_TOO_LARGE);
    }
    sb_disk_state *const disk = disk_here(world);
    const uint64_t path_hash = path_hash_of(world, path);
    sb_disk_file *file = sb_disk_find(disk, path);
    sb_status status = SB_OK;
    if (fails(world, (flags & SB_FILE_CREATE) != 0 ? SB_FAULT_WRITE_ERROR : SB_FAULT_READ_ERROR)) {
        status = SB_IO_ERROR;
    } else if (file != NULL) {
        const unsigned must_be_new = SB_FILE_CREATE | SB_FILE_EXCLUSIVE;
        status = (flags & must_be_new) == must_be_new ? SB_EXISTS : SB_OK;
    } else {
        miss_names(world, disk, path, false);
        status = (flags & SB_FILE_CREATE) == 0 ? SB_NOT_FOUND : SB_OK;
    }
    sb_event_here(world, SB_EVENT_OPEN, path_hash, flags, status);
    if (status != SB_OK) {
        return result(world, status);
    }
    if (file == NULL) {
        file = sb_disk_create(world, disk, path, path_hash);
    } else if ((flags & SB_FILE_TRUNCATE) != 0) {
        sb_disk_file_truncate(world, file, 0);
    }
    file->path_hash = path_hash;
    *handle = handle_new(world, disk, file, path, path_hash);
    return result(world, SB_OK);
}

void sb_file_close(sb_file *handle)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    file_of(world, handle);
    handle_close(world, handle);
}

/* -------------------------------------------------------------------------------------- bytes */

/* The handle's file, once the disk has come to it. */
static inline sb_disk_file *file_when_ready(sb_world *world, sb_file *handle)
{
    sb_disk_file *const file = file_of(world, handle);
    if (SB_LIKELY(!handle->disk->troubled)) {
        return file;
    }
    const sb_duration latency = sb_disk_trouble_latency(world, handle->disk);
    if (latency != 0) {
        handle->waits++;
        sb_block(world, SB_WAIT_DISK, handle->path, NULL, NULL, world->now + latency);
        handle->waits--;
    }
    return file_of(world, handle);
}

uint64_t sb_file_size(sb_file *handle)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_disk_file *const file = file_of(world, handle);
    meet_crash(world, file);
    sb_observe_value(world, file->size);
    return file->size;
}

sb_status sb_file_read(sb_file *handle, uint64_t offset, void *data, size_t size, size_t *read_size)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_disk_file *const file = file_when_ready(world, handle);
    const uint64_t left = offset < file->size ? file->size - offset : 0;
    const size_t got = size < left ? size : (size_t)left;
    *read_size = 0;
    if (fails(world, SB_FAULT_READ_ERROR)) {
        return result(world, SB_IO_ERROR);
    }
    if (got != 0) {
        memcpy(data, file->data + offset, got);
    }
    if (SB_UNLIKELY(handle->disk->troubled)) {
        const sb_status status = sb_disk_trouble_read(world, handle, offset, data, got);
        if (status != SB_OK) {
            return result(world, status);
        }
    }
    *read_size = got;
    meet_crash(world, file);
    sb_event_here(world, SB_EVENT_READ, handle->path_hash, offset, got);
    sb_observe_value(world, XXH3_64bits(data, got));
    return result(world, SB_OK);
}

sb_status sb_file_write(sb_file *handle, uint64_t offset, const void *data, size_t size)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    (void)file_when_ready(world, handle);
    sb_disk_file *const file = file_at(world, SB_MOMENT_WRITE, handle);
    if (size > SB_FILE_SIZE_MAX || offset > SB_FILE_SIZE_MAX - size) {
        return result(world, SB_NO_SPACE);
    }
    sb_event_here(world, SB_EVENT_WRITE, handle->path_hash, offset, XXH3_64bits(data, size));
    sb_status status = SB_OK;
    if (fails(world, SB_FAULT_WRITE_ERROR)) {
        return result(world, SB_IO_ERROR);
    }
    if (SB_UNLIKELY(handle->disk->troubled)) {
        status = sb_disk_trouble_write(world, handle, &offset, &size);
    }
    sb_disk_file_write(world, file, offset, data, size);
    return result(world, status);
}

sb_status sb_file_truncate(sb_file *handle, uint64_t size)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_disk_file *const file = file_of(world, handle);
    if (size > SB_FILE_SIZE_MAX) {
        return result(world, SB_NO_SPACE);
    }
    sb_event_here(world, SB_EVENT_TRUNCATE, handle->path_hash, size, 0);
    if (fails(world, SB_FAULT_WRITE_ERROR)) {
        return result(world, SB_IO_ERROR);
    }
    const sb_status status =
        SB_UNLIKELY(handle->disk->troubled) ? sb_disk_trouble_truncate(world, handle, size) : SB_OK;
    if (status == SB_OK) {
        sb_disk_file_truncate(world, file, size);
    }
    return result(world, status);
}

/* -------------------------------------------------------------------------------------- syncs */

static void wait_for_disk(sb_world *world, const sb_disk_state *of, const char *path)
{
    const sb_disk *const disk = &world->disk;
    sb_duration latency = disk->sync_min + sb_choose_at(world, world->running->node, SB_STREAM_DISK,
                                                        disk->sync_max - disk->sync_min + 1);
    if (latency > disk->sync_min) {
        if (sb_fault_strikes(world, SB_FAULT_SYNC_LATENCY)) {
            sb_fault_effective(world, SB_FAULT_SYNC_LATENCY);
        } else {
            latency = disk->sync_min;
        }
    }
    if (SB_UNLIKELY(of->troubled)) {
        latency += sb_disk_trouble_stall(world, of);
    }
    sb_block(world, SB_WAIT_DISK, path, NULL, NULL, world->now + latency);
}

/* It is durable and the program does not know it yet; what has failed is neither. */
static void moment_of_sync(sb_world *world, sb_status status, const char *path)
{
    if (status == SB_OK) {
        sb_moment_here(world, SB_MOMENT_SYNCED, NULL, 0, path);
    }
}

sb_status sb_file_sync(sb_file *handle)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_disk_file *const file = file_at(world, SB_MOMENT_SYNC, handle);
    sb_status status = SB_OK;
    sb_event_here(world, SB_EVENT_SYNC, handle->path_hash, sb_disk_file_unsynced(file), 0);
    if (file->change_count != 0) {
        const uint64_t number = file->settled + file->change_count;
        handle->waits++; /* it may be closed meanwhile */
        handle->syncing = number;
        wait_for_disk(world, handle->disk, handle->path);
        if (fails(world, SB_FAULT_SYNC_ERROR)) {
            status = SB_IO_ERROR;
        } else if (SB_UNLIKELY(handle->disk->troubled)) {
            status = sb_disk_trouble_sync(world, handle);
        }
        if (status == SB_OK) {
            sb_disk_file_settle(world, file, number);
        }
        sb_event_here(world, SB_EVENT_SYNCED, handle->path_hash, status, 0);
        moment_of_sync(world, status, handle->path);
        handle->waits--;
        handle->syncing = handle->waits == 0 ? 0 : handle->syncing;
        handle_settle(world, handle);
    }
    return result(world, status);
}

sb_status sb_directory_sync(const char *path)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_disk_state *const disk = disk_here(world);
    const uint64_t path_hash = path_hash_of(world, path);
    sb_moment_here(world, SB_MOMENT_SYNC, NULL, 0, path);
    const uint32_t unsynced = sb_disk_unsynced_names(disk, path);
    sb_status status = SB_OK;
    sb_event_here(world, SB_EVENT_SYNC, path_hash, 0, 0);
    if (unsynced != 0) {
        const uint64_t number = disk->change_number;
        wait_for_disk(world, disk, path[0] == '\0' ? "/" : path);
        if (fails(world, SB_FAULT_SYNC_ERROR)) {
            status = SB_IO_ERROR;
        } else if (SB_UNLIKELY(disk->troubled)) {
            status = sb_disk_trouble_sync_names(world, disk);
        }
        if (status == SB_OK) {
            sb_disk_names_settle(world, disk, path, number);
        }
        sb_event_here(world, SB_EVENT_SYNCED, path_hash, status, 0);
        moment_of_sync(world, status, path);
    }
    return result(world, status);
}

/* -------------------------------------------------------------------------------------- names */

sb_status sb_rename(const char *from, const char *to)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    if (!path_fits(from) || !path_fits(to)) {
        return result(world, SB_TOO_LARGE);
    }
    sb_disk_state *const disk = disk_here(world);
    sb_moment_here(world, SB_MOMENT_RENAME, NULL, 0, to);
    const uint64_t from_hash = path_hash_of(world, from), to_hash = path_hash_of(world, to);
    const sb_status status = fails(world, SB_FAULT_WRITE_ERROR) ? SB_IO_ERROR
                             : sb_disk_find(disk, from) == NULL ? SB_NOT_FOUND
                                                                : SB_OK;
    sb_event_here(world, SB_EVENT_RENAME, from_hash, to_hash, status);
    if (status == SB_NOT_FOUND) {
        miss_names(world, disk, from, false);
    } else if (status == SB_OK && strcmp(from, to) != 0) {
        sb_disk_rename(world, disk, from, from_hash, to, to_hash);
    }
    return result(world, status);
}

sb_status sb_remove(const char *path)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    if (!path_fits(path)) {
        return result(world, SB_TOO_LARGE);
    }
    sb_disk_state *const disk = disk_here(world);
    sb_moment_here(world, SB_MOMENT_REMOVE, NULL, 0, path);
    const uint64_t path_hash = path_hash_of(world, path);
    const sb_status status = fails(world, SB_FAULT_WRITE_ERROR) ? SB_IO_ERROR
                             : sb_disk_find(disk, path) == NULL ? SB_NOT_FOUND
                                                                : SB_OK;
    sb_event_here(world, SB_EVENT_REMOVE, path_hash, status, 0);
    if (status == SB_NOT_FOUND) {
        miss_names(world, disk, path, false);
    } else if (status == SB_OK) {
        sb_disk_remove(world, disk, path, path_hash);
    }
    return result(world, status);
}

/* The next name is looked for anew after each visit, which may have let other tasks change the
 * disk. */
sb_status sb_directory_list(const char *path, sb_directory_visit *visit, void *context)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    if (strlen(path) > SB_PATH_MAX) {
        return result(world, SB_TOO_LARGE);
    }
    if (fails(world, SB_FAULT_READ_ERROR)) {
        return result(world, SB_IO_ERROR);
    }
    sb_disk_state *const disk = disk_here(world);
    miss_names(world, disk, path, true);
    char last[SB_PATH_MAX + 1];
    uint32_t at = sb_disk_lower_bound(disk, path);
    while (at < disk->name_count && strncmp(disk->names[at]->path, path, strlen(path)) == 0) {
        memcpy(last, disk->names[at]->path, sizeof(last));
        sb_disk_file *const file = disk->names[at]->file;
        if (sb_disk_is_below(last, path)) {
            meet_crash(world, file);
            sb_observe_value(world, XXH3_64bits(last, strlen(last)) ^ file->size);
            visit(context, last, file->size);
        }
        at = sb_disk_lower_bound(disk, last);
        at += at < disk->name_count && strcmp(disk->names[at]->path, last) == 0 ? 1 : 0;
    }
    return result(world, SB_OK);
}

/* ---------------------------------------------------------------------------------- the crash */

/* In a world that has a swarm, it is the swarm that arms. */
static void arm(sb_world *world, sb_fault fault)
{
    if (world->swarm == NULL) {
        sb_fault_armed(world, fault);
    }
}

static bool has_unsynced(const sb_disk_state *disk)
{
    bool found = disk->change_count != 0;
    for (uint32_t i = 0; i < disk->name_count && !found; i++) {
        found = disk->names[i]->file->change_count != 0;
    }
    return found;
}

static void arm_crash(sb_world *world)
{
    arm(world, SB_FAULT_LOST_WRITE);
    arm(world, SB_FAULT_TORN_WRITE);
    arm(world, SB_FAULT_LOST_NAME);
    arm(world, SB_FAULT_PERSISTED_UNACKNOWLEDGED);
}

/* Syncs that were under way: whether each had done its work, though nobody was told. */
static void persist_unacknowledged(sb_world *world, sb_disk_state *disk)
{
    for (uint32_t i = 0; i < disk->name_count; i++) {
        sb_disk_file *const file = disk->names[i]->file;
        const uint64_t number = file->syncing;
        file->syncing = 0;
        if (number > file->settled && !world->disk.keep_on_crash &&
            world->faults[SB_FAULT_PERSISTED_UNACKNOWLEDGED].armed &&
            sb_choose_at(world, disk->node, SB_STREAM_CRASH, 2) != 0) {
            sb_event_here(world, SB_EVENT_FAULT, SB_FAULT_PERSISTED_UNACKNOWLEDGED,
                          disk->node->number, 0);
            if (sb_fault_strikes(world, SB_FAULT_PERSISTED_UNACKNOWLEDGED)) {
                sb_disk_file_settle(world, file, number);
                file->persisted = true;
            }
        }
    }
}

/* Keep all; lose all; else each change has its own fate. */
void sb_disk_crash(sb_world *world, sb_node_state *node)
{
    sb_disk_state *const disk = node->disk;
    if (disk == NULL || !has_unsynced(disk)) {
        return;
    }
    if (!world->disk.keep_on_crash) {
        arm_crash(world);
    }
    persist_unacknowledged(world, disk);
    const bool keeps =
        world->disk.keep_on_crash || sb_choose_at(world, node, SB_STREAM_CRASH, 4) == 0;
    sb_disk_fate fate = {false, false, false, false};
    if (!keeps) {
        fate.may_lose = world->faults[SB_FAULT_LOST_WRITE].armed;
        fate.may_tear = world->faults[SB_FAULT_TORN_WRITE].armed;
        fate.may_lose_names = world->faults[SB_FAULT_LOST_NAME].armed;
        fate.lose_all = fate.may_lose && sb_choose_at(world, node, SB_STREAM_CRASH, 3) == 2;
    }
    sb_disk_names_crash(world, disk, &fate);
    for (uint32_t i = 0; i < disk->name_count; i++) {
        sb_disk_file *const file = disk->names[i]->file;
        file->path_hash = path_hash_of(world, disk->names[i]->path);
        sb_disk_file_crash(world, disk, file, &fate);
    }
}

uint32_t sb_disk_open_count(sb_world *world, sb_node_state *node)
{
    (void)world;
    return node->disk == NULL ? 0 : node->disk->open_count;
}

const char *sb_disk_open_path(sb_world *world, sb_node_state *node)
{
    (void)world;
    const sb_file *handle = node->disk == NULL ? NULL : node->disk->handles;
    while (handle != NULL && handle->closed) {
        handle = handle->next;
    }
    return handle == NULL ? NULL : handle->path;
}

/* Those that waited are gone with their incarnation. */
void sb_disk_close_all(sb_world *world, sb_node_state *node)
{
    while (node->disk != NULL && node->disk->handles != NULL) {
        sb_file *const handle = node->disk->handles;
        if (handle->waits != 0 && handle->syncing > handle->file->syncing) {
            handle->file->syncing = handle->syncing;
        }
        handle->waits = 0;
        if (handle->closed) {
            handle_settle(world, handle);
        } else {
            handle_close(world, handle);
        }
    }
}

/* ------------------------------------------------------------------------------- the scenario */

void sb_disk_set(sb_world *world, const sb_disk *disk)
{
    sb_assert_op(disk->sync_min, <=, disk->sync_max);
    world->disk = *disk;
    if (disk->sync_max > disk->sync_min) {
        arm(world, SB_FAULT_SYNC_LATENCY);
    }
    if (!disk->keep_on_crash) {
        arm_crash(world);
    }
}

void sb_disk_trouble_set(sb_world *world, sb_node node, const sb_disk_trouble *trouble)
{
    sb_disk_state *const disk = disk_of(world, sb_node_given(world, node, __func__));
    disk->troubled = trouble != NULL;
    if (trouble == NULL) {
        return;
    }
    disk->trouble = *trouble;
    const struct {
        sb_fault fault;
        bool on;
    } kinds[] = {{SB_FAULT_READ_ERROR, trouble->read_error != 0},
                 {SB_FAULT_WRITE_ERROR, trouble->write_error != 0},
                 {SB_FAULT_SYNC_ERROR, trouble->sync_error != 0},
                 {SB_FAULT_SYNC_STALL, trouble->sync_stall != 0},
                 {SB_FAULT_IO_LATENCY, trouble->io_latency != 0},
                 {SB_FAULT_DISK_FULL, trouble->full},
                 {SB_FAULT_BIT_ROT, trouble->bit_rot != 0},
                 {SB_FAULT_MISDIRECTED_WRITE, trouble->misdirect != 0}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].on) {
            arm(world, kinds[i].fault);
        }
    }
}

void sb_disk_wipe(sb_world *world, sb_node node)
{
    const sb_node_state *const of = sb_node_given(world, node, __func__);
    if (of->power == SB_NODE_UP) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_disk_wipe", "%s is up", of->name);
    }
    arm(world, SB_FAULT_EMPTY_DISK);
    if (!sb_fault_strikes(world, SB_FAULT_EMPTY_DISK)) {
        return;
    }
    if (of->disk != NULL && of->disk->name_count + of->disk->change_count != 0) {
        sb_disk_names_wipe(world, of->disk);
        of->disk->wiped = true;
    }
}

/* A view changes nothing that a program or the digest could tell. */
static sb_world *writable(const sb_world *world)
{
    return (sb_world *)(uintptr_t)world;
}

const unsigned char *sb_disk_durable(const sb_world *world, sb_node node, const char *path,
                                     size_t *size)
{
    sb_disk_state *const disk = sb_node_given(world, node, __func__)->disk;
    const sb_disk_file *const file = disk == NULL ? NULL : sb_disk_find_durable(disk, path);
    *size = 0;
    return file == NULL ? NULL : sb_disk_file_durable(writable(world), disk, file, size);
}

void sb_disk_list_durable(const sb_world *world, sb_node node, sb_disk_visit *visit, void *context)
{
    sb_disk_state *const disk = sb_node_given(world, node, __func__)->disk;
    if (disk == NULL) {
        return;
    }
    uint32_t count;
    const char **const paths = sb_disk_paths(writable(world), disk, &count);
    for (uint32_t i = 0; i < count; i++) {
        const sb_disk_file *const file = sb_disk_find_durable(disk, paths[i]);
        if (file != NULL) {
            size_t size;
            const unsigned char *const data =
                sb_disk_file_durable(writable(world), disk, file, &size);
            visit(context, paths[i], data, size);
        }
    }
    sb_disk_free(writable(world), paths);
}
