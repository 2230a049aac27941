/*
 * Comparing two runs; see twice.h.
 *
 * Both run in children of their own, the second in one of another program, and leave their marks:
 * the digest after every 2^SB_MARK_SHIFT steps. The first marks that differ bound the step at which
 * the runs part; both are run again with that window recorded, and compared event by event.
 */
#include "sim/tool/twice.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/record/trace_file.h"
#include "sim/tool/contract.h"
#include "sim/tool/elsewhere.h"

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

static void run_one_half(const half_run *run, sb_duration patience, sb_child_end *end)
{
    half_run copy = *run;
    sb_child_run(run_half, &copy, patience, end);
}

/* -------------------------------------------------------------------------- a recorded window */

typedef struct window {
    const sb_plan *plan;
    uint64_t seed;
    sb_step from, to;
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

/* Run it again and have the window's events written down. */
static bool record_window(window *into, const sb_universe_options *universe, sb_duration patience)
{
    const sb_recorded_run run = {.plan = into->plan,
                                 .seed = into->seed,
                                 .universe = universe,
                                 .patience = patience,
                                 .from = into->from,
                                 .to = into->to,
                                 .present = write_window,
                                 .context = into};
    sb_seed_result result;
    sb_child_end end;
    return sb_run_recorded(&run, &result, &end) && end.code == 0;
}

/* --------------------------------------------------------------------------- the second program */

typedef enum errand_kind { ERRAND_HALF, ERRAND_WINDOW, ERRAND_PASS } errand_kind;

/* What the second program is to do, and what became of it.  A half, or the runs of a pass, follow.
 */
typedef struct errand {
    errand_kind kind;
    uint64_t seed, ordinal; /* half, window */
    sb_step from, to;       /* window */
    int window_file;
    bool good; /* the window is written */
    sb_child_end end;
    sb_second_pass pass;
    size_t run_count;
} errand;

#define SPACE_ALIGNMENT 64
#define ERRAND_SIZE ((sizeof(errand) + SPACE_ALIGNMENT - 1) / SPACE_ALIGNMENT * SPACE_ALIGNMENT)

static void *errand_space(errand *of)
{
    return (char *)of + ERRAND_SIZE;
}

static bool consume_again(void *context, const sb_seed_result *result)
{
    sb_second_run *const run = (sb_second_run *)context + result->index;
    run->came_back = result->outcome != SB_OUTCOME_LOST;
    run->digest = result->digest;
    return true;
}

static void serve_pass(const sb_arguments *arguments, const sb_plan *plan, errand *asked)
{
    sb_second_run *const runs = errand_space(asked);
    sb_run_name *const names = sb_host_alloc(asked->run_count, sizeof *names);
    for (size_t i = 0; i < asked->run_count; i++) {
        names[i] = runs[i].name;
    }
    const sb_seed_sequence seeds = {.list = names, .last_index = asked->run_count - 1};
    const sb_pool_options pool = {.plan = plan,
                                  .seeds = &seeds,
                                  .universe = &sb_other_universe,
                                  .jobs = asked->pass.jobs,
                                  .patience = arguments->patience,
                                  .deadline = asked->pass.deadline,
                                  .consume = consume_again,
                                  .context = runs};
    sb_interrupts_catch();
    asked->pass.end = sb_pool_run(&pool);
    free(names);
}

bool sb_twice_serve(const sb_arguments *arguments, const sb_plan *plan)
{
    errand *const asked = sb_elsewhere_errand(ERRAND_SIZE);
    if (asked == NULL) {
        return false;
    }
    const sb_plan at = sb_plan_at(plan, asked->ordinal);
    if (asked->kind == ERRAND_PASS) {
        serve_pass(arguments, plan, asked);
    } else if (asked->kind == ERRAND_HALF) {
        const half_run run = {&at, asked->seed, &sb_other_universe, errand_space(asked)};
        run_one_half(&run, arguments->patience, &asked->end);
    } else {
        window into = {&at, asked->seed, asked->from, asked->to, fdopen(asked->window_file, "w")};
        asked->good =
            into.file != NULL && record_window(&into, &sb_other_universe, arguments->patience);
    }
    return true;
}

void sb_run_again(const sb_arguments *arguments, sb_second_pass *pass, sb_second_run *runs,
                  size_t count)
{
    int file;
    const size_t size = ERRAND_SIZE + count * sizeof *runs;
    errand *const asked = sb_elsewhere_alloc(size, &file);
    *asked = (errand){.kind = ERRAND_PASS, .pass = *pass, .run_count = count};
    memcpy(errand_space(asked), runs, count * sizeof *runs);
    const bool came_back = sb_elsewhere_run(arguments, file, -1);
    memcpy(runs, errand_space(asked), count * sizeof *runs);
    pass->end = came_back ? asked->pass.end : SB_POOL_INTERRUPTED;
    sb_elsewhere_free(asked, size, file);
}

/* The second half, elsewhere. */
static void run_other_half(const sb_arguments *arguments, const half_run *run, sb_child_end *end)
{
    int file;
    const size_t size = ERRAND_SIZE + sizeof(half);
    errand *const asked = sb_elsewhere_alloc(size, &file);
    *asked =
        (errand){.kind = ERRAND_HALF, .seed = run->seed, .ordinal = run->plan->exhaust.ordinal};
    const bool came_back = sb_elsewhere_run(arguments, file, -1);
    *end = came_back ? asked->end : (sb_child_end){.signal = SIGKILL};
    memcpy(run->out, errand_space(asked), sizeof(half));
    sb_elsewhere_free(asked, size, file);
}

/* The second window, elsewhere. */
static bool record_other_window(const sb_arguments *arguments, const window *into)
{
    int file;
    errand *const asked = sb_elsewhere_alloc(ERRAND_SIZE, &file);
    *asked = (errand){.kind = ERRAND_WINDOW,
                      .seed = into->seed,
                      .ordinal = into->plan->exhaust.ordinal,
                      .from = into->from,
                      .to = into->to,
                      .window_file = fileno(into->file)};
    const bool good = sb_elsewhere_run(arguments, file, asked->window_file) && asked->good;
    sb_elsewhere_free(asked, ERRAND_SIZE, file);
    return good;
}

/* One of the two windows, read back. */
static bool read_window(const sb_arguments *arguments, const window *of, bool is_second,
                        sb_trace_file *trace)
{
    char problem[SB_PROBLEM_SIZE];
    window into = *of;
    into.file = tmpfile();
    if (into.file == NULL) {
        return false;
    }
    bool good = is_second ? record_other_window(arguments, &into)
                          : record_window(&into, &sb_usual_universe, arguments->patience);
    rewind(into.file);
    good = good && sb_trace_read(into.file, trace, problem, sizeof problem);
    fclose(into.file);
    return good;
}

/* ---------------------------------------------------------------------------------- comparison */

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
static bool show_difference(FILE *out, const sb_arguments *arguments, const window *where)
{
    sb_trace_file first, second;
    if (!read_window(arguments, where, false, &first)) {
        return false;
    }
    bool found = false;
    if (read_window(arguments, where, true, &second)) {
        const sb_step step = first_difference(first.record, second.record, where->from, where->to);
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

static bool run_both(FILE *out, const sb_arguments *arguments, const sb_plan *plan, uint64_t seed,
                     half *halves)
{
    const half_run first = {plan, seed, &sb_usual_universe, &halves[0]};
    const half_run second = {plan, seed, &sb_other_universe, &halves[1]};
    sb_child_end ends[2];
    char text[128];
    run_one_half(&first, arguments->patience, &ends[0]);
    run_other_half(arguments, &second, &ends[1]);
    for (int i = 0; i < 2; i++) {
        if (ends[i].runaway || ends[i].signal != 0 || ends[i].code != 0) {
            sb_child_end_text(&ends[i], text, sizeof text);
            fprintf(out, "seed %" PRIu64 " cannot be compared: %s\n", seed, text);
            return false;
        }
    }
    return true;
}

sb_twice_end sb_run_twice(FILE *out, const sb_arguments *arguments, const sb_plan *plan,
                          uint64_t seed, uint64_t seed_count, sb_seed_result *result)
{
    half *const halves = sb_shared_alloc(2 * sizeof *halves);
    sb_twice_end end = SB_TWICE_LOST;
    if (run_both(out, arguments, plan, seed, halves)) {
        *result = halves[0].result;
        end =
            halves[0].result.digest == halves[1].result.digest ? SB_TWICE_SAME : SB_TWICE_DIFFERENT;
    }
    if (end == SB_TWICE_DIFFERENT) {
        char replay[SB_PLAN_TEXT_SIZE];
        window where = {.plan = plan, .seed = seed};
        bool shown = false;
        bound_difference(&halves[0], &halves[1], &where.from, &where.to);
        print_headline(out, seed, seed_count);
        fprintf(out,
                "  digest %016" PRIx64 " after %" PRIu64 " steps, and %016" PRIx64 " after %" PRIu64
                "\n",
                halves[0].result.digest, halves[0].result.steps, halves[1].result.digest,
                halves[1].result.steps);
        const window bounds = where;
        where.from = where.from > MARK_STEPS ? where.from - MARK_STEPS : 1; /* what led there */
        for (int attempt = 0; attempt < TRIES && !shown; attempt++) {
            shown = show_difference(out, arguments, &where);
        }
        if (!shown) {
            fprintf(out,
                    "  the runs part between steps %" PRIu64 " and %" PRIu64
                    ", and not in the same place each time\n",
                    bounds.from, bounds.to);
        }
        sb_plan_replay(plan, seed, replay, sizeof replay);
        fprintf(out, "  replay: %s --twice\n", replay);
    }
    sb_shared_free(halves, 2 * sizeof *halves);
    return end;
}
