/*
 * Numbers of what the program declares in sections: probes, failpoints, machines.
 */
#ifndef SB_MACHINE_LISTS_H
#define SB_MACHINE_LISTS_H

#include "sim/world.h"

/* Its place in sb_probe_list, in sb_failpoint_list. */
unsigned sb_probe_number(const sb_place_name *probe);
unsigned sb_failpoint_number(const sb_place_name *failpoint);

/* Its place in sb_machine_list; *first_edge is how many moves the machines before it have. */
unsigned sb_machine_number(const sb_machine *machine, size_t *first_edge);

/* How many states the machines before that number have. */
unsigned sb_machine_first_state(unsigned machine);

#endif
