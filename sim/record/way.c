/*
 * The way of causes that leads to an event, latest first.
 *
 * Every event has one cause: of what a task does, the event that set the task going. What else the
 * task did since then has the same cause and stands beside the way.
 *
 *      fire <--cause-- call   call-end   move    (one burst of a task: all caused by the fire)
 *                       ^ beside the way    ^ the way goes on from here
 *
 * A loop is a way that repeats itself. Its last turn is shown; the others are counted in the row
 * that begins this turn, and the way goes on at what began the loop. What lies beyond is far: there
 * a call is told by its caller alone.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/record/slice.h"

#define NEAR_MAX 14
#define PERIOD_MAX 12 /* rows of one turn of a loop */
#define TURNS_MIN 3   /* fewer are shown one by one */

typedef struct way {
    sb_step *steps;
    size_t count, capacity;
} way;

static void way_add(way *to, sb_step step)
{
    if (to->count == to->capacity) {
        to->capacity = to->capacity == 0 ? 256 : to->capacity * 2;
        to->steps = sb_host_grow(to->steps, to->capacity, sizeof *to->steps);
    }
    to->steps[to->count++] = step;
}

static bool is_of_call(const sb_record *record, sb_step sent)
{
    const sb_event *const send = sb_record_event(record, sent);
    if (send == NULL || send->kind != SB_EVENT_SEND) {
        return false;
    }
    const sb_event *const before = sb_record_event(record, sb_record_before(record, sent));
    return before != NULL && (before->kind == SB_EVENT_CALL || before->kind == SB_EVENT_ANSWER);
}

/* The birth of a task that serves: a request arrived, and nothing but an exchange takes those. */
static bool is_of_request(const sb_record *record, const sb_event *spawn)
{
    const sb_event *const delivered = sb_record_event(record, spawn->cause);
    return delivered != NULL && delivered->kind == SB_EVENT_DELIVER &&
           is_of_call(record, delivered->cause) &&
           sb_record_event(record, sb_record_before(record, delivered->cause))->kind ==
               SB_EVENT_CALL;
}

bool sb_slice_is_told_elsewhere(const sb_record *record, sb_step step, const sb_event *event)
{
    const char *text;
    switch (event->kind) {
    case SB_EVENT_SEND:
        return is_of_call(record, step);
    case SB_EVENT_DELIVER:
        return is_of_call(record, event->cause);
    case SB_EVENT_SPAWN:
        return is_of_request(record, event);
    case SB_EVENT_FIRE:
        text = sb_record_text(record, event->a);
        return text != NULL && strcmp(text, "disk") == 0;
    default:
        return false;
    }
}

static bool is_shown_beside(unsigned kind)
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
    case SB_EVENT_PROBE:
    case SB_EVENT_FAILPOINT:
    case SB_EVENT_FAULT:
        return true;
    default:
        return false;
    }
}

static void walk(const sb_slicer *slice, sb_step from, way *to)
{
    const sb_event *event = sb_record_event(slice->record, from);
    for (sb_step step = from; event != NULL;) {
        if (step == from || !sb_slice_is_told_elsewhere(slice->record, step, event)) {
            way_add(to, step);
        }
        const sb_step start = event->cause > slice->first ? event->cause : slice->first - 1;
        for (sb_step beside = step - 1; event->cause != 0 && beside > start; beside--) {
            const sb_event *const other = sb_record_event(slice->record, beside);
            if (other != NULL && event->task != 0 && other->task == event->task &&
                other->cause == event->cause && is_shown_beside(other->kind)) {
                way_add(to, beside);
            }
        }
        step = event->cause;
        event = sb_record_event(slice->record, step);
    }
}

/* -------------------------------------------------------------------------------------- loops */

/* Whether two events could be the same line of a program that came by again.  What moves something
 * is never the same. */
static bool is_same_turn(const sb_record *record, sb_step left, sb_step right)
{
    const sb_event *const a = sb_record_event(record, left), *const b =
                                                                 sb_record_event(record, right);
    const char *const name = sb_record_task_name(record, left);
    if (a->kind != b->kind || a->node != b->node || a->incarnation != b->incarnation ||
        strcmp(name, sb_record_task_name(record, right)) != 0) {
        return false;
    }
    switch (a->kind) {
    case SB_EVENT_FIRE:
    case SB_EVENT_CALL:
    case SB_EVENT_SERVE:
    case SB_EVENT_ANSWER:
        return a->a == b->a;
    case SB_EVENT_CALL_END:
        return a->a == b->a && a->c == b->c;
    case SB_EVENT_WAKE:
        return a->b == b->b && a->c == b->c;
    case SB_EVENT_RESET:
        return a->a == b->a;
    case SB_EVENT_SEND:
    case SB_EVENT_DELIVER:
        return a->a == b->a && a->c == b->c;
    default:
        return false;
    }
}

/* How often the way turns here in rounds of so many rows; 1: no loop. */
static size_t count_turns(const sb_record *record, const way *of, size_t at, size_t period)
{
    size_t same = 0;
    while (at + same + period < of->count &&
           is_same_turn(record, of->steps[at + same], of->steps[at + same + period])) {
        same++;
    }
    return same / period + 1;
}

static size_t find_loop(const sb_record *record, const way *of, size_t at, size_t *turns)
{
    for (size_t period = 1; period <= PERIOD_MAX; period++) {
        *turns = count_turns(record, of, at, period);
        if (*turns >= TURNS_MIN) {
            return period;
        }
    }
    *turns = 1;
    return 1;
}

/* ------------------------------------------------------------------------------- near and far */

static bool is_shown_far(const sb_event *event)
{
    return event->kind != SB_EVENT_SERVE && event->kind != SB_EVENT_ANSWER &&
           (event->kind != SB_EVENT_CALL_END || event->c != 0);
}

static void add_row(sb_slicer *slice, bool is_near, sb_step step, sb_step since, size_t turns)
{
    const sb_event *const event = sb_record_event(slice->record, step);
    if (is_near || is_shown_far(event)) {
        sb_slice_add(slice, is_near ? SB_SLICE_NEAR : SB_SLICE_FAR,
                     (sb_slice_row){step, {since, (uint32_t)turns, true}});
    }
}

void sb_slice_collect_way(sb_slicer *slice, sb_step from)
{
    way whole = {NULL, 0, 0};
    size_t near_count = 0, turns;
    bool is_far = false, is_beyond_loop = false;
    walk(slice, from, &whole);
    for (size_t at = 0, period; at < whole.count; at += period * turns) {
        period = find_loop(slice->record, &whole, at, &turns);
        is_far = is_far || near_count >= NEAR_MAX;
        for (size_t i = 0; i < period; i++) {
            const bool begins = i == period - 1;
            const sb_step step = whole.steps[at + i];
            const sb_step since = begins ? whole.steps[at + i + period * (turns - 1)] : step;
            add_row(slice, !is_far, step, since, begins ? turns : 1);
        }
        for (size_t i = 0; i < period * turns; i++) {
            sb_slice_take(slice, whole.steps[at + i]);
        }
        near_count += period;
        is_far = is_far || (is_beyond_loop && turns == 1); /* what began the loop was near */
        is_beyond_loop = is_beyond_loop || turns > 1;
    }
    free(whole.steps);
}
