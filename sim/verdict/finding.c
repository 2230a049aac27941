/*
 * A finding and its world, read from the host after the world has ended: stacks are unwound where
 * they stand.
 */
#include <stdio.h>

#include "sim/kernel/universe.h"
#include "sim/verdict/unwind.h"

static unsigned unwind_task(const sb_world *world, const sb_task *task,
                            const sb_registers *registers, sb_frame *frames)
{
    const sb_stack_bounds bounds = sb_stack_of(world->universe, task);
    const uint64_t low = (uint64_t)(uintptr_t)bounds.low;
    return (unsigned)sb_unwind(registers, low, low + bounds.size, frames, SB_FRAME_MAX);
}

const sb_finding_report *sb_world_finding(const sb_world *world)
{
    if (world->outcome != SB_OUTCOME_FINDING) {
        return NULL;
    }
    sb_finding_report *const finding = (sb_finding_report *)(uintptr_t)&world->finding;
    const sb_task *const task = world->finding_task;
    if (finding->frame_count == 0 && task != NULL) {
        sb_registers registers = world->panic_registers;
        if (!world->finding_by_signal) {
            sb_fiber_registers(task->stack_pointer, &registers);
        }
        finding->frame_count = unwind_task(world, task, &registers, finding->frames);
    }
    return finding;
}

/* The lane of a task of the group that it waits for, one that itself waits without a deadline
 * before others; 0: it waits for no group, or for one without tasks. */
static uint16_t first_member(const sb_world *world, const sb_task *waiter)
{
    uint16_t found = 0;
    const sb_wait_group *const group = sb_group_waited_for(waiter);
    for (uint32_t i = 0; group != NULL && i < world->task_high; i++) {
        const sb_task *const task = &world->tasks[i];
        if (task->live && task->group == group && task->wait_kind != SB_WAIT_NONE) {
            if (task->deadline == SB_FOREVER) {
                return task->lane;
            }
            found = found == 0 ? task->lane : found;
        }
    }
    return found;
}

bool sb_world_next_waiting(sb_world *world, uint16_t *lane, sb_waiting_task *out)
{
    for (uint32_t i = *lane; i < world->task_high; i++) {
        const sb_task *const task = &world->tasks[i];
        if (!task->live || task->wait_kind == SB_WAIT_NONE) {
            continue;
        }
        *out = (sb_waiting_task){
            .node = task->node->number,
            .incarnation = task->node->incarnation,
            .lane = task->lane,
            .name = task->name,
            .wait = sb_wait_names[task->wait_kind],
            .object = task->wait_object,
            .peer = (sb_node)task->wait_peer,
            .since = task->wait_since,
            .deadline = task->deadline,
            .cause = task->cause,
            .holder = task->wait_holder != NULL ? task->wait_holder->lane : 0,
            .group = first_member(world, task),
        };
        sb_registers registers;
        sb_fiber_registers(task->stack_pointer, &registers);
        out->frame_count = unwind_task(world, task, &registers, out->frames);
        *lane = task->lane;
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------------------- explanation */

void sb_explain_link(sb_world *world, unsigned depth, sb_node node, const char *task,
                     const char *format, ...)
{
    const uint32_t count = world->explained_count;
    if (world->explained == NULL) {
        world->explained = sb_kernel_alloc(world, SB_EXPLAINED_MAX * sizeof(sb_explained));
    }
    if (count == SB_EXPLAINED_MAX) {
        return;
    }
    const unsigned deepest = count == 0 ? 0 : world->explained[count - 1].depth + 1u;
    sb_assert_op(depth, <=, deepest);
    sb_assert_op(depth, <=, SB_EXPLAINED_DEPTH_MAX);
    sb_explained *const added = &world->explained[world->explained_count++];
    *added = (sb_explained){.depth = (uint8_t)depth, .node = node};
    if (task != NULL) {
        snprintf(added->task, sizeof(added->task), "%s", task);
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(added->text, sizeof(added->text), format, arguments);
    va_end(arguments);
}

const sb_explained *sb_world_explained(const sb_world *world, size_t *count)
{
    *count = world->explained_count;
    return world->explained;
}
