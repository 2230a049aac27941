/*
 * The stuck proof.
 *
 * A healed world is deterministic: every choice is 0. So if its progress state - what the
 * scenario's witness hashes, and the tasks that are blocked - stays the same over one full period
 * of the longest timer, nothing that could change it is left to happen: every timer has fired at
 * least once and changed nothing. If nothing at all is due but the director's own look, that is
 * seen at once.
 *
 *      state   A A B C C C C C C C C C C C      nothing new since C: stuck-job
 *              A A B C B C B B C B C B C B      nothing new since C, but states come back: livelock
 *                    ^ since
 *
 * States that were there before are no progress: whoever undoes what another has done brings an
 * old state back. They must keep coming for three periods. Also where the state stays the same
 * whenever one looks, the effort tells whether somebody works on it (livelock) or all only wait.
 *
 * Tasks that wait for each other (cycle.h) are a deadlock, whatever goes on elsewhere: at once
 * where nobody could cancel their waits, else when nothing changes any more.
 *
 * Blocked is a task that has waited without a deadline for more than two such periods: one that a
 * poll wakes now and then (the receiver of an exchange) is not, whenever one looks at it. A lease
 * that is compared with a clock only when somebody asks has no timer: the witness says how long
 * the longest of these is (lease_max), and no period is shorter.
 */
#include <stdio.h>
#include <string.h>

#include "sim/verdict/cycle.h"

#define LOOK_INTERVAL (250 * SB_MILLISECOND)
#define RETURNING_PERIODS 3u
#define SEEN_MAX 1024u /* a power of two; of states, in a table that is emptied when it is full */

typedef struct watch {
    uint64_t state;
    sb_time since;           /* when the last state came that was not there before */
    uint64_t returns;        /* of old states, since then */
    uint64_t effort;         /* what it was then */
    sb_duration longest;     /* the longest timer alive at any look */
    sb_time under_way;       /* when all that was on its way at the beginning has come */
    uint64_t seen[SEEN_MAX]; /* states, hashed by themselves; 0: free */
    uint32_t seen_count;
} watch;

/* True: it was there before. */
static bool note_state(watch *watching, uint64_t state)
{
    uint32_t at = (uint32_t)state % SEEN_MAX;
    while (watching->seen[at] != 0 && watching->seen[at] != state) {
        at = (at + 1) % SEEN_MAX;
    }
    if (watching->seen[at] == state) {
        return true;
    }
    if (watching->seen_count == SEEN_MAX / 2) {
        memset(watching->seen, 0, sizeof(watching->seen));
        watching->seen_count = 0;
        at = (uint32_t)state % SEEN_MAX;
    }
    watching->seen[at] = state;
    watching->seen_count++;
    return false;
}

static bool is_due_later(const sb_world *world, sb_key key)
{
    const sb_due *const due = sb_due_of_key(world, key);
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

/* Tasks that have waited without a deadline since then; a sum, so that no order counts. */
static uint64_t blocked_state(const sb_world *world, sb_time since)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < world->task_high; i++) {
        const sb_task *const task = &world->tasks[i];
        if (task->live && task->wait_kind != SB_WAIT_NONE && task->deadline == SB_FOREVER &&
            task->wait_since <= since) {
            const uint64_t what[4] = {task->node->number, task->name_hash, task->wait_kind,
                                      task->wait_peer};
            sum += XXH3_64bits(what, sizeof(what));
        }
    }
    return sum;
}

/* How far off the last thing is that is on its way and is no timer: a message, a completion, a
 * wake-up that a strategy has delayed. What was drawn before the heal must have come before
 * anything is proved (seed 76368 of ping-pong: a starved receiver was taken for a stuck one). */
static sb_duration longest_way(const sb_world *world)
{
    sb_duration longest = 0;
    for (uint32_t i = 0; i < world->queue.count; i++) {
        const sb_key key = world->queue.keys[i];
        const sb_due *const due = sb_due_of_key(world, key);
        if (due->key_low == key.low && due->type != SB_DUE_TIMER &&
            key.time - world->now > longest) {
            longest = key.time - world->now;
        }
    }
    return longest;
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
    const uint64_t witness = world->witness.progress != NULL
                                 ? world->witness.progress(world)
                                 : XXH3_64bits(world->counters, sizeof(world->counters));
    const sb_duration long_ago = 2 * watching->longest;
    const uint64_t blocked =
        world->now < long_ago ? 0 : blocked_state(world, world->now - long_ago);
    const uint64_t parts[2] = {witness, blocked};
    return XXH3_64bits(parts, sizeof(parts));
}

static uint64_t effort_of(sb_world *world)
{
    return world->witness.effort != NULL ? world->witness.effort(world) : world->move_count;
}

static unsigned long long milliseconds(sb_duration duration)
{
    return (unsigned long long)(duration / SB_MILLISECOND);
}

/* -------------------------------------------------------------------------------- verdicts */

/* Tasks that wait for each other, if there are any. */
static void end_for_a_cycle(sb_world *world, bool certain, const char *what)
{
    sb_cycle cycle;
    sb_cycle_find(world, certain, &cycle);
    if (cycle.count != 0) {
        for (unsigned i = 0; certain && i < cycle.count; i++) { /* closed by the last of them */
            const sb_time since = cycle.tasks[i]->wait_since;
            world->finding.since = since > world->finding.since ? since : world->finding.since;
        }
        char text[sizeof(world->finding.text)];
        sb_cycle_text(&cycle, text, sizeof(text));
        sb_blame(world, cycle.tasks[0], SB_FINDING_DEADLOCK, what, text);
    }
}

static void end_for_rest(sb_world *world, const watch *watching, const char *what)
{
    const uint64_t effort = effort_of(world) - watching->effort;
    world->finding.since = watching->since;
    end_for_a_cycle(world, false, what);
    if (watching->returns != 0) {
        sb_finding(world, SB_FINDING_LIVELOCK, what,
                   "nothing new for %llu ms, but states of before came back %llu times, with %llu "
                   "moves",
                   milliseconds(world->now - watching->since),
                   (unsigned long long)watching->returns, (unsigned long long)effort);
    }
    if (effort != 0) {
        sb_finding(world, SB_FINDING_LIVELOCK, what,
                   "nothing has changed for %llu ms, one full period of the longest timer (%llu "
                   "ms), with %llu moves",
                   milliseconds(world->now - watching->since), milliseconds(watching->longest),
                   (unsigned long long)effort);
    }
    sb_finding(world, SB_FINDING_STUCK_JOB, what,
               "nothing has changed for %llu ms, one full period of the longest timer (%llu ms)",
               milliseconds(world->now - watching->since), milliseconds(watching->longest));
}

static void look(sb_world *world, watch *watching, const char *what)
{
    const sb_duration longest = longest_timer(world);
    watching->longest = longest > watching->longest ? longest : watching->longest;
    end_for_a_cycle(world, true, what);
    const uint64_t state = progress_state(world, watching);
    const bool is_old = note_state(watching, state);
    if (!is_old || world->now <= watching->under_way) {
        watching->state = state;
        watching->since = world->now;
        watching->returns = 0;
        watching->effort = effort_of(world);
        return;
    }
    watching->returns += state != watching->state;
    watching->state = state;
    const uint64_t periods = watching->returns != 0 ? RETURNING_PERIODS : 1;
    if (world->now - watching->since > periods * watching->longest + LOOK_INTERVAL) {
        end_for_rest(world, watching, what);
    }
}

static void end_when_nothing_is_due(sb_world *world, const watch *watching, const char *what)
{
    if (nothing_is_due(world)) {
        world->finding.since = watching->since;
        end_for_a_cycle(world, false, what);
        sb_finding(world, SB_FINDING_DEADLOCK, what,
                   "nothing can happen any more and tasks still wait");
    }
}

void sb_await(sb_world *world, bool (*done)(sb_world *world, void *context), void *context,
              const char *what)
{
    sb_assert(world->calm);
    const sb_duration lease_max = world->witness.lease_max;
    watch watching = {.since = world->now,
                      .longest = lease_max > LOOK_INTERVAL ? lease_max : LOOK_INTERVAL,
                      .under_way = world->now + longest_way(world)};
    bool has_ended = done(world, context);
    while (!has_ended) {
        end_when_nothing_is_due(world, &watching, what);
        sb_sleep(LOOK_INTERVAL, NULL);
        has_ended = done(world, context); /* first: it may have ended since the last look */
        if (!has_ended) {
            look(world, &watching, what);
        }
    }
}
