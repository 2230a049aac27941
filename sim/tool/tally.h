/*
 * What a sweep has seen, summed up seed by seed.
 *
 * Every sum is independent of the order of the seeds, so that shards agree with the whole.
 */
#ifndef SB_TOOL_TALLY_H
#define SB_TOOL_TALLY_H

#include "sim/tool/strategies.h"

/* Law 8 and law 10 judge shares only where there are enough worlds. */
#define SB_JUDGED_WORLDS_MIN 200
#define SB_FLOOR_MAX 32
#define SB_LOST_KEPT_MAX 16

/* Findings with one signature. */
typedef struct sb_group {
    uint64_t count;
    sb_seed_result smallest; /* the result of its smallest seed */
} sb_group;

typedef struct sb_fault_tally {
    uint64_t armed_worlds, applied_worlds, effective_worlds;
    uint64_t applied, effective, triggered;
    uint64_t sampled, observed; /* runs without it, and those in which programs got else */
} sb_fault_tally;

typedef struct sb_tally {
    const sb_plan *plan;
    sb_finding_kind counted_kind; /* findings that --stop-after counts; NONE: every kind */
    uint64_t seeds, passed, findings, counted_findings, inconclusive, lost;
    uint64_t steps, digest, simulated_ns, real_ns;
    uint64_t counters[SB_COUNTER_MAX];
    uint64_t floor_reached[SB_FLOOR_MAX]; /* passed seeds that reached the floor */
    uint64_t vacuous;       /* passed seeds that missed a floor every seed must reach */
    uint64_t first_vacuous; /* the smallest such seed */
    sb_strategy_count strategies[SB_STRATEGY_COUNT]; /* hits: counted_findings */
    uint64_t kinds[SB_FINDING_KIND_COUNT];
    sb_fault_tally faults[SB_FAULT_COUNT];
    /* How many seeds reached a probe, fired a failpoint, could fire it, walked a move. */
    uint64_t probe_seeds[SB_PROBE_MAX];
    uint64_t failpoint_seeds[SB_FAILPOINT_MAX];
    uint64_t failpoint_enabled_seeds[SB_FAILPOINT_MAX];
    uint64_t edge_seeds[SB_EDGE_MAX];
    /* How many seeds did two kinds shortly after each other, and a kind while something was in a
     * state. */
    uint64_t pair_seeds[SB_FAULT_COUNT][SB_FAULT_COUNT];
    uint64_t state_seeds[SB_FAULT_COUNT][SB_STATE_ALL_MAX];
    sb_group *groups;
    size_t group_count;
    struct {
        uint64_t seed;
        sb_step step;
        int signal;
    } lost_seeds[SB_LOST_KEPT_MAX];
    unsigned lost_kept;
    uint64_t first_inconclusive;
} sb_tally;

void sb_tally_init(sb_tally *tally, const sb_plan *plan);
void sb_tally_release(sb_tally *tally);
void sb_tally_add(sb_tally *tally, const sb_seed_result *result);

/* Order for printing: most seeds first, then the smallest seed. */
void sb_tally_sort(sb_tally *tally);

/* Whether a floor was missed by more seeds than it allows.  Not judged on few seeds unless every
 * seed must reach it. */
bool sb_floor_missed(const sb_tally *tally, size_t floor);
bool sb_floors_missed(const sb_tally *tally);

/* A fault that counts and is never seen is believed only for so many samples: some kinds make a
 * difference in one of ten seeds, because a program may well not care. */
#define SB_SAMPLES_MAX 50

typedef enum sb_fault_judgement {
    SB_FAULT_NOT_JUDGED,
    SB_FAULT_BITES,
    SB_FAULT_TOOTHLESS
} sb_fault_judgement;
sb_fault_judgement sb_judge_fault(const sb_tally *tally, sb_fault fault);

#endif
