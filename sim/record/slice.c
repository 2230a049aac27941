/*
 * The causal slice: what led to an event.
 *
 * One pass backwards over the record.  A bit per event says "this one is wanted": causes lie before
 * their effects, so the pass meets everything it has asked for.  The cause of what a task does is
 * the event that set it going; what else the task did since then has the same cause, and where it
 * matters to a reader it is shown beside the way.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/record/record.h"

#define LANE_MAX 65536

typedef struct slicer {
    const sb_record *record;
    sb_step first;
    unsigned char *wanted;    /* a bit for each kept step */
    sb_step bursts[LANE_MAX]; /* the cause of what this lane was doing where the way passed it; 0:
                                 not passed */
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

size_t sb_record_slice(const sb_record *record, sb_step from, sb_step *steps, size_t limit)
{
    if (limit == 0 || sb_record_event(record, from) == NULL) {
        return 0;
    }
    slicer *const slice = sb_host_alloc(1, sizeof *slice);
    slice->record = record;
    slice->first = sb_record_first_step(record);
    slice->wanted = sb_host_alloc(sb_record_count(record) / 8 + 1, 1);
    want(slice, from);
    size_t count = 0;
    for (sb_step step = from; step >= slice->first && step > 0 && count < limit; step--) {
        const sb_event *const event = sb_record_event(record, step);
        if (event == NULL) {
            continue;
        }
        const bool on_the_way = is_wanted(slice, step);
        if (!on_the_way && !is_beside_the_way(slice, event)) {
            continue;
        }
        steps[limit - ++count] = step;
        if (on_the_way) {
            assert(event->cause < step);
            want(slice, event->cause);
            slice->bursts[event->task] = event->cause;
        }
    }
    memmove(steps, steps + (limit - count), count * sizeof *steps);
    free(slice->wanted);
    free(slice);
    return count;
}
