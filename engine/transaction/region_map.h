/*
 * A region map: who holds which keys, as placement told it once.
 *
 * A map never changes and is counted: a task that works by one keeps it while others install a
 * newer one.  It covers all keys: it begins at the empty key, every region ends where the next
 * begins, the last has no end.  A map that does not is not taken (TiDB issue 50895: subtasks were
 * planned over a map with holes).
 */
#ifndef ENGINE_TRANSACTION_REGION_MAP_H
#define ENGINE_TRANSACTION_REGION_MAP_H

#include "engine/wire/messages.h"

typedef struct region_map {
    uint32_t users;
    uint32_t count;
    region_description *regions; /* in key order */
    unsigned char *bytes;        /* what their keys point into */
} region_map;

/* NULL when the list has a hole, an overlap, or a region without a number. */
region_map *region_map_make(packed_regions regions);

/* The same map, but for the leader and the epoch of that one of its regions. */
region_map *region_map_moved(const region_map *map, const region_description *one,
                             sb_address leader, region_epoch epoch);

const region_map *region_map_acquire(const region_map *map);
void region_map_release(const region_map *map); /* NULL is allowed */

/* The region that holds the key: there always is one. */
const region_description *region_map_find(const region_map *map, slice key);

#endif
