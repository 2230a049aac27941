/*
 * The formats, and what several of them need.
 */
#include <inttypes.h>
#include <string.h>

#include "sim/record/trace_file.h"
#include "traces/trace.h"

const sb_trace_format sb_trace_formats[] = {
    {"text", "fixed columns: step, time, lane, event", sb_trace_text, 0},
    {"ndjson", "one JSON object a line: the source of truth", sb_trace_ndjson, 0},
    {"dot", "Graphviz with positions, for neato -n", sb_trace_dot, 20000},
    {"svg", "the same, drawn by neato", sb_trace_svg, 20000},
    {"chain", "Graphviz, for dot: who waits for whom in a world that stands still", sb_trace_chain,
     0},
};
const size_t sb_trace_format_count = sizeof sb_trace_formats / sizeof sb_trace_formats[0];

const sb_trace_format *sb_find_trace_format(const char *name)
{
    for (size_t i = 0; i < sb_trace_format_count; i++) {
        if (strcmp(sb_trace_formats[i].name, name) == 0) {
            return &sb_trace_formats[i];
        }
    }
    return NULL;
}

void sb_trace_lane_of(const sb_event *event, unsigned *node, unsigned *incarnation)
{
    const bool is_boot = event->kind == SB_EVENT_BOOT;
    *node = is_boot ? (unsigned)event->c : event->node;
    *incarnation = is_boot ? (unsigned)event->b : event->incarnation;
}

int sb_trace_lane_text(const sb_record *record, sb_step step, char *text, size_t size)
{
    unsigned node, incarnation;
    char machine[64];
    const sb_event *const event = sb_record_event(record, step);
    sb_trace_lane_of(event, &node, &incarnation);
    if (node == 0) {
        snprintf(machine, sizeof machine, "%s", sb_record_node_name(record, node));
    } else {
        snprintf(machine, sizeof machine, "%s#%u", sb_record_node_name(record, node), incarnation);
    }
    const char *const task = sb_record_task_name(record, step);
    const bool is_machine_only =
        event->task == 0 || node != event->node || strcmp(task, machine) == 0;
    return is_machine_only ? snprintf(text, size, "%s", machine)
                           : snprintf(text, size, "%s/%s", machine, task);
}

bool sb_trace_ndjson(FILE *out, const sb_trace_view *view, char *problem, size_t problem_size)
{
    (void)problem, (void)problem_size;
    sb_trace_write(out, view->record, view->header, view->steps, view->count);
    return true;
}
