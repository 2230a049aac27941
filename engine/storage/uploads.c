/*
 * Files that workers have sent and that wait to be ingested: see uploads.h.
 *
 * A file is used by one request at a time.  One that comes meanwhile, most likely the same request
 * again, is told to come later.
 */
#include "engine/storage/uploads.h"

#include <string.h>

#include "engine/base/disk_points.h"
#include "engine/base/durable_file.h"

#define FOLDER "ingest/"

typedef struct upload {
    uint64_t size;
    sb_time touched;
    bool in_use;
    uint32_t name_size;
    char path[sizeof(FOLDER) + UPLOAD_NAME_MAX]; /* with the name behind the folder */
} upload;

static slice upload_name(const upload *of)
{
    return slice_of(of->path + strlen(FOLDER), of->name_size);
}

static bool name_is_good(slice name)
{
    if (name.size == 0 || name.size > UPLOAD_NAME_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < name.size; i++) {
        const unsigned char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

void uploads_init(uploads *of)
{
    *of = (uploads){0};
    ordered_map_init(&of->files);
    sb_scope_init(&of->scope, NULL, "uploads");
    sb_wait_group_init(&of->tasks, "removal of stale uploads");
}

void uploads_release(uploads *of)
{
    sb_scope_cancel(&of->scope);
    (void)sb_wait_group_wait(&of->tasks, NULL);
    for (ordered_map_cursor at = ordered_map_first(&of->files); ordered_map_valid(&at);
         ordered_map_next(&at)) {
        sb_free(ordered_map_value(&at));
    }
    ordered_map_release(&of->files);
    sb_wait_group_release(&of->tasks);
    sb_scope_release(&of->scope);
}

/* ------------------------------------------------------------------------------------ removal */

static void remove_file(uploads *of, upload *victim)
{
    char path[sizeof(victim->path)];
    memcpy(path, victim->path, sizeof(path));
    (void)ordered_map_remove(&of->files, upload_name(victim));
    sb_free(victim);
    (void)file_remove(path);
}

/* The file that was touched longest ago, or NULL. */
static upload *oldest(const uploads *of)
{
    upload *found = NULL;
    for (ordered_map_cursor at = ordered_map_first(&of->files); ordered_map_valid(&at);
         ordered_map_next(&at)) {
        upload *one = ordered_map_value(&at);
        if (found == NULL || one->touched < found->touched) {
            found = one;
        }
    }
    return found;
}

/* What is being used now is as fresh as can be. */
static void touch_used(uploads *of, sb_time now)
{
    for (ordered_map_cursor at = ordered_map_first(&of->files); ordered_map_valid(&at);
         ordered_map_next(&at)) {
        upload *one = ordered_map_value(&at);
        one->touched = one->in_use ? now : one->touched;
    }
}

static void remove_stale(void *argument)
{
    uploads *of = argument;
    while (sb_scope_status(&of->scope) == SB_OK) {
        const sb_time now = sb_monotonic_time();
        touch_used(of, now);
        upload *first = oldest(of);
        if (first == NULL) {
            break;
        }
        if (now >= first->touched + UPLOAD_LIFE) {
            SOMETIMES(true, "a store removes a stale upload");
            remove_file(of, first);
        } else {
            (void)sb_sleep(first->touched + UPLOAD_LIFE - now, &of->scope);
        }
    }
    of->removing = false;
}

/* ---------------------------------------------------------------------------------------- use */

static upload *find(const uploads *of, slice name)
{
    return ordered_map_find(&of->files, name);
}

static upload *add(uploads *of, slice name, sb_time now)
{
    upload *added = sb_alloc_zero(sizeof(*added));
    memcpy(added->path, FOLDER, strlen(FOLDER));
    memcpy(added->path + strlen(FOLDER), name.data, name.size);
    added->name_size = name.size;
    added->touched = now;
    (void)ordered_map_insert(&of->files, upload_name(added), added);
    return added;
}

static sb_status write_piece(upload *into, const upload_request *piece)
{
    sb_file *file = NULL;
    const uint64_t end = piece->offset + piece->bytes.size;
    sb_status status = disk_open("upload-open", into->path, SB_FILE_CREATE, &file);
    if (status != SB_OK) {
        return status;
    }
    status = disk_do("upload-write",
                     sb_file_write(file, piece->offset, piece->bytes.data, piece->bytes.size));
    if (status == SB_OK && piece->last && into->size > end) {
        status = disk_do("upload-truncation", sb_file_truncate(file, end));
    }
    if (status == SB_OK && (into->size < end || piece->last)) {
        into->size = end;
    }
    sb_file_close(file);
    return status;
}

static reply_status reply_of_disk(sb_status status)
{
    switch (status) {
    case SB_OK:
        return REPLY_OK;
    case SB_NO_SPACE:
        return REPLY_NO_SPACE;
    case SB_NOT_FOUND:
        return REPLY_NOT_FOUND;
    default:
        return REPLY_BUSY;
    }
}

reply_status uploads_write(uploads *of, const upload_request *piece, uint64_t *size)
{
    *size = 0;
    if (!name_is_good(piece->name) || piece->bytes.size > UPLOAD_PIECE_MAX ||
        piece->offset > UPLOAD_SIZE_MAX) {
        return REPLY_BAD_REQUEST;
    }
    const sb_time now = sb_monotonic_time();
    upload *into = find(of, piece->name);
    if (into == NULL && piece->offset > 0) {
        return REPLY_OK; /* what stands before this piece is not here: begin at 0 */
    }
    into = into != NULL ? into : add(of, piece->name, now);
    if (into->in_use) {
        SOMETIMES(true, "two requests meet at one upload");
        return REPLY_BUSY;
    }
    into->touched = now;
    reply_status status = REPLY_OK;
    if (piece->offset <= into->size) {
        into->in_use = true;
        status = reply_of_disk(write_piece(into, piece));
        into->in_use = false;
    }
    *size = into->size;
    if (!of->removing && sb_scope_status(&of->scope) == SB_OK) {
        of->removing = true;
        sb_spawn(&of->tasks, remove_stale, of, "stale-uploads");
    }
    return status;
}

reply_status uploads_read(uploads *of, slice name, buffer *into)
{
    if (!name_is_good(name)) {
        return REPLY_BAD_REQUEST;
    }
    upload *from = find(of, name);
    if (from == NULL) {
        return REPLY_NOT_FOUND;
    }
    if (from->in_use) {
        return REPLY_BUSY;
    }
    from->in_use = true;
    const reply_status status = reply_of_disk(file_read_whole(from->path, into));
    from->in_use = false;
    return status;
}

void uploads_remove(uploads *of, slice name)
{
    upload *victim = find(of, name);
    if (victim != NULL && !victim->in_use) {
        remove_file(of, victim);
    }
}
