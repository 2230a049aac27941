/*
 * Comparing two runs; see twice.h.
 *
 * Both run in children of their own and leave their marks: the digest after every 2^SB_MARK_SHIFT
 * steps. The first marks that differ bound the step at which the runs part; both are run again with
 * that window recorded, and compared event by event.
 */
#include "sim/tool/twice.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/trace_file.h"
#include "sim/tool/contract.h"

#define MARKS_MAX ((size_t)1 << 20)
#define MARK_STEPS ((sb_step)1 << SB_MARK_SHIFT)
#define LED_MAX 12
#define TRIES 3

/* What a child leaves in shared memory. */
typedef struct half {
    sb_seed_result result;
    size_t mark_count;
    uint64_t marks[MARKS_MAX];
} half;

typedef struct half_run {
    const sb_plan *plan;
    uint64_t seed;
    const sb_universe_options *universe;
    half *out;
} half_run;

static int run_half(void *context, sb_watch *watch)
{
    const half_run *const run = context;
    sb_universe *const universe = sb_open_universe(run->universe);
    const sb_world_options options = {.progress = &watch->step};
    sb_seed_result result;
    watch->busy = 1;
    sb_world *const world = sb_run_seed(universe, run->plan, run->seed, &options, &result);
    size_t count;
    const uint64_t *const marks = sb_world_marks(world, &count);
    run->out->mark_count = count < MARKS_MAX ? count : MARKS_MAX;
    memcpy(run->out->marks, marks, run->out->mark_count * sizeof *marks);
    run->out->result = result;
    return 0;
}

/* -------------------------------------------------------------------------- a recorded window */

typedef struct window {
    const sb_plan *plan;
    uint64_t seed;
    FILE *file;
} window;

static int write_window(void *context, sb_world *world, const sb_record *record,
                        const sb_seed_result *result)
{
    (void)world, (void)result;
    const window *const into = context;
    sb_header_words words;
    const sb_record_header header = sb_plan_header(into->plan, into->seed, &words);
    sb_trace_write(into->file, record, &header, NULL, 0);
    return fflush(into->file) == 0 && !ferror(into->file) ? 0 : SB_EXIT_IO;
}

/* Run it again and read the window's events back. */
static bool record_window(const sb_plan *plan, uint64_t seed, const sb_universe_options *universe,
                          sb_duration patience, sb_step from, sb_step to, sb_trace_file *trace)
{
    char problem[SB_PROBLEM_SIZE];
    window into = {plan, seed, tmpfile()};
    if (into.file == NULL) {
        return false;
    }
    const sb_recorded_run run = {.plan = plan,
                                 .seed = seed,
                                 .universe = universe,
                                 .patience = patience,
                                 .from = from,
                                 .to = to,
                                 .present = write_window,
                                 .context = &into};
    sb_seed_result result;
    sb_child_end end;
    bool good = sb_run_recorded(&run, &result, &end) && end.code == 0;
    rewind(into.file);
    good = good && sb_trace_read(into.file, trace, problem, sizeof problem);
    fclose(into.file);
    return good;
}

static bool same_event(const sb_event *left, const sb_event *right)
{
    if (left == NULL || right == NULL) {
        return left == right;
    }
    return memcmp(left, right, sizeof *left) == 0;
}

/* The first step whose events differ; 0: none does. */
static sb_step first_difference(const sb_record *left, const sb_record *right, sb_step from,
                                sb_step to)
{
    for (sb_step step = from; step <= to; step++) {
        if (!same_event(sb_record_event(left, step), sb_record_event(right, step))) {
            return step;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------------------------- reporting */

static void print_event(FILE *out, const char *which, const sb_record *record, sb_step step)
{
    char lane[128], text[1024];
    const sb_event *const event = sb_record_event(record, step);
    if (event == NULL) {
        fprintf(out, "    %-7s had ended\n", which);
        return;
    }
    sb_trace_lane_text(record, step, lane, sizeof lane);
    sb_record_describe(record, step, text, sizeof text);
    fprintf(out, "    %-7s %10" PRIu64 " %6" PRIu64 ".%09" PRIu64 "s  %s  %s\n", which, step,
            event->time / SB_SECOND, event->time % SB_SECOND, lane, text);
}

static void print_field(FILE *out, const char *name, uint64_t left, uint64_t right)
{
    if (left != right) {
        fprintf(out, "    %s: %" PRIu64 " and %" PRIu64 "\n", name, left, right);
    }
}

/* Two events read alike when they differ only in what the program had been told before. */
static void print_how(FILE *out, const sb_event *left, const sb_event *right)
{
    if (left == NULL || right == NULL) {
        return;
    }
    print_field(out, "time", left->time, right->time);
    print_field(out, "cause", left->cause, right->cause);
    print_field(out, "node", left->node, right->node);
    print_field(out, "incarnation", left->incarnation, right->incarnation);
    print_field(out, "task", left->task, right->task);
    print_field(out, "kind", left->kind, right->kind);
    if (left->kind != right->kind) {
        return;
    }
    const sb_event_description *const description = &sb_event_descriptions[left->kind];
    const uint64_t values[3][2] = {{left->a, right->a}, {left->b, right->b}, {left->c, right->c}};
    for (int i = 0; i < 3; i++) {
        if (values[i][0] != values[i][1]) {
            fprintf(out, "    %s: 0x%" PRIx64 " and 0x%" PRIx64 "\n", description->field_names[i],
                    values[i][0], values[i][1]);
        }
    }
    if (left->observed != right->observed) {
        fputs(
            "    the program was told different values through its calls since the event before\n",
            out);
    }
}

static void print_what_led(FILE *out, const sb_trace_file *trace, sb_step step)
{
    sb_step steps[LED_MAX];
    char problem[256];
    size_t count = sb_record_slice(trace->record, step, steps, NULL, LED_MAX);
    /* The difference itself is shown above; a slice of one event leads nowhere, so show what came
     * just before. */
    if (count <= 1) {
        count = 0;
        for (sb_step before = step > LED_MAX ? step - LED_MAX : 1; before < step; before++) {
            if (sb_record_event(trace->record, before) != NULL) {
                steps[count++] = before;
            }
        }
    }
    if (count != 0) {
        const sb_trace_view view = {trace->record, &trace->header, steps, NULL, count, step, NULL};
        fputs("  what led to it\n", out);
        sb_trace_text(out, &view, problem, sizeof problem);
    }
}

static void print_difference(FILE *out, const sb_trace_file *first, const sb_trace_file *second,
                             sb_step step)
{
    fprintf(out, "  the runs part at step %" PRIu64 "\n", step);
    print_event(out, "first", first->record, step);
    print_event(out, "second", second->record, step);
    print_how(out, sb_record_event(first->record, step), sb_record_event(second->record, step));
    print_what_led(out, sb_record_event(first->record, step) != NULL ? first : second, step);
}

/* Steps between which the marks say that the runs part. */
static void bound_difference(const half *first, const half *second, sb_step *from, sb_step *to)
{
    const size_t common =
        first->mark_count < second->mark_count ? first->mark_count : second->mark_count;
    size_t same = 0;
    while (same < common && first->marks[same] == second->marks[same]) {
        same++;
    }
    const sb_step longer =
        first->result.steps > second->result.steps ? first->result.steps : second->result.steps;
    *from = (sb_step)same * MARK_STEPS + 1;
    *to = same < common ? *from + MARK_STEPS - 1 : longer;
}

/* Record both windows and show the first difference; false when there is none this time. */
static bool show_difference(FILE *out, const sb_plan *plan, uint64_t seed, sb_duration patience,
                            sb_step from, sb_step to)
{
    sb_trace_file first, second;
    const sb_step with_context = from > MARK_STEPS ? from - MARK_STEPS : 1;
    if (!record_window(plan, seed, &sb_usual_universe, patience, with_context, to, &first)) {
        return false;
    }
    bool found = false;
    if (record_window(plan, seed, &sb_other_universe, patience, with_context, to, &second)) {
        const sb_step step = first_difference(first.record, second.record, with_context, to);
        found = step != 0;
        if (found) {
            print_difference(out, &first, &second, step);
        }
        sb_trace_file_release(&second);
    }
    sb_trace_file_release(&first);
    return found;
}

static void print_headline(FILE *out, uint64_t seed, uint64_t seed_count)
{
    fputs("finding nondeterminism", out);
    if (seed_count > 1) {
        fprintf(out, "  (%" PRIu64 " seeds, smallest %" PRIu64 ")", seed_count, seed);
    } else {
        fprintf(out, "  (1 seed, %" PRIu64 ")", seed);
    }
    fputc('\n', out);
}

static bool run_both(FILE *out, const sb_plan *plan, uint64_t seed, sb_duration patience,
                     half *halves)
{
    const sb_universe_options *const universes[2] = {&sb_usual_universe, &sb_other_universe};
    for (int i = 0; i < 2; i++) {
        half_run run = {plan, seed, universes[i], &halves[i]};
        sb_child_end end;
        char text[128];
        sb_child_run(run_half, &run, patience, &end);
        if (end.runaway || end.signal != 0 || end.code != 0) {
            sb_child_end_text(&end, text, sizeof text);
            fprintf(out, "seed %" PRIu64 " cannot be compared: %s\n", seed, text);
            return false;
        }
    }
    return true;
}

sb_twice_end sb_run_twice(FILE *out, const sb_plan *plan, uint64_t seed, sb_duration patience,
                          uint64_t seed_count, sb_seed_result *result)
{
    half *const halves = sb_shared_alloc(2 * sizeof *halves);
    sb_twice_end end = SB_TWICE_LOST;
    if (run_both(out, plan, seed, patience, halves)) {
        *result = halves[0].result;
        end =
            halves[0].result.digest == halves[1].result.digest ? SB_TWICE_SAME : SB_TWICE_DIFFERENT;
    }
    if (end == SB_TWICE_DIFFERENT) {
        char replay[1536];
        sb_step from, to;
        bool shown = false;
        bound_difference(&halves[0], &halves[1], &from, &to);
        print_headline(out, seed, seed_count);
        fprintf(out,
                "  digest %016" PRIx64 " after %" PRIu64 " steps, and %016" PRIx64 " after %" PRIu64
                "\n",
                halves[0].result.digest, halves[0].result.steps, halves[1].result.digest,
                halves[1].result.steps);
        for (int attempt = 0; attempt < TRIES && !shown; attempt++) {
            shown = show_difference(out, plan, seed, patience, from, to);
        }
        if (!shown) {
            fprintf(out,
                    "  the runs part between steps %" PRIu64 " and %" PRIu64
                    ", and not in the same place each time\n",
                    from, to);
        }
        sb_plan_replay(plan, seed, replay, sizeof replay);
        fprintf(out, "  replay: %s --twice\n", replay);
    }
    sb_shared_free(halves, 2 * sizeof *halves);
    return end;
}
