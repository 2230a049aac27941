/*
 * A finding and its world, read from the host after the world has ended: stacks are unwound where
 * they stand.
 */
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

bool sb_world_next_waiting(sb_world *world, uint16_t *lane, sb_waiting_task *out)
{
    for (uint32_t i = *lane; i < world->task_high; i++) {
        const sb_task *const task = &world->tasks[i];
        if (!task->live || task->wait_kind == SB_WAIT_NONE || task == world->finding_task) {
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
        };
        sb_registers registers;
        sb_fiber_registers(task->stack_pointer, &registers);
        out->frame_count = unwind_task(world, task, &registers, out->frames);
        *lane = task->lane;
        return true;
    }
    return false;
}
