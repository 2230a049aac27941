/*
 * The outcome of a sweep as JSON: the same bytes for the same seeds and build; 64-bit numbers are
 * strings.
 */
#include <inttypes.h>
#include <string.h>

#include "sim/record/trace_file.h"
#include "sim/tool/pairs.h"
#include "sim/tool/reach.h"
#include "sim/tool/sweep.h"

static void pair(FILE *out, const char *separator, const char *name, const char *value)
{
    fputs(separator, out);
    sb_json_string(out, name);
    fputc(':', out);
    sb_json_string(out, value);
}

static void number(FILE *out, const char *separator, const char *name, uint64_t value)
{
    fprintf(out, "%s\"%s\":\"%" PRIu64 "\"", separator, name, value);
}

static void write_findings(FILE *out, const sb_sweep *sweep, char *const *details)
{
    fputs(",\n\"findings\":[", out);
    for (size_t i = 0; i < sweep->tally.group_count; i++) {
        const sb_group *const group = &sweep->tally.groups[i];
        char signature[16], replay[SB_PLAN_TEXT_SIZE];
        snprintf(signature, sizeof signature, "%08" PRIx32, group->smallest.signature);
        const sb_plan plan = sb_plan_at(sweep->plan, group->smallest.ordinal);
        sb_plan_replay(&plan, group->smallest.seed, replay, sizeof replay);
        pair(out, i == 0 ? "\n{" : ",\n{", "kind", sb_finding_word(group->smallest.finding_kind));
        pair(out, ",", "place", group->smallest.place);
        pair(out, ",", "signature", signature);
        pair(out, ",", "text", group->smallest.text);
        number(out, ",", "seeds", group->count);
        number(out, ",", "smallest", group->smallest.seed);
        if (group->smallest.ordinal != 0) {
            number(out, ",", "place_number", group->smallest.ordinal);
        }
        number(out, ",", "step", group->smallest.finding_step);
        number(out, ",", "time", group->smallest.finding_time);
        pair(out, ",", "replay", replay);
        pair(out, ",", "details", details != NULL && details[i] != NULL ? details[i] : "");
        fputc('}', out);
    }
    fputc(']', out);
}

static void write_counters(FILE *out, const sb_tally *tally)
{
    const sb_product *const product = tally->plan->product;
    fputs(",\n\"counters\":{", out);
    for (size_t i = 0; i < product->counter_count && i < SB_COUNTER_MAX; i++) {
        number(out, i == 0 ? "" : ",", product->counters[i].name, tally->counters[i]);
    }
    fputc('}', out);
}

static void write_faults(FILE *out, const sb_tally *tally)
{
    fputs(",\n\"faults\":[", out);
    const char *separator = "\n{";
    for (unsigned i = 1; i < SB_FAULT_COUNT; i++) {
        const sb_fault_tally *const fault = &tally->faults[i];
        const bool declared = (tally->plan->scenario->faults >> i & 1) != 0;
        if (declared || fault->armed_worlds != 0) {
            pair(out, separator, "kind", sb_fault_word((sb_fault)i));
            fprintf(out, ",\"declared\":%s", declared ? "true" : "false");
            number(out, ",", "armed_seeds", fault->armed_worlds);
            number(out, ",", "applied", fault->applied);
            number(out, ",", "triggered", fault->triggered);
            number(out, ",", "effective", fault->effective);
            number(out, ",", "effective_seeds", fault->effective_worlds);
            number(out, ",", "sampled", fault->sampled);
            number(out, ",", "observed", fault->observed);
            fputc('}', out);
            separator = ",\n{";
        }
    }
    fputc(']', out);
}

static void write_goal(FILE *out, sb_goal_kind kind, const sb_goal *goal)
{
    pair(out, "{", "name", goal->name);
    if (goal->place[0] != '\0') {
        pair(out, ",", "place", goal->place);
    }
    number(out, ",", "seeds", goal->seeds);
    if (kind == SB_GOAL_FAILPOINT) {
        number(out, ",", "enabled_seeds", goal->wanted);
    }
    if (goal->excuse != NULL) {
        pair(out, ",", "unreachable", goal->excuse);
    }
    fputc('}', out);
}

/* All of a kind with how many seeds reached each, then the names of those that are missing. */
static void write_goals(FILE *out, const sb_tally *tally, sb_goal_kind kind)
{
    const char *const name = sb_goal_word(kind);
    const size_t count = sb_goal_count(kind);
    sb_goal goal;
    fprintf(out, ",\n\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        fputs(i == 0 ? "\n" : ",\n", out);
        sb_goal_get(tally, kind, i, &goal);
        write_goal(out, kind, &goal);
    }
    fprintf(out, "],\n\"%s_missing\":[", name);
    const char *separator = "";
    for (size_t i = 0; i < count; i++) {
        sb_goal_get(tally, kind, i, &goal);
        if (sb_goal_is_missing(&goal)) {
            fputs(separator, out);
            sb_json_string(out, goal.name);
            separator = ",";
        }
    }
    fputc(']', out);
}

/* The runs without one of their faults. */
static void write_masked(FILE *out, const sb_sweep *sweep)
{
    const sb_effects *const effects = &sweep->effects;
    number(out, ",", "masked_compared", effects->compared);
    number(out, ",", "masked_lost", effects->lost);
    number(out, ",", "masked_findings", effects->findings);
    if (effects->findings != 0) {
        char replay[SB_PLAN_TEXT_SIZE];
        const sb_plan plan = sb_effects_plan(effects, sweep->plan);
        sb_plan_replay(&plan, effects->first.seed, replay, sizeof replay);
        pair(out, ",", "masked_kind", sb_finding_word(effects->first_result.finding_kind));
        pair(out, ",", "masked_replay", replay);
    }
}

void sb_sweep_write_json(FILE *out, const sb_sweep *sweep, char *const *details)
{
    const sb_tally *const tally = &sweep->tally;
    const char *verdict;
    char digest[32], options[SB_PLAN_TEXT_SIZE];
    const int code = sb_sweep_verdict(sweep, &verdict);
    sb_plan_options(sweep->plan, options, sizeof options);
    snprintf(digest, sizeof digest, "%016" PRIx64, tally->digest);
    fprintf(out, "{\"schema\":1");
    pair(out, ",", "product", sweep->plan->product->name);
    pair(out, ",", "build", sweep->plan->product->version);
    pair(out, ",", "scenario", sweep->plan->scenario->name);
    pair(out, ",", "options", options[0] == ' ' ? options + 1 : options);
    pair(out, ",", "strategy", sb_strategy_name(sweep->plan->strategy));
    number(out, ",", "first_seed", sweep->first);
    number(out, ",", "last_seed", sweep->last);
    number(out, ",", "shard", sweep->shard.index);
    number(out, ",", "shards", sweep->shard.count);
    pair(out, ",\n", "verdict", verdict);
    fprintf(out, ",\"exit_code\":%d", code);
    pair(out, ",", "digest", digest);
    number(out, ",", "steps", tally->steps);
    number(out, ",", "simulated_ns", tally->simulated_ns);
    if (sweep->plan->exhaust.kind != SB_EXHAUST_NONE) {
        pair(out, ",\n", "exhaust", sb_exhaust_word(sweep->plan->exhaust.kind));
        number(out, ",", "every", sweep->arguments->every != 0 ? sweep->arguments->every : 1);
        number(out, ",", "places", sweep->places);
        number(out, ",", "exhausted_seeds", sweep->exhausted_seeds);
        number(out, ",", "unmet", sweep->unmet.count);
    }
    number(out, ",\n", "seeds", tally->seeds);
    number(out, ",", "passed", tally->passed);
    number(out, ",", "with_findings", tally->findings);
    number(out, ",", "inconclusive", tally->inconclusive);
    number(out, ",", "lost", tally->lost);
    number(out, ",", "vacuous", tally->vacuous);
    number(out, ",", "compared_twice", sweep->twice_compared);
    number(out, ",", "differing", sweep->differences.count + sweep->unrepeatable.count);
    write_masked(out, sweep);
    fputs(",\n\"strategies\":", out);
    sb_strategies_write_json(out, tally->strategies);
    write_counters(out, tally);
    write_faults(out, tally);
    sb_pairs_write_json(out, tally);
    for (int kind = 0; kind < SB_GOAL_KIND_COUNT; kind++) {
        write_goals(out, tally, (sb_goal_kind)kind);
    }
    write_findings(out, sweep, details);
    fputs("}\n", out);
}
