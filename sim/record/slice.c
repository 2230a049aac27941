/*
 * The causal slice: what led to an event, in tens of rows.
 *
 *   the record    way.c: along causes          here: what is notable beside the way
 *      |            |                            |
 *      |         near, far              machine, ending, detail, trouble, world
 *      |            |                            |
 *      `------------'------- seven queues, each latest first ------> `limit` rows by price
 *
 * Tasks of one machine also act on each other through memory, and that no event tells: the poll
 * that dies is not caused by the stop that took its table away. So what is notable stands beside
 * the way: what the machine did and what was done to it, what followed on it from a stop or a
 * cancel, trouble elsewhere, and how the state machines of the others moved.
 *
 * All want to be shown, and there is room for few. Each queue has a price, and its n-th row costs n
 * times that; the cheapest rows are taken. So every queue gets its share, and what one cannot use
 * goes to the others. Rows that say the same again are folded into the latest of them, which
 * counts.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/record/slice.h"

#define LANE_MAX 65536
#define FOLD_LOOK 64 /* rows that are looked through for one that says the same */

/* Numbers of faults, as the record counts them. */
enum {
    FAULT_NONE,
#define FAULT(name, word, family, text) FAULT_##name,
#include "sim/fault/faults.def"
#undef FAULT
};

enum { MARK_TAKEN = 1, MARK_SERVES = 2, MARK_ENDING = 4 };

static const unsigned prices[SB_SLICE_QUEUE_COUNT] = {
    [SB_SLICE_NEAR] = 1,  [SB_SLICE_ENDING] = 2, [SB_SLICE_MACHINE] = 3, [SB_SLICE_TROUBLE] = 5,
    [SB_SLICE_WORLD] = 6, [SB_SLICE_FAR] = 8,    [SB_SLICE_DETAIL] = 8,
};

/* ------------------------------------------------------------------------------------- queues */

void sb_slice_add(sb_slicer *slice, sb_slice_queue queue, sb_slice_row row)
{
    sb_slice_row_list *const rows = &slice->queues[queue];
    assert(rows->count == 0 || rows->rows[rows->count - 1].step > row.step);
    if (rows->count < slice->limit) {
        rows->rows[rows->count++] = row;
    }
}

/* Whether the later row says it all: the same trouble at the same instant, the same loss again. */
static bool says_the_same(const sb_event *later, const sb_event *event, sb_slice_queue queue)
{
    if (later->kind != event->kind) {
        return false;
    }
    switch (event->kind) {
    case SB_EVENT_FAULT:
    case SB_EVENT_HEAL:
        return later->a == event->a && later->time == event->time;
    case SB_EVENT_DROP:
        return later->node == event->node && later->a == event->a && later->b == event->b;
    case SB_EVENT_RESET:
    case SB_EVENT_FAILPOINT:
    case SB_EVENT_SPAWN:
        return later->node == event->node && later->a == event->a;
    case SB_EVENT_CALL_END:
        return later->node == event->node && later->a == event->a && later->c == event->c;
    case SB_EVENT_MOVE:
        return queue == SB_SLICE_WORLD && later->a == event->a && later->c == event->c;
    default:
        return false;
    }
}

static bool fold(sb_slicer *slice, sb_slice_queue queue, sb_step step, const sb_event *event)
{
    const sb_slice_row_list *const rows = &slice->queues[queue];
    for (size_t i = rows->count; i > 0 && rows->count - i < FOLD_LOOK; i--) {
        sb_slice_row *const row = &rows->rows[i - 1];
        if (says_the_same(sb_record_event(slice->record, row->step), event, queue)) {
            row->note.since = step;
            row->note.count++;
            return true;
        }
    }
    return false;
}

/* -------------------------------------------------------------------------------------- marks */

static unsigned char *mark_of(const sb_slicer *slice, sb_step step)
{
    assert(step >= slice->first);
    return &slice->marks[step - slice->first];
}

void sb_slice_take(sb_slicer *slice, sb_step step)
{
    *mark_of(slice, step) |= MARK_TAKEN;
}

/* An order to end, or what follows from one on the same machine before it waits for a clock or for
 * another machine. */
static bool is_ending(const sb_slicer *slice, const sb_event *event)
{
    if (event->kind == SB_EVENT_STOP || (event->kind == SB_EVENT_WAKE && event->c != 0)) {
        return true;
    }
    const sb_event *const cause = sb_record_event(slice->record, event->cause);
    return cause != NULL && event->kind != SB_EVENT_FIRE && cause->node == event->node &&
           cause->incarnation == event->incarnation &&
           (*mark_of(slice, event->cause) & MARK_ENDING) != 0;
}

/* Which events belong to a task that serves a request, and which to an ending. */
static void mark_all(const sb_slicer *slice, sb_step last)
{
    bool *const serves = sb_host_alloc(LANE_MAX, sizeof *serves);
    for (sb_step step = slice->first; step <= last; step++) {
        const sb_event *const event = sb_record_event(slice->record, step);
        if (event == NULL) {
            continue;
        }
        if (event->kind == SB_EVENT_SPAWN || event->kind == SB_EVENT_SERVE) {
            serves[event->task] = event->kind == SB_EVENT_SERVE;
        }
        const bool ending = is_ending(slice, event);
        *mark_of(slice, step) =
            (unsigned char)((event->task != 0 && serves[event->task] ? MARK_SERVES : 0) |
                            (ending ? MARK_ENDING : 0));
    }
    free(serves);
}

/* ---------------------------------------------------------------------------- what is notable */

/* The machine whose story it is: of a message that was lost, the one that still waits. */
static void find_machine(sb_slicer *slice, sb_step from)
{
    const sb_event *const end = sb_record_event(slice->record, from);
    slice->node = end->node;
    slice->incarnation = end->incarnation;
    const sb_event *const sent = sb_record_event(slice->record, end->cause);
    if (end->kind != SB_EVENT_DROP || sent == NULL || sent->kind != SB_EVENT_SEND) {
        return;
    }
    const sb_event *const before =
        sb_record_event(slice->record, sb_record_before(slice->record, end->cause));
    const bool is_reply = before != NULL && before->kind == SB_EVENT_ANSWER;
    slice->node = is_reply ? (unsigned)sent->a : sent->node;
    slice->incarnation = 0;
    for (sb_step step = from; step >= slice->first && step > 0 && slice->incarnation == 0; step--) {
        const sb_event *const event = sb_record_event(slice->record, step);
        if (event != NULL && event->node == slice->node) {
            slice->incarnation = event->incarnation;
        }
    }
}

static bool is_link_fault(uint64_t fault)
{
    return fault == FAULT_PARTITION || fault == FAULT_PARTITION_ONE_WAY ||
           fault == FAULT_PARTITION_PARTIAL || fault == FAULT_CLOG || fault == FAULT_RESET;
}

static bool strikes(const sb_event *event, unsigned node)
{
    return node != 0 && (event->b == node || (is_link_fault(event->a) && event->c == node));
}

/* A stop that a fault ordered just now is told by the fault, a boot by the heal. */
static bool is_ordered_by_fault(const sb_slicer *slice, sb_step step)
{
    const sb_event *const before = sb_record_event(slice->record, step - 1);
    return before != NULL && (before->kind == SB_EVENT_FAULT || before->kind == SB_EVENT_HEAL);
}

static sb_slice_queue queue_of_trouble(const sb_slicer *slice, sb_step step, const sb_event *event)
{
    const bool is_boot = event->kind == SB_EVENT_BOOT;
    const bool is_fault = event->kind == SB_EVENT_FAULT || event->kind == SB_EVENT_HEAL;
    const uint64_t node = is_boot ? event->c : event->node;
    if (is_fault ? strikes(event, slice->node) : slice->node != 0 && node == slice->node) {
        return SB_SLICE_MACHINE;
    }
    const bool is_first_boot = is_boot && event->b <= 1;
    const bool is_exit = event->kind == SB_EVENT_EXIT;
    return is_first_boot || is_exit || (!is_fault && is_ordered_by_fault(slice, step))
               ? SB_SLICE_NONE
               : SB_SLICE_TROUBLE;
}

/* Events of the machine whose weight depends on who did them and why. */
static sb_slice_queue queue_of_deed(const sb_slicer *slice, sb_step step, const sb_event *event)
{
    const unsigned char marks = *mark_of(slice, step);
    const bool is_ending_here = (marks & MARK_ENDING) != 0 && (marks & MARK_SERVES) == 0;
    switch (event->kind) {
    case SB_EVENT_WAKE: /* to go on is no ending */
        return event->c != 0 ? SB_SLICE_ENDING : SB_SLICE_NONE;
    case SB_EVENT_TASK_END:
    case SB_EVENT_CALL:
        return is_ending_here ? SB_SLICE_ENDING : SB_SLICE_NONE;
    case SB_EVENT_SPAWN:
        return sb_slice_is_told_elsewhere(slice->record, step, event) ? SB_SLICE_NONE
                                                                      : SB_SLICE_DETAIL;
    case SB_EVENT_CALL_END:
        return event->c != 0 ? SB_SLICE_DETAIL : SB_SLICE_NONE;
    default:
        return SB_SLICE_NONE;
    }
}

static sb_slice_queue queue_of(const sb_slicer *slice, sb_step step, const sb_event *event)
{
    const bool is_here = event->node == slice->node && event->incarnation == slice->incarnation;
    switch (event->kind) {
    case SB_EVENT_FAULT:
    case SB_EVENT_HEAL:
    case SB_EVENT_BOOT:
    case SB_EVENT_STOP:
    case SB_EVENT_KILL:
    case SB_EVENT_EXIT:
    case SB_EVENT_PAUSE:
    case SB_EVENT_RESUME:
        return queue_of_trouble(slice, step, event);
    case SB_EVENT_PHASE:
    case SB_EVENT_FAILPOINT:
        return is_here ? SB_SLICE_MACHINE : SB_SLICE_TROUBLE;
    case SB_EVENT_MOVE:
    case SB_EVENT_LOG:
        return is_here ? SB_SLICE_MACHINE : SB_SLICE_WORLD;
    case SB_EVENT_PROBE:
        return is_here ? SB_SLICE_MACHINE : SB_SLICE_NONE;
    case SB_EVENT_DROP:
    case SB_EVENT_RESET:
        return is_here || event->a == slice->node ? SB_SLICE_DETAIL : SB_SLICE_NONE;
    default:
        return is_here && slice->node != 0 ? queue_of_deed(slice, step, event) : SB_SLICE_NONE;
    }
}

static void collect_notable(sb_slicer *slice, sb_step from)
{
    for (sb_step step = from; step >= slice->first && step > 0; step--) {
        const sb_event *const event = sb_record_event(slice->record, step);
        if (event == NULL || (*mark_of(slice, step) & MARK_TAKEN) != 0) {
            continue;
        }
        const sb_slice_queue queue = queue_of(slice, step, event);
        if (queue != SB_SLICE_NONE && !fold(slice, queue, step, event)) {
            sb_slice_add(slice, queue, (sb_slice_row){step, {step, 1, false}});
        }
    }
}

/* ------------------------------------------------------------------------------------- choice */

/* Take the next row of the queue where it is cheapest; false: all queues are empty. */
static bool take_cheapest(sb_slicer *slice, size_t taken[], sb_slice_row *row)
{
    size_t best = SB_SLICE_QUEUE_COUNT, best_cost = 0;
    for (size_t i = 0; i < SB_SLICE_QUEUE_COUNT; i++) {
        const size_t cost = (taken[i] + 1) * prices[i];
        if (taken[i] < slice->queues[i].count &&
            (best == SB_SLICE_QUEUE_COUNT || cost < best_cost)) {
            best = i;
            best_cost = cost;
        }
    }
    if (best == SB_SLICE_QUEUE_COUNT) {
        return false;
    }
    *row = slice->queues[best].rows[taken[best]++];
    return true;
}

static int compare_rows(const void *left, const void *right)
{
    const sb_slice_row *const a = left, *const b = right;
    assert(a == b || a->step != b->step);
    return a->step < b->step ? -1 : a->step > b->step;
}

static size_t choose(sb_slicer *slice, sb_step *steps, sb_slice_note *notes)
{
    size_t taken[SB_SLICE_QUEUE_COUNT] = {0};
    size_t count = 0;
    sb_slice_row *const rows = sb_host_alloc(slice->limit, sizeof *rows);
    while (count < slice->limit && take_cheapest(slice, taken, &rows[count])) {
        count++;
    }
    qsort(rows, count, sizeof *rows, compare_rows);
    for (size_t i = 0; i < count; i++) {
        steps[i] = rows[i].step;
        if (notes != NULL) {
            notes[i] = rows[i].note;
        }
    }
    free(rows);
    return count;
}

size_t sb_record_slice(const sb_record *record, sb_step from, sb_step *steps, sb_slice_note *notes,
                       size_t limit)
{
    if (limit == 0 || sb_record_event(record, from) == NULL) {
        return 0;
    }
    sb_slicer slice = {.record = record, .first = sb_record_first_step(record), .limit = limit};
    slice.marks = sb_host_alloc(sb_record_count(record), 1);
    for (size_t i = 0; i < SB_SLICE_QUEUE_COUNT; i++) {
        slice.queues[i].rows = sb_host_alloc(limit, sizeof *slice.queues[i].rows);
    }
    find_machine(&slice, from);
    mark_all(&slice, from);
    sb_slice_collect_way(&slice, from);
    collect_notable(&slice, from);
    const size_t count = choose(&slice, steps, notes);
    for (size_t i = 0; i < SB_SLICE_QUEUE_COUNT; i++) {
        free(slice.queues[i].rows);
    }
    free(slice.marks);
    assert(count != 0 && steps[count - 1] == from);
    return count;
}
