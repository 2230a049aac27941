/*
 * What placement knows of the regions: which keys, which store, which epoch.
 *
 * It is hearsay, told by the stores, which alone decide (storage/region.h).  Of two claims to a key
 * the one with the higher epoch is the later one; so a region that is told of takes the place of
 * all that it overlaps, if none of them is later, and is else ignored.  Of one region in one epoch
 * "nobody leads it" is the later word: it has left, and comes back in a higher one.  What stays
 * uncovered is a hole until the store that has it tells of it: maps with holes are handed out as
 * they are, and whoever works by one checks that it has none (TiDB issue 50895).
 *
 * Numbers of regions are handed out here and never twice.
 */
#ifndef ENGINE_PLACEMENT_REGION_TABLE_H
#define ENGINE_PLACEMENT_REGION_TABLE_H

#include "engine/base/scalars.h"
#include "engine/wire/messages.h"

typedef struct region_table {
    region_id last;            /* the greatest number handed out, or heard of */
    region_description *items; /* in key order, none overlapping; their keys are owned */
    uint32_t count, room;
} region_table;

void region_table_init(region_table *of);
void region_table_release(region_table *of);

/* True: something other than a size has changed. */
bool region_table_learn(region_table *of, const region_description *told);

/* The region of the key, and the one that begins where this one ends; NULL: not known. */
const region_description *region_table_find(const region_table *of, slice key);
const region_description *region_table_behind(const region_table *of,
                                              const region_description *one);

/* How many regions the store leads. */
uint32_t region_table_led_by(const region_table *of, sb_address store);

void region_table_pack(const region_table *of, packing *list);

void region_table_encode(const region_table *of, buffer *into); /* appends */
void region_table_decode(region_table *of, cursor *from);       /* into a fresh one */

#endif
