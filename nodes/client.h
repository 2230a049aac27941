/*
 * The client: an OLTP workload on the tables sbtest(id, k, c, pad), with every operation reported
 * (nodes/report.h).
 */
#ifndef NODES_CLIENT_H
#define NODES_CLIENT_H

#include "sim/node.h"

/* Loads the initial rows, if it is the loader, and reports LOADED; then runs its workers until each
 * has done its operations or the machine is asked to stop.  The argument is a boot plan
 * (nodes/boot.h).  Returns 0, or 1 when that makes no sense. */
sb_program client_program;

#endif
