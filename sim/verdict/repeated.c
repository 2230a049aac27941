/*
 * What was done again and again since the world stands still: moves of things, and calls that had
 * no good answer. It tells work in vain (a livelock) from mere waiting.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/verdict/report.h"

#define KINDS_MAX 512 /* of doings that are told apart */
#define SHOWN_MAX 8
#define TIMES_MIN 2 /* fewer are no repetition */

typedef struct doing {
    uint32_t times;
    sb_step last; /* the latest of them */
} doing;

typedef struct doings {
    doing items[KINDS_MAX];
    size_t count;
} doings;

static bool is_same(const sb_record *record, const sb_event *left, sb_step left_step,
                    const sb_event *right, sb_step right_step)
{
    if (left->kind != right->kind || left->node != right->node || left->a != right->a) {
        return false;
    }
    return left->kind == SB_EVENT_MOVE
               ? left->b == right->b && left->c == right->c
               : left->c == right->c && strcmp(sb_record_task_name(record, left_step),
                                               sb_record_task_name(record, right_step)) == 0;
}

static void note(doings *into, const sb_record *record, const sb_event *event, sb_step step)
{
    for (size_t i = 0; i < into->count; i++) {
        const sb_step other = into->items[i].last;
        if (is_same(record, sb_record_event(record, other), other, event, step)) {
            into->items[i].times++;
            into->items[i].last = step;
            return;
        }
    }
    if (into->count < KINDS_MAX) {
        into->items[into->count++] = (doing){1, step};
    }
}

static int compare(const void *left, const void *right)
{
    const doing *const one = left, *const other = right;
    if (one->times != other->times) {
        return one->times > other->times ? -1 : 1;
    }
    return one->last < other->last ? -1 : one->last > other->last;
}

static void print(FILE *out, const sb_record *record, const doings *all)
{
    for (size_t i = 0, shown = 0; i < all->count && shown < SHOWN_MAX; i++) {
        if (all->items[i].times < TIMES_MIN) {
            break;
        }
        char what[160];
        const sb_step step = all->items[i].last;
        const sb_event *const event = sb_record_event(record, step);
        sb_record_describe(record, step, what, sizeof what);
        fprintf(out, "%s    %" PRIu32 " times by %s#%u %s: %s\n",
                shown++ == 0 ? "  what was done in vain\n" : "", all->items[i].times,
                sb_record_node_name(record, event->node), event->incarnation,
                sb_record_task_name(record, step), what);
    }
}

void sb_report_repeated(FILE *out, sb_world *world, const sb_record *record)
{
    const sb_finding_report *const finding = sb_world_finding(world);
    doings *const all = sb_host_alloc(1, sizeof *all);
    const sb_step first = sb_record_first_step(record);
    for (sb_step step = first + sb_record_count(record) - 1; step >= first && step > 0; step--) {
        const sb_event *const event = sb_record_event(record, step);
        if (event == NULL || event->time < finding->since) {
            break;
        }
        const bool is_vain = event->kind == SB_EVENT_CALL_END && event->c != 0;
        if (event->kind == SB_EVENT_MOVE || is_vain) {
            note(all, record, event, step);
        }
    }
    qsort(all->items, all->count, sizeof all->items[0], compare);
    print(out, record, all);
    free(all);
}
