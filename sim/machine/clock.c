/*
 * Clocks: a machine's own time is true time at another rate, and its wall clock is off by a skew.
 *
 *   local(t) = clock_local + (t - clock_true) * (1,000,000 + drift) / 1,000,000
 *
 * A change of rate starts a new pair, so the monotonic clock never jumps. Timers are set in local
 * time and fire at the first true instant at which the local clock has come that far.
 */
#include "sim/kernel/kernel.h"

#define MILLION INT64_C(1000000)
/* The world begins in 2024, so that a skew backwards stays positive. */
#define EPOCH (UINT64_C(1704067200) * SB_SECOND)

sb_time sb_local_time(const sb_node_state *node, sb_time true_time)
{
    const uint64_t passed = true_time - node->clock_true;
    if (SB_LIKELY(node->drift == 0)) {
        return node->clock_local + passed;
    }
    return node->clock_local + passed / 1000000u * (uint64_t)(MILLION + node->drift) +
           passed % 1000000u * (uint64_t)(MILLION + node->drift) / 1000000u;
}

sb_time sb_true_time(const sb_node_state *node, sb_time local)
{
    if (local == SB_FOREVER || local <= node->clock_local) {
        return local == SB_FOREVER ? SB_FOREVER : node->clock_true;
    }
    const uint64_t passed = local - node->clock_local;
    if (SB_LIKELY(node->drift == 0)) {
        return node->clock_true + passed;
    }
    const uint64_t rate = (uint64_t)(MILLION + node->drift);
    sb_time at = node->clock_true + passed / rate * 1000000u + passed % rate * 1000000u / rate;
    while (sb_local_time(node, at) < local) {
        at++;
    }
    return at;
}

/* Deadlines are kept in true time, but meant in local time: under another rate they come at another
 * instant. */
static void change_rate(sb_world *world, sb_node_state *node, int32_t drift)
{
    const sb_node_state old = *node;
    node->clock_local = sb_local_time(&old, world->now);
    node->clock_true = world->now;
    node->drift = drift;
    for (sb_task *task = node->tasks; task != NULL; task = task->next) {
        if (task->wait_kind != SB_WAIT_NONE && task->deadline != SB_FOREVER &&
            task->deadline > world->now) {
            const sb_time local = sb_local_time(&old, task->deadline);
            sb_task_set_deadline(world, task, sb_true_time(node, local));
        }
    }
}

void sb_clock_set(sb_world *world, sb_node number, int64_t skew, int32_t drift)
{
    sb_node_state *const node = sb_node_given(world, number, __func__);
    if (drift <= -MILLION) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_clock_set",
                  "a drift of %d in a million: the clock would stand still", drift);
    }
    if (skew != 0) {
        sb_fault_armed(world, SB_FAULT_SKEW);
        skew = sb_fault_strikes(world, SB_FAULT_SKEW) ? skew : 0;
    }
    if (drift != 0) {
        sb_fault_armed(world, SB_FAULT_DRIFT);
        drift = sb_fault_strikes(world, SB_FAULT_DRIFT) ? drift : 0;
    }
    if (drift != node->drift) {
        change_rate(world, node, drift);
    }
    node->skew = skew;
    sb_event_here(world, SB_EVENT_CLOCK, (uint64_t)skew, (uint64_t)(int64_t)drift, number);
}

/* ------------------------------------------------------------------------------ the wall clock */

static sb_time wall_of(const sb_world *world, const sb_node_state *node)
{
    return EPOCH + sb_local_time(node, world->now) + (uint64_t)node->skew + (uint64_t)node->jumps;
}

void sb_clock_jump(sb_world *world, sb_node number, int64_t by)
{
    sb_node_state *const node = sb_node_given(world, number, __func__);
    const sb_fault kind = by < 0 ? SB_FAULT_JUMP_BACK : SB_FAULT_JUMP_FORWARD;
    if (by == 0) {
        return;
    }
    sb_fault_armed(world, kind);
    sb_event_here(world, SB_EVENT_FAULT, kind, number, (uint64_t)(by < 0 ? -by : by));
    if (sb_fault_strikes(world, kind)) {
        node->jumps += by;
        node->leapt = node->leapt || by > 0;
        node->fallen = node->fallen || by < 0;
    }
}

void sb_clock_freeze(sb_world *world, sb_node number)
{
    sb_node_state *const node = sb_node_given(world, number, __func__);
    if (!node->frozen) {
        sb_fault_armed(world, SB_FAULT_FREEZE);
        sb_event_here(world, SB_EVENT_FAULT, SB_FAULT_FREEZE, number, 0);
        node->frozen_at = wall_of(world, node);
        node->frozen = sb_fault_strikes(world, SB_FAULT_FREEZE);
    }
}

void sb_clock_thaw(sb_world *world, sb_node number)
{
    sb_node_state *const node = sb_node_given(world, number, __func__);
    if (node->frozen) {
        node->frozen = false;
        sb_event_here(world, SB_EVENT_HEAL, SB_FAULT_FREEZE, number, 0);
    }
}

/* A program sees what has happened to its wall clock. */
static void meet_jumps(sb_world *world, sb_node_state *node)
{
    world->faults[SB_FAULT_JUMP_FORWARD].effective += node->leapt;
    world->faults[SB_FAULT_JUMP_BACK].effective += node->fallen;
    node->leapt = false;
    node->fallen = false;
}

/* ------------------------------------------------------------------------------------- door 1 */

/* How far a clock is off: all that an observation holds of it. */
static uint64_t milliseconds_off(sb_time seen, sb_time right)
{
    return (uint64_t)((int64_t)(seen - right) / (int64_t)SB_MILLISECOND);
}

sb_time sb_monotonic_time(void)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_idle_turn(world);
    const sb_node_state *const node = world->running->node;
    const sb_time local = sb_local_time(node, world->now);
    if (local != world->now) {
        sb_fault_effective(world, SB_FAULT_DRIFT);
    }
    sb_observe(world, local);
    sb_notice(world, milliseconds_off(local, world->now));
    return local;
}

sb_time sb_wall_time(void)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_idle_turn(world);
    sb_node_state *const node = world->running->node;
    sb_time wall = wall_of(world, node);
    if (SB_UNLIKELY(node->frozen) && wall != node->frozen_at) {
        sb_fault_effective(world, SB_FAULT_FREEZE);
        wall = node->frozen_at;
    }
    if (SB_UNLIKELY(node->leapt || node->fallen)) {
        meet_jumps(world, node);
    }
    if (node->skew != 0) {
        sb_fault_effective(world, SB_FAULT_SKEW);
    }
    sb_observe(world, wall);
    sb_notice(world, milliseconds_off(wall, EPOCH + world->now));
    return wall;
}

uint64_t sb_random(uint64_t bound)
{
    sb_world *const world = sb_current;
    if (SB_UNLIKELY(bound == 0)) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_random", "there is no number below 0");
    }
    sb_switch_point(world);
    const uint64_t value = sb_choose_at(world, world->running->node, SB_STREAM_PROGRAM, bound);
    sb_observe_value(world, value);
    return value;
}
