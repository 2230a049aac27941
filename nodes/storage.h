/*
 * The program of a storage machine.  Its argument is an encoded boot_plan (boot.h).
 */
#ifndef NODES_STORAGE_H
#define NODES_STORAGE_H

#include "sim/node.h"

/* Exit codes beside 0. */
#define STORAGE_EXIT_PLAN 1    /* the argument is no boot plan */
#define STORAGE_EXIT_DAMAGED 2 /* a file is not what was synced; the log names it */

sb_program storage_program;

#endif
