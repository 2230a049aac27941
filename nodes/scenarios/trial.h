/*
 * A trial: the life of one run, which all scenarios share.
 *
 *   boot → load → clients work → submit the first job → trouble, more jobs → heal → clients stop →
 * the jobs end, nothing temporary is left → everything stops → everything boots → an owner and a
 * transaction → everything stops → oracles
 *
 * Scenarios differ in their trouble.  It begins when the first job has been submitted (or could not
 * be, for a while) and returns when it is over; everything behind the heal happens in a
 * deterministic world, where a wait that never ends is proved to be one.
 */
#ifndef NODES_SCENARIOS_TRIAL_H
#define NODES_SCENARIOS_TRIAL_H

#include "nodes/oracles/offices.h"
#include "nodes/oracles/promises.h"
#include "nodes/scenarios/machines.h"
#include "nodes/scenarios/region_trouble.h"
#include "nodes/scenarios/script.h"
#include "nodes/scenarios/watch.h"

/* Failpoints of this name are errors that no retry heals: a job must fail for them. */
#define TRIAL_PERMANENT "*permanent*"

typedef struct trial {
    sb_world *world;
    const sb_settings *settings;
    machines machines;
    watch watch;
    promises promises; /* of placement */
    offices offices;
    operator_desk desk;
    script script;
    region_trouble regions;
    uint64_t restarted; /* bits of servers restarted while the first job lived */
    sb_core_plan core;  /* which servers may stay away from the heal until the jobs have ended */
    const char *rebuildable[SB_NODE_COUNT_MAX]; /* for sb_swarm_plan */
    uint64_t stopping;                          /* bits of machines that must stop now */
    job_id pausing;                             /* after the heal; 0: none */
    uint32_t looks;                             /* at the jobs, while waiting for their end */
    tenure_id tenure_before;                    /* the cold restart */
} trial;

typedef void trial_order(trial *of);
typedef void trial_trouble(trial *of);

/* What a scenario makes of a trial. */
typedef struct trial_plan {
    sb_network network; /* until the heal */
    machines_plan machines;
    trial_order *order; /* fills the script; NULL: ADD INDEX k_1 (k) and no more */
    trial_trouble *trouble;
} trial_plan;

/* Runs the whole life. */
void trial_run(sb_world *world, const sb_settings *settings, const trial_plan *plan);

uint64_t trial_setting(const trial *of, uint32_t setting);

/* A duration in [least, most], in milliseconds' steps; the calm answer is the least. */
sb_duration trial_draw_duration(trial *of, sb_duration least, sb_duration most);

/* Sleeps until the jobs have ended, as far as is known, or the time has passed; true: they have
 * ended. */
bool trial_wait_for_jobs(trial *of, sb_duration patience);

/* When the first order was accepted; 0: not yet. */
sb_time trial_submitted(const trial *of);

/* In `rate` of a million seeds servers stay away when the world heals, at most so many and in one
 * of these ways (bits 1 << SB_ABSENCE_x): the jobs must end without them, and they come back only
 * then. Placement and stores have the only copy of what they hold and always return. */
void trial_lose_servers(trial *of, uint32_t rate, uint32_t most, uint64_t absences);

/* Stop (or kill), wait until it is down, pause, boot, wait until it serves.  Counts the restart. */
typedef struct restart_plan {
    sb_duration down_for;
    bool kill;
} restart_plan;
void trial_restart_server(trial *of, sb_node server, const restart_plan *plan);

#endif
