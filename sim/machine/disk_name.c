/*
 * The names of files: the present directory, and how to go back to the durable one.
 *
 * Names are kept in one sorted array of whole paths; a directory is the part of a path before its
 * last slash.  A change of names is atomic, also a rename between two directories, and becomes
 * durable when one of the directories it touches is synced.  Changes that touch the same path stand
 * on each other: with one that is synced become durable all before it that it stands on; with one
 * that a crash loses are lost all that stand on it.
 */
#include <string.h>

#include "sim/machine/disk.h"

/* ---------------------------------------------------------------------------------- the paths */

static size_t directory_size(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path);
}

bool sb_disk_is_in(const char *path, const char *directory)
{
    const size_t size = directory_size(path);
    return strlen(directory) == size && memcmp(path, directory, size) == 0;
}

bool sb_disk_is_below(const char *path, const char *directory)
{
    const size_t size = strlen(directory);
    return size == 0 || (strncmp(path, directory, size) == 0 && path[size] == '/');
}

/* ------------------------------------------------------------------------------ present names */

uint32_t sb_disk_lower_bound(const sb_disk_state *disk, const char *path)
{
    uint32_t low = 0, high = disk->name_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (strcmp(disk->names[middle]->path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool stands_at(const sb_disk_state *disk, uint32_t at, const char *path)
{
    return at < disk->name_count && strcmp(disk->names[at]->path, path) == 0;
}

sb_disk_file *sb_disk_find(const sb_disk_state *disk, const char *path)
{
    const uint32_t at = sb_disk_lower_bound(disk, path);
    return stands_at(disk, at, path) ? disk->names[at]->file : NULL;
}

/* The path names this file (NULL: nothing) from now on. */
static void set_name(sb_world *world, sb_disk_state *disk, const char *path, sb_disk_file *file)
{
    const uint32_t at = sb_disk_lower_bound(disk, path);
    sb_disk_file *before = NULL;
    if (file != NULL) {
        file->references++;
    }
    if (stands_at(disk, at, path)) {
        before = disk->names[at]->file;
        disk->names[at]->file = file;
        if (file == NULL) {
            sb_disk_free(world, disk->names[at]);
            disk->name_count--;
            memmove(disk->names + at, disk->names + at + 1,
                    (disk->name_count - at) * sizeof(sb_disk_name *));
        }
    } else if (file != NULL) {
        sb_disk_name *const name = sb_disk_alloc(world, sizeof(*name));
        memcpy(name->path, path, strlen(path) + 1);
        name->file = file;
        disk->names = sb_disk_grow(world, disk->names, disk->name_count, &disk->name_capacity,
                                   sizeof(sb_disk_name *));
        memmove(disk->names + at + 1, disk->names + at,
                (disk->name_count - at) * sizeof(sb_disk_name *));
        disk->names[at] = name;
        disk->name_count++;
    }
    if (before != NULL) {
        sb_disk_file_drop(world, before);
    }
}

/* ------------------------------------------------------------------------------------ changes */

static sb_name_change *note_change(sb_world *world, sb_disk_state *disk, sb_name_change_kind kind,
                                   const char *path, uint64_t path_hash, sb_disk_file *file)
{
    sb_name_change *const change = sb_disk_alloc(world, sizeof(*change));
    change->number = ++disk->change_number;
    change->kind = kind;
    change->marked = false;
    change->file = file;
    change->victim = NULL;
    change->path_hash = path_hash;
    change->to_hash = path_hash;
    memcpy(change->path, path, strlen(path) + 1);
    change->to[0] = '\0';
    file->references++;
    disk->changes = sb_disk_grow(world, disk->changes, disk->change_count, &disk->change_capacity,
                                 sizeof(sb_name_change *));
    disk->changes[disk->change_count++] = change;
    return change;
}

static void change_free(sb_world *world, sb_name_change *change)
{
    sb_disk_file_drop(world, change->file);
    if (change->victim != NULL) {
        sb_disk_file_drop(world, change->victim);
    }
    sb_disk_free(world, change);
}

static void change_do(sb_world *world, sb_disk_state *disk, const sb_name_change *change)
{
    switch (change->kind) {
    case SB_NAME_CREATE:
        set_name(world, disk, change->path, change->file);
        break;
    case SB_NAME_REMOVE:
        set_name(world, disk, change->path, NULL);
        break;
    case SB_NAME_RENAME:
        set_name(world, disk, change->path, NULL);
        set_name(world, disk, change->to, change->file);
        break;
    }
}

static void change_undo(sb_world *world, sb_disk_state *disk, const sb_name_change *change)
{
    switch (change->kind) {
    case SB_NAME_CREATE:
        set_name(world, disk, change->path, NULL);
        break;
    case SB_NAME_REMOVE:
        set_name(world, disk, change->path, change->file);
        break;
    case SB_NAME_RENAME:
        set_name(world, disk, change->to, change->victim);
        set_name(world, disk, change->path, change->file);
        break;
    }
}

static bool share_a_path(const sb_name_change *one, const sb_name_change *other)
{
    return one->path_hash == other->path_hash || one->path_hash == other->to_hash ||
           one->to_hash == other->path_hash || one->to_hash == other->to_hash;
}

sb_disk_file *sb_disk_create(sb_world *world, sb_disk_state *disk, const char *path,
                             uint64_t path_hash)
{
    sb_disk_file *const file = sb_disk_file_new(world, path_hash);
    change_do(world, disk, note_change(world, disk, SB_NAME_CREATE, path, path_hash, file));
    return file;
}

void sb_disk_remove(sb_world *world, sb_disk_state *disk, const char *path, uint64_t path_hash)
{
    sb_disk_file *const file = sb_disk_find(disk, path);
    change_do(world, disk, note_change(world, disk, SB_NAME_REMOVE, path, path_hash, file));
}

void sb_disk_rename(sb_world *world, sb_disk_state *disk, const char *from, uint64_t from_hash,
                    const char *to, uint64_t to_hash)
{
    sb_disk_file *const file = sb_disk_find(disk, from);
    sb_name_change *const change = note_change(world, disk, SB_NAME_RENAME, from, from_hash, file);
    change->victim = sb_disk_find(disk, to);
    change->to_hash = to_hash;
    memcpy(change->to, to, strlen(to) + 1);
    if (change->victim != NULL) {
        change->victim->references++;
    }
    file->path_hash = to_hash;
    change_do(world, disk, change);
}

/* -------------------------------------------------------------------------------------- syncs */

static bool touches_directory(const sb_name_change *change, const char *directory)
{
    return sb_disk_is_in(change->path, directory) ||
           (change->kind == SB_NAME_RENAME && sb_disk_is_in(change->to, directory));
}

uint32_t sb_disk_unsynced_names(const sb_disk_state *disk, const char *directory)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < disk->change_count; i++) {
        count += touches_directory(disk->changes[i], directory) ? 1 : 0;
    }
    return count;
}

/* Mark, from the last to the first, what is synced and what that stands on. */
static void mark_synced(sb_disk_state *disk, const char *directory, uint64_t number)
{
    for (uint32_t i = disk->change_count; i-- > 0;) {
        sb_name_change *const change = disk->changes[i];
        change->marked = change->number <= number && touches_directory(change, directory);
        for (uint32_t later = i + 1; later < disk->change_count && !change->marked; later++) {
            change->marked =
                disk->changes[later]->marked && share_a_path(change, disk->changes[later]);
        }
    }
}

void sb_disk_names_settle(sb_world *world, sb_disk_state *disk, const char *directory,
                          uint64_t number)
{
    mark_synced(disk, directory, number);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < disk->change_count; i++) {
        sb_name_change *const change = disk->changes[i];
        if (change->marked) {
            change_free(world, change);
        } else {
            disk->changes[kept++] = change;
        }
    }
    disk->change_count = kept;
}

/* ------------------------------------------------------------------------------------ a crash */

static bool stands_on_lost(const sb_disk_state *disk, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (disk->changes[i]->marked && share_a_path(disk->changes[i], disk->changes[index])) {
            return true;
        }
    }
    return false;
}

static void note_lost(sb_world *world, sb_disk_state *disk, const sb_name_change *change)
{
    const sb_node_state *const node = disk->node;
    const char *const path = change->kind == SB_NAME_RENAME ? change->to : change->path;
    sb_event_add(world, SB_EVENT_CRASHED_NAME, node->number, node->incarnation, 0, 0,
                 change->to_hash, 0, 0);
    disk->lost = sb_disk_grow(world, disk->lost, disk->lost_count, &disk->lost_capacity,
                              sizeof(*disk->lost));
    memcpy(disk->lost[disk->lost_count++], path, strlen(path) + 1);
}

static bool draw_loss(sb_world *world, sb_disk_state *disk, uint32_t index,
                      const sb_disk_fate *fate)
{
    if (!fate->may_lose_names) {
        return false;
    }
    return fate->lose_all || stands_on_lost(disk, index) ||
           sb_choose_at(world, disk->node, SB_STREAM_CRASH, 2) != 0;
}

void sb_disk_names_crash(sb_world *world, sb_disk_state *disk, const sb_disk_fate *fate)
{
    for (uint32_t i = disk->change_count; i-- > 0;) {
        change_undo(world, disk, disk->changes[i]);
    }
    for (uint32_t i = 0; i < disk->change_count; i++) {
        sb_name_change *const change = disk->changes[i];
        change->marked =
            draw_loss(world, disk, i, fate) && sb_fault_strikes(world, SB_FAULT_LOST_NAME);
        if (change->marked) {
            note_lost(world, disk, change);
        } else {
            change_do(world, disk, change);
        }
    }
    for (uint32_t i = 0; i < disk->change_count; i++) {
        change_free(world, disk->changes[i]);
    }
    disk->change_count = 0;
}

void sb_disk_names_wipe(sb_world *world, sb_disk_state *disk)
{
    for (uint32_t i = 0; i < disk->change_count; i++) {
        change_free(world, disk->changes[i]);
    }
    for (uint32_t i = 0; i < disk->name_count; i++) {
        sb_disk_file_drop(world, disk->names[i]->file);
        sb_disk_free(world, disk->names[i]);
    }
    disk->change_count = 0;
    disk->name_count = 0;
    disk->lost_count = 0;
}

/* ------------------------------------------------------------------------------ durable names */

sb_disk_file *sb_disk_find_durable(const sb_disk_state *disk, const char *path)
{
    sb_disk_file *file = sb_disk_find(disk, path);
    for (uint32_t i = disk->change_count; i-- > 0;) {
        const sb_name_change *const change = disk->changes[i];
        if (strcmp(change->path, path) == 0) {
            file = change->kind == SB_NAME_CREATE ? NULL : change->file;
        } else if (change->kind == SB_NAME_RENAME && strcmp(change->to, path) == 0) {
            file = change->victim;
        }
    }
    return file;
}

static uint32_t insert_path(const char **paths, uint32_t count, const char *path)
{
    uint32_t at = count;
    while (at > 0 && strcmp(paths[at - 1], path) > 0) {
        at--;
    }
    if (at > 0 && strcmp(paths[at - 1], path) == 0) {
        return count;
    }
    memmove(paths + at + 1, paths + at, (count - at) * sizeof(*paths));
    paths[at] = path;
    return count + 1;
}

const char **sb_disk_paths(sb_world *world, const sb_disk_state *disk, uint32_t *count)
{
    const size_t most = disk->name_count + 2 * (size_t)disk->change_count + 1;
    const char **const paths = sb_disk_alloc(world, most * sizeof(*paths));
    *count = 0;
    for (uint32_t i = 0; i < disk->name_count; i++) {
        paths[(*count)++] = disk->names[i]->path;
    }
    for (uint32_t i = 0; i < disk->change_count; i++) {
        *count = insert_path(paths, *count, disk->changes[i]->path);
        if (disk->changes[i]->kind == SB_NAME_RENAME) {
            *count = insert_path(paths, *count, disk->changes[i]->to);
        }
    }
    return paths;
}
