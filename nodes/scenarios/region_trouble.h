/*
 * Trouble with regions: while a world is in trouble, its regions split, merge and move.
 *
 * A helper of the director gives placement orders at drawn moments about drawn keys, as an operator
 * might, and does not care how they end.  The calm answer to
 * each draw is: no trouble; the longest pause; a split.
 */
#ifndef NODES_SCENARIOS_REGION_TROUBLE_H
#define NODES_SCENARIOS_REGION_TROUBLE_H

#include "engine/transaction/transaction.h"
#include "nodes/scenarios/machines.h"

typedef struct region_trouble {
    sb_world *world;
    const machines *machines;
    cluster *cluster;      /* of the operator */
    sb_duration pause_max; /* between two orders */
    sb_scope scope;
    sb_wait_group task;
    bool started;
} region_trouble;

/* Of a million worlds, `rate` have it; pauses are up to one of pause_most, half of it, … down to a
 * sixteenth. */
void region_trouble_start(region_trouble *of, sb_world *world, const machines *in, cluster *by,
                          uint32_t rate, sb_duration pause_most);

/* Also when it was never started (all zero). */
/* What the regions of a world can do to a program has names among the faults: of failpoints, before
 * trouble begins; and what stores have done so far, when it is over. */
void region_trouble_name(sb_world *world);
void region_trouble_count(sb_world *world);

void region_trouble_stop(region_trouble *of);

#endif
