/*
 * Reorg contexts and reorg groups: the part of a job that takes long, beside its worker.
 *
 * A phase of a job's reorganization is a distributed task, or the owner's own work (single.h).  The
 * job's worker opens a `reorg context` under the job's number and starts a group of two tasks: one
 * schedules the distributed task, or does the work, one polls the context for a pause or a cancel
 * and passes it on.  The worker waits in rounds, saves progress, looks at the job again, and
 * re-attaches.  When the group has ended the worker takes its result, joins it, and only then
 * removes the context: the poll asks for it by the job's number at every turn.
 *
 *     ddl-worker-7        ──rounds──┐
 *     ddl-worker-7/task   scheduler ├── reorg_context of job 7
 *     ddl-worker-7/poll   asks ─────┘
 *
 * A worker that leaves for good (shutdown, the end of the tenure) cancels the group, joins it, and
 * removes the context (TiDB issue 47902 is what happens otherwise: the group ran on, and asked a
 * context that was gone).
 */
#ifndef ENGINE_DDL_REORG_H
#define ENGINE_DDL_REORG_H

#include "engine/schema/schema_cache.h"
#include "engine/task/scheduler.h"

typedef enum reorg_signal { REORG_RUN, REORG_PAUSE, REORG_CANCEL } reorg_signal;

typedef struct reorg_group reorg_group;
struct backfill;         /* backfill/backfill.h */
struct backend_registry; /* backfill/backend_context.h */

typedef struct reorg_context {
    struct reorg_context *next;
    job_id job;
    reorg_signal signal;
    reorg_group *group;
} reorg_context;

typedef struct reorg_registry {
    reorg_context *contexts;
    reorg_group *groups;
    sb_scope program; /* ends when the registry is closed */
    sb_duration poll;
    schema_cache *schema;              /* for the single-node path */
    struct backend_registry *backends; /* what it has open here */
} reorg_registry;

void reorg_registry_init(reorg_registry *of, sb_duration poll, schema_cache *schema,
                         struct backfill *with);
void reorg_registry_release(reorg_registry *of);

/* NULL: the job has none. */
reorg_context *reorg_context_of(const reorg_registry *in, job_id job);

/* Is the job's reorg to stand still; is it to be given up?  The job has a context. */
bool reorg_is_paused(const reorg_registry *in, job_id job);
bool reorg_is_canceled(const reorg_registry *in, job_id job);

/* What a group is to do. */
typedef struct reorg_plan {
    task_row wanted; /* the task of the phase */
    bool single;     /* it is done here, instead of being distributed */
    scheduler_settings scheduler;
    reorg_signal signal; /* to begin with */
} reorg_plan;

/* Open the context of a job that has none, and start its group.  scope: of the worker. */
reorg_context *reorg_begin(reorg_registry *in, const tenure *by, const reorg_plan *plan,
                           sb_scope *scope);

/* Say what the reorg is to do; the group learns it at its next poll. */
void reorg_notify(reorg_context *of, reorg_signal signal);

/* Wake the worker that waits for this reorg: it shall look at its job. */
void reorg_nudge(reorg_context *of);

/* Wait for a round, a nudge or the end of the group.  ENGINE_OK: the group has ended;
 * ENGINE_TIMEOUT: it has not; ENGINE_CANCELED: nor will it be waited for, the scope has ended. */
engine_status reorg_wait(reorg_context *of, sb_duration round, sb_scope *scope);

/* Rows of the subtasks that succeeded, as the group saw it last. */
uint64_t reorg_row_count(const reorg_context *of);

/* The group has ended: take its result, join it, remove the context.  Returns what scheduler_run,
 * or single_run_main, returned. */
engine_status reorg_end(reorg_registry *in, job_id job, task_row *ended);

/* The worker leaves, whatever the group is doing.  Nothing to do for a job without a context. */
void reorg_leave(reorg_registry *in, job_id job);

/* What the job has open here on the single-node path is closed and cleaned up; its group has ended.
 * keep: leave local files with a checkpoint to a later run. */
void reorg_unregister_backend(reorg_registry *in, job_id job, bool keep);

#endif
