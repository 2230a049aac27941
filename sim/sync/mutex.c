/*
 * Mutexes.  An unlock hands the mutex to the task that waits longest; nobody overtakes.
 */
#include "sim/sync/sync.h"

void sb_mutex_init(sb_mutex *mutex, const char *name)
{
    *mutex = (sb_mutex){.name = name};
}

void sb_mutex_release(sb_mutex *mutex)
{
    if (SB_UNLIKELY(mutex->owner != NULL)) {
        sb_misuse(sb_current, SB_FINDING_ASSERTION, "sb_mutex_release", "mutex %s is held by %s",
                  mutex->name, mutex->owner->name);
    }
}

static sb_status lock(sb_world *world, sb_mutex *mutex, sb_scope *scope)
{
    sb_task *const task = world->running;
    if (SB_LIKELY(mutex->owner == NULL)) {
        mutex->owner = task;
        return SB_OK;
    }
    if (SB_UNLIKELY(mutex->owner == task)) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_mutex_lock", "mutex %s is locked twice by %s",
                  mutex->name, task->name);
    }
    task->wait_holder = mutex->owner;
    return sb_block(world, SB_WAIT_MUTEX, mutex->name, &mutex->waiters, scope, SB_FOREVER);
}

void sb_mutex_take(sb_world *world, sb_mutex *mutex)
{
    lock(world, mutex, NULL);
}

void sb_mutex_give(sb_world *world, sb_mutex *mutex)
{
    if (SB_UNLIKELY(mutex->owner != world->running)) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_mutex_unlock",
                  "mutex %s is held by %s, not by %s", mutex->name,
                  mutex->owner == NULL ? "nobody" : mutex->owner->name, world->running->name);
    }
    sb_task *const first = mutex->waiters;
    mutex->owner = first;
    if (first == NULL) {
        return;
    }
    sb_wake(world, first, SB_OK);
    sb_task *const next = mutex->waiters;
    if (next != NULL) { /* a ring: those who still wait wait for another holder now */
        sb_task *waiter = next;
        do {
            waiter->wait_holder = first;
            waiter = waiter->queue_next;
        } while (waiter != next);
    }
}

sb_status sb_mutex_lock(sb_mutex *mutex, sb_scope *scope)
{
    sb_world *const world = sb_current;
    sb_status status = sb_sync_enter(world, scope);
    if (SB_LIKELY(status == SB_OK)) {
        status = lock(world, mutex, scope);
    }
    return sb_sync_leave(world, status);
}

void sb_mutex_unlock(sb_mutex *mutex)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_mutex_give(world, mutex);
}
