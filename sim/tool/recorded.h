/*
 * A run with its whole record kept, in a child of its own, and what a command does with it there.
 */
#ifndef SB_TOOL_RECORDED_H
#define SB_TOOL_RECORDED_H

#include "sim/tool/child.h"
#include "traces/trace.h"

#define SB_SLICE_DEFAULT 40

typedef struct sb_recorded_run {
    const sb_plan *plan;
    uint64_t seed;
    const sb_universe_options *universe;
    sb_duration patience;
    sb_step break_at;
    sb_step from, to; /* keep only these; 0, 0: all */
    bool in_process;  /* no child: for a debugger */
    /* In the process of the run, which ends with what this returns. */
    int (*present)(void *context, sb_world *world, const sb_record *record,
                   const sb_seed_result *result);
    void *context;
} sb_recorded_run;

/* False when the run did not come back; end says why, and the result holds the step it was at. */
bool sb_run_recorded(const sb_recorded_run *run, sb_seed_result *result, sb_child_end *end);

/* What led to the finding and the finding itself, or the end of the run when there is none.  At
 * most limit + 1 steps, and a note for each; both to be freed. */
size_t sb_slice_of_run(sb_world *world, const sb_record *record, size_t limit, sb_step **steps,
                       sb_slice_note **notes);

/* What a trace of this run says of itself; the words live in `words`. */
typedef struct sb_header_words {
    char options[SB_PLAN_TEXT_SIZE];
} sb_header_words;
sb_record_header sb_plan_header(const sb_plan *plan, uint64_t seed, sb_header_words *words);

/* The finding block, then its slice as text.  Nothing when there is no finding. */
void sb_explain(FILE *out, const sb_plan *plan, sb_world *world, const sb_record *record,
                const sb_seed_result *result, uint64_t seed_count, size_t slice_length);

#endif
