/*
 * Machines: boot, stop, kill, pause; their clocks; what of them other rooms need.
 */
#ifndef SB_MACHINE_MACHINE_H
#define SB_MACHINE_MACHINE_H

#include "sim/kernel/kernel.h"

/* Boot what is down, let go on what is paused: for the heal. */
void sb_node_heal(sb_world *world);

#endif
