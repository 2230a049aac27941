/*
 * Tasks as door 1 sees them: start one, give way, sleep.
 */
#include <stdio.h>
#include <string.h>

#include "sim/sync/sync.h"

/* A task of a group has returned; its group hears of it last of all. */
static void leave_group(sb_task *task)
{
    sb_wait_group *const group = task->group;
    task->group = NULL;
    sb_wait_group_count_down(sb_current, group);
}

void sb_task_spawn(sb_world *world, sb_wait_group *group, sb_task_main *main, void *argument,
                   const char *name, size_t name_size)
{
    sb_task *const task =
        sb_task_start(world, world->running->node, main, argument, name, name_size);
    if (group != NULL) {
        group->count++;
        task->group = group;
        task->ended = leave_group;
    }
}

void sb_spawn(sb_wait_group *group, sb_task_main *main, void *argument, const char *name, ...)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    if (strchr(name, '%') == NULL) { /* formatting costs more than all the rest */
        sb_task_spawn(world, group, main, argument, name, strlen(name));
        return;
    }
    char text[SB_TASK_NAME_MAX];
    va_list arguments;
    va_start(arguments, name);
    const int size = vsnprintf(text, sizeof(text), name, arguments);
    va_end(arguments);
    const size_t kept = size < 0                      ? 0
                        : (size_t)size < sizeof(text) ? (size_t)size
                                                      : sizeof(text) - 1;
    sb_task_spawn(world, group, main, argument, text, kept);
}

/* Under priorities (PCT) a task that yields in a loop would go on for ever: it falls behind all
 * others. */
void sb_yield(void)
{
    sb_world *const world = sb_current;
    if (world->exploration.priority_floor > 1) {
        world->running->due.priority = --world->exploration.priority_floor;
    }
    sb_yield_now(world);
}

/* The time that has passed wins over a scope that ends at the same instant. */
sb_status sb_sleep(sb_duration duration, sb_scope *scope)
{
    sb_world *const world = sb_current;
    sb_status status = sb_sync_enter(world, scope);
    if (SB_UNLIKELY(status != SB_OK)) {
        return sb_sync_leave(world, status);
    }
    const sb_node_state *const node = world->running->node;
    const sb_time now = sb_local_time(node, world->now);
    const sb_time until = duration < SB_FOREVER - now ? now + duration : SB_FOREVER;
    status = sb_block(world, SB_WAIT_SLEEP, NULL, NULL, scope, sb_true_time(node, until));
    if (status == SB_TIMEOUT && (scope == NULL || until <= scope->deadline)) {
        status = SB_OK;
    }
    return sb_sync_leave(world, status);
}
