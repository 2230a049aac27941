/*
 * A trace as text: one event a line, in fixed columns.
 *
 *      step        time  lane                           event
 *     18233  36.490126s  server2#3/ddl-worker-3/poll    finding nil-dereference: read at address
 * 0x10
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
        fprintf(out, "%s %10" PRIu64 " %15s  %-*s  %s\n", step == view->finding ? ">" : " ", step,
                time, width, lane, text);
    }
    return true;
}
