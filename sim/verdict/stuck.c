/*
 * The stuck proof.
 *
 * A healed world is deterministic: every choice is 0. So if its progress state - what the
 * scenario's witness hashes, and the tasks that have been waiting without a deadline - stays the
 * same over one full period of the longest timer that is alive, nothing that could change it is
 * left to happen: every timer has fired at least once and changed nothing. If nothing at all is due
 * but the director's own look, that is seen at once.
 */
#include <string.h>

#include "sim/kernel/kernel.h"

#define LOOK_INTERVAL (250 * SB_MILLISECOND)

typedef struct watch {
    uint64_t state;
    sb_time since;       /* when the state was first seen */
    sb_time looked;      /* the last look */
    sb_duration longest; /* the longest timer alive at any look since */
} watch;

static bool is_due_later(const sb_world *world, sb_key key)
{
    const uint64_t offset = key.low & (((uint64_t)1 << SB_KEY_OFFSET_BITS) - 1);
    const sb_due *const due = (const sb_due *)((const unsigned char *)world + (offset << 4));
    if (due->key_low != key.low) {
        return false;
    }
    if (due->type == SB_DUE_TIMER) {
        const sb_task *const task =
            (const sb_task *)((const unsigned char *)due - offsetof(sb_task, timer));
        return task->live && task->wait_kind != SB_WAIT_NONE && task->deadline != SB_FOREVER;
    }
    return true;
}

/* Asked by the director, which runs and so has no timer of its own. */
static bool nothing_is_due(const sb_world *world)
{
    if (world->ready_count != 0) {
        return false;
    }
    for (uint32_t i = 0; i < world->queue.count; i++) {
        if (is_due_later(world, world->queue.keys[i])) {
            return false;
        }
    }
    return true;
}

/* Tasks that have waited without a deadline since before the last look; a sum, so that no order
 * counts. */
static uint64_t waiting_state(const sb_world *world, sb_time looked)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < world->task_high; i++) {
        const sb_task *const task = &world->tasks[i];
        if (task->live && task->wait_kind != SB_WAIT_NONE && task->deadline == SB_FOREVER &&
            task->wait_since <= looked) {
            const uint64_t what[4] = {task->node->number, task->name_hash, task->wait_kind,
                                      task->wait_peer};
            sum += XXH3_64bits(what, sizeof(what));
        }
    }
    return sum;
}

static sb_duration longest_timer(const sb_world *world)
{
    sb_duration longest = LOOK_INTERVAL;
    for (uint32_t i = 0; i < world->task_high; i++) {
        const sb_task *const task = &world->tasks[i];
        if (task->live && task->wait_kind != SB_WAIT_NONE && task->deadline != SB_FOREVER &&
            task->deadline - task->wait_since > longest) {
            longest = task->deadline - task->wait_since;
        }
    }
    return longest;
}

static uint64_t progress_state(sb_world *world, const watch *watching)
{
    const uint64_t witness = world->witness.progress != NULL ? world->witness.progress(world) : 0;
    const uint64_t parts[2] = {witness, waiting_state(world, watching->looked)};
    return XXH3_64bits(parts, sizeof(parts));
}

static void look(sb_world *world, watch *watching, const char *what)
{
    const uint64_t state = progress_state(world, watching);
    const sb_duration longest = longest_timer(world);
    watching->looked = world->now;
    if (state != watching->state) {
        watching->state = state;
        watching->since = world->now;
        watching->longest = longest;
        return;
    }
    watching->longest = longest > watching->longest ? longest : watching->longest;
    if (world->now - watching->since > watching->longest + LOOK_INTERVAL) {
        sb_finding(
            world, SB_FINDING_STUCK_JOB, what,
            "nothing has changed for %llu ms, one full period of the longest timer (%llu ms)",
            (unsigned long long)((world->now - watching->since) / SB_MILLISECOND),
            (unsigned long long)(watching->longest / SB_MILLISECOND));
    }
}

void sb_await(sb_world *world, bool (*done)(sb_world *world, void *context), void *context,
              const char *what)
{
    sb_assert(world->calm);
    watch watching = {0, world->now, world->now, LOOK_INTERVAL};
    while (!done(world, context)) {
        if (nothing_is_due(world)) {
            sb_finding(world, SB_FINDING_DEADLOCK, what,
                       "nothing can happen any more and tasks still wait");
        }
        sb_sleep(LOOK_INTERVAL, NULL);
        look(world, &watching, what);
    }
}
