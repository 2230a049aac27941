/*
 * Machines: boot, stop, kill, pause; their clocks; what of them other rooms need.
 */
#ifndef SB_MACHINE_MACHINE_H
#define SB_MACHINE_MACHINE_H

#include "sim/kernel/kernel.h"

/* Boot what is down, let go on what is paused: for the heal. */
void sb_node_heal(sb_world *world);

/* Whether the heal of a core leaves it down (fault/core.c). */
static inline bool sb_node_stays_dead(const sb_world *world, const sb_node_state *node)
{
    return (world->away >> node->number & 1) != 0 && node->absence == SB_ABSENCE_DEAD;
}

#endif
