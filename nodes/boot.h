/*
 * What a machine is told when it boots: the bytes behind sb_boot.argument.
 *
 * One `boot_plan` describes the whole cluster and every machine gets the same bytes; who it is, it
 * learns from sb_self().  A scenario fills the plan and encodes it; a program decodes it once and
 * lives with it.
 */
#ifndef NODES_BOOT_H
#define NODES_BOOT_H

#include "engine/wire/messages.h"

#define BOOT_MACHINES_MAX 16u
#define BOOT_REGIONS_MAX 64u
#define BOOT_KEY_MAX 64u
#define BOOT_TABLES_MAX 4u

/* A list of machines of one role. */
typedef struct boot_machines {
    uint32_t count;
    sb_address addresses[BOOT_MACHINES_MAX];
} boot_machines;

/* A region as it is when the cluster is born.  Its epoch is 1. */
typedef struct boot_region {
    region_id id;
    sb_address store;
    uint32_t start_size, end_size; /* end_size 0: no end */
    unsigned char start[BOOT_KEY_MAX], end[BOOT_KEY_MAX];
} boot_region;

/* Settings: SETTING(type, name, default), one list for the struct, the defaults and the encoding.
 */
typedef struct boot_settings {
#define SETTING(type, name, initial) type name;
#include "nodes/settings.def"
#undef SETTING
} boot_settings;

typedef struct boot_plan {
    boot_machines placements, stores, servers;
    uint32_t region_count;
    boot_region regions[BOOT_REGIONS_MAX]; /* in key order, covering all keys */
    boot_settings settings;
} boot_plan;

/* No machines, no regions, default settings. */
void boot_plan_init(boot_plan *plan);

/* Rows that are loaded into a table. */
uint64_t boot_table_rows(const boot_settings *of, uint64_t table);

/* The next region of the plan: it starts where the one before ended (at the least key, for the
 * first) and ends at `end` (empty: no end, for the last). */
void boot_plan_add_region(boot_plan *plan, region_id id, sb_address store, slice end);

void boot_plan_encode(const boot_plan *plan, buffer *into); /* clears `into` first */
bool boot_plan_decode(boot_plan *plan, slice bytes);

/* Appends the regions to the list, for placement's map and the stores' tables. */
void boot_plan_pack_regions(const boot_plan *plan, packing *list);

#endif
