/*
 * Conditions.  A signal with nobody there is forgotten; there are no spurious wake-ups, but the
 * predicate may have changed again by the time the mutex is back.
 */
#include "sim/sync/sync.h"

void sb_condition_init(sb_condition *condition, const char *name)
{
    *condition = (sb_condition){.name = name};
}

void sb_condition_release(sb_condition *condition)
{
    if (SB_UNLIKELY(condition->waiters != NULL)) {
        sb_misuse(sb_current, SB_FINDING_ASSERTION, "sb_condition_release",
                  "task %s still waits for condition %s", condition->waiters->name,
                  condition->name);
    }
}

sb_status sb_condition_wait(sb_condition *condition, sb_mutex *mutex, sb_scope *scope)
{
    sb_world *const world = sb_current;
    /* Without a mutex nothing may run between the test of the predicate, which came just before,
     * and the wait: a signal sent in between would be forgotten. */
    sb_status status = mutex != NULL   ? sb_sync_enter(world, scope)
                       : scope != NULL ? sb_scope_status(scope)
                                       : SB_OK;
    if (status == SB_OK) {
        if (mutex != NULL) {
            sb_mutex_give(world, mutex);
        }
        status = sb_block(world, SB_WAIT_CONDITION, condition->name, &condition->waiters, scope,
                          SB_FOREVER);
        if (mutex != NULL) {
            sb_mutex_take(world, mutex);
        }
    }
    return sb_sync_leave(world, status);
}

void sb_condition_signal(sb_condition *condition)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    if (condition->waiters != NULL) {
        sb_wake(world, condition->waiters, SB_OK);
    }
}

void sb_condition_broadcast(sb_condition *condition)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    while (condition->waiters != NULL) {
        sb_wake(world, condition->waiters, SB_OK);
    }
}
