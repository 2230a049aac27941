/*
 * Recorded runs; see recorded.h.
 */
#include "sim/tool/recorded.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/verdict/report.h"

/* What the child leaves in shared memory. */
typedef struct recorded_end {
    sb_seed_result result;
    bool came_back; /* the world has ended, and not the process */
} recorded_end;

typedef struct recorded_child {
    const sb_recorded_run *run;
    recorded_end *out;
} recorded_child;

static int run_recorded(void *context, sb_watch *watch)
{
    const recorded_child *const child = context;
    const sb_recorded_run *const run = child->run;
    sb_record *const record = sb_record_new();
    sb_universe *const universe = sb_open_universe(run->universe);
    const sb_world_options options = {.record = record,
                                      .record_from = run->from,
                                      .record_to = run->to,
                                      .break_at = run->break_at,
                                      .progress = &watch->step};
    sb_seed_result result;
    watch->busy = 1;
    sb_world *const world = sb_run_seed(universe, run->plan, run->seed, &options, &result);
    watch->busy = 0;
    sb_name_record(world, record);
    child->out->result = result;
    child->out->came_back = true;
    const int code = run->present(run->context, world, record, &result);
    sb_record_free(record);
    sb_universe_close(universe);
    return code;
}

bool sb_run_recorded(const sb_recorded_run *run, sb_seed_result *result, sb_child_end *end)
{
    memset(end, 0, sizeof *end);
    recorded_child child = {run, sb_shared_alloc(sizeof *child.out)};
    if (run->in_process) {
        sb_watch watch = {0};
        end->code = run_recorded(&child, &watch);
    } else {
        sb_child_run(run_recorded, &child, run->patience, end);
    }
    const bool came_back = child.out->came_back && !end->runaway && end->signal == 0;
    *result = child.out->result;
    result->seed = run->seed;
    sb_shared_free(child.out, sizeof *child.out);
    return came_back;
}

/* A step that stands for itself alone. */
static void add_plain(sb_step *steps, sb_slice_note *notes, size_t at, sb_step step)
{
    steps[at] = step;
    notes[at] = (sb_slice_note){step, 1, false};
}

size_t sb_slice_of_run(sb_world *world, const sb_record *record, size_t limit, sb_step **steps,
                       sb_slice_note **notes)
{
    const sb_finding_report *const finding = sb_world_finding(world);
    const size_t kept = sb_record_count(record);
    *steps = sb_host_alloc(limit + 1, sizeof **steps);
    *notes = sb_host_alloc(limit + 1, sizeof **notes);
    if (kept == 0) {
        return 0;
    }
    const sb_step last = sb_record_first_step(record) + kept - 1;
    if (finding != NULL && sb_record_event(record, finding->step) != NULL) {
        const sb_step from = sb_finding_look_from(world, record);
        size_t count = sb_record_slice(record, from, *steps, *notes, limit);
        if (count == 0 || (*steps)[count - 1] < finding->step) {
            add_plain(*steps, *notes, count++, finding->step); /* seen later than it happened */
        }
        return count;
    }
    const size_t count = kept < limit ? kept : limit;
    for (size_t i = 0; i < count; i++) {
        add_plain(*steps, *notes, i, last - (count - 1 - i));
    }
    return count;
}

sb_record_header sb_plan_header(const sb_plan *plan, uint64_t seed, sb_header_words *words)
{
    sb_plan_options(plan, words->options, sizeof words->options);
    return (sb_record_header){.scenario = plan->scenario->name,
                              .strategy = sb_strategy_name(plan->strategy),
                              .build = plan->product->version,
                              .options =
                                  words->options[0] == ' ' ? words->options + 1 : words->options,
                              .seed = seed};
}

void sb_explain(FILE *out, const sb_plan *plan, sb_world *world, const sb_record *record,
                const sb_seed_result *result, uint64_t seed_count, size_t slice_length)
{
    char replay[SB_PLAN_TEXT_SIZE];
    const sb_finding_report *const finding = sb_world_finding(world);
    if (finding == NULL) {
        return;
    }
    sb_plan_replay(plan, result->seed, replay, sizeof replay);
    const sb_report_options options = {world,      record, result->seed,
                                       seed_count, replay, result->ordinal};
    sb_report_finding(out, finding, &options);
    if (slice_length == 0) {
        return;
    }
    sb_step *steps;
    sb_slice_note *notes;
    char problem[256];
    sb_header_words words;
    const sb_record_header header = sb_plan_header(plan, result->seed, &words);
    const size_t count = sb_slice_of_run(world, record, slice_length, &steps, &notes);
    const sb_trace_view view = {record, &header, steps, notes, count, finding->step, NULL};
    fputs("  what led to it, the latest last; | marks its causes\n", out);
    sb_trace_text(out, &view, problem, sizeof problem);
    free(notes);
    free(steps);
}
