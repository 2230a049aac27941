/*
 * Running one seed; see run.h.
 */
#include "sim/tool/run.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const sb_universe_options sb_usual_universe = {0};
const sb_universe_options sb_other_universe = {
    .base = UINT64_C(0x5b0000000000), .fill = 0xc3, .permute_blocks = true};

uint64_t sb_host_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SB_SECOND + (uint64_t)now.tv_nsec;
}

bool sb_is_by_signal(const sb_seed_result *result)
{
    return result->outcome == SB_OUTCOME_FINDING &&
           (result->finding_kind == SB_FINDING_NIL_DEREFERENCE ||
            result->finding_kind == SB_FINDING_CRASH || result->finding_kind == SB_FINDING_RUNAWAY);
}

static void keep_finding(sb_world *world, sb_seed_result *result)
{
    const sb_finding_report *const finding = sb_world_finding(world);
    assert(finding != NULL);
    sb_stack stack;
    sb_place place;
    sb_stack_symbolise(finding->frames, finding->frame_count, &stack);
    sb_finding_place(finding, &stack, &place);
    sb_place_text(&place, result->place, sizeof result->place);
    snprintf(result->text, sizeof result->text, "%.191s", finding->text);
    result->finding_kind = (uint8_t)finding->kind;
    result->finding_step = finding->step;
    result->finding_time = finding->time;
    result->signature = sb_finding_signature(finding, &stack, sb_node_role(world, finding->node));
}

static void keep_result(sb_world *world, sb_outcome outcome, sb_seed_result *result)
{
    result->digest = sb_world_digest(world);
    result->observation = sb_world_observation(world);
    result->places = sb_world_exhaust_count(world);
    result->steps = sb_world_step(world);
    result->simulated_ns = sb_world_time(world);
    result->outcome = (uint8_t)outcome;
    result->strategy = (uint8_t)sb_world_strategy(world);
    for (unsigned i = 0; i < SB_COUNTER_MAX; i++) {
        result->counters[i] = sb_world_counter(world, i);
    }
    memcpy(result->probe_bits, sb_world_probe_bits(world), sizeof result->probe_bits);
    memcpy(result->failpoint_bits, sb_world_failpoint_bits(world), sizeof result->failpoint_bits);
    memcpy(result->failpoint_enabled_bits, sb_world_failpoint_enabled_bits(world),
           sizeof result->failpoint_enabled_bits);
    memcpy(result->edge_bits, sb_world_edge_bits(world), sizeof result->edge_bits);
    memcpy(result->faults, sb_world_fault_counts(world), sizeof result->faults);
    memcpy(result->fault_pairs, sb_world_fault_pairs(world), sizeof result->fault_pairs);
    memcpy(result->fault_states, sb_world_fault_states(world), sizeof result->fault_states);
    if (outcome == SB_OUTCOME_FINDING) {
        keep_finding(world, result);
    }
}

sb_world *sb_run_seed(sb_universe *universe, const sb_plan *plan, uint64_t seed,
                      const sb_world_options *extra, sb_seed_result *result)
{
    sb_world_options options = extra != NULL ? *extra : (sb_world_options){0};
    options.seed = seed;
    options.strategy = plan->strategy;
    options.bugs = plan->bugs;
    options.tape = plan->tape;
    options.masked = plan->masked;
    options.exhaust = plan->exhaust;
    memset(result, 0, sizeof *result);
    result->seed = seed;
    result->ordinal = plan->exhaust.ordinal;
    const uint64_t start = sb_host_time();
    sb_settings settings = {plan->values, plan->scenario->setting_count};
    sb_world *const world = sb_world_reset(universe, &options, plan->scenario->run, &settings);
    for (unsigned i = 0; i < plan->failpoint_count; i++) {
        sb_failpoints_enable(world, plan->failpoints[i].glob, plan->failpoints[i].rate);
    }
    const sb_outcome outcome = sb_world_run(world);
    assert(outcome != SB_OUTCOME_RUNNING);
    result->real_ns = sb_host_time() - start;
    keep_result(world, outcome, result);
    return world;
}

void sb_name_record(sb_world *world, sb_record *record)
{
    for (unsigned node = 0; node < sb_node_count(world); node++) {
        sb_record_set_node_name(record, node, sb_node_name(world, (sb_node)node));
    }
    const sb_machine *const *machines;
    const size_t count = sb_machine_list(&machines);
    for (size_t i = 0; i < count; i++) {
        sb_record_set_machine(record, (unsigned)i, machines[i]->name, machines[i]->states,
                              machines[i]->state_count);
    }
}
