/*
 * What became of a call: see fate.h.
 */
#include "sim/verdict/fate.h"

#include <inttypes.h>
#include <string.h>

static sb_step find_call(const sb_record *record, unsigned node, unsigned lane)
{
    for (sb_step step = sb_record_last_step(record);
         step >= sb_record_first_step(record) && step > 0; step--) {
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL && event->task == lane && event->node == node) {
            if (event->kind == SB_EVENT_CALL) {
                return step;
            }
            if (event->kind == SB_EVENT_CALL_END || event->kind == SB_EVENT_SPAWN) {
                return 0;
            }
        }
    }
    return 0;
}

/* The send that follows in the same task, to that node. */
static sb_step find_send(const sb_record *record, sb_step after, uint64_t to)
{
    const sb_step step = sb_record_after(record, after);
    const sb_event *const event = sb_record_event(record, step);
    return event != NULL && event->kind == SB_EVENT_SEND && event->a == to ? step : 0;
}

/* What became of a message: its delivery or its loss. */
static void find_fate(const sb_record *record, sb_step sent, sb_step *delivered, sb_step *dropped,
                      uint64_t *why)
{
    for (sb_step step = sent + 1;
         sent != 0 && step <= sb_record_last_step(record) && *delivered == 0; step++) {
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

/* The serving or the answering of a call.  Numbers are of an exchange: those of two callers may be
 * equal. */
static sb_step find_numbered(const sb_record *record, sb_step after, sb_event_kind kind,
                             const sb_event *call)
{
    for (sb_step step = after + 1; after != 0 && step <= sb_record_last_step(record); step++) {
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL && event->kind == kind && event->node == call->b && event->a == call->a &&
            event->b == call->node && event->c == call->c) {
            return step;
        }
    }
    return 0;
}

static void trace_call(const sb_record *record, sb_step step, sb_fate *fate)
{
    const sb_event *const call = sb_record_event(record, step);
    memset(fate, 0, sizeof *fate);
    fate->call = step;
    fate->number = call->c;
    fate->to = (unsigned)call->b;
    fate->method = sb_record_text(record, call->a);
    fate->request_sent = find_send(record, fate->call, call->b);
    find_fate(record, fate->request_sent, &fate->request_delivered, &fate->request_dropped,
              &fate->drop_cause);
    fate->served = find_numbered(record, fate->request_delivered, SB_EVENT_SERVE, call);
    if (fate->served != 0) {
        fate->server_lane = sb_record_event(record, fate->served)->task;
    }
    fate->answered = find_numbered(record, fate->served, SB_EVENT_ANSWER, call);
    if (fate->answered != 0) {
        fate->reply_sent = find_send(record, fate->answered, call->node);
        find_fate(record, fate->reply_sent, &fate->reply_delivered, &fate->reply_dropped,
                  &fate->drop_cause);
    }
}

void sb_fate_of_task(const sb_record *record, unsigned node, unsigned lane, sb_fate *into)
{
    memset(into, 0, sizeof *into);
    const sb_step step = sb_record_count(record) == 0 ? 0 : find_call(record, node, lane);
    if (step != 0) {
        trace_call(record, step, into);
    }
}

/* -------------------------------------------------------------------------- what was lost last */

/* The call that a dropped message belongs to, if that node made it; 0: none. */
static sb_step call_of_drop(const sb_record *record, const sb_event *drop, unsigned node)
{
    const sb_event *const send = sb_record_event(record, drop->cause);
    if (send == NULL || send->kind != SB_EVENT_SEND) {
        return 0;
    }
    const sb_step begun = sb_record_before(record, drop->cause);
    const sb_event *const before = sb_record_event(record, begun);
    if (before != NULL && before->kind == SB_EVENT_CALL) {
        return before->node == node ? begun : 0;
    }
    if (before == NULL || before->kind != SB_EVENT_ANSWER || before->b != node) {
        return 0;
    }
    for (sb_step step = begun; step >= sb_record_first_step(record); step--) {
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL && event->kind == SB_EVENT_CALL && event->node == node &&
            event->a == before->a && event->b == before->node && event->c == before->c) {
            return step;
        }
    }
    return 0;
}

static bool was_answered_since(const sb_record *record, sb_step call, const char *task)
{
    const sb_event *const asked = sb_record_event(record, call);
    for (sb_step step = call + 1; step <= sb_record_last_step(record); step++) {
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL && event->kind == SB_EVENT_CALL_END && event->node == asked->node &&
            event->a == asked->a && event->c == 0 &&
            strcmp(sb_record_task_name(record, step), task) == 0) {
            return true;
        }
    }
    return false;
}

bool sb_fate_of_lost(const sb_record *record, unsigned node, const char *task, sb_fate *into)
{
    if (sb_record_count(record) == 0) {
        return false;
    }
    for (sb_step step = sb_record_last_step(record);
         step >= sb_record_first_step(record) && step > 0; step--) {
        const sb_event *const event = sb_record_event(record, step);
        if (event == NULL || event->kind != SB_EVENT_DROP) {
            continue;
        }
        const sb_step call = call_of_drop(record, event, node);
        if (call == 0 || strcmp(sb_record_task_name(record, call), task) != 0) {
            continue;
        }
        trace_call(record, call, into);
        return sb_fate_is_lost(into) && !was_answered_since(record, call, task);
    }
    return false;
}

/* ------------------------------------------------------------------------------------ in words */

bool sb_fate_is_lost(const sb_fate *of)
{
    return (of->request_dropped != 0 && of->request_delivered == 0) ||
           (of->reply_dropped != 0 && of->reply_delivered == 0);
}

sb_step sb_fate_last(const sb_fate *of)
{
    const sb_step steps[] = {
        of->call,     of->request_sent, of->request_dropped, of->request_delivered, of->served,
        of->answered, of->reply_sent,   of->reply_dropped,   of->reply_delivered};
    sb_step last = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        last = steps[i] > last ? steps[i] : last;
    }
    return last;
}

static void add_step(char *text, size_t size, const char *what, sb_step step)
{
    const size_t used = strlen(text);
    if (step != 0) {
        snprintf(text + used, size - used, ", %s at step %" PRIu64, what, step);
    }
}

void sb_fate_text(const sb_fate *of, char *text, size_t size)
{
    snprintf(text, size, "call %" PRIu64 " %s at step %" PRIu64, of->number,
             of->method != NULL ? of->method : "", of->call);
    add_step(text, size, "request sent", of->request_sent);
    add_step(text, size, "request delivered", of->request_delivered);
    add_step(text, size, "served", of->served);
    add_step(text, size, "answered", of->answered);
    add_step(text, size, "reply sent", of->reply_sent);
    add_step(text, size, "reply delivered", of->reply_delivered);
    const size_t used = strlen(text);
    if (of->request_delivered != 0 && of->served == 0) {
        snprintf(text + used, size - used, ": nobody took it");
    } else if (of->request_sent != 0 && of->request_delivered == 0 && of->request_dropped == 0) {
        snprintf(text + used, size - used, ": still on its way");
    }
}

void sb_fate_loss_text(const sb_record *record, const sb_fate *of, char *text, size_t size)
{
    snprintf(text, size, "%s dropped at step %" PRIu64 " (%s): nobody will answer",
             of->reply_dropped != 0 ? "reply" : "request",
             of->reply_dropped != 0 ? of->reply_dropped : of->request_dropped,
             sb_record_fault_name(record, of->drop_cause));
}
