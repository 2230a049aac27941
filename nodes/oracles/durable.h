/*
 * What the storage machines would find on their disks if the power went now: all of it, as one map.
 *
 * The oracles judge by this and by nothing else of storage: no cache, no memory, no answer of a
 * store.  The bytes are those that outlive the loss of everything that can be lost
 * (sb_disk_list_durable); they are decoded by the same readers that a booting store uses, so what
 * is judged here is what a cluster would come back with.
 *
 * Regions move between stores, and a store keeps its copy until it knows that the region has
 * arrived.  Of the copies that hold a key the one with the highest epoch counts (storage/region.h);
 * a lower one must be leaving.  Two stores that would serve one key, or a key that nobody holds,
 * are a finding of kind wrong-state.
 *
 * Locks that were left behind are resolved as a reader would resolve them: by the record of their
 * primary, wherever that lies.  One whose transaction is still undecided stays, and is as good as
 * rolled back.
 */
#ifndef NODES_ORACLES_DURABLE_H
#define NODES_ORACLES_DURABLE_H

#include "engine/storage/state.h"
#include "sim/world.h"

typedef struct durable_store {
    sb_node node;
    store_state state;
} durable_store;

/* A range of keys and where it is; borrows from the store's state. */
typedef struct durable_region {
    const region *is;
    uint32_t store;
} durable_region;

typedef struct durable_cluster {
    durable_store *stores;
    uint32_t store_count;
    durable_region *regions; /* those that count, in key order; they cover all keys */
    uint32_t region_count;
} durable_cluster;

/* Damage is a finding of kind cannot-start: a store would not boot from these bytes. */
void durable_cluster_read(durable_cluster *into, sb_world *world, const sb_node *nodes,
                          uint32_t count);
void durable_cluster_release(durable_cluster *of);

/* Find the regions that count; part of durable_cluster_read. */
void durable_place_regions(durable_cluster *of, sb_world *world);

/* Resolve the locks that stand in the states; part of durable_cluster_read. */
void durable_resolve_locks(durable_cluster *of);

/* The store whose copy of the key counts. */
durable_store *durable_store_of(const durable_cluster *of, slice key);

/* NULL when the key was never touched. */
const entry *durable_find(const durable_cluster *of, slice key);

/* The row whose key this makes, and the definitions of a table; likewise. */
const entry *durable_find_row(const durable_cluster *of, void (*make_key)(buffer *key));
const entry *durable_find_table(const durable_cluster *of, table_id id);

/* The newest put at or before `at` (TIMESTAMP_MAX: the latest); NULL when the key is not there
 * then. */
const version *durable_read(const durable_cluster *of, slice key, timestamp at);
const version *durable_entry_read(const entry *of, timestamp at);

/* All entries of [start, end) (end empty: no end), in key order:
 *
 *   durable_walk walk;
 *   for (durable_walk_init(&walk, durable, start, end); durable_walk_next(&walk);) { ... walk.key,
 * walk.found ...
 */
#define DURABLE_WORD_MAX 32u /* bytes of the beginning that the rows of a word share */
typedef struct durable_walk {
    const durable_cluster *of;
    slice start, end;
    uint32_t region; /* of durable.regions */
    ordered_map_cursor at;
    bool entered; /* at stands in this region */
    slice key;
    const entry *found;
    unsigned char bounds[2 * DURABLE_WORD_MAX]; /* of durable_walk_rows: start and end lie here */
} durable_walk;

void durable_walk_init(durable_walk *walk, const durable_cluster *of, slice start, slice end);
/* The rows `m word ...`. */
void durable_walk_rows(durable_walk *walk, const durable_cluster *of, const char *word);
bool durable_walk_next(durable_walk *walk);

#endif
