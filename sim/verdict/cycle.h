/*
 * Tasks that wait for each other: the wait-for graph of a world, and a cycle in it.
 *
 * A task waits for the holder of a mutex, for every task of a group, or for the task of another
 * machine that serves its call.  Whoever reads a channel or signals a condition is not known, so
 * such waits have no edge.  Only tasks without a deadline are in the graph.
 */
#ifndef SB_VERDICT_CYCLE_H
#define SB_VERDICT_CYCLE_H

#include "sim/kernel/kernel.h"

#define SB_CYCLE_MAX 16u

typedef struct sb_cycle {
    const sb_task *tasks[SB_CYCLE_MAX]; /* each waits for the next, the last for the first */
    unsigned count;                     /* 0: there is none */
} sb_cycle;

/* certain: only waits for mutexes and groups that nobody can cancel, so that the cycle lasts for
 * ever.  A cycle of more than SB_CYCLE_MAX tasks is not found.  It begins with the task whose
 * object, role and name come first, so that one mistake has one place in all seeds. */
void sb_cycle_find(const sb_world *world, bool certain, sb_cycle *into);

/* "forward waits for mutex second of backward, which waits for mutex first of forward". */
void sb_cycle_text(const sb_cycle *of, char *text, size_t size);

#endif
