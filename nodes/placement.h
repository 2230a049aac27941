/*
 * The program of a placement machine.  Its argument is an encoded boot_plan (boot.h).
 */
#ifndef NODES_PLACEMENT_H
#define NODES_PLACEMENT_H

#include "sim/node.h"

/* Exit codes beside 0. */
#define PLACEMENT_EXIT_PLAN 1    /* the argument is no boot plan */
#define PLACEMENT_EXIT_DAMAGED 2 /* a file is not what was synced; the log names it */

sb_program placement_program;

#endif
