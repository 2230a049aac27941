/*
 * What the synchronisation objects share, and what other rooms of sim/ start tasks with.
 *
 * All of them lean on two calls of the kernel: sb_block puts the running task into a wait list,
 * sb_wake takes one out.  Wait lists are rings in the order of arrival.  Whoever wakes a task hands
 * it what it waited for (the mutex, the item) in the same breath, so a woken task never finds it
 * gone again.
 */
#ifndef SB_SYNC_SYNC_H
#define SB_SYNC_SYNC_H

#include "sim/kernel/kernel.h"

/* How a call begins: others may go first, and a scope that has ended ends it. */
static inline sb_status sb_sync_enter(sb_world *world, const sb_scope *scope)
{
    sb_switch_point(world);
    return scope == NULL ? SB_OK : sb_scope_status(scope);
}

/* How a call ends: what it returns is something a program gets to see. */
static inline sb_status sb_sync_leave(sb_world *world, sb_status status)
{
    sb_observe_value(world, status);
    return status;
}

/* sb_spawn without a format: the name is copied. */
void sb_task_spawn(sb_world *world, sb_wait_group *group, sb_task_main *main, void *argument,
                   const char *name, size_t name_size);

/* The heart of sb_wait_group_done: nothing else runs before it returns. */
void sb_wait_group_count_down(sb_world *world, sb_wait_group *group);

/* Lock and unlock without a switch before; a lock waits as long as it takes. */
void sb_mutex_take(sb_world *world, sb_mutex *mutex);
void sb_mutex_give(sb_world *world, sb_mutex *mutex);

#endif
