/*
 * Shrinking a tape; see keep.h.
 *
 * A choice is dropped when the run without it ends with the same finding: first all of a purpose
 * or of a machine, then whole streams, the longest first, then runs of neighbours in the order
 * drawn, half as long each round, down to single choices (Zeller and Hildebrandt, "Simplifying and
 * Isolating Failure-Inducing Input", 2002).  After each success the tape becomes what that run has
 * really drawn, which is less again. Every run has a process of its own.  The number of runs is
 * bounded, not their time: the outcome depends on nothing but the run.
 */
#include "sim/tool/keep.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/tool/contract.h"

#define DRAWN_MAX ((size_t)1 << 21)
#define STREAM_MAX (SB_NODE_COUNT_MAX * SB_STREAM_COUNT)
#define LINE_COLUMNS 96

typedef struct stream_name {
    uint64_t stream;
    char name[SB_STREAM_NAME_MAX];
} stream_name;

/* What the process that shrinks leaves behind, in shared memory. */
typedef struct shrunk {
    stream_name names[STREAM_MAX];
    size_t name_count;
    size_t whole;  /* choices before shrinking */
    unsigned runs; /* 0: it did not end as wanted even once */
    size_t count;
    sb_taped_choice choices[DRAWN_MAX];
} shrunk;

typedef struct shrinking {
    sb_plan plan; /* its tape: the candidate */
    const sb_seed_result *wanted;
    sb_universe *universe;
    sb_watch *watch;
    sb_tape tape;      /* the shortest that is known to do */
    sb_tape candidate; /* room for as many choices */
    sb_tape drawn;     /* by the last run */
    shrunk *out;
} shrinking;

/* ----------------------------------------------------------------------------------- one run */

static void leave_names(const sb_world *world, shrunk *into)
{
    into->name_count = 0;
    for (unsigned node = 0; node < sb_node_count(world); node++) {
        for (unsigned stream = 0; stream < SB_STREAM_COUNT; stream++) {
            stream_name *const name = &into->names[into->name_count++];
            sb_stream_name(world, (sb_node)node, (sb_stream)stream, name->name);
            name->stream = sb_stream_hash(name->name);
        }
    }
}

static bool is_wanted(const shrinking *of, const sb_seed_result *result)
{
    return result->outcome == SB_OUTCOME_FINDING &&
           result->finding_kind == of->wanted->finding_kind &&
           result->signature == of->wanted->signature;
}

static void make_room(sb_tape *tape, size_t count)
{
    if (tape->capacity < count) {
        tape->choices = sb_host_grow(tape->choices, count, sizeof tape->choices[0]);
        tape->capacity = count;
    }
}

/* What was drawn does: it is the tape now, and the parent may know. */
static void take_drawn(shrinking *of)
{
    const size_t count = of->drawn.count;
    make_room(&of->tape, count);
    make_room(&of->candidate, count);
    of->tape.count = count;
    if (count != 0) {
        memcpy(of->tape.choices, of->drawn.choices, count * sizeof of->tape.choices[0]);
        memcpy(of->out->choices, of->drawn.choices, count * sizeof of->tape.choices[0]);
    }
    of->out->count = count;
}

/* Run with this tape (NULL: from the seed); whether it ends as wanted. */
static bool does(shrinking *of, const sb_tape *tape)
{
    sb_seed_result result;
    of->plan.tape = tape;
    of->drawn.count = 0;
    of->watch->index++;
    const sb_world_options options = {.tape_out = &of->drawn, .progress = &of->watch->step};
    sb_world *const world =
        sb_run_seed(of->universe, &of->plan, of->wanted->seed, &options, &result);
    if (!is_wanted(of, &result) || of->drawn.count > DRAWN_MAX) {
        of->out->runs += of->out->runs != 0;
        return false;
    }
    if (of->out->runs++ == 0) {
        leave_names(world, of->out);
        of->out->whole = of->drawn.count;
    }
    take_drawn(of);
    return true;
}

/* ---------------------------------------------------------------------------------- shrinking */

/* The candidate: all choices but those of a stream (0: of any) at places from .. to - 1. */
static const sb_tape *without(shrinking *of, uint64_t stream, size_t from, size_t to)
{
    of->candidate.count = 0;
    for (size_t i = 0; i < of->tape.count; i++) {
        const sb_taped_choice *const choice = &of->tape.choices[i];
        if (i < from || i >= to || (stream != 0 && choice->stream != stream)) {
            of->candidate.choices[of->candidate.count++] = *choice;
        }
    }
    return &of->candidate;
}

/* Whether a stream's name has this word before its slash, or behind it. */
static bool has_part(const shrunk *of, uint64_t stream, const char *word, bool before)
{
    const size_t length = strlen(word);
    for (size_t i = 0; i < of->name_count; i++) {
        const char *const name = of->names[i].name;
        const char *const slash = strchr(name, '/');
        if (of->names[i].stream == stream) {
            return before ? (size_t)(slash - name) == length && strncmp(name, word, length) == 0
                          : strcmp(slash + 1, word) == 0;
        }
    }
    return false;
}

/* The candidate with only the streams of a machine, or of a purpose; or without them. */
static const sb_tape *part(shrinking *of, const char *word, bool is_machine, bool only)
{
    of->candidate.count = 0;
    for (size_t i = 0; i < of->tape.count; i++) {
        if (has_part(of->out, of->tape.choices[i].stream, word, is_machine) == only) {
            of->candidate.choices[of->candidate.count++] = of->tape.choices[i];
        }
    }
    return &of->candidate;
}

typedef struct stream_count {
    uint64_t stream;
    size_t count;
} stream_count;

static int longest_first(const void *left, const void *right)
{
    const stream_count *const a = left, *const b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return a->stream < b->stream ? -1 : a->stream > b->stream;
}

static size_t count_streams(const sb_tape *tape, stream_count *streams)
{
    size_t count = 0;
    for (size_t i = 0; i < tape->count; i++) {
        size_t at = 0;
        while (at < count && streams[at].stream != tape->choices[i].stream) {
            at++;
        }
        if (at == count) {
            assert(count < STREAM_MAX);
            streams[count++] = (stream_count){tape->choices[i].stream, 0};
        }
        streams[at].count++;
    }
    qsort(streams, count, sizeof *streams, longest_first);
    return count;
}

static bool may_run(const shrinking *of)
{
    return of->out->runs < SB_KEEP_RUNS_MAX && of->tape.count != 0;
}

/* What all machines draw for one purpose, and what one machine draws for all: each alone, or all
 * but each.  Names lie node by node, so the first ones have every purpose, and every
 * SB_STREAM_COUNT-th another machine. */
static void try_parts(shrinking *of, bool only)
{
    const size_t count = of->out->name_count;
    for (size_t i = 0; i < SB_STREAM_COUNT && may_run(of); i++) {
        const char *const purpose = strchr(of->out->names[i].name, '/') + 1;
        does(of, part(of, purpose, false, only));
    }
    for (size_t i = 0; i < count && may_run(of); i += SB_STREAM_COUNT) {
        char machine[SB_STREAM_NAME_MAX];
        const char *const name = of->out->names[i].name;
        snprintf(machine, sizeof machine, "%.*s", (int)strcspn(name, "/"), name);
        does(of, part(of, machine, true, only));
    }
}

static void drop_streams(shrinking *of)
{
    stream_count streams[STREAM_MAX];
    const size_t count = count_streams(&of->tape, streams);
    for (size_t i = 0; i < count && may_run(of); i++) {
        does(of, without(of, streams[i].stream, 0, SIZE_MAX));
    }
}

/* One round over all runs of neighbours of this length. */
static void drop_neighbours(shrinking *of, size_t length)
{
    for (size_t from = 0; from < of->tape.count && may_run(of);) {
        if (!does(of, without(of, 0, from, from + length))) {
            from += length;
        }
    }
}

/* In a process of its own.  Single choices go twice: dropping a late one can make an earlier one
 * idle. */
static int shrink(void *context, sb_watch *watch)
{
    shrinking *const of = context;
    of->universe = sb_open_universe(&sb_usual_universe);
    of->watch = watch;
    watch->busy = 1;
    if (!does(of, of->plan.tape)) {
        return 0;
    }
    try_parts(of, true);
    try_parts(of, false);
    drop_streams(of);
    for (size_t length = of->tape.count / 2; length > 1; length /= 2) {
        drop_neighbours(of, length);
    }
    drop_neighbours(of, 1);
    drop_streams(of);
    drop_neighbours(of, 1);
    return 0;
}

/* The runs of one process follow each other in the same memory, also after a finding by signal: so
 * the outcome counts only when a fresh process agrees. */
static bool is_repeatable(const shrinking *of, sb_duration patience)
{
    sb_seed_result result;
    sb_child_end end;
    sb_plan plan = of->plan;
    const sb_tape tape = {of->out->choices, of->out->count, of->out->count};
    plan.tape = &tape;
    return sb_run_alone(&plan, of->wanted->seed, &sb_usual_universe, patience, &result, &end) &&
           is_wanted(of, &result);
}

/* ------------------------------------------------------------------------------------ writing */

void sb_kept_seed_write(FILE *out, const sb_plan *plan, const sb_seed_result *result)
{
    fprintf(out, "scenario = %s\nseed = %" PRIu64 "\n", plan->scenario->name, result->seed);
    /* The one that the run had: the portfolio may give this seed another one some day. */
    if (result->strategy != SB_STRATEGY_PORTFOLIO) {
        fprintf(out, "strategy = %s\n", sb_strategy_name((sb_strategy)result->strategy));
    }
    for (size_t i = 0; i < plan->product->bug_count; i++) {
        if ((plan->bugs >> i & 1) != 0) {
            fprintf(out, "bug = %s\n", plan->product->bugs[i].name);
        }
    }
    for (size_t i = 0; i < plan->scenario->setting_count; i++) {
        if (plan->given[i]) {
            char value[32];
            sb_setting_text(&plan->scenario->settings[i], plan->values[i], value, sizeof value);
            fprintf(out, "set = %s=%s\n", plan->scenario->settings[i].name, value);
        }
    }
    for (unsigned fault = 1; fault < SB_FAULT_COUNT; fault++) {
        if ((plan->masked >> fault & 1) != 0) {
            fprintf(out, "mask = %s\n", sb_fault_word((sb_fault)fault));
        }
    }
    for (unsigned i = 0; i < plan->failpoint_count; i++) {
        fprintf(out, "failpoint = %s=%" PRIu32 "\n", plan->failpoints[i].glob,
                plan->failpoints[i].rate);
    }
    if (result->ordinal != 0) {
        fprintf(out, "exhaust = %s %" PRIu64 "\n", sb_exhaust_word(plan->exhaust.kind),
                result->ordinal);
    }
    if (result->outcome == SB_OUTCOME_PASSED) {
        fputs("expect = passed\n", out);
    } else {
        fprintf(out, "expect = %s %08" PRIx32 "\n", sb_finding_word(result->finding_kind),
                result->signature);
    }
    fprintf(out, "build = %s\n", plan->product->version);
}

static void write_stream(FILE *out, const shrunk *of, const stream_name *name)
{
    int column = LINE_COLUMNS;
    bool any = false;
    for (size_t i = 0; i < of->count; i++) {
        const sb_taped_choice *const choice = &of->choices[i];
        if (choice->stream == name->stream) {
            if (column >= LINE_COLUMNS) {
                column = fprintf(out, "%stape = %s", any ? "\n" : "", name->name);
                any = true;
            }
            column += fprintf(out, " %" PRIu64 ":%" PRIu64, choice->ordinal, choice->value);
        }
    }
    fputs(any ? "\n" : "", out);
}

/* By machine and purpose; each stream's choices in its own order, which is all that counts. */
static void write_tape(FILE *out, const shrunk *of)
{
    fprintf(out, "# %zu choices of %zu; every other one is 0\n%s", of->count, of->whole,
            of->count == 0 ? "tape = none\n" : "");
    for (size_t i = 0; i < of->name_count; i++) {
        write_stream(out, of, &of->names[i]);
    }
}

static int write_kept(const shrinking *of, const char *path, bool with_tape)
{
    sb_output output;
    if (!sb_output_open(&output, path)) {
        return SB_EXIT_IO;
    }
    sb_kept_seed_write(output.stream, &of->plan, of->wanted);
    if (with_tape) {
        write_tape(output.stream, of->out);
    }
    return sb_output_commit(&output) ? 0 : SB_EXIT_IO;
}

/* Why there is no tape to be kept; NULL: there is. */
static const char *find_tape(shrinking *of, sb_duration patience)
{
    sb_child_end end;
    if (of->wanted->outcome != SB_OUTCOME_FINDING) {
        return "nothing was found that a tape must lead to";
    }
    sb_child_run(shrink, of, patience, &end);
    if (of->out->runs == 0 || !is_repeatable(of, patience)) {
        return "the finding does not repeat in a process of its own";
    }
    return of->out->count > SB_KEPT_CHOICES_MAX ? "it needs too many choices" : NULL;
}

int sb_keep_run(const sb_plan *plan, const sb_seed_result *result, sb_duration patience,
                const char *path)
{
    shrinking of = {.plan = *plan, .wanted = result, .out = sb_shared_alloc(sizeof *of.out)};
    const char *const excuse = find_tape(&of, patience);
    if (excuse != NULL) {
        fprintf(stderr, "seedbed: %s: kept by its seed alone: %s\n", path, excuse);
    } else {
        fprintf(stderr, "%s: %zu of %zu choices are needed, by %u runs\n", path, of.out->count,
                of.out->whole, of.out->runs);
    }
    const int code = write_kept(&of, path, excuse == NULL);
    sb_shared_free(of.out, sizeof *of.out);
    return code;
}
