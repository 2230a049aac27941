/*
 * Inside a disk: what disk.c (the doors), disk_file.c (bytes) and disk_name.c (names) share.
 *
 * A disk shows its program the present and remembers how to go back to what is durable:
 *
 *   present bytes  --undo change n--> ... --undo change 1-->  durable bytes
 *   present names  --undo change n--> ... --undo change 1-->  durable names
 *
 * A change carries only what it overwrote (an append carries nothing), and a sync forgets the
 * changes it covers: no file is ever copied for it.  A crash walks back to the durable state and
 * does again those changes that it keeps.
 *
 * Everything lies in the world's disk heap.
 */
#ifndef SB_MACHINE_DISK_H
#define SB_MACHINE_DISK_H

#include "sim/kernel/kernel.h"

#define SB_PATH_MAX 127u
#define SB_SECTOR ((uint64_t)512)
#define SB_FILE_SIZE_MAX ((uint64_t)1 << 30)

typedef enum sb_file_change_kind { SB_CHANGE_WRITE, SB_CHANGE_TRUNCATE } sb_file_change_kind;

typedef struct sb_file_change {
    uint64_t offset;      /* of a write; a truncation: the new size */
    uint64_t size;        /* of a write */
    uint64_t old_size;    /* of the file before */
    unsigned char *saved; /* what was there before; NULL: nothing was */
    uint32_t saved_size;
    uint8_t kind;
} sb_file_change;

/* The bytes of a file.  Names, changes of names, and handles refer to it. */
typedef struct sb_disk_file {
    unsigned char *data;
    uint64_t size, capacity;
    sb_file_change *changes; /* not durable yet, oldest first */
    uint32_t change_count, change_capacity;
    uint64_t settled;   /* changes that are durable and forgotten */
    uint64_t path_hash; /* of the name it was last known by */
    uint32_t references;
    bool lost, torn, astray; /* it was altered, and no program has seen that yet */
    bool persisted;          /* by a sync that nobody was told of; likewise */
    uint64_t syncing;        /* changes up to this number were under way when its machine died */
} sb_disk_file;

typedef struct sb_disk_name {
    sb_disk_file *file;
    char path[SB_PATH_MAX + 1];
} sb_disk_name;

typedef enum sb_name_change_kind {
    SB_NAME_CREATE,
    SB_NAME_REMOVE,
    SB_NAME_RENAME
} sb_name_change_kind;

typedef struct sb_name_change {
    uint64_t number;
    sb_name_change_kind kind;
    bool marked; /* to be settled, or lost: while the changes are gone through */
    sb_disk_file *file;
    sb_disk_file *victim; /* that a rename took the place of; NULL: none */
    uint64_t path_hash, to_hash;
    char path[SB_PATH_MAX + 1];
    char to[SB_PATH_MAX + 1]; /* of a rename */
} sb_name_change;

/* An open file, of the incarnation that opened it; kept while a call still waits on it. */
struct sb_file {
    struct sb_file *next, **link;
    bool closed;
    uint32_t waits;   /* calls that wait on it */
    uint64_t syncing; /* the changes up to this number are being synced by one of them */
    sb_disk_file *file;
    struct sb_disk_state *disk;
    uint64_t path_hash;
    char path[SB_PATH_MAX + 1];
};

typedef struct sb_disk_state {
    sb_node_state *node;
    sb_disk_name **names; /* in the order of their bytes */
    uint32_t name_count, name_capacity;
    sb_name_change **changes; /* not durable yet, oldest first */
    uint32_t change_count, change_capacity;
    uint64_t change_number; /* of the last */
    struct sb_file *handles, *spare;
    uint32_t open_count;           /* of those that are not closed */
    char (*lost)[SB_PATH_MAX + 1]; /* names a crash has taken and no program has missed yet */
    uint32_t lost_count, lost_capacity;
    bool wiped; /* and no program has missed anything yet */
    bool troubled;
    sb_disk_trouble trouble; /* of a troubled disk */
    unsigned char *scratch;  /* where a durable view is put together */
    uint64_t scratch_capacity;
} sb_disk_state;

/* Memory of the disks: never NULL (the world ends as `runaway`); its bytes are whatever they were.
 */
void *sb_disk_alloc(sb_world *world, size_t size);
void sb_disk_free(sb_world *world, void *block); /* NULL is allowed */
/* The block, or a twice as large copy of it when `count` items fill its capacity. */
void *sb_disk_grow(sb_world *world, void *block, uint32_t count, uint32_t *capacity,
                   size_t item_size);

/* What a crash may do: which faults the world allows, and what was drawn for this crash. */
typedef struct sb_disk_fate {
    bool lose_all; /* all that can be lost is */
    bool may_lose, may_tear, may_lose_names;
} sb_disk_fate;

/* ----------------------------------------------------------------------------- disk_trouble.c
 *
 * Asked before each operation of a troubled disk; SB_OK: it goes on as always, and is not altered.
 */

/* What the trouble makes of a read that has been done: SB_IO_ERROR, or a bit of it has rotted. */
sb_status sb_disk_trouble_read(sb_world *world, const sb_file *handle, uint64_t offset, void *data,
                               size_t size);

/* Of a write that is about to be done: fewer bytes, or at another offset. */
sb_status sb_disk_trouble_write(sb_world *world, const sb_file *handle, uint64_t *offset,
                                size_t *size);
sb_status sb_disk_trouble_truncate(sb_world *world, const sb_file *handle, uint64_t size);
sb_duration sb_disk_trouble_latency(sb_world *world, const sb_disk_state *disk);
sb_duration sb_disk_trouble_stall(sb_world *world, const sb_disk_state *disk);

/* Of a sync whose latency has passed.  An error may take back what was written since the last. */
sb_status sb_disk_trouble_sync(sb_world *world, const sb_file *handle);
sb_status sb_disk_trouble_sync_names(sb_world *world, const sb_disk_state *disk);

/* -------------------------------------------------------------------------------- disk_file.c */

sb_disk_file *sb_disk_file_new(sb_world *world, uint64_t path_hash);
void sb_disk_file_drop(sb_world *world, sb_disk_file *file); /* one reference less */
void sb_disk_file_write(sb_world *world, sb_disk_file *file, uint64_t offset, const void *data,
                        size_t size);
void sb_disk_file_truncate(sb_world *world, sb_disk_file *file, uint64_t size);
uint64_t sb_disk_file_unsynced(const sb_disk_file *file); /* bytes */

/* All changes since the last sync are undone. */
void sb_disk_file_forget(sb_world *world, sb_disk_file *file);

/* The changes up to this number (settled + change_count at some time) are durable now. */
void sb_disk_file_settle(sb_world *world, sb_disk_file *file, uint64_t number);
void sb_disk_file_crash(sb_world *world, sb_disk_state *disk, sb_disk_file *file,
                        const sb_disk_fate *fate);

/* Its durable bytes, perhaps in the disk's scratch. */
const unsigned char *sb_disk_file_durable(sb_world *world, sb_disk_state *disk,
                                          const sb_disk_file *file, size_t *size);

/* -------------------------------------------------------------------------------- disk_name.c */

sb_disk_file *sb_disk_find(const sb_disk_state *disk, const char *path); /* NULL: there is none */
uint32_t sb_disk_lower_bound(const sb_disk_state *disk,
                             const char *path); /* the first name not before it */
sb_disk_file *sb_disk_create(sb_world *world, sb_disk_state *disk, const char *path,
                             uint64_t path_hash);
void sb_disk_remove(sb_world *world, sb_disk_state *disk, const char *path, uint64_t path_hash);
void sb_disk_rename(sb_world *world, sb_disk_state *disk, const char *from, uint64_t from_hash,
                    const char *to, uint64_t to_hash);
bool sb_disk_is_in(const char *path, const char *directory);    /* just below it */
bool sb_disk_is_below(const char *path, const char *directory); /* at any depth */
uint32_t sb_disk_unsynced_names(const sb_disk_state *disk, const char *directory);

/* The directory's changes up to this number, and those they stand on, are durable now. */
void sb_disk_names_settle(sb_world *world, sb_disk_state *disk, const char *directory,
                          uint64_t number);
void sb_disk_names_crash(sb_world *world, sb_disk_state *disk, const sb_disk_fate *fate);

/* No names are left. */
void sb_disk_names_wipe(sb_world *world, sb_disk_state *disk);

/* What the durable names say. */
sb_disk_file *sb_disk_find_durable(const sb_disk_state *disk, const char *path);
/* Every path that is or may become durable, in the order of their bytes; free the array. */
const char **sb_disk_paths(sb_world *world, const sb_disk_state *disk, uint32_t *count);

#endif
