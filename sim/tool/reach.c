/*
 * Goals reached and missed; see reach.h.
 */
#include "sim/tool/reach.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAMES_SHOWN_MAX 64

/* ------------------------------------------------------------------------------------- moves */

static size_t move_count(void)
{
    const sb_machine *const *machines;
    const size_t count = sb_machine_list(&machines);
    size_t moves = 0;
    for (size_t i = 0; i < count; i++) {
        moves += machines[i]->move_count;
    }
    return moves;
}

/* ------------------------------------------------------------------------------------- goals */

size_t sb_goal_count(sb_goal_kind kind)
{
    const sb_place_name **names;
    switch (kind) {
    case SB_GOAL_PROBE:
        return sb_probe_list(&names);
    case SB_GOAL_FAILPOINT:
        return sb_failpoint_list(&names);
    default:
        return move_count();
    }
}

static void get_move(const sb_tally *tally, size_t index, sb_goal *goal)
{
    size_t at = index;
    const sb_machine *const machine = sb_machine_of_move(&at);
    snprintf(goal->name, sizeof goal->name, "%s: %s -> %s", machine->name,
             machine->states[machine->moves[at].from], machine->states[machine->moves[at].to]);
    goal->place = "";
    goal->seeds = tally->edge_seeds[index];
    goal->wanted = tally->seeds;
}

static void get_place(const sb_tally *tally, sb_goal_kind kind, size_t index, sb_goal *goal)
{
    const sb_place_name **names;
    const bool is_probe = kind == SB_GOAL_PROBE;
    const size_t count = is_probe ? sb_probe_list(&names) : sb_failpoint_list(&names);
    assert(index < count);
    snprintf(goal->name, sizeof goal->name, "%s", names[index]->name);
    goal->place = names[index]->place;
    goal->seeds = is_probe ? tally->probe_seeds[index] : tally->failpoint_seeds[index];
    goal->wanted = is_probe ? tally->seeds : tally->failpoint_enabled_seeds[index];
}

static const char *excuse_of(const sb_scenario *scenario, const sb_goal *goal)
{
    for (size_t i = 0; i < scenario->unreachable_count; i++) {
        const char *const glob = scenario->unreachable[i].glob;
        if (sb_glob_matches(glob, goal->name) || sb_glob_matches(glob, goal->place)) {
            return scenario->unreachable[i].why;
        }
    }
    return NULL;
}

void sb_goal_get(const sb_tally *tally, sb_goal_kind kind, size_t index, sb_goal *goal)
{
    if (kind == SB_GOAL_MOVE) {
        get_move(tally, index, goal);
    } else {
        get_place(tally, kind, index, goal);
    }
    goal->excuse = excuse_of(tally->plan->scenario, goal);
}

bool sb_goal_is_missing(const sb_goal *goal)
{
    return goal->seeds == 0 && goal->excuse == NULL && goal->wanted != 0;
}

sb_goal_sum sb_goals_sum(const sb_tally *tally, sb_goal_kind kind)
{
    sb_goal_sum sum = {.count = sb_goal_count(kind)};
    for (size_t i = 0; i < sum.count; i++) {
        sb_goal goal;
        sb_goal_get(tally, kind, i, &goal);
        sum.reached += goal.seeds != 0;
        sum.missing += sb_goal_is_missing(&goal);
        sum.idle += goal.seeds == 0 && goal.excuse == NULL && goal.wanted == 0;
        sum.excused += goal.seeds == 0 && goal.excuse != NULL;
        sum.refuted += goal.seeds != 0 && goal.excuse != NULL;
    }
    return sum;
}

const char *sb_goal_word(sb_goal_kind kind)
{
    static const char *const words[SB_GOAL_KIND_COUNT] = {
        [SB_GOAL_PROBE] = "probes", [SB_GOAL_MOVE] = "moves", [SB_GOAL_FAILPOINT] = "failpoints"};
    return words[kind];
}

bool sb_goals_missed(const sb_tally *tally)
{
    for (int kind = 0; kind < SB_GOAL_KIND_COUNT; kind++) {
        const sb_goal_sum sum = sb_goals_sum(tally, (sb_goal_kind)kind);
        if (sum.missing != 0 || (sum.refuted != 0 && tally->plan->bugs == 0)) {
            return true;
        }
    }
    return false;
}

/* ----------------------------------------------------------------------------------- printing */

static void print_names(FILE *out, const sb_tally *tally, sb_goal_kind kind, const sb_goal_sum *sum)
{
    size_t shown = 0;
    for (size_t i = 0; i < sum->count && shown < NAMES_SHOWN_MAX; i++) {
        sb_goal goal;
        sb_goal_get(tally, kind, i, &goal);
        if (sb_goal_is_missing(&goal)) {
            const bool has_place = goal.place[0] != '\0';
            fprintf(out, "  never: %s%s%s%s\n", goal.name, has_place ? " (" : "", goal.place,
                    has_place ? ")" : "");
            shown++;
        }
    }
    if (sum->missing > shown) {
        fprintf(out, "  and %zu more: --json FILE has them all\n", sum->missing - shown);
    }
}

static void print_refuted(FILE *out, const sb_tally *tally, sb_goal_kind kind, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sb_goal goal;
        sb_goal_get(tally, kind, i, &goal);
        if (goal.seeds != 0 && goal.excuse != NULL) {
            fprintf(out, "  in %" PRIu64 " seeds, and should never: %s (%s)\n", goal.seeds,
                    goal.name, goal.excuse);
        }
    }
}

static void print_kind(FILE *out, const sb_tally *tally, sb_goal_kind kind, bool is_strict)
{
    const sb_goal_sum sum = sb_goals_sum(tally, kind);
    const bool is_named = is_strict || tally->seeds >= SB_NAMED_SEEDS_MIN;
    static const char *const done[SB_GOAL_KIND_COUNT] = {
        [SB_GOAL_PROBE] = "reached", [SB_GOAL_MOVE] = "walked", [SB_GOAL_FAILPOINT] = "fired"};
    if (sum.count == sum.idle) {
        return; /* no failpoint was enabled, or there is none */
    }
    fprintf(out, "%-10s %zu of %zu %s", sb_goal_word(kind), sum.reached, sum.count, done[kind]);
    if (sum.idle != 0) {
        fprintf(out, ", %zu not enabled", sum.idle);
    }
    if (sum.excused != 0) {
        fprintf(out, ", %zu not expected here", sum.excused);
    }
    if (sum.missing != 0) {
        fprintf(out, ", %zu never", sum.missing);
    }
    if (sum.missing != 0 && !is_named) {
        fprintf(out, " (named from %d seeds on, and with --strict)", SB_NAMED_SEEDS_MIN);
    }
    fputc('\n', out);
    if (is_named) {
        print_names(out, tally, kind, &sum);
    }
    if (sum.refuted != 0) {
        print_refuted(out, tally, kind, sum.count);
    }
}

void sb_goals_print(FILE *out, const sb_tally *tally, bool is_strict)
{
    for (int kind = 0; kind < SB_GOAL_KIND_COUNT; kind++) {
        print_kind(out, tally, (sb_goal_kind)kind, is_strict);
    }
}
