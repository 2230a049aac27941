/*
 * Running one seed of a plan, and what is kept of it.
 */
#ifndef SB_TOOL_RUN_H
#define SB_TOOL_RUN_H

#include "sim/tool/plan.h"
#include "sim/verdict/signature.h"

/* Beside the outcomes of a world: the process that ran it was lost, and nothing is known of the
 * seed. */
#define SB_OUTCOME_LOST (SB_OUTCOME_INCONCLUSIVE + 1)

#define SB_WORDS_OF_BITS(bits) (((bits) + 63) / 64)

/* Fixed in size, without pointers: it crosses processes. */
typedef struct sb_seed_result {
    uint64_t index; /* in the sequence of seeds */
    uint64_t seed;
    uint64_t ordinal; /* of the place that fails (--exhaust); 0: none */
    uint64_t places;  /* that it met, up to its heal */
    uint64_t digest, steps;
    uint64_t observation; /* 0: not kept */
    uint64_t simulated_ns, real_ns;
    uint64_t counters[SB_COUNTER_MAX];
    uint64_t probe_bits[SB_WORDS_OF_BITS(SB_PROBE_MAX)];
    uint64_t failpoint_bits[SB_WORDS_OF_BITS(SB_FAILPOINT_MAX)];
    uint64_t failpoint_enabled_bits[SB_WORDS_OF_BITS(SB_FAILPOINT_MAX)];
    uint64_t edge_bits[SB_WORDS_OF_BITS(SB_EDGE_MAX)];
    sb_fault_counts faults[SB_FAULT_COUNT];
    uint64_t fault_pairs[SB_FAULT_COUNT];
    uint64_t fault_states[SB_FAULT_COUNT][SB_STATE_WORDS];
    sb_step finding_step;
    sb_time finding_time;
    uint32_t signature;
    uint8_t outcome; /* sb_outcome, or SB_OUTCOME_LOST */
    uint8_t strategy;
    uint8_t finding_kind;
    uint8_t signal;  /* LOST: the signal that ended the process; 0: it exited */
    char place[192]; /* of a finding */
    char text[192];  /* what was seen */
} sb_seed_result;

/* One run of a plan: a seed, the place in it that fails (0: none), and which faults it masks
 * besides those of the plan. */
typedef struct sb_run_name {
    uint64_t seed, ordinal, masked;
} sb_run_name;

static inline sb_run_name sb_run_name_of(const sb_seed_result *result)
{
    return (sb_run_name){result->seed, result->ordinal, 0};
}

static inline bool sb_run_name_before(sb_run_name left, sb_run_name right)
{
    return left.seed < right.seed || (left.seed == right.seed && left.ordinal < right.ordinal);
}

/* The other way to lie in memory, for runs that must not notice. */
extern const sb_universe_options sb_usual_universe, sb_other_universe;

/* Reset the universe's world to this seed and run it to its end.  Extra options: record, marks,
 * break; NULL: none. */
sb_world *sb_run_seed(sb_universe *universe, const sb_plan *plan, uint64_t seed,
                      const sb_world_options *extra, sb_seed_result *result);

/* Whether a finding was made by a signal: the process that made it is not to be trusted with
 * another seed. */
bool sb_is_by_signal(const sb_seed_result *result);

/* Names of nodes, state machines and of tasks, which a record needs to be read without its world.
 */
void sb_name_record(sb_world *world, sb_record *record);

/* Processor time and time of day of the host, in nanoseconds: for figures and watchdogs, never for
 * a world. */
uint64_t sb_host_time(void);

#endif
