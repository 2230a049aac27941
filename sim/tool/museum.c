/*
 * `museum`: prove that every historical bug is still found, and how many seeds that takes.
 *
 * A start is a sweep from a seed of its own, far from the other starts, until the first finding of
 * the bug's kind.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/tool/contract.h"
#include "sim/tool/options.h"
#include "sim/tool/workers.h"

#define STARTS_DEFAULT 10
#define STARTS_MAX 1000
#define LIMIT_DEFAULT 5000
#define START_DISTANCE UINT64_C(1000000000)
#define NOT_FOUND UINT64_MAX

typedef struct hunt {
    sb_finding_kind kind;
    uint64_t seeds; /* run so far */
    bool found;
    sb_seed_result result; /* what was found */
} hunt;

static bool consume_result(void *context, const sb_seed_result *result)
{
    hunt *const search = context;
    search->seeds++;
    if (result->outcome == SB_OUTCOME_FINDING &&
        (sb_finding_kind)result->finding_kind == search->kind) {
        search->found = true;
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
    uint64_t seeds[STARTS_MAX]; /* of each start; NOT_FOUND */
    hunt sample;                /* of a start that found it */
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
        of->seeds[of->done++] = search.found ? search.seeds : NOT_FOUND;
        if (search.found) {
            of->found++;
            of->sample = search;
        }
    }
}

static void print_found(const visit *of, uint64_t middle)
{
    char replay[1536];
    const uint64_t most = of->seeds[of->done - 1];
    sb_plan_replay(of->plan, of->sample.result.seed, replay, sizeof replay);
    printf("found   %-16s %s  median %" PRIu64 " seeds of %u starts, least %" PRIu64 ", most ",
           of->bug->name, of->bug->kind, middle, of->done, of->seeds[0]);
    if (most == NOT_FOUND) {
        printf("over %" PRIu64, of->limit);
    } else {
        printf("%" PRIu64, most);
    }
    printf("%s\n        %s\n        replay: %s\n", of->is_cut ? "; cut short before the next" : "",
           of->sample.result.place, replay);
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
    sb_plan_words words = {0};
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

int sb_command_museum(const sb_arguments *arguments)
{
    const sb_product *const product = arguments->product;
    int code = check_names(arguments);
    if (code != 0) {
        return code;
    }
    const uint64_t end =
        arguments->duration != 0 ? sb_host_time() + arguments->duration : UINT64_MAX;
    unsigned left = count_named(arguments);
    sb_interrupts_catch();
    for (size_t i = 0; i < product->bug_count && !sb_interrupted(); i++) {
        const sb_museum_bug *const bug = &product->bugs[i];
        if (!is_named(arguments, bug)) {
            continue;
        }
        char problem[SB_PROBLEM_SIZE];
        sb_plan plan;
        const sb_plan_words words = {
            .scenario = bug->scenario, .bugs = {bug->name}, .bug_count = 1};
        if (!sb_plan_resolve(product, &words, &plan, problem)) {
            return sb_complain(SB_EXIT_USAGE, "%s", problem);
        }
        visit of = {.bug = bug,
                    .plan = &plan,
                    .deadline = deadline_of_next(end, left--),
                    .limit = arguments->limit != 0 ? arguments->limit : LIMIT_DEFAULT};
        make_starts(arguments, &of);
        code = worse(code, judge(&of));
        fflush(stdout);
    }
    return sb_interrupted() ? SB_EXIT_INCONCLUSIVE : code;
}
