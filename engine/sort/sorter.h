/*
 * The external sorter: more entries than memory holds, sorted on this machine's disk.
 *
 *   entry runs ──spill──→ run-0  run-1  run-2  …  run-n
 *                            \     |      /        |        a pass merges as many as the quota
 *                             `─ run-n+1 ─'        |        lets, until the rest fits one merge
 *                                      \          /
 *                                       merge ──→ pairs in order
 *
 * Entries that are the same, key and value, are one.  Two values under one key are a conflict: the
 * first is kept for the message, with both values, and the caller decides what it means (a
 * duplicate of a unique index).
 *
 * Memory: a run in memory is its filler's; the sorter takes from the quota what its readers and its
 * writer hold while it merges, all at once, and gives it back when the merge is closed.  Disk: the
 * bytes of all its files are counted into a meter that several sorters may share.  Files are never
 * synced by themselves; sorter_sync makes what is there durable.
 */
#ifndef ENGINE_SORT_SORTER_H
#define ENGINE_SORT_SORTER_H

#include "engine/sort/key_sample.h"
#include "engine/sort/memory_quota.h"
#include "engine/sort/run_merge.h"

#define SORTER_FOLDER_MAX 64u
#define SORTER_PATH_MAX 96u
#define SORTER_FAN_IN_MAX 64u

typedef struct disk_meter {
    uint64_t used, peak; /* in bytes */
    uint64_t full_at;    /* what was used when the disk said last that it is full; 0: never */
} disk_meter;

/* A run on the disk. */
typedef struct sorted_run {
    uint32_t number; /* its file is <folder>/run-<number> */
    bool synced;
    bool doubtful; /* a sync of it has failed: what was written may be gone */
    run_summary summary;
} sorted_run;

typedef struct sorter_conflict {
    bool found;
    buffer key, first, second; /* the values in the order in which they were met */
} sorter_conflict;

typedef enum sorter_status {
    SORTER_OK,
    SORTER_END,
    SORTER_CONFLICT, /* two values under one key: see conflict */
    SORTER_DAMAGED,  /* a file is not what was written */
    SORTER_NO_SPACE,
    SORTER_DISK,    /* this machine's disk has other trouble */
    SORTER_CANCELED /* the scope has ended */
} sorter_status;

/* Called when a pass has put one run in the place of several, before the files of those go: whoever
 * keeps a list of the runs must write it anew first.  Anything but SB_OK ends the merge. */
typedef sb_status sorter_replaced(void *context);

typedef struct sorter {
    char folder[SORTER_FOLDER_MAX];
    memory_quota *memory;
    disk_meter *disk;
    uint32_t shared;  /* bytes that all keys begin with */
    sorted_run *runs; /* from the oldest */
    uint32_t run_count, run_room;
    uint32_t next_number;
    uint64_t disk_used;
    bool litter; /* a file that is not a run any more may still be there */
    bool lost;   /* a run is not what was written: no merge will come to an end */
    sorter_conflict conflict;
    key_sample sample;         /* of what was spilled; not of what was adopted */
    sorter_replaced *replaced; /* NULL: nobody keeps one */
    void *replaced_context;
    run_merge merge; /* while it is open */
    uint64_t merge_charge;
    bool merging;
} sorter;

void sorter_init(sorter *of, const char *folder, memory_quota *memory, disk_meter *disk,
                 uint32_t shared);

/* Frees what it holds in memory; the files stay. */
void sorter_release(sorter *of);

/* Remove all files of all runs.  False: one, or an earlier one, could not be
 * removed; it stays, and is no longer counted.
 */
bool sorter_remove_files(sorter *of);

/* Sort the run and write it; it stays the caller's.  Not SORTER_OK: nothing of it is kept. */
sorter_status sorter_spill(sorter *of, entry_run *run);

/* A run that an earlier incarnation has left; its file was checked. */
void sorter_adopt(sorter *of, const sorted_run *run);

/* Make every file, and its name, durable.  Not SB_OK: not all are, and one may be `lost`. */
sb_status sorter_sync(sorter *of);

/* Merge until one merge is left, and open that.  extra: bytes that whoever takes the pairs needs
 * itself, had from the quota together with the merge's own and given back with them. */
sorter_status sorter_merge_open(sorter *of, uint64_t extra, sb_scope *scope);

/* The next pair, encoded, good until the call after. */
sorter_status sorter_merge_next(sorter *of, const unsigned char **encoded, uint32_t *size);
void sorter_merge_close(sorter *of);

/* Bytes of a block under this quota, and the share of it that one merge takes at most. */
uint32_t sorter_block_size(const memory_quota *memory);

#endif
