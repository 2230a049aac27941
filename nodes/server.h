/*
 * The server: SQL layer of the cluster.  It runs clients' transactions, takes part in the election
 * of the owner, and runs subtasks of backfills.
 */
#ifndef NODES_SERVER_H
#define NODES_SERVER_H

#include "sim/node.h"

/* Of a server, by its address: how it stands to its session. */
typedef enum server_state {
#define SERVER_STATE(name, text) SERVER_##name,
#include "nodes/server_states.def"
#undef SERVER_STATE
} server_state;
extern const sb_machine server_machine;

#define SERVER_EXIT_PLAN 2 /* the boot argument is not a plan */

/* Serves until the machine is asked to stop, then drains and returns 0.  The argument is a boot
 * plan (nodes/boot.h). */
sb_program server_program;

#endif
