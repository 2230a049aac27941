/*
 * The causal slice: what led to an event.
 *
 * One pass backwards over the record.  A bit per event says "this one is wanted": causes lie before
 * their effects, so the pass meets everything it has asked for.  The cause of what a task does is
 * the event that set it going; what else the task did since then has the same cause, and where it
 * matters to a reader it is shown beside the way.
 *
 * Tasks of one machine also act on each other through memory, which no event tells.  So the latest
 * moves and logs of the machine where it ended are shown too, and the latest trouble in the world,
 * within a share of the limit.  A loop that only sleeps and looks is shown by its first and last
 * turn.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/record/record.h"

#define LANE_MAX 65536
#define MACHINE_SHARE 4 /* of the limit, one part in so many */
#define TROUBLE_SHARE 5

typedef struct slicer {
    const sb_record *record;
    sb_step first;
    unsigned char *wanted; /* a bit for each kept step */
    /* The cause of what this lane was doing where the way passed it; 0: not passed. */
    sb_step bursts[LANE_MAX];
    unsigned node, incarnation;        /* the machine where it ended */
    size_t machine_left, trouble_left; /* how many more of these may be shown */
    bool turn_shown[LANE_MAX];         /* a turn of this lane's loop was shown */
} slicer;

static void want(slicer *slice, sb_step step)
{
    if (step >= slice->first && sb_record_event(slice->record, step) != NULL) {
        const size_t place = (size_t)(step - slice->first);
        slice->wanted[place / 8] = (unsigned char)(slice->wanted[place / 8] | 1u << place % 8);
    }
}

static bool is_wanted(const slicer *slice, sb_step step)
{
    const size_t place = (size_t)(step - slice->first);
    return (slice->wanted[place / 8] >> place % 8 & 1) != 0;
}

static bool is_notable(unsigned kind)
{
    switch (kind) {
    case SB_EVENT_PHASE:
    case SB_EVENT_BOOT:
    case SB_EVENT_STOP:
    case SB_EVENT_KILL:
    case SB_EVENT_CALL:
    case SB_EVENT_CALL_END:
    case SB_EVENT_SERVE:
    case SB_EVENT_ANSWER:
    case SB_EVENT_LOG:
    case SB_EVENT_MOVE:
    case SB_EVENT_FAILPOINT:
    case SB_EVENT_FAULT:
        return true;
    default:
        return false;
    }
}

static bool is_beside_the_way(const slicer *slice, const sb_event *event)
{
    return event->task != 0 && event->cause != 0 && slice->bursts[event->task] == event->cause &&
           is_notable(event->kind);
}

/* What the machine did or what was done to it, by whatever task. */
static bool is_of_the_machine(slicer *slice, const sb_event *event)
{
    const bool is_here = event->node == slice->node && event->incarnation == slice->incarnation;
    const bool is_boot =
        event->kind == SB_EVENT_BOOT && event->c == slice->node && event->b == slice->incarnation;
    const bool matters = event->kind == SB_EVENT_MOVE || event->kind == SB_EVENT_LOG ||
                         event->kind == SB_EVENT_FAILPOINT || event->kind == SB_EVENT_STOP ||
                         event->kind == SB_EVENT_PAUSE || event->kind == SB_EVENT_RESUME;
    if (slice->node == 0 || slice->machine_left == 0 || !(is_boot || (is_here && matters))) {
        return false;
    }
    slice->machine_left--;
    return true;
}

static bool is_trouble(slicer *slice, const sb_event *event)
{
    const bool matters = event->kind == SB_EVENT_KILL || event->kind == SB_EVENT_STOP ||
                         event->kind == SB_EVENT_BOOT || event->kind == SB_EVENT_PAUSE ||
                         event->kind == SB_EVENT_FAULT || event->kind == SB_EVENT_HEAL;
    if (slice->trouble_left == 0 || !matters) {
        return false;
    }
    slice->trouble_left--;
    return true;
}

/* A sleep that was over, after a sleep: the turn of a loop between others that look like it. */
static bool is_turn_between(slicer *slice, const sb_event *event)
{
    const sb_event *const cause = sb_record_event(slice->record, event->cause);
    const bool is_turn = event->kind == SB_EVENT_FIRE && cause != NULL &&
                         cause->kind == SB_EVENT_FIRE && cause->task == event->task;
    const bool hide = is_turn && slice->turn_shown[event->task];
    slice->turn_shown[event->task] = is_turn;
    return hide;
}

static bool is_shown(slicer *slice, sb_step step, const sb_event *event)
{
    if (!is_wanted(slice, step)) {
        return is_beside_the_way(slice, event) || is_of_the_machine(slice, event) ||
               is_trouble(slice, event);
    }
    assert(event->cause < step);
    want(slice, event->cause);
    slice->bursts[event->task] = event->cause;
    return !is_turn_between(slice, event);
}

size_t sb_record_slice(const sb_record *record, sb_step from, sb_step *steps, size_t limit)
{
    const sb_event *const end = sb_record_event(record, from);
    if (limit == 0 || end == NULL) {
        return 0;
    }
    slicer *const slice = sb_host_alloc(1, sizeof *slice);
    slice->record = record;
    slice->first = sb_record_first_step(record);
    slice->wanted = sb_host_alloc(sb_record_count(record) / 8 + 1, 1);
    slice->node = end->node;
    slice->incarnation = end->incarnation;
    slice->machine_left = limit / MACHINE_SHARE;
    slice->trouble_left = limit / TROUBLE_SHARE;
    want(slice, from);
    size_t count = 0;
    for (sb_step step = from; step >= slice->first && step > 0 && count < limit; step--) {
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL && is_shown(slice, step, event)) {
            steps[limit - ++count] = step;
        }
    }
    memmove(steps, steps + (limit - count), count * sizeof *steps);
    free(slice->wanted);
    free(slice);
    return count;
}
