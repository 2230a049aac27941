/*
 * Runs without one of their faults; see effect.h.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sim/tool/effect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/tool/options.h"

#define MILLION 1000000u

uint64_t sb_effect_kinds(uint64_t seed, uint32_t share)
{
    uint64_t kinds = 0;
    for (unsigned fault = 1; fault < SB_FAULT_COUNT && share != 0; fault++) {
        const uint64_t pair[2] = {seed, fault};
        kinds |= (uint64_t)(XXH3_64bits(pair, sizeof pair) % MILLION < share) << fault;
    }
    return kinds;
}

void sb_effects_init(sb_effects *effects, const sb_arguments *arguments, const sb_plan *plan)
{
    const bool is_hunt =
        plan->bugs != 0 || arguments->stop_after != 0 || plan->exhaust.kind != SB_EXHAUST_NONE;
    memset(effects, 0, sizeof *effects);
    effects->kinds = plan->scenario->faults & ~plan->masked;
    effects->share = arguments->effect_given ? arguments->effect_share
                     : is_hunt               ? 0
                                             : SB_EFFECT_SHARE_DEFAULT;
}

void sb_effects_release(sb_effects *effects)
{
    free(effects->runs);
    free(effects->expected);
}

static void remember(sb_effects *effects, const sb_seed_result *result, unsigned fault)
{
    if (effects->count == effects->capacity) {
        effects->capacity = effects->capacity == 0 ? 64 : effects->capacity * 2;
        effects->runs = sb_host_grow(effects->runs, effects->capacity, sizeof *effects->runs);
        effects->expected =
            sb_host_grow(effects->expected, effects->capacity, sizeof *effects->expected);
    }
    effects->runs[effects->count] = sb_run_name_of(result);
    effects->runs[effects->count].masked = UINT64_C(1) << fault;
    effects->expected[effects->count++] = result->observation;
}

void sb_effects_remember(sb_effects *effects, const sb_seed_result *result)
{
    if (effects->share == 0 || result->outcome != SB_OUTCOME_PASSED || result->observation == 0) {
        return;
    }
    const uint64_t kinds = sb_effect_kinds(result->seed, effects->share) & effects->kinds;
    for (uint64_t left = kinds; left != 0; left &= left - 1) {
        const unsigned fault = (unsigned)__builtin_ctzll(left);
        if (result->faults[fault].applied != 0) {
            remember(effects, result, fault);
        }
    }
}

void sb_effects_compare(sb_effects *effects, sb_tally *tally, const sb_seed_result *result)
{
    const sb_run_name *const run = &effects->runs[result->index];
    const unsigned fault = (unsigned)__builtin_ctzll(run->masked);
    if (result->outcome == SB_OUTCOME_LOST) {
        effects->lost++;
        return;
    }
    if (result->outcome == SB_OUTCOME_FINDING && effects->findings++ == 0) {
        effects->first = *run;
        effects->first_result = *result;
    }
    if (result->faults[fault].applied != 0) {
        return; /* it is done by somebody whom no mask stops: a store, a scenario */
    }
    effects->compared++;
    tally->faults[fault].sampled++;
    tally->faults[fault].observed += result->observation != effects->expected[result->index];
}

sb_plan sb_effects_plan(const sb_effects *effects, const sb_plan *plan)
{
    sb_plan masked = *plan;
    masked.masked |= effects->first.masked;
    return masked;
}

void sb_effects_print(FILE *out, const sb_effects *effects, const sb_plan *plan)
{
    if (effects->count == 0) {
        return;
    }
    fprintf(out,
            "effect     %" PRIu64 " runs compared with the same seed without one of its faults",
            effects->compared);
    if (effects->lost != 0) {
        fprintf(out, ", %" PRIu64 " lost", effects->lost);
    }
    fputc('\n', out);
    if (effects->findings != 0) {
        char replay[SB_PLAN_TEXT_SIZE];
        const sb_plan masked = sb_effects_plan(effects, plan);
        sb_plan_replay(&masked, effects->first.seed, replay, sizeof replay);
        fprintf(out, "  findings in %" PRIu64 " of them; the first is a %s\n  replay: %s\n",
                effects->findings, sb_finding_word(effects->first_result.finding_kind), replay);
    }
}
