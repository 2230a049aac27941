/*
 * Summing up; see tally.h.
 */
#include "sim/tool/tally.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"

#define MILLION 1000000u

void sb_tally_init(sb_tally *tally, const sb_plan *plan)
{
    assert(plan->scenario->floor_count <= SB_FLOOR_MAX);
    memset(tally, 0, sizeof *tally);
    tally->plan = plan;
    tally->counted_kind = sb_plan_expected_kind(plan);
}

void sb_tally_release(sb_tally *tally)
{
    free(tally->groups);
    tally->groups = NULL;
    tally->group_count = 0;
}

/* One seed more for each bit that is on. */
static void add_bits(uint64_t *seeds, const uint64_t *bits, size_t count)
{
    for (size_t word = 0; word < SB_WORDS_OF_BITS(count); word++) {
        for (uint64_t left = bits[word]; left != 0; left &= left - 1) {
            seeds[word * 64 + (size_t)__builtin_ctzll(left)]++;
        }
    }
}

static void add_faults(sb_tally *tally, const sb_seed_result *result)
{
    for (unsigned i = 0; i < SB_FAULT_COUNT; i++) {
        sb_fault_tally *const fault = &tally->faults[i];
        const sb_fault_counts *const counts = &result->faults[i];
        fault->armed_worlds += counts->armed;
        fault->applied_worlds += counts->applied != 0;
        fault->effective_worlds += counts->effective != 0;
        fault->applied += counts->applied;
        fault->effective += counts->effective;
        fault->triggered += counts->triggered;
    }
}

/* Only seeds that passed are asked for useful work: the others ended early. */
static void add_floors(sb_tally *tally, const sb_seed_result *result)
{
    const sb_scenario *const scenario = tally->plan->scenario;
    bool is_vacuous = false;
    for (size_t i = 0; i < scenario->floor_count; i++) {
        const sb_floor *const floor = &scenario->floors[i];
        if (result->counters[floor->counter] >= floor->least) {
            tally->floor_reached[i]++;
        } else if (floor->share >= MILLION && !is_vacuous) {
            is_vacuous = true;
            if (tally->vacuous++ == 0 || result->seed < tally->first_vacuous) {
                tally->first_vacuous = result->seed;
            }
        }
    }
}

/* Whether a finding is one that the sweep is after. */
static bool is_counted(const sb_tally *tally, const sb_seed_result *result)
{
    return tally->counted_kind == SB_FINDING_NONE ||
           tally->counted_kind == (sb_finding_kind)result->finding_kind;
}

static void add_finding(sb_tally *tally, const sb_seed_result *result)
{
    tally->findings++;
    tally->kinds[result->finding_kind]++;
    if (is_counted(tally, result)) {
        tally->counted_findings++;
    }
    for (size_t i = 0; i < tally->group_count; i++) {
        sb_group *const group = &tally->groups[i];
        if (group->smallest.signature == result->signature &&
            group->smallest.finding_kind == result->finding_kind) {
            group->count++;
            if (sb_run_name_before(sb_run_name_of(result), sb_run_name_of(&group->smallest))) {
                group->smallest = *result;
            }
            return;
        }
    }
    tally->groups = sb_host_grow(tally->groups, tally->group_count + 1, sizeof *tally->groups);
    tally->groups[tally->group_count++] = (sb_group){1, *result};
}

static void add_lost(sb_tally *tally, const sb_seed_result *result)
{
    tally->lost++;
    if (tally->lost_kept < SB_LOST_KEPT_MAX) {
        tally->lost_seeds[tally->lost_kept].seed = result->seed;
        tally->lost_seeds[tally->lost_kept].step = result->steps;
        tally->lost_seeds[tally->lost_kept].signal = result->signal;
        tally->lost_kept++;
    }
}

void sb_tally_add(sb_tally *tally, const sb_seed_result *result)
{
    tally->seeds++;
    if (result->outcome == SB_OUTCOME_LOST) {
        add_lost(tally, result);
        return;
    }
    tally->steps += result->steps;
    tally->digest += result->digest;
    tally->simulated_ns += result->simulated_ns;
    tally->real_ns += result->real_ns;
    for (unsigned i = 0; i < SB_COUNTER_MAX; i++) {
        tally->counters[i] += result->counters[i];
    }
    sb_strategies_add(tally->strategies, result,
                      result->outcome == SB_OUTCOME_FINDING && is_counted(tally, result));
    add_faults(tally, result);
    add_bits(tally->probe_seeds, result->probe_bits, SB_PROBE_MAX);
    add_bits(tally->failpoint_seeds, result->failpoint_bits, SB_FAILPOINT_MAX);
    add_bits(tally->failpoint_enabled_seeds, result->failpoint_enabled_bits, SB_FAILPOINT_MAX);
    add_bits(tally->edge_seeds, result->edge_bits, SB_EDGE_MAX);
    for (unsigned i = 1; i < SB_FAULT_COUNT; i++) {
        add_bits(tally->pair_seeds[i], &result->fault_pairs[i], SB_FAULT_COUNT);
        add_bits(tally->state_seeds[i], result->fault_states[i], SB_STATE_ALL_MAX);
    }
    if (result->outcome == SB_OUTCOME_FINDING) {
        add_finding(tally, result);
    } else if (result->outcome == SB_OUTCOME_INCONCLUSIVE) {
        if (tally->inconclusive++ == 0 || result->seed < tally->first_inconclusive) {
            tally->first_inconclusive = result->seed;
        }
    } else {
        tally->passed++;
        add_floors(tally, result);
    }
}

static int compare_groups(const void *left, const void *right)
{
    const sb_group *const a = left, *const b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    const sb_run_name left_name = sb_run_name_of(&a->smallest);
    const sb_run_name right_name = sb_run_name_of(&b->smallest);
    if (sb_run_name_before(left_name, right_name) || sb_run_name_before(right_name, left_name)) {
        return sb_run_name_before(left_name, right_name) ? -1 : 1;
    }
    return a->smallest.signature < b->smallest.signature
               ? -1
               : a->smallest.signature > b->smallest.signature;
}

void sb_tally_sort(sb_tally *tally)
{
    if (tally->group_count > 1) {
        qsort(tally->groups, tally->group_count, sizeof *tally->groups, compare_groups);
    }
}

bool sb_floor_missed(const sb_tally *tally, size_t floor)
{
    const uint32_t share = tally->plan->scenario->floors[floor].share;
    if (share >= MILLION) {
        return tally->floor_reached[floor] < tally->passed;
    }
    return tally->passed >= SB_JUDGED_WORLDS_MIN &&
           tally->floor_reached[floor] <
               tally->passed / MILLION * share + tally->passed % MILLION * share / MILLION;
}

bool sb_floors_missed(const sb_tally *tally)
{
    for (size_t i = 0; i < tally->plan->scenario->floor_count; i++) {
        if (sb_floor_missed(tally, i)) {
            return true;
        }
    }
    return false;
}

sb_fault_judgement sb_judge_fault(const sb_tally *tally, sb_fault fault)
{
    const bool is_declared = (tally->plan->scenario->faults >> fault & 1) != 0;
    if (!is_declared || tally->faults[fault].armed_worlds < SB_JUDGED_WORLDS_MIN) {
        return SB_FAULT_NOT_JUDGED;
    }
    const sb_fault_tally *const seen = &tally->faults[fault];
    if (seen->observed == 0 && (seen->effective == 0 || seen->sampled >= SB_SAMPLES_MAX)) {
        return SB_FAULT_TOOTHLESS;
    }
    return SB_FAULT_BITES;
}
