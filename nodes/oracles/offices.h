/*
 * I4: who moves tasks, schemas and jobs reigns.
 *
 * An elected server reigns when its tenure stands in `m owner`, and not before; it may still finish
 * what it had begun while it retires.  Judged when a move is told, by what the same machine has
 * told of its office: a memory of that machine, so no other one is asked.  Whoever is booted again
 * begins without an office, however the one before him ended.
 */
#ifndef NODES_ORACLES_OFFICES_H
#define NODES_ORACLES_OFFICES_H

#include "sim/world.h"

typedef struct offices {
    uint64_t reigning; /* bits of machines that reign, or retire from a reign */
    uint32_t incarnations[SB_NODE_COUNT_MAX]; /* of who told last */
} offices;

/* From an observer of moves: a finding of kind stale-owner when it is not its to make. */
void oracle_office_moved(offices *of, sb_world *world, sb_node node, const sb_machine *machine,
                         uint32_t to);

#endif
