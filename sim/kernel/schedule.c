/*
 * The scheduler: what is due next, and how tasks wait for it.
 *
 * There is no scheduler task.  A task that must wait decides, on its own stack, who goes on, and
 * switches there; if that is itself, nothing is switched at all.  Where several things are due at
 * one instant the strategy picks; otherwise the queue's order (time, sequence) decides.
 */
#include <string.h>

#include "sim/kernel/kernel.h"
#include "sim/kernel/universe.h"
#include "sim/kernel/waiting.h"

const char *const sb_wait_names[SB_WAIT_KIND_COUNT] = {
    "nothing", "sleep",   "mutex", "condition", "channel-send", "channel-receive",
    "group",   "message", "reply", "disk",      "node"};

/* ---------------------------------------------------------------------------- stack switching */

static void switch_stacks(sb_world *world, void **save, void *to, sb_task *next, bool ends)
{
    (void)world;
    (void)next;
    (void)ends;
#if defined(SB_ASAN)
    void *fake = NULL;
    const sb_stack_bounds bounds = sb_stack_of(world->universe, next);
    __sanitizer_start_switch_fiber(ends ? NULL : &fake, bounds.low, bounds.size);
    sb_fiber_switch(save, to);
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
    sb_fiber_switch(save, to);
#endif
}

/* From `from` (NULL: the host) to a task, or to the host when task is NULL. */
static void go_to(sb_world *world, sb_task *from, sb_task *task, bool ends)
{
    void **const save = from == NULL ? &world->host_pointer : &from->stack_pointer;
    world->running = task;
    world->on_host = task == NULL;
    switch_stacks(world, save, task == NULL ? world->host_pointer : task->stack_pointer, task,
                  ends);
}

/* ----------------------------------------------------------------------------- the ready list */

void sb_ready_push_slow(sb_world *world, sb_due *due)
{
    if (world->ready_first == 0) {
        sb_conclude(world, SB_FINDING_RUNAWAY, NULL, "ready list",
                    "too many things are due at one instant");
        return;
    }
    memmove(world->ready, world->ready + world->ready_first, world->ready_count * sizeof(sb_due *));
    world->ready_first = 0;
    world->ready[world->ready_count++] = due;
}

static sb_due *ready_take(sb_world *world, uint32_t index)
{
    sb_due **const ready = world->ready + world->ready_first;
    sb_due *const due = ready[index];
    if (index != 0) {
        memmove(ready + 1, ready, index * sizeof(sb_due *)); /* the earlier ones keep their order */
    }
    world->ready_count--;
    world->ready_first = world->ready_count == 0 ? 0 : world->ready_first + 1;
    return due;
}

static void list_drop(sb_due **list, uint32_t *count, const sb_due *due)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        if (list[i] != due) {
            list[kept++] = list[i];
        }
    }
    *count = kept;
}

void sb_park(sb_world *world, sb_due *due)
{
    sb_node_state *const node = due->node;
    if (node->parked_count == node->parked_capacity) {
        node->parked_capacity = node->parked_capacity == 0 ? 64 : 2 * node->parked_capacity;
        sb_due **const wider = sb_kernel_alloc(world, node->parked_capacity * sizeof(sb_due *));
        if (node->parked != NULL) {
            memcpy(wider, node->parked, node->parked_count * sizeof(sb_due *));
            sb_kernel_free(world, node->parked);
        }
        node->parked = wider;
    }
    node->parked[node->parked_count++] = due;
}

void sb_unpark(sb_world *world, sb_node_state *node)
{
    for (uint32_t i = 0; i < node->parked_count; i++) {
        sb_ready_push(world, node->parked[i]);
    }
    node->parked_count = 0;
}

/* ------------------------------------------------------------------------------------ waiting */

/* One key a task: an earlier one is left in place and set again when it fires. */
static void timer_arm(sb_world *world, sb_task *task)
{
    if (task->timer.key_low == 0 || task->timer_at > task->deadline) {
        task->timer_at = task->deadline;
        sb_due_at(world, &task->timer, task->deadline);
    }
}

void sb_task_set_deadline(sb_world *world, sb_task *task, sb_time deadline)
{
    task->deadline = deadline;
    timer_arm(world, task);
}

void sb_wake_by(sb_world *world, sb_task *task, sb_status status, sb_step cause)
{
    sb_wait_over(task, status, cause);
    if (SB_UNLIKELY(world->exploration.delays)) {
        const sb_duration delay = sb_strategy_wake_delay(world, task);
        if (delay != 0) {
            sb_due_at(world, &task->due, world->now + delay);
            return;
        }
    }
    sb_ready_push(world, &task->due);
}

void sb_wake(sb_world *world, sb_task *task, sb_status status)
{
    const sb_task *const waker = world->running;
    const sb_step cause = waker != NULL ? waker->cause : 0;
    const sb_step step = sb_event_add(
        world, SB_EVENT_WAKE, task->node->number, task->node->incarnation, task->lane, cause,
        waker != NULL ? waker->lane : 0, world->wait_text[task->wait_kind], status);
    sb_wake_by(world, task, status, step);
}

/* ---------------------------------------------------------------------------- what comes next */

/* The next valid thing of the queue, which is not empty; NULL: the key was stale. */
SB_HOT sb_due *queue_take(sb_world *world)
{
    const sb_key key = sb_queue_pop(&world->queue);
    sb_due *const due = sb_due_of_key(world, key);
    if (due->key_low != key.low) {
        return NULL;
    }
    due->key_low = 0;
    if (key.time != world->now) {
        world->now = key.time;
        world->instant_start = world->step;
        world->idle_turns = 0;
    }
    return due;
}

/* Several things are due at one instant: they go into the ready list, the first one first. */
static void gather_instant(sb_world *world, sb_due *first)
{
    sb_ready_push(world, first);
    while (world->queue.count != 0 && world->queue.keys[0].time == world->now) {
        sb_due *const other = queue_take(world);
        if (other != NULL) {
            sb_ready_push(world, other);
        }
    }
}

/* Go to the next instant: its first thing, or NULL after putting several into the ready list. */
SB_HOT sb_due *advance(sb_world *world)
{
    sb_due *const first = queue_take(world);
    if (first == NULL || world->queue.count == 0 || world->queue.keys[0].time != world->now) {
        return first;
    }
    gather_instant(world, first);
    return NULL;
}

/* A deadline has come: the task that waits for it, or NULL when nobody does any more. */
static sb_task *timer_fires(sb_world *world, sb_due *due)
{
    sb_task *const task = (sb_task *)((unsigned char *)due - offsetof(sb_task, timer));
    if (!task->live || task->wait_kind == SB_WAIT_NONE || task->deadline == SB_FOREVER) {
        return NULL;
    }
    if (task->deadline > world->now) {
        task->timer_at = task->deadline;
        sb_due_at(world, &task->timer, task->deadline);
        return NULL;
    }
    const sb_step step =
        sb_event_add(world, SB_EVENT_FIRE, task->node->number, task->node->incarnation, task->lane,
                     task->cause, world->wait_text[task->wait_kind], task->deadline, 0);
    sb_wait_over(task, SB_TIMEOUT, step);
    return task;
}

/* Do what is due; the task that goes on by it, or NULL. */
SB_HOT sb_task *perform(sb_world *world, sb_due *due)
{
    switch ((sb_due_type)due->type) {
    case SB_DUE_TASK:
        return (sb_task *)due;
    case SB_DUE_TIMER:
        return timer_fires(world, due);
    case SB_DUE_MESSAGE:
        return sb_packet_arrives(world, (sb_packet *)due);
    case SB_DUE_ACTION:
        ((sb_action *)due)->act(world, (sb_action *)due);
        return NULL;
    }
    return NULL;
}

static void nothing_is_due(sb_world *world)
{
    world->finding.since = world->now;
    sb_conclude(world, SB_FINDING_DEADLOCK, NULL, "kernel",
                "nothing can happen any more and tasks still wait");
}

/* The task that runs next; NULL when the world stops. */
SB_HOT sb_task *next_task(sb_world *world)
{
    while (SB_LIKELY(!world->stop)) {
        sb_due *due;
        if (world->ready_count == 0) {
            if (SB_UNLIKELY(world->queue.count == 0)) {
                nothing_is_due(world);
                return NULL;
            }
            due = advance(world);
            if (due == NULL) {
                continue;
            }
        } else {
            const uint32_t index =
                world->ready_count == 1 || !world->exploration.picks ? 0 : sb_strategy_pick(world);
            due = ready_take(world, index);
        }
        if (SB_UNLIKELY(due->node->paused != 0)) {
            sb_park(world, due);
            continue;
        }
        if (SB_UNLIKELY(world->step - world->instant_start > SB_STEPS_PER_INSTANT_MAX)) {
            sb_conclude(world, SB_FINDING_RUNAWAY, due->node, "steps",
                        "a million steps and the clock has not moved");
            return NULL;
        }
        sb_task *const task = perform(world, due);
        if (task != NULL) {
            return task;
        }
    }
    return NULL;
}

/* Whoever waits in an observer would let the world move inside the event that it watches. */
static void observer_waits(sb_world *world) __attribute__((noreturn, cold));
static void observer_waits(sb_world *world)
{
    world->observing = false;
    sb_misuse(world, SB_FINDING_ASSERTION, "observer",
              "an observer may not wait, nor let another task run");
}

/* The running task gives way; it goes on when it is chosen again. */
SB_HOT void give_way(sb_world *world, sb_task *task, bool ends)
{
    if (SB_UNLIKELY(world->observing)) {
        observer_waits(world);
    }
    world->running = NULL;
    sb_task *const next = next_task(world);
    if (next == task && !ends) {
        world->running = task;
        return;
    }
    go_to(world, task, next, ends);
}

/* The same, for those who are not on the way of every event. */
static void step_aside(sb_world *world, sb_task *task, bool ends)
{
    give_way(world, task, ends);
}

sb_status sb_block(sb_world *world, sb_wait_kind kind, const char *object, sb_task **queue,
                   sb_scope *scope, sb_time deadline)
{
    sb_task *const task = world->running;
    if (scope != NULL) {
        const sb_status status = sb_scope_now(world, scope);
        if (SB_UNLIKELY(status != SB_OK)) {
            return status;
        }
        if (scope->deadline != SB_FOREVER) {
            const sb_time ends = sb_true_time(task->node, scope->deadline);
            deadline = ends < deadline ? ends : deadline;
        }
        sb_scope_join(scope, task);
    }
    if (queue != NULL) {
        sb_queue_join(queue, task);
    }
    task->wait_kind = (uint8_t)kind;
    task->wait_object = object;
    task->wait_since = world->now;
    task->deadline = deadline;
    if (deadline != SB_FOREVER) {
        timer_arm(world, task);
    }
    give_way(world, task, false);
    task->wait_object = NULL;
    task->wait_holder = NULL;
    task->wait_peer = 0;
    return task->wake_status;
}

void sb_idle_too_long(sb_world *world)
{
    sb_misuse(world, SB_FINDING_RUNAWAY, "turns", "a million turns and the clock has not moved");
}

void sb_yield_now(sb_world *world)
{
    sb_idle_turn(world);
    sb_task *const task = world->running;
    sb_ready_push(world, &task->due);
    step_aside(world, task, false);
}

void sb_switch_point_slow(sb_world *world)
{
    sb_task *const task = world->running;
    if (task == NULL || world->observing) {
        return;
    }
    if (task->node->paused != 0 || (world->exploration.picks && sb_strategy_preempts(world))) {
        sb_yield_now(world); /* a machine that is held stands still from here on */
    }
}

/* -------------------------------------------------------------------------------------- tasks */

static void task_free_lane(sb_world *world, sb_task *task)
{
    sb_node_state *const node = task->node;
    *task->link = task->next;
    if (task->next != NULL) {
        task->next->link = task->link;
    } else {
        node->tasks_tail = task->link;
    }
    node->task_count--;
    task->live = false;
    task->timer.key_low = 0;
    task->due.key_low = 0;
    world->free_lanes[world->free_lane_count++] = task->lane;
}

/* What runs first on every task's stack. */
static void task_entry(void)
{
    sb_world *const world = sb_current;
#if defined(SB_ASAN)
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
    sb_task *const task = world->running;
    task->main(task->argument);
    sb_event_here(world, SB_EVENT_TASK_END, task->name_hash, 0, 0);
    void (*const ended)(sb_task *) = task->ended;
    if (ended != NULL) {
        ended(task);
    }
    if (task->live) {
        task_free_lane(world, task);
    }
    step_aside(world, task, true);
    __builtin_trap();
}

static uint16_t take_lane(sb_world *world)
{
    if (world->free_lane_count != 0) {
        return world->free_lanes[--world->free_lane_count];
    }
    if (world->task_high == SB_TASK_MAX) {
        sb_misuse(world, SB_FINDING_RUNAWAY, "tasks", "more than %d tasks live", SB_TASK_MAX);
    }
    const uint16_t lane = (uint16_t)++world->task_high;
    sb_task *const task = &world->tasks[lane - 1];
    memset(task, 0, sizeof(*task));
    task->lane = lane;
    return lane;
}

sb_task *sb_task_start(sb_world *world, sb_node_state *node, sb_task_main *main, void *argument,
                       const char *name, size_t name_size)
{
    sb_task *const task = &world->tasks[take_lane(world) - 1];
    const size_t kept = name_size < SB_TASK_NAME_MAX - 1 ? name_size : SB_TASK_NAME_MAX - 1;
    memcpy(task->name, name, kept);
    task->name[kept] = '\0';
    task->name_hash = sb_text_hash(world, task->name, kept);
    task->node = node;
    task->due = (sb_due){.type = SB_DUE_TASK, .node = node};
    task->timer = (sb_due){.type = SB_DUE_TIMER, .node = node};
    task->main = main;
    task->argument = argument;
    task->ended = NULL;
    task->group = NULL;
    task->wait_kind = SB_WAIT_NONE;
    task->wait_object = NULL;
    task->wait_holder = NULL;
    task->wait_peer = 0;
    task->serves = 0;
    task->queue = NULL;
    task->scope = NULL;
    task->live = true;
    task->next = NULL;
    task->link = node->tasks_tail;
    *node->tasks_tail = task;
    node->tasks_tail = &task->next;
    node->task_count++;
    const sb_step cause = world->running != NULL ? world->running->cause : 0;
    task->cause = sb_event_add(world, SB_EVENT_SPAWN, node->number, node->incarnation, task->lane,
                               cause, task->name_hash, task->lane, 0);
    task->stack_pointer = sb_fiber_prepare(sb_stack_top(world->universe, task), task_entry);
    sb_ready_push(world, &task->due);
    return task;
}

void sb_task_drop(sb_world *world, sb_task *task)
{
    sb_queue_leave(task);
    sb_scope_leave(task);
    list_drop(world->ready + world->ready_first, &world->ready_count, &task->due);
    list_drop(world->ready + world->ready_first, &world->ready_count, &task->timer);
    list_drop(task->node->parked, &task->node->parked_count, &task->due);
    list_drop(task->node->parked, &task->node->parked_count, &task->timer);
    task_free_lane(world, task);
}

/* --------------------------------------------------------------------------------------- host */

void sb_stop_here(sb_world *world)
{
    sb_task *const task = world->running;
    if (!world->on_host) {
        switch_stacks(world, task != NULL ? &task->stack_pointer : &world->stop_pointer,
                      world->host_pointer, NULL, false);
    }
}

sb_outcome sb_world_run_until(sb_world *world, sb_step step)
{
    if (world->outcome != SB_OUTCOME_RUNNING) {
        return world->outcome;
    }
    sb_current = world;
    world->run_until = step;
    world->stop = false;
    world->halt = 0; /* look at the new bounds before the next event */
    sb_task *const next = next_task(world);
    if (next != NULL) {
        go_to(world, NULL, next, false);
    }
    world->on_host = true;
    world->running = NULL;
    sb_current = NULL;
    if (world->outcome != SB_OUTCOME_RUNNING) {
        sb_events_flush(world);
    }
    return world->outcome;
}

sb_outcome sb_world_run(sb_world *world)
{
    return sb_world_run_until(world, UINT64_MAX);
}
