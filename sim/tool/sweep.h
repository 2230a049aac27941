/*
 * The parts of a sweep: running it (sweep.c), judging and printing it (sweep_report.c), as JSON
 * (sweep_json.c).
 */
#ifndef SB_TOOL_SWEEP_H
#define SB_TOOL_SWEEP_H

#include "sim/tool/effect.h"
#include "sim/tool/options.h"
#include "sim/tool/progress.h"
#include "sim/tool/shard.h"
#include "sim/tool/tally.h"
#include "sim/tool/twice.h"

/* Runs whose second run was different, or whose run alone was not that of the sweep. */
typedef struct sb_difference {
    uint64_t count;
    sb_run_name smallest;
} sb_difference;

typedef struct sb_sweep {
    const sb_arguments *arguments;
    const sb_plan *plan;
    uint64_t first, last; /* as asked for */
    bool is_open;         /* --for without --seeds: there is no last */
    sb_shard shard;
    sb_seed_sequence seeds;
    sb_tally tally;
    sb_pool_end end;
    /* for the second run */
    sb_second_run *twice_runs; /* the first runs that come again, and what they gave */
    size_t twice_count, twice_capacity, twice_compared;
    sb_difference differences;  /* between two runs of --twice */
    sb_difference unrepeatable; /* between the sweep and a run alone */
    sb_effects effects;         /* runs without one of their faults */
    sb_progress progress;
    uint64_t deadline, first_deadline; /* of all, and of the first run of each */
    /* of --exhaust */
    sb_difference unmet;  /* runs that did not meet the place that was to fail */
    uint64_t seed_places; /* of the seed in hand */
    uint64_t places, exhausted_seeds;
} sb_sweep;

/* "sweep rolling-restart  seeds 1..1000  strategy portfolio  build 4f2c1ab", for the first and the
 * last line. */
void sb_sweep_title(const sb_sweep *sweep, char *text, size_t size);

/* What is printed between the findings and the last line. */
void sb_sweep_print_totals(FILE *out, const sb_sweep *sweep);

/* The verdict in one word, and its exit code. */
int sb_sweep_verdict(const sb_sweep *sweep, const char **word);

/* Totals, verdict and findings as JSON.  details: text blocks of the groups, in their order. */
void sb_sweep_write_json(FILE *out, const sb_sweep *sweep, char *const *details);

#endif
