/*
 * A small file that is replaced as a whole: after a crash it holds either the old content or the
 * new.
 *
 *   u64 magic, u64 content size, u64 checksum of the content, content
 *
 * Replacing writes <path>.new, syncs it, renames it over <path>, and syncs the directory.  When it
 * returns anything but SB_OK either content may be found later: replace it again before going on.
 */
#ifndef ENGINE_BASE_DURABLE_FILE_H
#define ENGINE_BASE_DURABLE_FILE_H

#include "engine/base/bytes.h"

/* directory is that of path, "" for the root. */
sb_status durable_file_replace(const char *directory, const char *path, slice content);

typedef enum durable_read {
    DURABLE_READ,    /* the content was appended */
    DURABLE_MISSING, /* there is no such file */
    DURABLE_DAMAGED, /* its bytes are not what was written */
    DURABLE_IO_ERROR /* it could not be read just now */
} durable_read;

durable_read durable_file_read(const char *path, buffer *content);

/* The content of a file whose bytes are these; false when they are damaged. */
bool durable_file_decode(slice bytes, slice *content);

/* Reads a whole file, of any format, behind what is in the buffer. */
sb_status file_read_whole(const char *path, buffer *into);

/* Creates a file of any format, or replaces its content, and syncs it (not its directory). */
sb_status file_write_whole(const char *path, slice content);

/* Between two tries of something that a disk has refused: sleeps, longer each time.  How the scope
 * ended, or SB_OK. */
sb_status disk_back_off(uint32_t *tries, sb_scope *scope);

/* There is no such file any more.  A disk that refuses is asked again and again; false: in vain. */
bool file_remove(const char *path);

/* sb_directory_list, asked again and again of a disk that refuses; false: in vain, and some paths
 * may have been visited. */
bool directory_paths(const char *directory, sb_directory_visit *visit, void *context);

/* What was removed from the directory is gone for good: a name comes back at a loss of power until
 * the directory is synced.  False: the disk has refused that again and again. */
bool directory_settle(const char *directory);

#endif
