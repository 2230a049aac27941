/*
 * Disks that fail, fill up, stall and forget: what a troubled disk does to an operation.
 *
 * Each question is drawn from the stream of the machine whose disk it is, and 0 is the calm answer.
 * A fault is effective where the program is told: with an error, with other bytes, or later than it
 * would have been.  Of a write that goes astray or a sync that takes back what was written, the
 * program is told nothing; what it finds in the file afterwards counts (disk.c, meet_crash).
 */
#include <string.h>

#include "sim/machine/disk.h"

#define MILLION UINT64_C(1000000)

/* ------------------------------------------------------------------------------------- chances */

/* Whether one of the million chances comes up; nothing is drawn where there is none. */
static bool happens(sb_world *world, const sb_disk_state *disk, uint32_t rate)
{
    return rate != 0 && sb_choose_at(world, disk->node, SB_STREAM_DISK, MILLION) >= MILLION - rate;
}

/* It has been drawn; false: it is masked, and not to be done. */
static bool strikes(sb_world *world, const sb_disk_state *disk, sb_fault fault, uint64_t value)
{
    sb_event_here(world, SB_EVENT_FAULT, fault, disk->node->number, value);
    return sb_fault_strikes(world, fault);
}

static sb_status fail(sb_world *world, const sb_disk_state *disk, sb_fault fault, sb_status status)
{
    if (!strikes(world, disk, fault, (uint64_t)status)) {
        return SB_OK;
    }
    sb_fault_effective(world, fault);
    return status;
}

static bool is_rebuildable(const sb_file *handle)
{
    const char *const below = handle->disk->trouble.rebuildable;
    return below != NULL && sb_disk_is_below(handle->path, below);
}

/* --------------------------------------------------------------------------------------- reads */

/* One bit among those read, in the file and in what was read of it. */
static void rot(sb_world *world, const sb_file *handle, uint64_t offset, unsigned char *data,
                size_t size)
{
    const uint64_t bit = sb_choose_at(world, handle->disk->node, SB_STREAM_DISK, size * 8);
    const unsigned char mask = (unsigned char)(1u << bit % 8);
    if (strikes(world, handle->disk, SB_FAULT_BIT_ROT, offset + bit / 8)) {
        data[bit / 8] ^= mask;
        handle->file->data[offset + bit / 8] ^= mask;
        sb_fault_effective(world, SB_FAULT_BIT_ROT);
    }
}

sb_status sb_disk_trouble_read(sb_world *world, const sb_file *handle, uint64_t offset, void *data,
                               size_t size)
{
    const sb_disk_state *const disk = handle->disk;
    if (happens(world, disk, disk->trouble.read_error) &&
        fail(world, disk, SB_FAULT_READ_ERROR, SB_IO_ERROR) != SB_OK) {
        return SB_IO_ERROR;
    }
    if (size != 0 && is_rebuildable(handle) && happens(world, disk, disk->trouble.bit_rot)) {
        rot(world, handle, offset, data, size);
    }
    return SB_OK;
}

/* -------------------------------------------------------------------------------------- writes */

/* Whether the file may become so large; what it grows by is taken from the room that is left. */
static bool has_room(sb_disk_state *disk, const sb_disk_file *file, uint64_t size)
{
    const uint64_t growth = size > file->size ? size - file->size : 0;
    if (!disk->trouble.full || growth == 0) {
        return true;
    }
    if (growth > disk->trouble.room) {
        return false;
    }
    disk->trouble.room -= growth;
    return true;
}

/* As many of its first sectors as are drawn; at 0 none. */
static size_t draw_prefix(sb_world *world, const sb_disk_state *disk, uint64_t offset, size_t size)
{
    const uint64_t boundaries =
        size == 0 ? 0 : (offset + size - 1) / SB_SECTOR - offset / SB_SECTOR;
    if (boundaries == 0) {
        return 0;
    }
    const uint64_t kept = sb_choose_at(world, disk->node, SB_STREAM_DISK, boundaries + 1);
    return kept == 0 ? 0 : (size_t)((offset / SB_SECTOR + kept) * SB_SECTOR - offset);
}

/* Other sectors of the file, or those just behind it. */
static uint64_t draw_astray(sb_world *world, const sb_file *handle, uint64_t offset)
{
    const uint64_t sectors = handle->file->size / SB_SECTOR + 1;
    const uint64_t away = 1 + sb_choose_at(world, handle->disk->node, SB_STREAM_DISK, sectors);
    return (offset / SB_SECTOR + away) % (sectors + 1) * SB_SECTOR + offset % SB_SECTOR;
}

sb_status sb_disk_trouble_write(sb_world *world, const sb_file *handle, uint64_t *offset,
                                size_t *size)
{
    sb_disk_state *const disk = handle->disk;
    if (!has_room(disk, handle->file, *offset + *size) &&
        fail(world, disk, SB_FAULT_DISK_FULL, SB_NO_SPACE) != SB_OK) {
        *size = 0;
        return SB_NO_SPACE;
    }
    if (happens(world, disk, disk->trouble.write_error)) {
        const size_t prefix = draw_prefix(world, disk, *offset, *size);
        if (fail(world, disk, SB_FAULT_WRITE_ERROR, SB_IO_ERROR) != SB_OK) {
            *size = prefix;
            return SB_IO_ERROR;
        }
    }
    if (is_rebuildable(handle) && happens(world, disk, disk->trouble.misdirect)) {
        const uint64_t astray = draw_astray(world, handle, *offset);
        if (strikes(world, disk, SB_FAULT_MISDIRECTED_WRITE, astray)) {
            handle->file->astray = astray != *offset;
            *offset = astray;
        }
    }
    return SB_OK;
}

sb_status sb_disk_trouble_truncate(sb_world *world, const sb_file *handle, uint64_t size)
{
    return has_room(handle->disk, handle->file, size)
               ? SB_OK
               : fail(world, handle->disk, SB_FAULT_DISK_FULL, SB_NO_SPACE);
}

/* --------------------------------------------------------------------------------------- syncs */

#define IO_HALVINGS 10u

/* The longest, or a half of it, a quarter ... */
sb_duration sb_disk_trouble_latency(sb_world *world, const sb_disk_state *disk)
{
    if (!happens(world, disk, disk->trouble.io_latency)) {
        return 0;
    }
    const uint64_t doublings =
        sb_choose_at(world, disk->node, SB_STREAM_DISK, IO_HALVINGS + UINT64_C(1));
    const sb_duration latency = disk->trouble.io_max >> (IO_HALVINGS - doublings);
    if (!strikes(world, disk, SB_FAULT_IO_LATENCY, latency)) {
        return 0;
    }
    sb_fault_effective(world, SB_FAULT_IO_LATENCY);
    return latency;
}

sb_duration sb_disk_trouble_stall(sb_world *world, const sb_disk_state *disk)
{
    if (!happens(world, disk, disk->trouble.sync_stall)) {
        return 0;
    }
    const sb_duration stall =
        1 + sb_choose_at(world, disk->node, SB_STREAM_DISK, disk->trouble.stall_max);
    if (!strikes(world, disk, SB_FAULT_SYNC_STALL, stall)) {
        return 0;
    }
    sb_fault_effective(world, SB_FAULT_SYNC_STALL);
    return stall;
}

sb_status sb_disk_trouble_sync(sb_world *world, const sb_file *handle)
{
    const sb_disk_state *const disk = handle->disk;
    if (!happens(world, disk, disk->trouble.sync_error)) {
        return SB_OK;
    }
    const bool forgets = sb_choose_at(world, disk->node, SB_STREAM_DISK, 2) != 0;
    const sb_status status = fail(world, disk, SB_FAULT_SYNC_ERROR, SB_IO_ERROR);
    if (status != SB_OK && forgets) {
        sb_disk_file_forget(world, handle->file);
    }
    return status;
}

sb_status sb_disk_trouble_sync_names(sb_world *world, const sb_disk_state *disk)
{
    return happens(world, disk, disk->trouble.sync_error)
               ? fail(world, disk, SB_FAULT_SYNC_ERROR, SB_IO_ERROR)
               : SB_OK;
}
