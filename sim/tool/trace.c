/*
 * `trace`: write what happened in a run, in one of the formats of traces/.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/tool/contract.h"
#include "sim/tool/output.h"
#include "sim/tool/recorded.h"
#include "sim/tool/target.h"
#include "sim/verdict/report.h"

#define WINDOW_DEFAULT 200

typedef struct trace_command {
    const sb_arguments *arguments;
    const sb_target *target;
    const sb_trace_format *format;
    sb_output *output;
} trace_command;

/* Consecutive steps around one, or all, as far as they are kept. */
static size_t window_of(const sb_record *record, sb_step around, size_t length, sb_step **steps)
{
    const sb_step first = sb_record_first_step(record);
    const size_t kept = sb_record_count(record);
    const size_t place = around < first           ? 0
                         : around - first >= kept ? kept
                                                  : (size_t)(around - first);
    size_t from = place > length / 2 ? place - length / 2 : 0;
    size_t to = length > kept - from ? kept : from + length;
    from = to > length && to - length < from ? to - length : from;
    *steps = sb_host_alloc(to - from + 1, sizeof **steps);
    for (size_t i = from; i < to; i++) {
        (*steps)[i - from] = first + i;
    }
    return to - from;
}

/* Notes are those of a slice; NULL for a window. */
static size_t choose_steps(const sb_arguments *arguments, sb_world *world, const sb_record *record,
                           const sb_seed_result *result, sb_step **steps, sb_slice_note **notes)
{
    *notes = NULL;
    const size_t asked = (size_t)arguments->slice_length;
    if (arguments->all) {
        return window_of(record, 0, sb_record_count(record), steps);
    }
    if (arguments->around_given) {
        const sb_step around = !arguments->around_finding              ? arguments->around_step
                               : result->outcome == SB_OUTCOME_FINDING ? result->finding_step
                                                                       : result->steps;
        return window_of(record, around, asked != 0 ? asked : WINDOW_DEFAULT, steps);
    }
    return sb_slice_of_run(world, record, asked != 0 ? asked : SB_SLICE_DEFAULT, steps, notes);
}

/* A drawing of everything is no drawing: keep what is nearest to the end of the choice. */
static void limit_steps(const sb_trace_format *format, sb_step *steps, sb_slice_note *notes,
                        size_t *count)
{
    if (format->count_max == 0 || *count <= format->count_max) {
        return;
    }
    fprintf(stderr, "seedbed: %zu events are too many for %s: the last %zu are drawn\n", *count,
            format->name, format->count_max);
    const size_t dropped = *count - format->count_max;
    memmove(steps, steps + dropped, format->count_max * sizeof *steps);
    if (notes != NULL) {
        memmove(notes, notes + dropped, format->count_max * sizeof *notes);
    }
    *count = format->count_max;
}

static int present(void *context, sb_world *world, const sb_record *record,
                   const sb_seed_result *result)
{
    const trace_command *const of = context;
    char problem[SB_PROBLEM_SIZE] = "";
    sb_header_words words;
    sb_step *steps;
    sb_slice_note *notes;
    size_t count = choose_steps(of->arguments, world, record, result, &steps, &notes);
    limit_steps(of->format, steps, notes, &count);
    const sb_record_header header = sb_plan_header(&of->target->plan, of->target->seed, &words);
    sb_chain chain;
    const bool stands_still = sb_chain_of_world(world, record, &chain);
    const sb_trace_view view = {
        .record = record,
        .header = &header,
        .steps = steps,
        .notes = notes,
        .count = count,
        .finding = result->outcome == SB_OUTCOME_FINDING ? result->finding_step : 0,
        .chain = stands_still ? &chain : NULL};
    const bool drawn = of->format->render(of->output->stream, &view, problem, sizeof problem);
    sb_chain_release(&chain);
    free(notes);
    free(steps);
    if (!drawn) {
        sb_output_abandon(of->output);
        return sb_complain(SB_EXIT_IO, "%s", problem);
    }
    return sb_output_commit(of->output) ? 0 : SB_EXIT_IO;
}

static const char *format_name_at(const void *table, size_t index)
{
    return ((const sb_trace_format *)table)[index].name;
}

static int run_trace(const sb_arguments *arguments, const sb_target *target,
                     const sb_trace_format *format)
{
    sb_output output;
    sb_seed_result result;
    sb_child_end end;
    if (!sb_output_open(&output, arguments->output)) {
        return SB_EXIT_IO;
    }
    trace_command context = {arguments, target, format, &output};
    const sb_recorded_run run = {.plan = &target->plan,
                                 .seed = target->seed,
                                 .universe = &sb_usual_universe,
                                 .patience = arguments->patience,
                                 .present = present,
                                 .context = &context};
    if (!sb_run_recorded(&run, &result, &end)) {
        char text[128];
        sb_child_end_text(&end, text, sizeof text);
        sb_output_abandon(&output);
        return sb_complain(SB_EXIT_CANNOT_JUDGE, "seed %" PRIu64 " cannot be traced: %s",
                           target->seed, text);
    }
    /* The child has named or dropped the file; here only our own handle is left. */
    if (!output.is_standard) {
        fclose(output.stream);
    }
    return end.code;
}

int sb_command_trace(const sb_arguments *arguments)
{
    sb_target target;
    const sb_trace_format *const format =
        sb_find_trace_format(arguments->format != NULL ? arguments->format : "text");
    if (format == NULL) {
        char names[128];
        sb_list_names(format_name_at, sb_trace_formats, sb_trace_format_count, names, sizeof names);
        return sb_complain(SB_EXIT_USAGE,
                           "--format: '%s' is no format of a trace; expected one of %s",
                           arguments->format, names);
    }
    if (arguments->all && arguments->around_given) {
        return sb_complain(SB_EXIT_USAGE, "--around: stands beside --all; expected one of them");
    }
    int code = sb_target_find(arguments, &target);
    if (code == 0) {
        code = run_trace(arguments, &target, format);
        sb_target_release(&target);
    }
    return code;
}
