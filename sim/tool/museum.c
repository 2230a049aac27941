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

/* Seeds until the bug is found from this start; NOT_FOUND. */
static uint64_t hunt_from(const sb_arguments *arguments, const sb_plan *plan, unsigned start,
                          uint64_t limit, hunt *search)
{
    const sb_seed_sequence seeds = {
        .first = START_DISTANCE * (start + 1), .stride = 1, .last_index = limit - 1};
    *search = (hunt){.kind = sb_plan_expected_kind(plan)};
    const sb_pool_options pool = {.plan = plan,
                                  .seeds = &seeds,
                                  .universe = &sb_usual_universe,
                                  .jobs =
                                      arguments->jobs != 0 ? arguments->jobs : sb_processor_count(),
                                  .patience = arguments->patience,
                                  .deadline = UINT64_MAX,
                                  .consume = consume_result,
                                  .context = search};
    sb_pool_run(&pool);
    return search->found ? search->seeds : NOT_FOUND;
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

/* True when the bug is found by more than half of the starts. */
static bool visit(const sb_arguments *arguments, const sb_museum_bug *bug, const sb_plan *plan)
{
    uint64_t seeds[STARTS_MAX];
    const unsigned starts = arguments->starts != 0 ? (unsigned)arguments->starts : STARTS_DEFAULT;
    const uint64_t limit = arguments->limit != 0 ? arguments->limit : LIMIT_DEFAULT;
    hunt search = {0}, sample = {0};
    unsigned done = 0, found = 0;
    for (; done < starts && !sb_interrupted(); done++) {
        seeds[done] = hunt_from(arguments, plan, done, limit, &search);
        if (search.found) {
            found++;
            sample = search;
        }
    }
    if (done == 0) {
        return true;
    }
    const uint64_t middle = median(seeds, done);
    if (middle == NOT_FOUND) {
        printf("missed  %-16s %s  found by %u of %u starts within %" PRIu64 " seeds\n", bug->name,
               bug->kind, found, done, limit);
    } else {
        char replay[1536];
        sb_plan_replay(plan, sample.result.seed, replay, sizeof replay);
        printf("found   %-16s %s  median %" PRIu64 " seeds of %u starts, least %" PRIu64 ", most ",
               bug->name, bug->kind, middle, done, seeds[0]);
        if (seeds[done - 1] == NOT_FOUND) {
            printf("over %" PRIu64, limit);
        } else {
            printf("%" PRIu64, seeds[done - 1]);
        }
        printf("\n        %s\n        replay: %s\n", sample.result.place, replay);
    }
    fflush(stdout);
    return middle != NOT_FOUND;
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

int sb_command_museum(const sb_arguments *arguments)
{
    const sb_product *const product = arguments->product;
    bool missed = false;
    int code = check_names(arguments);
    if (code != 0) {
        return code;
    }
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
        missed = !visit(arguments, bug, &plan) || missed;
    }
    if (sb_interrupted()) {
        return SB_EXIT_INCONCLUSIVE;
    }
    return missed ? SB_EXIT_FINDINGS : SB_EXIT_PASSED;
}
