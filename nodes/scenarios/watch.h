/*
 * What the director has seen of a world: the clients' history, and how far jobs and tasks have
 * come.
 *
 * It is all from observers (reports and moves of state machines), so it costs nothing to keep and
 * disturbs nothing; but a move whose reply was lost and whose mover died was perhaps never told. It
 * serves the witness of stuck proofs, the line that describes a finding, and the counts of useful
 * work.  What is *judged* is judged by durable bytes.
 */
#ifndef NODES_SCENARIOS_WATCH_H
#define NODES_SCENARIOS_WATCH_H

#include "engine/ddl/job.h"
#include "engine/task/task.h"
#include "nodes/oracles/garbage.h"
#include "nodes/oracles/decisions.h"
#include "nodes/oracles/history.h"
#include "nodes/scenarios/machines.h"

#define WATCHED_JOBS_MAX 8u

typedef struct watched_job {
    job_id id;
    job_state state;
    task_state task;
    bool has_task;
    uint8_t subtasks[SUBTASKS_MAX]; /* subtask_state */
    sb_node runners[SUBTASKS_MAX];  /* who has moved it last */
    uint32_t subtask_count;         /* the greatest number seen, and one */
    bool turned_back;
    uint64_t full_disks; /* of watch, when it turned back */
} watched_job;

typedef struct watch {
    const machines *machines;
    history operations;
    uint64_t loaded; /* bits of tables */
    decisions decisions;
    collected collected;
    watched_job jobs[WATCHED_JOBS_MAX];
    uint32_t job_count;
    schema_state schema;                        /* of the index that moved last */
    sb_node owner;                              /* who moved a job last */
    schema_version versions[SB_NODE_COUNT_MAX]; /* of servers, as clients were told */
    uint8_t servers[SB_NODE_COUNT_MAX];         /* server_state */
    uint8_t leases[SB_NODE_COUNT_MAX];          /* lease_state */
    session_id sessions[SB_NODE_COUNT_MAX];     /* of servers, the latest they began */
    uint64_t workers;                           /* bits of servers where a subtask succeeded */
    uint64_t moves;      /* of jobs, tasks, subtasks, schema states, sessions and leases */
    uint64_t full_disks; /* how often a program had been told that a disk had no room, when a job
                          * moved last; whoever observes the moves sets it */
} watch;

void watch_init(watch *into, const machines *of);
void watch_release(watch *of);

void watch_report(watch *into, sb_node node, uint32_t kind, slice report);
void watch_move(watch *into, sb_node node, const sb_machine *machine, uint64_t id, uint32_t to);

/* Whether every table has its initial rows. */
bool watch_loaded(const watch *of);

/* NULL: nothing was seen of it. */
const watched_job *watch_job(const watch *of, job_id id);
bool watch_job_ended(const watch *of, job_id id);

/* Whether a subtask runs on that server, as far as is known. */
bool watch_runs_subtask(const watch *of, sb_node server);

/* For sb_witness. */
uint64_t watch_progress(const watch *of, const sb_world *world);
uint64_t watch_effort(const watch *of);
void watch_describe(const watch *of, char *text, size_t size);

#endif
