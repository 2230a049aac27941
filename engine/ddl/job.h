/*
 * A job: one ADD INDEX or DROP INDEX, from its submission to history.
 *
 * A job lives in the row `m job <id>` and, once it has ended, in `m history <id>`, never in both.
 * Only the owner moves it, but any server may submit one, or mark one for cancelling, pausing or
 * resuming (submission.h); all of that is read-modify-write inside one transaction, so nobody
 * writes back a stale row (TiDB issue 52747).
 *
 *       ┌───────────── resume ──────────────┐
 *       ↓                                   │
 *     queueing ─→ running ── pause ─→ pausing ─→ paused       (nothing of it runs; every live
 *       │           │                   │         │            server has its schema version)
 *       │           ├───────────────────┼─────────┼───────→ done → synced → history
 *       │           │ a permanent       │         │           (indexes public; or dropped)
 *       │           │ failure           │         │
 *       │           ├─→ rollingback ────┼─────────┼───────→ rollbackdone → history
 *       │           │     ↑             │         │           (indexes to delete-only, none;
 *       └───────────┴─ cancel, or errors beyond the limit      their ranges deleted)
 *                        ↓
 *                     cancelling ─────────────────────────→ cancelled → history
 *                                                             (nothing was to be undone)
 *
 * (A queueing job may be paused too.)  A failure is stored iff the job does not end synced, and the
 * first cause is kept.
 *
 * ADD INDEX: none → delete-only → write-only → write-reorganization → public.  DROP INDEX goes
 * back: public → write-only → delete-only → none; before its first step only the name of its index
 * is known, and once that step is committed it cannot be stopped any more (as in TiDB: it has
 * readers that have lost the index already).
 */
#ifndef ENGINE_DDL_JOB_H
#define ENGINE_DDL_JOB_H

#include "engine/schema/definitions.h"
#include "engine/wire/job.h"

typedef enum job_state {
#define JOB_STATE(name, text) JOB_##name,
#include "engine/ddl/job_states.def"
#undef JOB_STATE
    JOB_STATE_COUNT
} job_state;

/* "rollingback".  Static. */
const char *job_state_text(job_state state);

extern const sb_machine job_machine;

/* synced, rollbackdone, cancelled: rows of history, and of nowhere else. */
bool job_state_is_final(job_state state);

typedef struct job_row {
    job_id id;
    uint64_t nonce; /* of its submission */
    table_id table;
    job_kind kind;
    bool single; /* the owner does the backfill itself */
    uint8_t index_count;
    index_definition indexes[JOB_INDEXES_MAX]; /* their states, which are all the same: how far the
                                                  last committed step has brought them */
    job_state state;
    uint32_t phase;          /* of the reorganization: those before it have succeeded */
    schema_version version;  /* written by the last step that changed the schema; 0: none has */
    uint32_t error_count;    /* steps and reorganizations that failed for no known reason */
    failure error;           /* the first of those */
    timestamp snapshot;      /* the backfill reads and ingests at it; 0: not chosen yet */
    tenure_id tenure;        /* who wrote the row last; 0: not an owner */
    uint64_t row_count;      /* entries put by subtasks that succeeded, of all phases, as last
                              * looked at */
    uint64_t done_row_count; /* of those, by the phases before the present one */
    failure cause;
} job_row;

/* How far its indexes are. */
static inline schema_state job_schema(const job_row *of)
{
    return of->indexes[0].state;
}

static inline backfill_state job_backfill(const job_row *of)
{
    return of->indexes[0].backfill;
}

/* A DROP INDEX whose first step is behind it: nothing turns it back. */
static inline bool job_is_dropping(const job_row *of)
{
    return of->kind == JOB_KIND_DROP_INDEX && of->version != 0;
}

/* The value of the row.  Encoding clears `into` first; decoding is false on damage, or on the row
 * of another job. */
void job_row_encode(const job_row *from, buffer *into);
bool job_row_decode(job_id id, slice value, job_row *into);

/* The row of a live job, at a timestamp or in a transaction.  ENGINE_NOT_FOUND: there is none. */
engine_status job_read(cluster *of, timestamp at, job_id id, job_row *found, sb_scope *scope);
engine_status job_read_in(transaction *in, job_id id, job_row *found, sb_scope *scope);

/* The job in history, at the latest.  ENGINE_NOT_FOUND: it has not ended, or there is none. */
engine_status job_read_history(cluster *of, job_id id, job_row *found, sb_scope *scope);

/* Buffer the row as that of a live job.  Buffer its move to history. */
void job_put(transaction *in, const job_row *row);
void job_put_history(transaction *in, const job_row *row);

/* The live jobs, by number: at most JOBS_MAX.  The caller frees *rows. */
#define JOBS_MAX 1024u
engine_status jobs_read(cluster *of, job_row **rows, uint32_t *count, sb_scope *scope);

#endif
