/*
 * `replay`: run one seed again and explain what it finds.
 */
#include <inttypes.h>
#include <string.h>

#include "sim/tool/contract.h"
#include "sim/tool/keep.h"
#include "sim/tool/recorded.h"
#include "sim/tool/target.h"
#include "sim/tool/twice.h"

typedef struct replay {
    const sb_arguments *arguments;
    const sb_target *target;
} replay;

static void print_title(const sb_target *target)
{
    char options[SB_PLAN_TEXT_SIZE], tape[64] = "";
    if (target->plan.tape != NULL) {
        snprintf(tape, sizeof tape, "  tape of %zu", target->plan.tape->count);
    }
    sb_plan_options(&target->plan, options, sizeof options);
    printf("replay %s  seed %" PRIu64 "%s  strategy %s  build %s%s%s", target->plan.scenario->name,
           target->seed, tape, sb_strategy_name(target->plan.strategy),
           target->plan.product->version, options[0] != '\0' ? " " : "", options);
}

static void warn_of_build(const sb_target *target)
{
    if (target->is_kept && target->kept.build != NULL &&
        strcmp(target->kept.build, target->plan.product->version) != 0) {
        fflush(stdout);
        fprintf(stderr, "seedbed: %s was kept from build %s and this is %s: the run may differ\n",
                target->path, target->kept.build, target->plan.product->version);
    }
}

/* Lines that the machines logged, each with where and when. */
static void print_log(const sb_record *record)
{
    for (size_t i = 0; i < sb_record_count(record); i++) {
        const sb_step step = sb_record_first_step(record) + i;
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL && event->kind == SB_EVENT_LOG) {
            char lane[128];
            const char *const line = sb_record_text(record, event->a);
            sb_trace_lane_text(record, step, lane, sizeof lane);
            printf("%10" PRIu64 " %6" PRIu64 ".%06" PRIu64 "s  %s  %s\n", step,
                   event->time / SB_SECOND, event->time / 1000 % 1000000, lane,
                   line != NULL ? line : "?");
        }
    }
}

static int present(void *context, sb_world *world, const sb_record *record,
                   const sb_seed_result *result)
{
    const replay *const of = context;
    if (of->arguments->log) {
        print_log(record);
    }
    const size_t length =
        of->arguments->slice_length != 0 ? (size_t)of->arguments->slice_length : SB_SLICE_DEFAULT;
    sb_explain(stdout, &of->target->plan, world, record, result, 0, length);
    return 0;
}

/* The code of a run that came back, judged against what the kept seed expects. */
static int judge(const sb_target *target, const sb_seed_result *result, char *verdict, size_t size)
{
    const bool passed = result->outcome == SB_OUTCOME_PASSED;
    const sb_finding_kind kind = (sb_finding_kind)result->finding_kind;
    if (result->outcome == SB_OUTCOME_INCONCLUSIVE) {
        snprintf(verdict, size, "inconclusive: the step limit was met");
        return SB_EXIT_CANNOT_JUDGE;
    }
    if (passed) {
        snprintf(verdict, size, "passed");
    } else {
        snprintf(verdict, size, "%s %08" PRIx32, sb_finding_word(kind), result->signature);
    }
    if (!target->is_kept || target->kept.expect == NULL) {
        return passed ? SB_EXIT_PASSED : SB_EXIT_FINDINGS;
    }
    const bool agrees = sb_kept_seed_agrees(&target->kept, passed, kind, result->signature);
    const size_t used = strlen(verdict);
    snprintf(verdict + used, size - used, agrees ? " as expected" : ", expected %s",
             target->kept.expect);
    return agrees ? SB_EXIT_PASSED : SB_EXIT_FINDINGS;
}

static void print_end(const sb_target *target, const sb_seed_result *result, const char *verdict)
{
    print_title(target);
    printf("  steps %" PRIu64 "  time %" PRIu64 ".%06" PRIu64 "s  verdict %s  digest %016" PRIx64
           "\n",
           result->steps, result->simulated_ns / SB_SECOND, result->simulated_ns / 1000 % 1000000,
           verdict, result->digest);
}

/* It did not come back: of its own doing, which is a finding, or killed from outside, which is
 * none. */
static int report_lost(const sb_target *target, sb_seed_result *result, const sb_child_end *end)
{
    char text[128], verdict[192];
    const sb_finding_kind kind = sb_child_end_kind(end);
    sb_child_end_text(end, text, sizeof text);
    result->steps = end->step;
    if (kind == SB_FINDING_NONE) {
        snprintf(verdict, sizeof verdict, "cannot judge: %s", text);
    } else {
        printf("finding %s\n  %s\n", sb_finding_word(kind), text);
        snprintf(verdict, sizeof verdict, "%s", sb_finding_word(kind));
    }
    print_end(target, result, verdict);
    return kind == SB_FINDING_NONE ? SB_EXIT_CANNOT_JUDGE : SB_EXIT_FINDINGS;
}

static int run_once(const sb_arguments *arguments, const sb_target *target)
{
    replay context = {arguments, target};
    const sb_recorded_run run = {.plan = &target->plan,
                                 .seed = target->seed,
                                 .universe = &sb_usual_universe,
                                 .patience = arguments->patience,
                                 .break_at = arguments->break_at,
                                 .in_process = arguments->break_at != 0,
                                 .present = present,
                                 .context = &context};
    sb_seed_result result;
    sb_child_end end;
    char verdict[256];
    if (!sb_run_recorded(&run, &result, &end)) {
        return report_lost(target, &result, &end);
    }
    if (end.code != 0) {
        return end.code;
    }
    const int code = judge(target, &result, verdict, sizeof verdict);
    print_end(target, &result, verdict);
    if (arguments->keep != NULL && code != SB_EXIT_CANNOT_JUDGE) {
        fflush(stdout);
        const int kept = sb_keep_run(&target->plan, &result, arguments->patience, arguments->keep);
        return kept != 0 ? kept : code;
    }
    return code;
}

int sb_command_replay(const sb_arguments *arguments)
{
    sb_target target;
    int code = sb_target_find(arguments, &target);
    if (code != 0) {
        return code;
    }
    if (sb_twice_serve(arguments, &target.plan)) {
        sb_target_release(&target);
        return 0;
    }
    print_title(&target);
    putchar('\n');
    warn_of_build(&target);
    if (arguments->twice) {
        sb_seed_result result;
        const sb_twice_end end =
            sb_run_twice(stdout, arguments, &target.plan, target.seed, 1, &result);
        if (end == SB_TWICE_DIFFERENT) {
            print_end(&target, &result, "nondeterminism");
            code = SB_EXIT_FINDINGS;
        } else if (end == SB_TWICE_LOST) {
            code = SB_EXIT_CANNOT_JUDGE;
        } else {
            printf("run twice: both have digest %016" PRIx64 "\n", result.digest);
        }
    }
    if (code == 0) {
        code = run_once(arguments, &target);
    }
    sb_target_release(&target);
    return code;
}
