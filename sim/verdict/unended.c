/*
 * What has not ended in a world that stands still: jobs, tasks and the like that are in a state
 * they could still leave, and who has moved them last.
 */
#include <inttypes.h>
#include <string.h>

#include "sim/verdict/report.h"

#define SHOWN_MAX 12

/* ------------------------------------------------------------------------- what has not ended */

static const sb_machine *find_machine(const char *name)
{
    const sb_machine *const *machines;
    const size_t count = sb_machine_list(&machines);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(machines[i]->name, name) == 0) {
            return machines[i];
        }
    }
    return NULL;
}

static bool moved_later(const sb_record *record, sb_step step, const sb_event *move)
{
    for (sb_step later = step + 1; later <= sb_record_last_step(record); later++) {
        const sb_event *const event = sb_record_event(record, later);
        if (event != NULL && event->kind == SB_EVENT_MOVE && event->a == move->a &&
            event->b == move->b) {
            return true;
        }
    }
    return false;
}

/* Where the task that moved it stands in the list, if it still waits. */
static const sb_waiting_task *still_waiting(const sb_waiting_list *list, const sb_record *record,
                                            sb_step step, const sb_event *move)
{
    const sb_waiting_task *const task = sb_waiting_in_lane(list, move->task);
    const bool is_it = task != NULL && task->node == move->node &&
                       task->incarnation == move->incarnation &&
                       strcmp(task->name, sb_record_task_name(record, step)) == 0;
    return is_it ? task : NULL;
}

/* Who has taken it up since: the only one who waits under the mover's name. */
static const sb_waiting_task *find_successor(const sb_waiting_list *list, const char *name)
{
    const sb_waiting_task *found = NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->tasks[i].name, name) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = &list->tasks[i];
        }
    }
    return found;
}

static void print_unended(FILE *out, sb_world *world, const sb_waiting_list *list,
                          const sb_record *record, sb_step step)
{
    const sb_event *const move = sb_record_event(record, step);
    const char *const state = sb_record_state_name(record, move->a, SB_EDGE_TO(move->c));
    fprintf(out, "    %s %" PRIu64 " %s since step %" PRIu64 ", moved by %s#%u %s",
            sb_record_machine_name(record, move->a), move->b, state != NULL ? state : "?", step,
            sb_node_name(world, move->node), move->incarnation, sb_record_task_name(record, step));
    const sb_waiting_task *const successor =
        find_successor(list, sb_record_task_name(record, step));
    if (still_waiting(list, record, step, move) != NULL) {
        fputs(", which waits below", out);
    } else if (successor != NULL) {
        fprintf(out, ", now with %s#%u", sb_node_name(world, successor->node),
                successor->incarnation);
    }
    fputc('\n', out);
}

/* Jobs, tasks and the like that are in a state they could still leave, in the order in which they
 * came there: the first is what all the others serve. */
void sb_report_unended(FILE *out, sb_world *world, const sb_waiting_list *list,
                       const sb_record *record)
{
    unsigned shown = 0;
    for (sb_step step = sb_record_first_step(record); step <= sb_record_last_step(record); step++) {
        const sb_event *const event = sb_record_event(record, step);
        if (event == NULL || event->kind != SB_EVENT_MOVE) {
            continue;
        }
        const sb_machine *const machine = find_machine(sb_record_machine_name(record, event->a));
        if (machine == NULL || sb_machine_ends_in(machine, SB_EDGE_TO(event->c)) ||
            moved_later(record, step, event)) {
            continue;
        }
        if (shown++ == 0) {
            fputs("  what has not ended\n", out);
        }
        if (shown <= SHOWN_MAX) {
            print_unended(out, world, list, record, step);
        }
    }
    if (shown > SHOWN_MAX) {
        fprintf(out, "    and %u more\n", shown - SHOWN_MAX);
    }
}
