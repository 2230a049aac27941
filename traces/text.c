/*
 * A trace as text: one event a line, in fixed columns.
 *
 *        step        time  lane                   event
 *  |    18230  36.490126s  server2#3/job-3/poll   fire sleep  (the last of 94 since step 5556)
 *  >    18233  36.490126s  server2#3/job-3/poll   finding nil-dereference: read at address 0x10
 */
#include <inttypes.h>
#include <string.h>

#include "traces/trace.h"

#define LANE_WIDTH_MAX 40

static int lane_width(const sb_trace_view *view)
{
    int width = 4;
    for (size_t i = 0; i < view->count; i++) {
        char lane[128];
        const int length = sb_trace_lane_text(view->record, view->steps[i], lane, sizeof lane);
        width = length > width ? length : width;
    }
    return width < LANE_WIDTH_MAX ? width : LANE_WIDTH_MAX;
}

/* "  (the last of 94 since step 5556, every 0.100s)": the last only where they came evenly. */
static void print_note(FILE *out, const sb_trace_view *view, size_t row)
{
    if (view->notes == NULL || view->notes[row].count < 2) {
        return;
    }
    const sb_slice_note *const note = &view->notes[row];
    const sb_event *const last = sb_record_event(view->record, view->steps[row]);
    const sb_event *const first = sb_record_event(view->record, note->since);
    fprintf(out, "  (the last of %" PRIu32 " since step %" PRIu64, note->count, note->since);
    if (first != NULL && first->kind == SB_EVENT_FIRE && last->time > first->time) {
        const uint64_t apart = (last->time - first->time) / (note->count - 1) / 1000000;
        fprintf(out, ", every %" PRIu64 ".%03" PRIu64 "s", apart / 1000, apart % 1000);
    }
    fputc(')', out);
}

static char mark_of(const sb_trace_view *view, size_t row)
{
    if (view->steps[row] == view->finding) {
        return '>';
    }
    return view->notes != NULL && view->notes[row].is_cause ? '|' : ' ';
}

bool sb_trace_text(FILE *out, const sb_trace_view *view, char *problem, size_t problem_size)
{
    (void)problem, (void)problem_size;
    const int width = lane_width(view);
    fprintf(out, "  %10s %15s  %-*s  %s\n", "step", "time", width, "lane", "event");
    for (size_t i = 0; i < view->count; i++) {
        char lane[128], text[1024], time[32];
        const sb_step step = view->steps[i];
        const sb_event *const event = sb_record_event(view->record, step);
        sb_trace_lane_text(view->record, step, lane, sizeof lane);
        sb_record_describe(view->record, step, text, sizeof text);
        snprintf(time, sizeof time, "%" PRIu64 ".%06" PRIu64 "s", event->time / 1000000000,
                 event->time / 1000 % 1000000);
        fprintf(out, "%c %10" PRIu64 " %15s  %-*s  %s", mark_of(view, i), step, time, width, lane,
                text);
        print_note(out, view, i);
        fputc('\n', out);
    }
    return true;
}
