/*
 * `sweep`: run many seeds and report what they find.
 *
 *   seeds in order -> workers -> tally -> [--twice: the same seeds elsewhere] -> details of each
 * group -> totals
 *
 * Details come from running the smallest seed of a group once more, alone and recorded.  That run
 * must give the digest the sweep got: if it does not, something survives between seeds or comes
 * from outside.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/record/memory.h"
#include "sim/record/trace_file.h"
#include "sim/tool/contract.h"
#include "sim/tool/keep.h"
#include "sim/tool/output.h"
#include "sim/tool/recorded.h"
#include "sim/tool/sweep.h"

#define MILLION 1000000u
#define FIRST_SEED_DEFAULT 1
#define LAST_SEED_DEFAULT 1000
#define DETAILS_MAX 20 /* groups that are shown in full; more are listed in a line each */

/* --------------------------------------------------------------------------------- running it */

static bool is_chosen_for_twice(const sb_sweep *sweep, const sb_seed_result *result)
{
    const uint64_t hash = XXH3_64bits_withSeed(&result->seed, sizeof result->seed, 2);
    return (hash + result->ordinal * UINT64_C(0x9E3779B97F4A7C15)) % MILLION <
           sweep->arguments->twice_share;
}

static void remember_for_twice(sb_sweep *sweep, const sb_seed_result *result)
{
    if (sweep->twice_count == sweep->twice_capacity) {
        sweep->twice_capacity = sweep->twice_capacity == 0 ? 256 : sweep->twice_capacity * 2;
        sweep->twice_runs =
            sb_host_grow(sweep->twice_runs, sweep->twice_capacity, sizeof *sweep->twice_runs);
    }
    sweep->twice_runs[sweep->twice_count++] =
        (sb_second_run){.name = sb_run_name_of(result), .digest = result->digest};
}

static void add_difference(sb_difference *differences, sb_run_name name)
{
    if (differences->count++ == 0 || sb_run_name_before(name, differences->smallest)) {
        differences->smallest = name;
    }
}

/* A run meets the place that its seed has met without a failure, or it is not the same run. */
static void note_places(sb_sweep *sweep, const sb_seed_result *result)
{
    if (result->ordinal == 0) {
        sweep->seed_places = result->outcome == SB_OUTCOME_PASSED ? result->places : 0;
    } else if (result->outcome != SB_OUTCOME_LOST && result->places < result->ordinal) {
        add_difference(&sweep->unmet, sb_run_name_of(result));
    }
}

static bool consume_result(void *context, const sb_seed_result *result)
{
    sb_sweep *const sweep = context;
    note_places(sweep, result);
    if (sweep->plan->exhaust.kind != SB_EXHAUST_NONE && result->ordinal == 0 &&
        sweep->shard.index != 1) {
        return true; /* every shard needs this run, and one of them counts it */
    }
    sb_tally_add(&sweep->tally, result);
    if (result->outcome != SB_OUTCOME_LOST && is_chosen_for_twice(sweep, result)) {
        remember_for_twice(sweep, result);
    }
    sb_effects_remember(&sweep->effects, result);
    return sweep->arguments->stop_after == 0 ||
           sweep->tally.counted_findings < sweep->arguments->stop_after;
}

static void tick(void *context, uint64_t done)
{
    sb_sweep *const sweep = context;
    sb_progress_tick(&sweep->progress, &sweep->tally, done);
}

static unsigned job_count(const sb_arguments *arguments, uint64_t last_index)
{
    const unsigned jobs = arguments->jobs != 0 ? arguments->jobs : sb_processor_count();
    return last_index < jobs ? (unsigned)last_index + 1 : jobs;
}

/* The sequence in hand, by all workers. */
static void run_pool(sb_sweep *sweep)
{
    const sb_arguments *const arguments = sweep->arguments;
    const sb_pool_options pool = {.plan = sweep->plan,
                                  .seeds = &sweep->seeds,
                                  .universe = &sb_usual_universe,
                                  .jobs = job_count(arguments, sweep->seeds.last_index),
                                  .patience = arguments->patience,
                                  .deadline = sweep->first_deadline,
                                  .effect_share = sweep->effects.share,
                                  .consume = consume_result,
                                  .tick = tick,
                                  .context = sweep};
    sweep->end = sb_pool_run(&pool);
}

/* The second time the last comes first: what survives from one seed to the next in a process finds
 * another one before it. */
static void run_twice_phase(sb_sweep *sweep)
{
    const size_t count = sweep->twice_count;
    if (count == 0 || sb_interrupted()) {
        return;
    }
    sb_second_run *const again = sb_host_alloc(count, sizeof *again);
    for (size_t i = 0; i < count; i++) {
        again[i].name = sweep->twice_runs[count - 1 - i].name;
    }
    sb_second_pass pass = {.jobs = job_count(sweep->arguments, count - 1),
                           .deadline = sweep->deadline};
    sb_run_again(sweep->arguments, &pass, again, count);
    for (size_t i = 0; i < count; i++) {
        sweep->twice_compared += again[i].came_back;
        if (again[i].came_back && again[i].digest != sweep->twice_runs[count - 1 - i].digest) {
            add_difference(&sweep->differences, again[i].name);
        }
    }
    free(again);
    if (pass.end == SB_POOL_INTERRUPTED) {
        sweep->end = SB_POOL_INTERRUPTED;
    }
}

static bool consume_masked_result(void *context, const sb_seed_result *result)
{
    sb_sweep *const sweep = context;
    sb_effects_compare(&sweep->effects, &sweep->tally, result);
    return true;
}

static void run_effect_phase(sb_sweep *sweep)
{
    if (sweep->effects.count == 0 || sb_interrupted()) {
        return;
    }
    const sb_seed_sequence runs = {.list = sweep->effects.runs,
                                   .last_index = sweep->effects.count - 1};
    const sb_pool_options pool = {.plan = sweep->plan,
                                  .seeds = &runs,
                                  .universe = &sb_usual_universe,
                                  .jobs = job_count(sweep->arguments, runs.last_index),
                                  .patience = sweep->arguments->patience,
                                  .deadline = sweep->deadline,
                                  .consume = consume_masked_result,
                                  .context = sweep};
    if (sb_pool_run(&pool) == SB_POOL_INTERRUPTED) {
        sweep->end = SB_POOL_INTERRUPTED;
    }
}

/* One seed without a failure, which counts its places; then once more for each of those that are
 * ours.  The first of them moves with the seed, so that several seeds together meet all, where
 * only every n-th is asked for. */
static void exhaust_seed(sb_sweep *sweep, uint64_t seed)
{
    const uint64_t every = sweep->arguments->every != 0 ? sweep->arguments->every : 1;
    sb_seed_sequence *const runs = &sweep->seeds;
    sweep->seed_places = 0;
    *runs = (sb_seed_sequence){.first = 0, .stride = 1, .is_of_places = true, .seed = seed};
    run_pool(sweep);
    const uint64_t first = 1 + (seed - 1) % every, last = sweep->seed_places;
    if (sweep->end != SB_POOL_DONE || first > last) {
        return;
    }
    sweep->places += last;
    const uint64_t steps = (last - first) / every; /* after the first */
    if (!sb_shard_seeds(&sweep->shard, 0, steps, runs)) {
        return; /* fewer places than shards */
    }
    runs->first = first + runs->first * every;
    runs->stride *= every;
    runs->is_of_places = true;
    runs->seed = seed;
    sb_progress_expect(&sweep->progress, seed, runs->last_index + 1);
    run_pool(sweep);
    sweep->exhausted_seeds += sweep->end == SB_POOL_DONE;
}

static void exhaust_seeds(sb_sweep *sweep)
{
    sb_progress_init(&sweep->progress, 0, sweep->deadline);
    for (uint64_t seed = sweep->first;; seed++) {
        exhaust_seed(sweep, seed);
        if (sweep->end != SB_POOL_DONE || seed == sweep->last) {
            return;
        }
    }
}

static void run_sweep(sb_sweep *sweep)
{
    const sb_arguments *const arguments = sweep->arguments;
    const uint64_t now = sb_host_time();
    sb_effects_init(&sweep->effects, arguments, sweep->plan);
    sweep->deadline = sweep->first_deadline = UINT64_MAX;
    if (arguments->duration != 0) {
        sweep->deadline = now + arguments->duration;
        /* Leave time for what is run a second time. */
        const uint64_t more = arguments->twice_share + SB_EFFECT_KINDS_USUAL * sweep->effects.share;
        sweep->first_deadline = now + arguments->duration / (MILLION + more) * MILLION;
    }
    if (sweep->plan->exhaust.kind != SB_EXHAUST_NONE) {
        exhaust_seeds(sweep);
    } else {
        const bool is_counted = !sweep->is_open && sweep->seeds.last_index != UINT64_MAX;
        sb_progress_init(&sweep->progress, is_counted ? sweep->seeds.last_index + 1 : 0,
                         sweep->deadline);
        run_pool(sweep);
    }
    sb_progress_end(&sweep->progress, &sweep->tally);
    run_twice_phase(sweep);
    run_effect_phase(sweep);
    sb_tally_sort(&sweep->tally);
}

/* ------------------------------------------------------------------------------------ details */

typedef struct details {
    const sb_sweep *sweep;
    const sb_group *group;
    FILE *text;
} details;

/* The plan of the smallest run of a group. */
static sb_plan plan_of(const sb_sweep *sweep, const sb_group *group)
{
    return sb_plan_at(sweep->plan, group->smallest.ordinal);
}

static bool write_trace_file(const details *of, const char *path, sb_world *world,
                             const sb_record *record)
{
    sb_step *steps;
    sb_slice_note *notes;
    sb_header_words words;
    sb_output output;
    if (!sb_output_open(&output, path)) {
        return false;
    }
    const sb_plan plan = plan_of(of->sweep, of->group);
    const sb_record_header header = sb_plan_header(&plan, of->group->smallest.seed, &words);
    const size_t count = sb_slice_of_run(world, record, SB_SLICE_DEFAULT, &steps, &notes);
    sb_trace_write(output.stream, record, &header, steps, count);
    free(notes);
    free(steps);
    return sb_output_commit(&output);
}

static bool write_seed_file(const sb_plan *plan, const sb_seed_result *result, const char *path)
{
    sb_output output;
    if (!sb_output_open(&output, path)) {
        return false;
    }
    sb_kept_seed_write(output.stream, plan, result);
    return sb_output_commit(&output);
}

static bool write_text_file(const char *path, const char *text)
{
    sb_output output;
    if (!sb_output_open(&output, path)) {
        return false;
    }
    fputs(text, output.stream);
    return sb_output_commit(&output);
}

static void path_in(char *path, size_t size, const char *directory, const sb_seed_result *found,
                    const char *suffix)
{
    snprintf(path, size, "%s/%s-%08" PRIx32 "%s", directory, sb_finding_word(found->finding_kind),
             found->signature, suffix);
}

/* In the child of the recorded run. */
static int present_details(void *context, sb_world *world, const sb_record *record,
                           const sb_seed_result *result)
{
    const details *const of = context;
    const sb_plan plan = plan_of(of->sweep, of->group);
    sb_explain(of->text, &plan, world, record, result, of->group->count, SB_SLICE_DEFAULT);
    bool good = fflush(of->text) == 0 && !ferror(of->text);
    if (of->sweep->arguments->out != NULL) {
        char path[SB_PATH_MAX];
        path_in(path, sizeof path, of->sweep->arguments->out, &of->group->smallest, ".ndjson");
        good = write_trace_file(of, path, world, record) && good;
    }
    return good ? 0 : SB_EXIT_IO;
}

/* The whole of a file as a text, to be freed. */
static char *text_of(FILE *file)
{
    size_t size = 0, capacity = 4096;
    char *text = sb_host_grow(NULL, capacity, 1);
    rewind(file);
    for (size_t count; (count = fread(text + size, 1, capacity - size - 1, file)) != 0;) {
        size += count;
        if (capacity - size == 1) {
            capacity *= 2;
            text = sb_host_grow(text, capacity, 1);
        }
    }
    text[size] = '\0';
    return text;
}

/* What is known of a finding without running it again. */
static void print_short(FILE *out, const sb_sweep *sweep, const sb_group *group)
{
    char replay[SB_PLAN_TEXT_SIZE];
    const sb_seed_result *const smallest = &group->smallest;
    const sb_plan plan = plan_of(sweep, group);
    sb_plan_replay(&plan, smallest->seed, replay, sizeof replay);
    char at[32] = "";
    if (smallest->ordinal != 0) {
        snprintf(at, sizeof at, " at %" PRIu64, smallest->ordinal);
    }
    fprintf(out,
            "finding %s%s%s  (%" PRIu64 " %s%s, smallest %" PRIu64 "%s)\n  step %" PRIu64
            "  time %" PRIu64 ".%06" PRIu64 "s  signature %08" PRIx32 "\n  %s\n  replay: %s\n",
            sb_finding_word(smallest->finding_kind), smallest->place[0] != '\0' ? "  " : "",
            smallest->place, group->count, smallest->ordinal != 0 ? "run" : "seed",
            group->count == 1 ? "" : "s", smallest->seed, at, smallest->finding_step,
            smallest->finding_time / SB_SECOND, smallest->finding_time / 1000 % MILLION,
            smallest->signature, smallest->text, replay);
}

/* The sweep and a run alone disagree: say so, and where two runs part if they do. */
static void print_unrepeatable(FILE *out, sb_sweep *sweep, const sb_group *group,
                               const sb_seed_result *alone)
{
    sb_seed_result result;
    const uint64_t seed = group->smallest.seed;
    const sb_plan plan = plan_of(sweep, group);
    add_difference(&sweep->unrepeatable, sb_run_name_of(&group->smallest));
    fprintf(out,
            "  seed %" PRIu64 " does not repeat: in the sweep digest %016" PRIx64 " after %" PRIu64
            " steps, alone %016" PRIx64 " after %" PRIu64 "\n",
            seed, group->smallest.digest, group->smallest.steps, alone->digest, alone->steps);
    if (sb_run_twice(out, sweep->arguments, &plan, seed, 1, &result) == SB_TWICE_SAME) {
        fputs("finding nondeterminism\n  two runs alone agree: something survives from one seed to "
              "the next in a process\n",
              out);
    }
}

/* The text of one group, to be freed.  False when a file could not be written. */
static bool describe_group(sb_sweep *sweep, const sb_group *group, char **text)
{
    FILE *const file = tmpfile();
    if (file == NULL) {
        sb_complain(SB_EXIT_IO, "cannot make a temporary file: %s", strerror(errno));
        return false;
    }
    details of = {sweep, group, file};
    const sb_plan plan = plan_of(sweep, group);
    const sb_recorded_run run = {.plan = &plan,
                                 .seed = group->smallest.seed,
                                 .universe = &sb_usual_universe,
                                 .patience = sweep->arguments->patience,
                                 .present = present_details,
                                 .context = &of};
    sb_seed_result alone;
    sb_child_end end;
    bool good = true;
    if (!sb_run_recorded(&run, &alone, &end)) {
        print_short(file, sweep, group);
    } else {
        good = end.code == 0;
        if (alone.digest != group->smallest.digest) {
            fseek(file, 0, SEEK_END);
            print_unrepeatable(file, sweep, group, &alone);
        }
    }
    fflush(file);
    *text = text_of(file);
    fclose(file);
    return good;
}

/* False when a file could not be written. */
static bool print_findings(sb_sweep *sweep, char **texts)
{
    bool good = true;
    for (size_t i = 0; i < sweep->tally.group_count && good; i++) {
        const sb_group *const group = &sweep->tally.groups[i];
        const char *const out = sweep->arguments->out;
        if (i >= DETAILS_MAX || sb_interrupted()) {
            print_short(stdout, sweep, group);
        } else {
            good = describe_group(sweep, group, &texts[i]);
            fputs(texts[i] != NULL ? texts[i] : "", stdout);
        }
        if (out != NULL && texts[i] != NULL && good) {
            char path[SB_PATH_MAX];
            path_in(path, sizeof path, out, &group->smallest, ".txt");
            good = write_text_file(path, texts[i]);
            path_in(path, sizeof path, out, &group->smallest, ".seed");
            good = write_seed_file(sweep->plan, &group->smallest, path) && good;
        }
        fputc('\n', stdout);
    }
    return good;
}

/* Beside the groups: the first run that found something without one of its faults. */
static bool write_masked_seed(const sb_sweep *sweep)
{
    const sb_effects *const effects = &sweep->effects;
    const char *const out = sweep->arguments->out;
    if (out == NULL || effects->findings == 0) {
        return true;
    }
    char path[SB_PATH_MAX];
    const sb_plan plan = sb_effects_plan(effects, sweep->plan);
    path_in(path, sizeof path, out, &effects->first_result, "-masked.seed");
    return write_seed_file(&plan, &effects->first_result, path);
}

static void print_differences(sb_sweep *sweep)
{
    if (sweep->differences.count == 0) {
        return;
    }
    sb_seed_result result;
    const uint64_t seed = sweep->differences.smallest.seed;
    const sb_plan plan = sb_plan_at(sweep->plan, sweep->differences.smallest.ordinal);
    if (sb_run_twice(stdout, sweep->arguments, &plan, seed, sweep->differences.count, &result) ==
        SB_TWICE_SAME) {
        printf("finding nondeterminism  (%" PRIu64 " seeds, smallest %" PRIu64
               ")\n  they differed in the sweep, and seed %" PRIu64
               " alone does not: something survives from one seed to the next in a process, or "
               "comes from outside\n",
               sweep->differences.count, seed, seed);
    }
    fputc('\n', stdout);
}

/* -------------------------------------------------------------------------------- the command */

static int prepare(const sb_arguments *arguments, sb_sweep *sweep, sb_plan *plan)
{
    const char *const scenario = arguments->positional_count > 0 ? arguments->positionals[0] : NULL;
    int code = sb_arguments_plan(arguments, scenario, plan);
    if (code != 0) {
        return code;
    }
    const bool exhausts = plan->exhaust.kind != SB_EXHAUST_NONE;
    if (arguments->every != 0 && !exhausts) {
        return sb_complain(SB_EXIT_USAGE,
                           "--every: '%" PRIu64 "' stands alone; expected --exhaust KIND beside it",
                           arguments->every);
    }
    sweep->arguments = arguments;
    sweep->plan = plan;
    sweep->is_open = arguments->duration != 0 && !arguments->seeds_given;
    sweep->first = arguments->seeds_given ? arguments->first_seed : FIRST_SEED_DEFAULT;
    sweep->last = arguments->seeds_given ? arguments->last_seed
                  : sweep->is_open       ? UINT64_MAX
                  : exhausts             ? FIRST_SEED_DEFAULT
                                         : LAST_SEED_DEFAULT;
    code = sb_shard_find(arguments, &sweep->shard);
    if (code == 0 && !exhausts &&
        !sb_shard_seeds(&sweep->shard, sweep->first, sweep->last, &sweep->seeds)) {
        return sb_complain(SB_EXIT_USAGE,
                           "%s: shard %" PRIu64 "/%" PRIu64 " of seeds %" PRIu64 "..%" PRIu64
                           " is empty; expected no more shards than seeds",
                           sweep->shard.source, sweep->shard.index, sweep->shard.count,
                           sweep->first, sweep->last);
    }
    return code;
}

/* Find out now, not after an hour, that there is no place for the outcome. */
static int check_directory(const char *path)
{
    struct stat status;
    sb_output probe;
    char name[SB_PATH_MAX];
    if (path == NULL) {
        return 0;
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        return sb_complain(SB_EXIT_IO, "cannot make directory %s: %s", path, strerror(errno));
    }
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return sb_complain(SB_EXIT_IO, "cannot write into %s: it is no directory", path);
    }
    snprintf(name, sizeof name, "%.*s/probe", (int)sizeof name - 16, path);
    if (!sb_output_open(&probe, name)) {
        return SB_EXIT_IO;
    }
    sb_output_abandon(&probe);
    return 0;
}

static int finish(sb_sweep *sweep, sb_output *json)
{
    char title[2048];
    const char *verdict;
    char **const texts = sb_host_alloc(sweep->tally.group_count + 1, sizeof *texts);
    bool good = print_findings(sweep, texts);
    good = write_masked_seed(sweep) && good;
    print_differences(sweep);
    sb_sweep_print_totals(stdout, sweep);
    int code = sb_sweep_verdict(sweep, &verdict);
    if (json->stream != NULL) {
        sb_sweep_write_json(json->stream, sweep, texts);
        good = sb_output_commit(json) && good;
    }
    sb_sweep_title(sweep, title, sizeof title);
    printf("%s  steps %" PRIu64 "  verdict %s  digest %016" PRIx64 "\n", title, sweep->tally.steps,
           verdict, sweep->tally.digest);
    for (size_t i = 0; i < sweep->tally.group_count; i++) {
        free(texts[i]);
    }
    free(texts);
    return good ? code : SB_EXIT_IO;
}

int sb_command_sweep(const sb_arguments *arguments)
{
    sb_sweep sweep = {0};
    sb_plan plan;
    sb_output json = {0};
    char title[2048];
    int code = prepare(arguments, &sweep, &plan);
    if (code == 0 && sb_twice_serve(arguments, &plan)) {
        return 0;
    }
    if (code == 0) {
        code = check_directory(arguments->out);
    }
    if (code == 0 && arguments->json != NULL && !sb_output_open(&json, arguments->json)) {
        code = SB_EXIT_IO;
    }
    if (code != 0) {
        return code;
    }
    sb_tally_init(&sweep.tally, &plan);
    sb_interrupts_catch();
    sb_sweep_title(&sweep, title, sizeof title);
    printf("%s\n", title);
    if (sweep.shard.count > 1) {
        printf("shard %" PRIu64 "/%" PRIu64 " by %s\n", sweep.shard.index, sweep.shard.count,
               sweep.shard.source);
    }
    fflush(stdout);
    run_sweep(&sweep);
    code = finish(&sweep, &json);
    free(sweep.twice_runs);
    sb_effects_release(&sweep.effects);
    sb_tally_release(&sweep.tally);
    return code;
}
