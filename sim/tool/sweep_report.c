/*
 * What a sweep says at its end; see sweep.h.  Everything here is the same for the same seeds,
 * however they were run.
 */
#include <inttypes.h>
#include <string.h>

#include "sim/tool/contract.h"
#include "sim/tool/pairs.h"
#include "sim/tool/reach.h"
#include "sim/tool/sweep.h"

#define MILLION 1000000u

static bool is_interrupted(const sb_sweep *sweep)
{
    return sweep->end == SB_POOL_INTERRUPTED;
}

void sb_sweep_title(const sb_sweep *sweep, char *text, size_t size)
{
    char options[SB_PLAN_TEXT_SIZE], range[96], shard[96] = "", every[64] = "";
    sb_plan_options(sweep->plan, options, sizeof options);
    if (sweep->is_open) {
        snprintf(range, sizeof range, "%" PRIu64 "..", sweep->first);
    } else {
        snprintf(range, sizeof range, "%" PRIu64 "..%" PRIu64, sweep->first, sweep->last);
    }
    if (sweep->shard.count > 1) {
        snprintf(shard, sizeof shard, "  shard %" PRIu64 "/%" PRIu64, sweep->shard.index,
                 sweep->shard.count);
    }
    if (sweep->arguments->every != 0) {
        snprintf(every, sizeof every, " --every %" PRIu64, sweep->arguments->every);
    }
    snprintf(text, size, "sweep %s  seeds %s%s  strategy %s  build %s%s%s%s",
             sweep->plan->scenario->name, range, shard, sb_strategy_name(sweep->plan->strategy),
             sweep->plan->product->version, options[0] != '\0' ? " " : "", options, every);
}

int sb_sweep_verdict(const sb_sweep *sweep, const char **word)
{
    const sb_tally *const tally = &sweep->tally;
    bool toothless = false;
    for (unsigned fault = 1; fault < SB_FAULT_COUNT; fault++) {
        toothless = toothless || sb_judge_fault(tally, (sb_fault)fault) == SB_FAULT_TOOTHLESS;
    }
    if (sweep->differences.count != 0 || sweep->unrepeatable.count != 0 ||
        sweep->unmet.count != 0 || tally->kinds[SB_FINDING_NONDETERMINISM] != 0) {
        *word = "nondeterminism";
        return SB_EXIT_NONDETERMINISM;
    }
    if (tally->findings + sweep->effects.findings != 0) {
        *word = "findings";
        return SB_EXIT_FINDINGS;
    }
    const uint64_t lost = tally->lost + sweep->effects.lost;
    const bool not_strict = sweep->arguments->strict && (toothless || sb_goals_missed(tally));
    const bool is_vacuous = sb_floors_missed(tally) ||
                            (sweep->plan->exhaust.kind != SB_EXHAUST_NONE && sweep->places == 0);
    *word = is_interrupted(sweep)                   ? "interrupted"
            : lost != 0 || tally->inconclusive != 0 ? "inconclusive"
            : is_vacuous                            ? "vacuous"
            : not_strict                            ? "not-strict"
                                                    : NULL;
    if (*word != NULL) {
        return SB_EXIT_INCONCLUSIVE;
    }
    *word = "passed";
    return SB_EXIT_PASSED;
}

/* ------------------------------------------------------------------------------------- totals */

/* What of --exhaust was done. */
static void print_exhausted(FILE *out, const sb_sweep *sweep)
{
    const sb_exhaust_kind kind = sweep->plan->exhaust.kind;
    if (kind == SB_EXHAUST_NONE) {
        return;
    }
    fprintf(out, "exhausted  %s: ", sb_exhaust_word(kind));
    if (sweep->arguments->every > 1) {
        fprintf(out, "every %" PRIu64 "th of ", sweep->arguments->every);
    }
    fprintf(out, "%" PRIu64 " places of %" PRIu64 " seed%s\n", sweep->places,
            sweep->exhausted_seeds, sweep->exhausted_seeds == 1 ? "" : "s");
    if (sweep->unmet.count != 0) {
        fprintf(out,
                "  in %" PRIu64 " runs the place that was to fail did not come; smallest: seed "
                "%" PRIu64 " at %" PRIu64 "\n",
                sweep->unmet.count, sweep->unmet.smallest.seed, sweep->unmet.smallest.ordinal);
    }
}

static void print_outcomes(FILE *out, const sb_tally *tally)
{
    const bool is_of_places = tally->plan->exhaust.kind != SB_EXHAUST_NONE;
    fprintf(out,
            "%s %" PRIu64 " run, %" PRIu64 " passed, %" PRIu64 " with findings, %" PRIu64
            " inconclusive, %" PRIu64 " lost\n",
            is_of_places ? "runs      " : "seeds     ", tally->seeds, tally->passed,
            tally->findings, tally->inconclusive, tally->lost);
    if (tally->inconclusive != 0) {
        fprintf(out, "  inconclusive: the step limit was met; smallest seed %" PRIu64 "\n",
                tally->first_inconclusive);
    }
    for (unsigned i = 0; i < tally->lost_kept; i++) {
        char name[32] = "an exit";
        if (tally->lost_seeds[i].signal != 0) {
            sb_signal_text(tally->lost_seeds[i].signal, name, sizeof name);
        }
        fprintf(out, "  lost: seed %" PRIu64 " at step %" PRIu64 ", its worker was ended by %s\n",
                tally->lost_seeds[i].seed, tally->lost_seeds[i].step, name);
    }
    if (tally->lost > tally->lost_kept) {
        fprintf(out, "  and %" PRIu64 " more\n", tally->lost - tally->lost_kept);
    }
}

static void print_time(FILE *out, const sb_tally *tally)
{
    fprintf(out, "simulated  %" PRIu64 ".%03" PRIu64 "s in %" PRIu64 " steps\n",
            tally->simulated_ns / SB_SECOND, tally->simulated_ns / SB_MILLISECOND % 1000,
            tally->steps);
}

static void print_counters(FILE *out, const sb_tally *tally)
{
    const sb_product *const product = tally->plan->product;
    int width = 0;
    for (size_t i = 0; i < product->counter_count && i < SB_COUNTER_MAX; i++) {
        const int length = (int)strlen(product->counters[i].name);
        width = tally->counters[i] != 0 && length > width ? length : width;
    }
    for (size_t i = 0, shown = 0; i < product->counter_count && i < SB_COUNTER_MAX; i++) {
        const sb_counter *const counter = &product->counters[i];
        if (tally->counters[i] != 0) {
            const bool is_said = counter->text == NULL || strcmp(counter->text, counter->name) == 0;
            fprintf(out, "%s  %-*s %12" PRIu64 "%s%s\n", shown++ == 0 ? "work\n" : "", width,
                    counter->name, tally->counters[i], is_said ? "" : "  ",
                    is_said ? "" : counter->text);
        }
    }
}

static void print_floors(FILE *out, const sb_tally *tally)
{
    const sb_scenario *const scenario = tally->plan->scenario;
    size_t held = 0;
    for (size_t i = 0; i < scenario->floor_count; i++) {
        held += !sb_floor_missed(tally, i);
    }
    if (scenario->floor_count != 0) {
        fprintf(out,
                "floors     %zu of %zu held, %" PRIu64 " of %" PRIu64 " passed seeds vacuous\n",
                held, scenario->floor_count, tally->vacuous, tally->passed);
    }
    for (size_t i = 0; i < scenario->floor_count; i++) {
        if (!sb_floor_missed(tally, i)) {
            continue;
        }
        const sb_floor *const floor = &scenario->floors[i];
        const sb_product *const product = tally->plan->product;
        const char *const name =
            floor->counter < product->counter_count ? product->counters[floor->counter].name : "?";
        fprintf(out,
                "vacuous    %s: at least %" PRIu64 " in %" PRIu64 " of %" PRIu64
                " passed seeds; expected %" PRIu32 ".%" PRIu32 "%% of them\n",
                name, floor->least, tally->floor_reached[i], tally->passed, floor->share / 10000,
                floor->share / 1000 % 10);
    }
    if (tally->vacuous != 0) {
        fprintf(out, "  %" PRIu64 " seeds did too little; smallest seed %" PRIu64 "\n",
                tally->vacuous, tally->first_vacuous);
    }
}

static void print_faults(FILE *out, const sb_tally *tally)
{
    bool any = false;
    for (unsigned i = 1; i < SB_FAULT_COUNT; i++) {
        const sb_fault_tally *const fault = &tally->faults[i];
        const bool declared = (tally->plan->scenario->faults >> i & 1) != 0;
        if (!declared && fault->armed_worlds == 0 && fault->applied == 0) {
            continue;
        }
        if (!any) {
            fprintf(out, "%-26s %9s %9s %12s %10s %12s %9s %10s  %s\n", "faults", "declared",
                    "armed", "applied", "by trigger", "effective", "in seeds", "observed",
                    "judgement");
            any = true;
        }
        const sb_fault_judgement judgement = sb_judge_fault(tally, (sb_fault)i);
        char observed[48] = "-";
        if (fault->sampled != 0) {
            snprintf(observed, sizeof observed, "%" PRIu64 "/%" PRIu64, fault->observed,
                     fault->sampled);
        }
        fprintf(out,
                "  %-24s %9s %9" PRIu64 " %12" PRIu64 " %10" PRIu64 " %12" PRIu64 " %9" PRIu64
                " %10s  %s\n",
                sb_fault_word((sb_fault)i), declared ? "yes" : "no", fault->armed_worlds,
                fault->applied, fault->triggered, fault->effective, fault->effective_worlds,
                observed,
                judgement == SB_FAULT_BITES       ? "bites"
                : judgement == SB_FAULT_TOOTHLESS ? "dead: without effect"
                                                  : "not judged");
    }
}

static void print_twice(FILE *out, const sb_sweep *sweep)
{
    if (sweep->arguments->twice_share != 0) {
        fprintf(out, "twice      %zu of %zu seeds compared, %" PRIu64 " differ\n",
                sweep->twice_compared, sweep->twice_count, sweep->differences.count);
    }
}

void sb_sweep_print_totals(FILE *out, const sb_sweep *sweep)
{
    const sb_tally *const tally = &sweep->tally;
    print_exhausted(out, sweep);
    print_outcomes(out, tally);
    print_time(out, tally);
    sb_strategies_print(out, tally->strategies,
                        tally->plan->exhaust.kind != SB_EXHAUST_NONE ? "runs" : "seeds");
    print_counters(out, tally);
    print_floors(out, tally);
    print_faults(out, tally);
    sb_pairs_print(out, tally);
    sb_goals_print(out, tally, sweep->arguments->strict);
    print_twice(out, sweep);
    sb_effects_print(out, &sweep->effects, sweep->plan);
}
