/*
 * The slow side of recording: a full batch, a mark, a break, a bound.
 *
 * `halt` is the nearest step at which any of them wants attention, so that the fast side needs one
 * compare.
 */
#include <signal.h>

#include "sim/kernel/kernel.h"

static sb_step least(sb_step left, sb_step right)
{
    return left < right ? left : right;
}

void sb_events_flush(sb_world *world)
{
    if (world->batch_count == 0) {
        return;
    }
    XXH3_64bits_update(world->digest, world->batch, world->batch_count * sizeof(sb_event));
    if (world->record != NULL) {
        const sb_step first = world->batch_start + 1;
        const sb_step last = world->batch_start + world->batch_count;
        const sb_step from = first > world->record_from ? first : world->record_from;
        const sb_step to = last < world->record_to ? last : world->record_to;
        if (first < from) {
            sb_record_pass_over(world->record, world->batch,
                                (size_t)(least(from, last + 1) - first));
        }
        if (from <= to) {
            sb_record_append(world->record, world->batch + (from - first), (size_t)(to - from + 1));
        }
    }
    world->batch_start = world->step;
    world->batch_count = 0;
    if (world->progress != NULL) {
        *world->progress = world->step;
    }
}

/* Steps are never at the batch's middle when its digest is marked, so equal runs have equal
 * batches. */
static void mark(sb_world *world)
{
    sb_events_flush(world);
    if (world->mark_count < SB_MARK_MAX) {
        world->marks[world->mark_count++] = XXH3_64bits_digest(world->digest);
    }
}

static void set_halt(sb_world *world)
{
    const sb_step interval = (sb_step)1 << SB_MARK_SHIFT;
    sb_step halt = world->step - world->batch_count + SB_BATCH_EVENTS;
    halt = least(halt, (world->step / interval + 1) * interval);
    if (world->break_at > world->step + 1) {
        halt = least(halt, world->break_at - 1);
    }
    if (!world->stop) {
        halt = least(halt, least(world->run_until, world->step_limit));
    }
    for (uint32_t i = 0; i < world->exploration.change_count; i++) {
        if (world->exploration.changes[i] > world->step) {
            halt = least(halt, world->exploration.changes[i]);
        }
    }
    world->halt = halt;
}

/* The scheduler counts steps too, but a task that never waits does not come to it. */
static void runs_on(sb_world *world)
{
    if (world->running != NULL && world->outcome == SB_OUTCOME_RUNNING) {
        sb_misuse(world, SB_FINDING_RUNAWAY, "steps",
                  "a million steps and the clock has not moved");
    }
}

void sb_event_slow(sb_world *world)
{
    const sb_step interval = (sb_step)1 << SB_MARK_SHIFT;
    if (world->step % interval == 0 && world->step / interval > world->mark_count) {
        mark(world);
    }
    if (world->batch_count == SB_BATCH_EVENTS) {
        sb_events_flush(world);
    }
    if (world->break_at != 0 && world->step + 1 == world->break_at) {
        sb_events_flush(world);
        raise(SIGTRAP);
    }
    if (world->step >= world->run_until) {
        world->stop = true;
    }
    if (world->step >= world->step_limit && world->outcome == SB_OUTCOME_RUNNING) {
        world->outcome = SB_OUTCOME_INCONCLUSIVE;
        world->stop = true;
    }
    sb_strategy_step(world);
    set_halt(world);
    if (world->step - world->instant_start > SB_STEPS_PER_INSTANT_MAX + SB_BATCH_EVENTS) {
        runs_on(world);
    }
}

uint64_t sb_world_digest(sb_world *world)
{
    sb_events_flush(world);
    XXH3_state_t copy = *world->digest;
    const uint64_t rest[2] = {world->observed, world->step};
    XXH3_64bits_update(&copy, rest, sizeof(rest));
    return XXH3_64bits_digest(&copy);
}

const uint64_t *sb_world_marks(const sb_world *world, size_t *count)
{
    *count = world->mark_count;
    return world->marks;
}
