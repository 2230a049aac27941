/*
 * `museum`: prove that every historical bug is still found, and how many seeds that takes.
 *
 * A start is a sweep from a seed of its own, far from the other starts, until the first finding of
 * the bug's kind.  Reported are the medians of what the starts took, and which strategy had how
 * many seeds and hits.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/tool/contract.h"
#include "sim/record/trace_file.h"
#include "sim/tool/options.h"
#include "sim/tool/output.h"
#include "sim/tool/strategies.h"
#include "sim/tool/workers.h"

#define STARTS_DEFAULT 10
#define STARTS_MAX 1000
#define LIMIT_DEFAULT 5000
#define START_DISTANCE UINT64_C(1000000000)
#define NOT_FOUND UINT64_MAX

typedef struct hunt {
    sb_finding_kind kind;
    uint64_t seeds, steps, real_ns; /* run so far */
    sb_strategy_count strategies[SB_STRATEGY_COUNT];
    bool found;
    sb_seed_result result; /* what was found */
} hunt;

static bool consume_result(void *context, const sb_seed_result *result)
{
    hunt *const search = context;
    search->seeds++;
    if (result->outcome == SB_OUTCOME_LOST) {
        return true;
    }
    search->steps += result->steps;
    search->real_ns += result->real_ns;
    search->found = result->outcome == SB_OUTCOME_FINDING &&
                    (sb_finding_kind)result->finding_kind == search->kind;
    sb_strategies_add(search->strategies, result, search->found);
    if (search->found) {
        search->result = *result;
    }
    return !search->found;
}

/* What is known of a bug once its starts are over. */
typedef struct visit {
    const sb_museum_bug *bug;
    const sb_plan *plan;
    uint64_t deadline; /* of sb_host_time; UINT64_MAX: none */
    unsigned done, found;
    bool is_cut; /* the time was over, or it was interrupted, before all starts were */
    uint64_t limit;
    /* Of each start; NOT_FOUND.  Sorted when all are done. */
    uint64_t seeds[STARTS_MAX], steps[STARTS_MAX], real_ns[STARTS_MAX];
    sb_strategy_count strategies[SB_STRATEGY_COUNT]; /* of all starts that count */
    sb_seed_result sample;                           /* of a start that found it */
} visit;

/* One start.  False when the time was over before it had found the bug or met its limit: then it
 * says nothing. */
static bool hunt_from(const sb_arguments *arguments, visit *of, hunt *search)
{
    const sb_seed_sequence seeds = {
        .first = START_DISTANCE * (of->done + 1), .stride = 1, .last_index = of->limit - 1};
    *search = (hunt){.kind = sb_plan_expected_kind(of->plan)};
    const sb_pool_options pool = {.plan = of->plan,
                                  .seeds = &seeds,
                                  .universe = &sb_usual_universe,
                                  .jobs =
                                      arguments->jobs != 0 ? arguments->jobs : sb_processor_count(),
                                  .patience = arguments->patience,
                                  .deadline = of->deadline,
                                  .consume = consume_result,
                                  .context = search};
    const sb_pool_end end = sb_pool_run(&pool);
    return search->found || end == SB_POOL_DONE;
}

static int compare_numbers(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* The middle one; of an even number the upper one, so that half a miss is a miss. */
static uint64_t median(uint64_t *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    return numbers[count / 2];
}

static void make_starts(const sb_arguments *arguments, visit *of)
{
    const unsigned starts = arguments->starts != 0 ? (unsigned)arguments->starts : STARTS_DEFAULT;
    while (of->done < starts && !of->is_cut) {
        hunt search;
        if (sb_interrupted() || !hunt_from(arguments, of, &search)) {
            of->is_cut = true;
            return;
        }
        of->seeds[of->done] = search.found ? search.seeds : NOT_FOUND;
        of->steps[of->done] = search.found ? search.steps : NOT_FOUND;
        of->real_ns[of->done] = search.found ? search.real_ns : NOT_FOUND;
        of->done++;
        sb_strategies_sum(of->strategies, search.strategies);
        if (search.found) {
            of->found++;
            of->sample = search.result;
        }
    }
}

static void print_hits(const visit *of)
{
    const char *separator = "        hits: ";
    for (unsigned i = SB_STRATEGY_PORTFOLIO + 1; i < SB_STRATEGY_COUNT; i++) {
        const sb_strategy_count *const count = &of->strategies[i];
        if (count->runs != 0) {
            printf("%s%s %" PRIu64 " in %" PRIu64, separator, sb_strategy_name((sb_strategy)i),
                   count->hits, count->runs);
            separator = ", ";
        }
    }
    putchar('\n');
}

static void print_found(visit *of, uint64_t middle)
{
    char replay[SB_PLAN_TEXT_SIZE];
    const uint64_t most = of->seeds[of->done - 1];
    const uint64_t steps = median(of->steps, of->done), real_ns = median(of->real_ns, of->done);
    sb_plan_replay(of->plan, of->sample.seed, replay, sizeof replay);
    printf("found   %-16s %s  median %" PRIu64 " seeds of %u starts, least %" PRIu64 ", most ",
           of->bug->name, of->bug->kind, middle, of->done, of->seeds[0]);
    if (most == NOT_FOUND) {
        printf("over %" PRIu64, of->limit);
    } else {
        printf("%" PRIu64, most);
    }
    printf("; median %" PRIu64 " steps%s\n", steps,
           of->is_cut ? "; cut short before the next" : "");
    print_hits(of);
    printf("        %s\n        replay: %s\n", of->sample.place, replay);
    fprintf(stderr, "%s: median %" PRIu64 ".%03" PRIu64 "s of a core's real time to the hit\n",
            of->bug->name, real_ns / SB_SECOND, real_ns / SB_MILLISECOND % 1000);
}

/* As an exit code: found by more than half of the starts, missed, or no start came to its end. */
static int judge(visit *of)
{
    if (of->done == 0) {
        printf("unknown %-16s %s  cut short before its first start had ended\n", of->bug->name,
               of->bug->kind);
        return SB_EXIT_INCONCLUSIVE;
    }
    const uint64_t middle = median(of->seeds, of->done);
    if (middle == NOT_FOUND) {
        printf("missed  %-16s %s  found by %u of %u starts within %" PRIu64 " seeds\n",
               of->bug->name, of->bug->kind, of->found, of->done, of->limit);
        return SB_EXIT_FINDINGS;
    }
    print_found(of, middle);
    return SB_EXIT_PASSED;
}

static bool is_named(const sb_arguments *arguments, const sb_museum_bug *bug)
{
    for (unsigned i = 0; i < arguments->positional_count; i++) {
        if (strcmp(arguments->positionals[i], bug->name) == 0) {
            return true;
        }
    }
    return arguments->positional_count == 0;
}

/* The words are checked all at once, so that the last is not refused after an hour. */
static int check_names(const sb_arguments *arguments)
{
    sb_plan plan;
    sb_plan_words words = {.strategy = arguments->plan.strategy};
    char problem[SB_PROBLEM_SIZE];
    for (unsigned i = 0; i < arguments->positional_count; i++) {
        words.bugs[words.bug_count++] = arguments->positionals[i];
    }
    if (!sb_plan_resolve(arguments->product, &words, &plan, problem)) {
        return sb_complain(SB_EXIT_USAGE, "%s", problem);
    }
    return 0;
}

static unsigned count_named(const sb_arguments *arguments)
{
    unsigned count = 0;
    for (size_t i = 0; i < arguments->product->bug_count; i++) {
        count += is_named(arguments, &arguments->product->bugs[i]);
    }
    return count;
}

/* When the next of so many bugs must be done, if each may take as long. */
static uint64_t deadline_of_next(uint64_t end, unsigned left)
{
    const uint64_t now = sb_host_time();
    return end == UINT64_MAX ? UINT64_MAX : end <= now ? now : now + (end - now) / left;
}

/* The worse of two codes: a bug that was missed outweighs one that nothing is known of. */
static int worse(int one, int other)
{
    return one == SB_EXIT_FINDINGS || other == SB_EXIT_PASSED ? one : other;
}

/* ---------------------------------------------------------------------------------------- JSON */

static void write_number(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, ",\"%s\":", name);
    if (value == NOT_FOUND) {
        fputs("null", out);
    } else {
        fprintf(out, "\"%" PRIu64 "\"", value);
    }
}

static void write_word(FILE *out, const char *separator, const char *name, const char *value)
{
    fputs(separator, out);
    sb_json_string(out, name);
    fputc(':', out);
    sb_json_string(out, value);
}

/* One bug; null where its starts have not found it. */
static void write_visit(FILE *out, bool is_first, visit *of)
{
    write_word(out, is_first ? "\n{" : ",\n{", "bug", of->bug->name);
    write_word(out, ",", "kind", of->bug->kind);
    write_word(out, ",", "scenario", of->plan->scenario->name);
    write_number(out, "starts", of->done);
    write_number(out, "found", of->found);
    write_number(out, "limit", of->limit);
    if (of->done != 0) {
        write_number(out, "median_seeds", median(of->seeds, of->done));
        write_number(out, "least_seeds", of->seeds[0]);
        write_number(out, "most_seeds", of->seeds[of->done - 1]);
        write_number(out, "median_steps", median(of->steps, of->done));
    }
    fputs(",\"strategies\":", out);
    sb_strategies_write_json(out, of->strategies);
    fputc('}', out);
}

/* --------------------------------------------------------------------------------- the command */

/* What is summed up over the bugs. */
typedef struct museum {
    const sb_arguments *arguments;
    sb_strategy_count strategies[SB_STRATEGY_COUNT];
    sb_output json; /* stream NULL: not asked for */
    bool any;       /* a bug was visited */
    int code;
} museum;

static void begin_json(museum *of)
{
    FILE *const out = of->json.stream;
    write_word(out, "{\"schema\":1,", "product", of->arguments->product->name);
    write_word(out, ",", "build", of->arguments->product->version);
    write_word(out, ",", "strategy",
               of->arguments->plan.strategy != NULL ? of->arguments->plan.strategy : "portfolio");
    fputs(",\n\"bugs\":[", out);
}

static bool end_json(museum *of)
{
    FILE *const out = of->json.stream;
    fputs("],\n\"strategies\":", out);
    sb_strategies_write_json(out, of->strategies);
    fprintf(out, ",\n\"exit_code\":%d}\n", of->code);
    return sb_output_commit(&of->json);
}

static int visit_bug(museum *all, const sb_museum_bug *bug, uint64_t deadline)
{
    const sb_arguments *const arguments = all->arguments;
    char problem[SB_PROBLEM_SIZE];
    sb_plan plan;
    const sb_plan_words words = {.scenario = bug->scenario,
                                 .strategy = arguments->plan.strategy,
                                 .bugs = {bug->name},
                                 .bug_count = 1};
    if (!sb_plan_resolve(arguments->product, &words, &plan, problem)) {
        return sb_complain(SB_EXIT_USAGE, "%s", problem);
    }
    visit of = {.bug = bug,
                .plan = &plan,
                .deadline = deadline,
                .limit = arguments->limit != 0 ? arguments->limit : LIMIT_DEFAULT};
    make_starts(arguments, &of);
    all->code = worse(all->code, judge(&of));
    fflush(stdout);
    sb_strategies_sum(all->strategies, of.strategies);
    if (all->json.stream != NULL) {
        write_visit(all->json.stream, !all->any, &of);
    }
    all->any = true;
    return 0;
}

static void end_visits(museum *all)
{
    all->code = sb_interrupted() ? SB_EXIT_INCONCLUSIVE : all->code;
    if (all->any) {
        sb_strategies_print(stdout, all->strategies, "seeds");
        sb_strategies_print_time(stderr, all->strategies);
    }
    if (all->json.stream != NULL && !end_json(all)) {
        all->code = SB_EXIT_IO;
    }
}

int sb_command_museum(const sb_arguments *arguments)
{
    const sb_product *const product = arguments->product;
    museum all = {.arguments = arguments, .code = check_names(arguments)};
    if (all.code != 0) {
        return all.code;
    }
    if (arguments->json != NULL && !sb_output_open(&all.json, arguments->json)) {
        return SB_EXIT_IO;
    }
    const uint64_t end =
        arguments->duration != 0 ? sb_host_time() + arguments->duration : UINT64_MAX;
    unsigned left = count_named(arguments);
    if (all.json.stream != NULL) {
        begin_json(&all);
    }
    sb_interrupts_catch();
    for (size_t i = 0; i < product->bug_count && !sb_interrupted(); i++) {
        if (is_named(arguments, &product->bugs[i])) {
            const int code = visit_bug(&all, &product->bugs[i], deadline_of_next(end, left--));
            if (code != 0) {
                return code;
            }
        }
    }
    end_visits(&all);
    return all.code;
}
