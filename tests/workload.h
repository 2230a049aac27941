/*
 * A small busy cluster that touches every room of the simulator: for tests of determinism.
 *
 * Its nodes gossip, work through a bounded channel under a mutex, time out, allocate and free out
 * of order, call each other, write and sync files, draw numbers and read their clocks; its director
 * kills, boots, pauses and cuts them off, then heals and stops them. A run passes in every seed.
 */
#ifndef TESTS_WORKLOAD_H
#define TESTS_WORKLOAD_H

#include "sim/world.h"

typedef struct workload {
    unsigned nodes;  /* 2 .. 16 */
    unsigned rounds; /* of the director's trouble */
    bool trouble;    /* false: no faults, and nobody dies */
} workload;

#define WORKLOAD_DEFAULT ((workload){.nodes = 5, .rounds = 12, .trouble = true})

/* The director; context: const workload *. */
void workload_run(sb_world *world, void *context);

/* Counters of sb_count. */
enum { WORKLOAD_MESSAGES, WORKLOAD_ITEMS, WORKLOAD_CALLS, WORKLOAD_WRITES, WORKLOAD_BOOTS };

#endif
