/*
 * How tasks enter and leave the lists they wait in, inlined: every message and every wake-up goes
 * through here.
 *
 * A wait list is a ring; the list points at the one who came first.  A scope's waiters are a plain
 * list, the latest first.
 */
#ifndef SB_KERNEL_WAITING_H
#define SB_KERNEL_WAITING_H

#include "sim/kernel/kernel.h"

SB_HOT void sb_queue_join(sb_task **queue, sb_task *task)
{
    sb_task *const first = *queue;
    task->queue = queue;
    if (first == NULL) {
        task->queue_next = task->queue_previous = task;
        *queue = task;
    } else {
        task->queue_next = first;
        task->queue_previous = first->queue_previous;
        first->queue_previous->queue_next = task;
        first->queue_previous = task;
    }
}

SB_HOT void sb_queue_leave(sb_task *task)
{
    if (task->queue != NULL) {
        if (task->queue_next == task) {
            *task->queue = NULL;
        } else {
            task->queue_next->queue_previous = task->queue_previous;
            task->queue_previous->queue_next = task->queue_next;
            if (*task->queue == task) {
                *task->queue = task->queue_next;
            }
        }
        task->queue = NULL;
    }
}

SB_HOT void sb_scope_join(sb_scope *scope, sb_task *task)
{
    task->scope = scope;
    task->scope_next = scope->waiters;
    task->scope_link = &scope->waiters;
    if (scope->waiters != NULL) {
        scope->waiters->scope_link = &task->scope_next;
    }
    scope->waiters = task;
}

SB_HOT void sb_scope_leave(sb_task *task)
{
    if (task->scope != NULL) {
        *task->scope_link = task->scope_next;
        if (task->scope_next != NULL) {
            task->scope_next->scope_link = task->scope_link;
        }
        task->scope = NULL;
    }
}

/* It waits no more; `cause` is the event that ended the wait. */
SB_HOT void sb_wait_over(sb_task *task, sb_status status, sb_step cause)
{
    sb_queue_leave(task);
    sb_scope_leave(task);
    task->wait_kind = SB_WAIT_NONE;
    task->wake_status = status;
    task->cause = cause;
}

/* How a scope that is looked at now has ended; SB_OK: it has not. */
SB_HOT sb_status sb_scope_now(const sb_world *world, const sb_scope *scope)
{
    if (scope->canceled) {
        return SB_CANCELED;
    }
    if (SB_LIKELY(scope->deadline == SB_FOREVER)) {
        return SB_OK;
    }
    return sb_local_time(world->running->node, world->now) >= scope->deadline ? SB_TIMEOUT : SB_OK;
}

#endif
