/*
 * Renderers: from recorded events to something to look at.
 *
 * A renderer sees a kept record and the steps it is to show, and knows nothing else of the
 * simulator. A new one is a function and a row in formats.c.
 */
#ifndef SB_TRACES_TRACE_H
#define SB_TRACES_TRACE_H

#include "sim/record/chain.h"

typedef struct sb_trace_view {
    const sb_record *record;
    const sb_record_header *header;
    const sb_step *steps;       /* ascending */
    const sb_slice_note *notes; /* of each step, what its row stands for; NULL: itself */
    size_t count;
    sb_step finding;       /* the step of the finding; 0: none */
    const sb_chain *chain; /* of a world that stands still; NULL: it does not */
} sb_trace_view;

/* False with one line of what is wrong.  Failures of `out` itself are the stream's: see ferror. */
typedef bool sb_trace_renderer(FILE *out, const sb_trace_view *view, char *problem,
                               size_t problem_size);

typedef struct sb_trace_format {
    const char *name; /* as after --format */
    const char *text; /* one line */
    sb_trace_renderer *render;
    size_t count_max; /* events that can still be drawn and read; 0: any number */
} sb_trace_format;

extern const sb_trace_format sb_trace_formats[];
extern const size_t sb_trace_format_count;
const sb_trace_format *sb_find_trace_format(const char *name); /* NULL: none */

sb_trace_renderer sb_trace_text, sb_trace_ndjson, sb_trace_dot, sb_trace_svg, sb_trace_chain;

/* "server2#3/ddl-worker-3/poll", or "server2#3" for what the kernel does to a node.  Returns what
 * snprintf would. */
int sb_trace_lane_text(const sb_record *record, sb_step step, char *text, size_t size);

/* The node and incarnation in whose lane an event is shown: a boot belongs to the machine that
 * boots. */
void sb_trace_lane_of(const sb_event *event, unsigned *node, unsigned *incarnation);

#endif
