/*
 * Who waits for whom.
 *
 * The chain begins at each task that nothing but another task can set free: it waits without a
 * deadline. From there it goes to the holder of a mutex, or to the machine that owes a reply; the
 * record then tells how far the request came and, where a task still serves it, the chain goes on
 * there. It ends with a task that waits for nobody, with a message that was lost, or where it
 * began. Above it stands what has not ended, and which of these tasks had moved it last.
 *
 *   call --send--> [network] --deliver--> serve --answer, send--> [network] --deliver--> call-end
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/verdict/report.h"

#define CHAIN_MAX 16
#define CHAINS_SHOWN_MAX 12

/* Steps of an exchange as far as it came; 0: it did not come there. */
typedef struct exchange_fate {
    sb_step call, request_sent, request_delivered, request_dropped;
    sb_step served, answered, reply_sent, reply_delivered, reply_dropped;
    uint64_t number;
    const char *method;
    uint64_t drop_cause;
    uint16_t server_lane;
} exchange_fate;

static sb_step last_step(const sb_record *record)
{
    return sb_record_first_step(record) + sb_record_count(record) - 1;
}

static sb_step find_call(const sb_record *record, const sb_waiting_task *task)
{
    for (sb_step step = last_step(record); step >= sb_record_first_step(record) && step > 0;
         step--) {
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL && event->task == task->lane && event->node == task->node) {
            if (event->kind == SB_EVENT_CALL) {
                return step;
            }
            if (event->kind == SB_EVENT_CALL_END) {
                return 0;
            }
        }
    }
    return 0;
}

/* The send that follows in the same task, to that node. */
static sb_step find_send(const sb_record *record, sb_step after, uint64_t to)
{
    const sb_event *const start = sb_record_event(record, after);
    for (sb_step step = after + 1; step <= last_step(record); step++) {
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL && event->task == start->task && event->node == start->node) {
            return event->kind == SB_EVENT_SEND && event->a == to ? step : 0;
        }
    }
    return 0;
}

/* What became of a message: its delivery or its loss. */
static void find_fate(const sb_record *record, sb_step sent, sb_step *delivered, sb_step *dropped,
                      uint64_t *why)
{
    for (sb_step step = sent + 1; sent != 0 && step <= last_step(record) && *delivered == 0;
         step++) {
        const sb_event *const event = sb_record_event(record, step);
        if (event == NULL || event->cause != sent) {
            continue;
        }
        if (event->kind == SB_EVENT_DELIVER) {
            *delivered = step;
        } else if (event->kind == SB_EVENT_DROP) {
            *dropped = step;
            *why = event->b;
        }
    }
}

static sb_step find_numbered(const sb_record *record, sb_step after, sb_event_kind kind,
                             unsigned node, uint64_t number)
{
    for (sb_step step = after + 1; after != 0 && step <= last_step(record); step++) {
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL && event->kind == kind && event->node == node && event->c == number) {
            return step;
        }
    }
    return 0;
}

static void trace_exchange(const sb_record *record, const sb_waiting_task *task,
                           exchange_fate *fate)
{
    memset(fate, 0, sizeof *fate);
    fate->call = find_call(record, task);
    const sb_event *const call = fate->call != 0 ? sb_record_event(record, fate->call) : NULL;
    if (call == NULL) {
        return;
    }
    fate->number = call->c;
    fate->method = sb_record_text(record, call->a);
    fate->request_sent = find_send(record, fate->call, call->b);
    find_fate(record, fate->request_sent, &fate->request_delivered, &fate->request_dropped,
              &fate->drop_cause);
    fate->served =
        find_numbered(record, fate->request_delivered, SB_EVENT_SERVE, task->peer, fate->number);
    if (fate->served != 0) {
        fate->server_lane = sb_record_event(record, fate->served)->task;
    }
    fate->answered = find_numbered(record, fate->served, SB_EVENT_ANSWER, task->peer, fate->number);
    if (fate->answered != 0) {
        fate->reply_sent = find_send(record, fate->answered, task->node);
        find_fate(record, fate->reply_sent, &fate->reply_delivered, &fate->reply_dropped,
                  &fate->drop_cause);
    }
}

static void print_step(FILE *out, const char *what, sb_step step)
{
    if (step != 0) {
        fprintf(out, ", %s at step %" PRIu64, what, step);
    }
}

static void print_fate(FILE *out, const sb_record *record, const exchange_fate *fate)
{
    if (fate->call == 0 || out == NULL) {
        return;
    }
    fprintf(out, "      call %" PRIu64 " %s at step %" PRIu64, fate->number,
            fate->method != NULL ? fate->method : "", fate->call);
    print_step(out, "request sent", fate->request_sent);
    print_step(out, "request delivered", fate->request_delivered);
    print_step(out, "served", fate->served);
    print_step(out, "answered", fate->answered);
    print_step(out, "reply sent", fate->reply_sent);
    print_step(out, "reply delivered", fate->reply_delivered);
    const bool is_lost = (fate->request_dropped != 0 && fate->request_delivered == 0) ||
                         (fate->reply_dropped != 0 && fate->reply_delivered == 0);
    if (is_lost) {
        fprintf(out, "\n      %s dropped at step %" PRIu64 " (%s): nobody will answer",
                fate->reply_dropped != 0 ? "reply" : "request",
                fate->reply_dropped != 0 ? fate->reply_dropped : fate->request_dropped,
                sb_record_fault_name(record, fate->drop_cause));
    } else if (fate->request_delivered != 0 && fate->served == 0) {
        fputs(": nobody took it", out);
    } else if (fate->request_sent != 0 && fate->request_delivered == 0) {
        fputs(": still on its way", out);
    }
    fputc('\n', out);
}

static const sb_waiting_task *waiting_task_of(const sb_waiting_list *list, unsigned lane)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->tasks[i].lane == lane) {
            return &list->tasks[i];
        }
    }
    return NULL;
}

static void print_link(FILE *out, sb_world *world, const sb_waiting_task *task, unsigned depth)
{
    if (out == NULL) {
        return;
    }
    fprintf(out, "    %s%s#%u %s waits for ", depth == 0 ? "" : "-> ",
            sb_node_name(world, task->node), task->incarnation, task->name);
    if (task->peer != 0) {
        fprintf(out, "a reply of %s#%u", sb_node_name(world, task->peer),
                sb_node_incarnation(world, task->peer));
        if (!sb_node_is_up(world, task->peer)) {
            fputs(", which is down", out);
        }
    } else {
        fputs(task->wait, out);
        if (task->object != NULL) {
            fprintf(out, " %s", task->object);
        }
    }
    fprintf(out, " since %" PRIu64 ".%06" PRIu64 "s\n", task->since / SB_SECOND,
            task->since / 1000 % 1000000);
}

/* How far the exchange came. */
static sb_step last_of(const exchange_fate *fate)
{
    const sb_step steps[] = {
        fate->call,           fate->request_sent, fate->request_dropped, fate->request_delivered,
        fate->served,         fate->answered,     fate->reply_sent,      fate->reply_dropped,
        fate->reply_delivered};
    sb_step last = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        last = steps[i] > last ? steps[i] : last;
    }
    return last;
}

/* What is printed of several chains: each task stands in one of them. */
typedef struct chains {
    FILE *out;
    sb_world *world;
    const sb_waiting_list *list;
    const sb_record *record;
    unsigned shown;
    sb_step end; /* the last event of the first chain */
    bool passed[UINT16_MAX + 1];
} chains;

/* The lane this task waits for; 0: none that is known. */
static unsigned print_one(chains *all, const sb_waiting_task *task, unsigned depth)
{
    print_link(all->out, all->world, task, depth);
    if (all->shown == 1) {
        all->end = task->cause;
    }
    if (task->holder != 0 || task->peer == 0 || all->record == NULL ||
        sb_record_count(all->record) == 0) {
        return task->holder;
    }
    exchange_fate fate;
    trace_exchange(all->record, task, &fate);
    print_fate(all->out, all->record, &fate);
    if (all->shown == 1 && last_of(&fate) != 0) {
        all->end = last_of(&fate);
    }
    return fate.answered == 0 ? fate.server_lane : 0;
}

static void print_chain(chains *all, const sb_waiting_task *task)
{
    for (unsigned depth = 0; task != NULL && depth < CHAIN_MAX; depth++) {
        all->passed[task->lane] = true;
        const unsigned next = print_one(all, task, depth);
        task = next != 0 ? waiting_task_of(all->list, next) : NULL;
        if (task != NULL && all->passed[task->lane]) {
            if (all->out != NULL) {
                fprintf(all->out, "    -> %s#%u %s, which stands above\n",
                        sb_node_name(all->world, task->node), task->incarnation, task->name);
            }
            return;
        }
    }
}

/* Who waits for a reply or for a mutex has somebody to name; who waits for work in an endless loop
 * has not. */
static bool begins_a_chain(const sb_waiting_task *task)
{
    return task->deadline == SB_FOREVER && (task->peer != 0 || task->holder != 0);
}

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

/* No move leads out of the state. */
static bool is_last_state(const sb_machine *machine, unsigned state)
{
    for (uint32_t i = 0; i < machine->move_count; i++) {
        if (machine->moves[i].from == state) {
            return false;
        }
    }
    return true;
}

static bool moved_later(const sb_record *record, sb_step step, const sb_event *move)
{
    for (sb_step later = step + 1; later <= last_step(record); later++) {
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
    const sb_waiting_task *const task = waiting_task_of(list, move->task);
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
static void report_unended(FILE *out, sb_world *world, const sb_waiting_list *list,
                           const sb_record *record)
{
    unsigned shown = 0;
    for (sb_step step = sb_record_first_step(record); step <= last_step(record); step++) {
        const sb_event *const event = sb_record_event(record, step);
        if (event == NULL || event->kind != SB_EVENT_MOVE) {
            continue;
        }
        const sb_machine *const machine = find_machine(sb_record_machine_name(record, event->a));
        if (machine == NULL || is_last_state(machine, SB_EDGE_TO(event->c)) ||
            moved_later(record, step, event)) {
            continue;
        }
        if (shown++ == 0) {
            fputs("  what has not ended\n", out);
        }
        if (shown <= CHAINS_SHOWN_MAX) {
            print_unended(out, world, list, record, step);
        }
    }
    if (shown > CHAINS_SHOWN_MAX) {
        fprintf(out, "    and %u more\n", shown - CHAINS_SHOWN_MAX);
    }
}

sb_step sb_report_chain(FILE *out, sb_world *world, const sb_waiting_list *list,
                        const sb_record *record)
{
    chains *const all = sb_host_alloc(1, sizeof *all);
    all->out = out;
    all->world = world;
    all->list = list;
    all->record = record;
    if (out != NULL && record != NULL && sb_record_count(record) != 0) {
        report_unended(out, world, list, record);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!begins_a_chain(&list->tasks[i]) || all->passed[list->tasks[i].lane]) {
            continue;
        }
        if (all->shown == 0 && out != NULL) {
            fputs("  who waits for whom\n", out);
        }
        if (all->shown++ < CHAINS_SHOWN_MAX) {
            print_chain(all, &list->tasks[i]);
        }
    }
    if (all->shown > CHAINS_SHOWN_MAX && out != NULL) {
        fprintf(out, "    and %u more\n", all->shown - CHAINS_SHOWN_MAX);
    }
    const sb_step end = all->end;
    free(all);
    return end;
}
