/*
 * The cluster of the scenarios: one placement, stores, servers, clients; its regions; what every
 * machine is told.
 *
 *     node 0          the director, which is the operator too
 *     1               placement
 *     then            store1 …, server1 …, client1 … (the first loads the rows)
 *
 *     keys            'm' rows | of each table: entries of indexes, cut in two | rows 1 … | rows …
 * | … | the last rows
 *
 * Regions go round the stores.  Where the rows are cut is drawn; the calm answer is into equal
 * parts.
 */
#ifndef NODES_SCENARIOS_MACHINES_H
#define NODES_SCENARIOS_MACHINES_H

#include "nodes/boot.h"
#include "sim/tool.h"

enum {
#define SETTING(name, word, kind, fallback, min, max, help) SETTING_##name,
#include "nodes/scenarios/settings.def"
#undef SETTING
    SETTING_COUNT /* a scenario's own follow */
};

typedef struct machines {
    sb_node placement;
    sb_node stores[BOOT_MACHINES_MAX], servers[BOOT_MACHINES_MAX], clients[BOOT_MACHINES_MAX];
    uint32_t store_count, server_count, client_count;
    uint64_t everybody; /* bits 1 << node of all of them */
    boot_plan plan;
} machines;

uint64_t setting_of(const sb_settings *settings, uint32_t setting);

/* Settings of which the first may not be over the second; else the problem is said in one line. */
typedef struct setting_pair {
    uint32_t least, most;
} setting_pair;
bool settings_are_ordered(const sb_setting *table, const sb_settings *values,
                          const setting_pair *pairs, size_t count, char *problem, size_t size);

/* What a scenario draws for its seed. */
typedef struct machines_plan {
    uint64_t sizes;  /* kinds of the family "size", bits 1 << fault, that the world may have: then
                        quotas, channels and numbers of workers are drawn, down from what the
                        settings  say to very small, and regions up */
    uint32_t hurry;  /* the pause between two batches of a backfill is halved so often; if at all,
                        batches are twice as large and clients twice as busy */
    uint32_t tables; /* when the settings leave it open */
    uint32_t duplicates; /* of a million inserts, so many take a value that another row has */
    uint32_t hot;        /* of a million ids that clients draw, so many are of a few rows */
} machines_plan;

/* Numbers and sets of machines, as the settings have them; no world is needed.  `first` is the
 * number of the first, and no plan is made. */
void machines_number(machines *into, const sb_settings *settings, sb_node first);

/* Add them to the world, down. */
void machines_add(machines *into, sb_world *world, const sb_settings *settings,
                  const machines_plan *how);

/* Regions that hold loaded rows of the first table. */
uint32_t machines_row_regions(const machines *of);

/* bits 1 << node */
void machines_boot_all(sb_world *world, uint64_t nodes);
void machines_stop_all(sb_world *world, uint64_t nodes);
bool machines_all_down(const sb_world *world, uint64_t nodes);
uint64_t machines_bits(const sb_node *nodes, uint32_t count);

#endif
