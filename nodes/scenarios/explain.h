/*
 * Who holds a job up: the chain from what has not ended to the server and the task that should end
 * it, told for a world that stands still (sb_witness.explain).
 */
#ifndef NODES_SCENARIOS_EXPLAIN_H
#define NODES_SCENARIOS_EXPLAIN_H

#include "nodes/scenarios/trial.h"

/* By the rows on the stores' disks: jobs, their unacknowledged schema versions, tasks, subtasks;
 * the registry where work waits for a server; and machines that were asked to stop.  It runs in the
 * director, in a world that has ended. */
void explain_trial(trial *of);

#endif
