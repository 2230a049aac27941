/*
 * What placement has given to somebody outlives it: judged at the moment when it is told.
 *
 * A timestamp, a session or a tenure that is given again after a crash does harm only if the crash
 * comes in the very write that was to prevent it.  So it is not waited for: when placement says
 * that it has given something away, the bytes on its disk must bear it, as a loss of power now
 * would leave them; and after a restart it begins behind all that they bore.
 */
#ifndef NODES_ORACLES_PROMISES_H
#define NODES_ORACLES_PROMISES_H

#include "nodes/report.h"
#include "sim/world.h"

/* What is known to be on the disk: that only grows, so it is read when something is above it. */
typedef struct promises {
    promise_report kept;  /* last: below the bound */
    uint32_t incarnation; /* of who told last */
    timestamp before;     /* kept.last when that one came: what it gives away lies behind */
} promises;

/* From an observer of reports: a finding of kind wrong-state when what is told is not on the
 * teller's disk. */
void oracle_promised(promises *of, sb_world *world, sb_node teller, slice report);

#endif
