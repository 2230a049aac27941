/*
 * The owner's side of a distributed task: plan, assignment, failover, balance, the end.
 *
 *     pending ┬→ running ┬→ succeed
 *             │    ↑ │   ├→ reverting → reverted        a subtask failed for ever
 *             │    │ │   └→ cancelling ─┘               the job is cancelled; also out of
 *             │    │ └→ pausing → paused ─┐             pending and paused
 *             │    └──────── resuming ←───┘             the job is paused, and goes on
 *             └→ failed                                 no plan can be made
 *
 * To pause a task is to take its subtasks out of their servers' hands: pending and running ones
 * become paused in one transaction, whoever runs one sees it at its next look and stops, and what
 * it says afterwards is void.  Its checkpoint stays.  When the task resumes they are given away
 * anew.
 *
 * Each tick is one transaction of the owner: it reads the task, its subtasks and the registry at
 * one snapshot, decides, and commits what is to change.  Nothing is remembered between two ticks
 * but the plan on its way and what a tick saw that found nothing to do; so a new owner's scheduler
 * goes on where the last one was.
 */
#ifndef ENGINE_TASK_SCHEDULER_H
#define ENGINE_TASK_SCHEDULER_H

#include "engine/task/plan.h"
#include "engine/task/tenure.h"

typedef struct scheduler_settings {
    uint32_t rows_per_subtask; /* at most; 0: 150 */
    sb_duration tick;          /* 0: 500 ms */
} scheduler_settings;

typedef enum scheduler_order { SCHEDULER_GO, SCHEDULER_PAUSE, SCHEDULER_CANCEL } scheduler_order;

typedef struct scheduler {
    tenure tenure;
    task_row wanted; /* job, phase, table, index, snapshot: the task to submit if there is none */
    scheduler_settings settings;
    scheduler_order order;
    bool woken;
    sb_condition wake;
    task_plan plan;
    uint64_t quiet_view;  /* what the last tick that changed nothing has seen; 0: none has */
    uint32_t quiet_ticks; /* skipped since, because the view was the same */
    uint64_t row_count;   /* of subtasks that succeeded, at the last tick */
} scheduler;

void scheduler_init(scheduler *of, const tenure *by, const task_row *wanted,
                    const scheduler_settings *settings);
void scheduler_release(scheduler *of);

/* Submit the task if there is none and see it through.  ENGINE_OK: *ended has a final state; or,
 * after SCHEDULER_PAUSE, is paused or still pending, and nothing of it is to be run.
 * ENGINE_NOT_OWNER, ENGINE_FENCED, or how the scope ended: the task goes on without us. */
engine_status scheduler_run(scheduler *of, task_row *ended, sb_scope *scope);

/* From any task: a change of order wakes the scheduler. */
void scheduler_set_order(scheduler *of, scheduler_order order);

#endif
