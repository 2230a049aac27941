/*
 * A small file that is replaced as a whole: see durable_file.h.
 */
#include "engine/base/durable_file.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/checksum.h"
#include "engine/base/disk_points.h"

#define SETTLE_TRIES 16u
#define MAGIC 0x656c626172756473u /* "sdurable" */
#define HEADER_SIZE 24u
#define PATH_SIZE 128u
#define BACK_OFF_MIN (10 * SB_MILLISECOND)
#define BACK_OFF_DOUBLINGS_MAX 6u

sb_status file_read_whole(const char *path, buffer *into)
{
    sb_file *file = NULL;
    sb_status status = disk_open("whole-file-open", path, 0, &file);
    if (status != SB_OK) {
        return status;
    }
    const uint64_t size = sb_file_size(file);
    const uint32_t before = into->size;
    size_t read_size = 0;
    status = disk_do("whole-file-read", sb_file_read(file, 0, buffer_extend(into, (size_t)size),
                                                     (size_t)size, &read_size));
    sb_file_close(file);
    into->size = before + (status == SB_OK ? (uint32_t)read_size : 0);
    return status;
}

sb_status file_write_whole(const char *path, slice content)
{
    sb_file *file = NULL;
    sb_status status =
        disk_open("whole-file-creation", path, SB_FILE_CREATE | SB_FILE_TRUNCATE, &file);
    if (status != SB_OK) {
        return status;
    }
    status = disk_do("whole-file-write", sb_file_write(file, 0, content.data, content.size));
    if (status == SB_OK) {
        status = disk_do("whole-file-sync", sb_file_sync(file));
    }
    sb_file_close(file);
    return status;
}

sb_status durable_file_replace(const char *directory, const char *path, slice content)
{
    char fresh[PATH_SIZE];
    const int length = snprintf(fresh, sizeof(fresh), "%s.new", path);
    sb_assert_op(length, <, (int)sizeof(fresh));
    buffer bytes;
    buffer_init(&bytes);
    buffer_add_u64(&bytes, MAGIC);
    buffer_add_u64(&bytes, content.size);
    buffer_add_u64(&bytes, checksum64(content));
    buffer_add(&bytes, content.data, content.size);
    sb_status status = file_write_whole(fresh, buffer_slice(&bytes));
    buffer_release(&bytes);
    if (status == SB_OK) {
        status = disk_do("durable-file-renaming", sb_rename(fresh, path));
    }
    if (status != SB_OK) {
        (void)file_remove(fresh); /* nobody else knows of it: it would be left behind */
    } else {
        status = disk_do("durable-file-directory-sync", sb_directory_sync(directory));
    }
    return status;
}

bool durable_file_decode(slice bytes, slice *content)
{
    cursor at = cursor_of(bytes);
    const uint64_t magic = cursor_u64(&at), size = cursor_u64(&at), checksum = cursor_u64(&at);
    if (at.failed || magic != MAGIC || size != bytes.size - HEADER_SIZE) {
        return false;
    }
    *content = slice_of(at.at, (size_t)size);
    return checksum64(*content) == checksum;
}

durable_read durable_file_read(const char *path, buffer *content)
{
    buffer bytes;
    slice found;
    durable_read result = DURABLE_DAMAGED;
    buffer_init(&bytes);
    const sb_status status = file_read_whole(path, &bytes);
    if (status != SB_OK) {
        result = status == SB_NOT_FOUND ? DURABLE_MISSING : DURABLE_IO_ERROR;
    } else if (durable_file_decode(buffer_slice(&bytes), &found)) {
        buffer_add(content, found.data, found.size);
        result = DURABLE_READ;
    }
    buffer_release(&bytes);
    return result;
}

sb_status disk_back_off(uint32_t *tries, sb_scope *scope)
{
    const uint32_t doublings = *tries < BACK_OFF_DOUBLINGS_MAX ? *tries : BACK_OFF_DOUBLINGS_MAX;
    (*tries)++;
    return sb_sleep(BACK_OFF_MIN << doublings, scope);
}

bool file_remove(const char *path)
{
    sb_status status = disk_do("file-removal", sb_remove(path));
    for (uint32_t tries = 1; status == SB_IO_ERROR && tries < SETTLE_TRIES; tries++) {
        status = disk_do("file-removal", sb_remove(path));
    }
    return status == SB_OK || status == SB_NOT_FOUND;
}

bool directory_paths(const char *directory, sb_directory_visit *visit, void *context)
{
    sb_status status = SB_IO_ERROR;
    for (uint32_t tries = 0; status != SB_OK && tries < SETTLE_TRIES; tries++) {
        status =
            failpoint("listing-fails") ? SB_IO_ERROR : sb_directory_list(directory, visit, context);
    }
    return status == SB_OK;
}

bool directory_settle(const char *directory)
{
    sb_status status = sb_directory_sync(directory);
    for (uint32_t tries = 1; status != SB_OK && tries < SETTLE_TRIES; tries++) {
        SOMETIMES(true, "removed-names-synced-again");
        status = disk_do("durable-file-directory-sync", sb_directory_sync(directory));
    }
    return status == SB_OK;
}
