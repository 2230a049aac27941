/*
 * The tables of commands and options, and how a command line is read by them.
 */
#include "sim/tool/options.h"

#include <string.h>

#include "sim/tool/child.h"
#include "sim/tool/contract.h"

#define JOBS_MAX 1024
#define TWICE_SHARE_DEFAULT 10000 /* of a million */

/* ---------------------------------------------------------------------- values into arguments */

static bool take_seeds(sb_arguments *arguments, const char *value, char *problem)
{
    arguments->seeds_given = true;
    return sb_parse_range(value, &arguments->first_seed, &arguments->last_seed, problem);
}

static bool take_duration(sb_arguments *arguments, const char *value, char *problem)
{
    if (!sb_parse_duration(value, &arguments->duration, problem)) {
        return false;
    }
    if (arguments->duration == 0) {
        snprintf(problem, SB_PROBLEM_SIZE, "is no time at all; expected more than 0s");
        return false;
    }
    return true;
}

static bool take_patience(sb_arguments *arguments, const char *value, char *problem)
{
    return sb_parse_duration(value, &arguments->patience, problem);
}

static bool take_jobs(sb_arguments *arguments, const char *value, char *problem)
{
    uint64_t jobs;
    if (!sb_parse_number_within(value, 1, JOBS_MAX, &jobs, problem)) {
        return false;
    }
    arguments->jobs = (unsigned)jobs;
    return true;
}

static bool take_shard(sb_arguments *arguments, const char *value, char *problem)
{
    return sb_parse_shard(value, &arguments->shard_index, &arguments->shard_count, problem);
}

static bool take_bug(sb_arguments *arguments, const char *value, char *problem)
{
    if (arguments->plan.bug_count == SB_WORD_MAX) {
        snprintf(problem, SB_PROBLEM_SIZE, "is one too many; expected at most %d", SB_WORD_MAX);
        return false;
    }
    arguments->plan.bugs[arguments->plan.bug_count++] = value;
    return true;
}

static bool take_mask(sb_arguments *arguments, const char *value, char *problem)
{
    if (arguments->plan.mask_count == SB_WORD_MAX) {
        snprintf(problem, SB_PROBLEM_SIZE, "is one too many; expected at most %d", SB_WORD_MAX);
        return false;
    }
    arguments->plan.masks[arguments->plan.mask_count++] = value;
    return true;
}

static bool take_setting(sb_arguments *arguments, const char *value, char *problem)
{
    if (arguments->plan.setting_count == SB_WORD_MAX) {
        snprintf(problem, SB_PROBLEM_SIZE, "is one too many; expected at most %d", SB_WORD_MAX);
        return false;
    }
    arguments->plan.settings[arguments->plan.setting_count++] = value;
    return true;
}

static bool take_strategy(sb_arguments *arguments, const char *value, char *problem)
{
    (void)problem;
    arguments->plan.strategy = value; /* checked with the rest of the plan */
    return true;
}

static bool take_failpoint(sb_arguments *arguments, const char *value, char *problem)
{
    if (arguments->plan.failpoint_count == SB_WORD_MAX) {
        snprintf(problem, SB_PROBLEM_SIZE, "is one too many; expected at most %d", SB_WORD_MAX);
        return false;
    }
    arguments->plan.failpoints[arguments->plan.failpoint_count++] = value;
    return true;
}

static bool take_exhaust(sb_arguments *arguments, const char *value, char *problem)
{
    (void)problem;
    arguments->plan.exhaust = value; /* checked with the rest of the plan */
    return true;
}

static bool take_place(sb_arguments *arguments, const char *value, char *problem)
{
    (void)problem;
    arguments->plan.place = value;
    return true;
}

static bool take_every(sb_arguments *arguments, const char *value, char *problem)
{
    return sb_parse_number_within(value, 1, UINT32_MAX, &arguments->every, problem);
}

static bool take_stop_after(sb_arguments *arguments, const char *value, char *problem)
{
    return sb_parse_number_within(value, 1, UINT64_MAX, &arguments->stop_after, problem);
}

static bool take_twice_share(sb_arguments *arguments, const char *value, char *problem)
{
    return sb_parse_share(value, &arguments->twice_share, problem);
}

static bool take_effect_share(sb_arguments *arguments, const char *value, char *problem)
{
    arguments->effect_given = true;
    return sb_parse_share(value, &arguments->effect_share, problem);
}

static bool take_around(sb_arguments *arguments, const char *value, char *problem)
{
    arguments->around_given = true;
    arguments->around_finding = strcmp(value, "finding") == 0;
    if (arguments->around_finding ||
        sb_parse_number_within(value, 1, UINT64_MAX, &arguments->around_step, problem)) {
        return true;
    }
    snprintf(problem, SB_PROBLEM_SIZE,
             "is no place in a run; expected a step (1 or more), or finding");
    return false;
}

static bool take_break_at(sb_arguments *arguments, const char *value, char *problem)
{
    return sb_parse_number_within(value, 1, UINT64_MAX, &arguments->break_at, problem);
}

static bool take_starts(sb_arguments *arguments, const char *value, char *problem)
{
    return sb_parse_number_within(value, 1, 1000, &arguments->starts, problem);
}

static bool take_limit(sb_arguments *arguments, const char *value, char *problem)
{
    return sb_parse_number_within(value, 1, UINT32_MAX, &arguments->limit, problem);
}

static bool take_slice(sb_arguments *arguments, const char *value, char *problem)
{
    return sb_parse_number_within(value, 1, 100000, &arguments->slice_length, problem);
}

#define TAKE_WORD(field)                                                                           \
    static bool take_##field(sb_arguments *arguments, const char *value, char *problem)            \
    {                                                                                              \
        (void)problem;                                                                             \
        arguments->field = value;                                                                  \
        return true;                                                                               \
    }
TAKE_WORD(json)
TAKE_WORD(out)
TAKE_WORD(keep)
TAKE_WORD(format)
TAKE_WORD(output)

#define TAKE_FLAG(field)                                                                           \
    static bool take_##field(sb_arguments *arguments, const char *value, char *problem)            \
    {                                                                                              \
        (void)value, (void)problem;                                                                \
        arguments->field = true;                                                                   \
        return true;                                                                               \
    }
TAKE_FLAG(twice)
TAKE_FLAG(strict)
TAKE_FLAG(log)
TAKE_FLAG(all)
TAKE_FLAG(help)

/* ------------------------------------------------------------------------------------- tables */

#define PLAN_OPTIONS                                                                               \
    {"bug", 0, "NAME", "switch a historical bug on; may be given several times", take_bug},        \
        {"strategy", 0, "NAME", "order of events: see `list strategies`; default portfolio",       \
         take_strategy},                                                                           \
        {"set", 0, "NAME=VALUE", "a setting of the scenario: see `list settings SCENARIO`",        \
         take_setting},                                                                            \
        {"mask", 0, "KIND",                                                                        \
         "draw this kind of fault and do not do it; may be given several times", take_mask},       \
        {"failpoint", 0, "GLOB=RATE",                                                              \
         "failpoints whose names match fire so often of a million passes, from the start to the "  \
         "heal; may be given several times",                                                       \
         take_failpoint},                                                                          \
    {                                                                                              \
        "runaway-after", 0, "TIME",                                                                \
            "processor time a seed may use without reaching another step; default 10s",            \
            take_patience                                                                          \
    }
#define HELP_OPTION                                                                                \
    {                                                                                              \
        "help", 'h', NULL, "say what this command does", take_help                                 \
    }

static const sb_option sweep_options[] = {
    {"seeds", 0, "A..B", "the seeds to run, both ends included; default 1..1000", take_seeds},
    {"for", 0, "TIME", "run seeds from A on for this long (90s, 10m, 1h)", take_duration},
    {"jobs", 'j', "N", "worker processes; default one a processor", take_jobs},
    {"shard", 0, "I/N", "run only the I-th of N equal parts; default from the CI's environment",
     take_shard},
    PLAN_OPTIONS,
    {"stop-after", 0, "N", "stop at the N-th finding; with --bug only findings of its kind count",
     take_stop_after},
    {"twice", 0, "SHARE",
     "run this share of the seeds twice and compare: 10%, 0.1, 1/10, all; 0: none; default 1%",
     take_twice_share},
    {"effect", 0, "SHARE",
     "of each kind of fault, run this share of the seeds that had it again without it, and compare "
     "what programs got; default 1/400, 0 with --bug, --stop-after and --exhaust",
     take_effect_share},
    {"strict", 0, NULL,
     "faults without effect, probes never reached, moves never walked and enabled failpoints "
     "that never fired are no success",
     take_strict},
    {"exhaust", 0, "KIND",
     "fail the 1st, 2nd, 3rd ... place of a seed until none is left: disk, message or failpoint; "
     "default of --seeds then 1..1",
     take_exhaust},
    {"every", 0, "N", "with --exhaust: only every N-th place; another one in each of N seeds",
     take_every},
    {"json", 0, "FILE", "write the outcome as JSON", take_json},
    {"out", 0, "DIR", "write a text, a trace and a kept seed for each finding", take_out},
    HELP_OPTION,
};

static const sb_option replay_options[] = {
    PLAN_OPTIONS,
    {"exhaust", 0, "KIND", "fail one place of the run: disk, message or failpoint, with --at",
     take_exhaust},
    {"at", 0, "PLACE", "with --exhaust: the number of the place that fails", take_place},
    {"log", 0, NULL, "print the lines the machines logged", take_log},
    {"twice", 0, NULL,
     "run it twice, the second time in another program, and say where the runs part", take_twice},
    {"keep", 0, "FILE", "write a kept seed with the choices that the finding needs", take_keep},
    {"break-at", 0, "STEP", "raise SIGTRAP before this step, for a debugger", take_break_at},
    {"slice", 0, "N", "how many events to show of what led to the finding; default 40", take_slice},
    HELP_OPTION,
};

static const sb_option trace_options[] = {
    PLAN_OPTIONS,
    {"exhaust", 0, "KIND", "fail one place of the run: disk, message or failpoint, with --at",
     take_exhaust},
    {"at", 0, "PLACE", "with --exhaust: the number of the place that fails", take_place},
    {"format", 'f', "FORMAT", "text, ndjson, dot, svg or chain; default text", take_format},
    {"around", 0, "STEP", "the events around a step, or around the `finding`", take_around},
    {"all", 0, NULL, "every event of the run", take_all},
    {"slice", 0, "N", "how many events to show; default 40 of a slice, 200 of a window",
     take_slice},
    {"output", 'o', "FILE", "write here instead of to standard output", take_output},
    HELP_OPTION,
};

static const sb_option museum_options[] = {
    {"starts", 0, "N", "independent sweeps for each bug; default 10", take_starts},
    {"limit", 0, "N", "seeds after which a sweep gives up; default 5000", take_limit},
    {"for", 0, "TIME", "all bugs together may take this long, each an equal part (90s, 10m)",
     take_duration},
    {"strategy", 0, "NAME", "hunt with this one alone; default portfolio", take_strategy},
    {"json", 0, "FILE", "write the outcome as JSON", take_json},
    {"jobs", 'j', "N", "worker processes; default one a processor", take_jobs},
    {"runaway-after", 0, "TIME",
     "processor time a seed may use without reaching another step; default 10s", take_patience},
    HELP_OPTION,
};

static const sb_option list_options[] = {
    {"format", 'f', "FORMAT", "text, json, or (states only) dot; default text", take_format},
    HELP_OPTION,
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const sb_command sb_commands[] = {
    {"sweep", "[SCENARIO]", 1, "run many seeds and report what they find",
     "Runs the scenario once a seed, in worker processes. Findings are grouped by signature; each "
     "is run again, alone and "
     "recorded, to show its details, which also proves that it replays.\n"
     "The output is in the order of the seeds and does not depend on --jobs; speed and progress go "
     "to standard error. "
     "The digest of the last line is a sum over the seeds, so the digests of shards add up to that "
     "of the whole.\n"
     "Exit code: 3 two runs of one seed differ, else 1 findings, else 2 inconclusive (a seed met "
     "its step limit, a worker was "
     "killed from outside, the sweep was interrupted, useful work was missing), else 0.",
     sweep_options, COUNT(sweep_options), sb_command_sweep},
    {"replay", "[SCENARIO] SEED | FILE.seed", 2, "run one seed again and explain what it finds",
     "Prints the finding and its slice: the events that led to it, the latest last.\n"
     "A kept seed is a file of key = value lines (scenario, seed, strategy, bug, set, mask, "
     "failpoint, exhaust, expect, build, note, tape); options of the "
     "command line outweigh it, and its outcome is judged against `expect`.\n"
     "Exit code: 0 passed (or as expected), 1 the finding (or not as expected), 125 cannot judge.",
     replay_options, COUNT(replay_options), sb_command_replay},
    {"trace", "[SCENARIO] SEED | FILE.seed", 2, "write what happened in a run",
     "By default the slice of the finding; where there is none, the end of the run. The format "
     "ndjson is the source of truth: "
     "one event a line. svg needs the command `neato` of Graphviz.\n"
     "A file is written beside its final name and renamed.",
     trace_options, COUNT(trace_options), sb_command_trace},
    {"museum", "[BUG]...", SB_POSITIONAL_MAX, "prove that the historical bugs are still found",
     "For each bug (by default all) its scenario is swept from several starts until the bug is "
     "found; the medians of the "
     "seeds and steps it took are reported, and the hits of each strategy.\nWith --for, starts "
     "that the time did not suffice for do not "
     "count.\n"
     "Exit code: 1 if a bug was missed by half of its starts or more, else 2 if it was interrupted "
     "or there was no time for a single start of some bug.",
     museum_options, COUNT(museum_options), sb_command_museum},
    {"list", "WHAT [SCENARIO]", 2, "list what there is",
     "WHAT is one of scenarios, settings (of a SCENARIO), faults, bugs, strategies, probes, "
     "failpoints, states.\n"
     "`list states --format dot` draws every state machine.",
     list_options, COUNT(list_options), sb_command_list},
};
const size_t sb_command_count = COUNT(sb_commands);

/* ------------------------------------------------------------------------------------ parsing */

static const sb_option *find_option(const sb_command *command, const char *name, size_t length)
{
    for (size_t i = 0; i < command->option_count; i++) {
        const sb_option *const option = &command->options[i];
        if (strlen(option->name) == length && strncmp(option->name, name, length) == 0) {
            return option;
        }
    }
    return NULL;
}

static const sb_option *find_letter(const sb_command *command, char letter)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (command->options[i].letter == letter && letter != 0) {
            return &command->options[i];
        }
    }
    return NULL;
}

static int refuse_option(const sb_command *command, const char *word)
{
    return sb_complain(SB_EXIT_USAGE,
                       "'%s' is no option of %s; expected one of those in `seedbed %s --help`",
                       word, command->name, command->name);
}

/* One option at words[*at]; its value may be in the next word. */
static int parse_option(const sb_command *command, int count, char **words, int *at,
                        sb_arguments *arguments)
{
    const char *const word = words[*at];
    const bool is_long = word[1] == '-';
    const char *const name = word + (is_long ? 2 : 1);
    const size_t length = is_long ? strcspn(name, "=") : 1;
    const sb_option *const option =
        is_long ? find_option(command, name, length) : find_letter(command, name[0]);
    if (option == NULL) {
        return refuse_option(command, word);
    }
    const char *value = is_long ? (name[length] == '=' ? name + length + 1 : NULL)
                                : (name[1] != '\0' ? name + 1 : NULL);
    if (option->argument == NULL && value != NULL) {
        return sb_complain(SB_EXIT_USAGE, "--%s: takes no value, and was given '%s'", option->name,
                           value);
    }
    if (option->argument != NULL && value == NULL) {
        if (*at + 1 >= count) {
            return sb_complain(SB_EXIT_USAGE, "--%s: has no value; expected %s", option->name,
                               option->argument);
        }
        value = words[++*at];
    }
    char problem[SB_PROBLEM_SIZE] = "";
    if (!option->parse(arguments, value, problem)) {
        return sb_complain(SB_EXIT_USAGE, "--%s: '%s' %s", option->name, value, problem);
    }
    return 0;
}

int sb_arguments_parse(const sb_command *command, const sb_product *product, int count,
                       char **words, sb_arguments *arguments)
{
    bool only_operands = false;
    memset(arguments, 0, sizeof *arguments);
    arguments->product = product;
    arguments->patience = SB_PATIENCE_DEFAULT;
    arguments->twice_share = TWICE_SHARE_DEFAULT;
    for (int at = 0; at < count; at++) {
        if (!only_operands && strcmp(words[at], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && words[at][0] == '-' && words[at][1] != '\0') {
            const int code = parse_option(command, count, words, &at, arguments);
            if (code != 0) {
                return code;
            }
        } else if (arguments->positional_count == command->operand_max) {
            return sb_complain(SB_EXIT_USAGE, "%s: '%s' is one word too many; expected %s",
                               command->name, words[at], command->operands);
        } else {
            arguments->positionals[arguments->positional_count++] = words[at];
        }
    }
    return 0;
}

int sb_arguments_plan(const sb_arguments *arguments, const char *scenario, sb_plan *plan)
{
    char problem[SB_PROBLEM_SIZE];
    sb_plan_words words = arguments->plan;
    words.scenario = scenario;
    if (!sb_plan_resolve(arguments->product, &words, plan, problem)) {
        return sb_complain(SB_EXIT_USAGE, "%s", problem);
    }
    return 0;
}
