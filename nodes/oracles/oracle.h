/*
 * The oracles: one property each, judged from outside of the cluster, when everything has stopped.
 *
 * They look at durable bytes of storage and at what programs have reported, never at a cache or an
 * answer of the engine.  Each returns when its property holds, and else ends the world with a
 * finding that names it. Properties carry the numbers of TiDB's invariants as in the design's list
 * (I1 to I10).
 */
#ifndef NODES_ORACLES_ORACLE_H
#define NODES_ORACLES_ORACLE_H

#include "engine/ddl/job.h"
#include "engine/schema/definitions.h"
#include "engine/wire/job.h"
#include "nodes/oracles/decisions.h"
#include "nodes/oracles/durable.h"
#include "nodes/oracles/history.h"

/* A version of the schema, as it stands in storage. */
typedef struct schema_step {
    schema_version version;
    timestamp committed; /* from here on it was the newest */
} schema_step;

#define JUDGED_TABLES_MAX 4u
#define JUDGED_JOBS_MAX 16u

/* A table that clients write. */
typedef struct judged_table {
    table_id id;
    table_definition definition; /* as it is now; oracle_judge reads it */
} judged_table;

/* A job that was accepted. */
typedef struct judged_job {
    job_id id;
    bool cancel_asked;    /* and that may have been heard */
    bool cancel_accepted; /* it was heard */
    failure must_fail;    /* FAILURE_NONE: it need not */
    bool met_full_disk;   /* while it lived a program was told that a disk had no room left */
} judged_job;

typedef struct evidence {
    sb_world *world;
    const durable_cluster *durable;
    const history *operations; /* on all tables; one transaction is of one table */
    const decisions *decisions;
    number_map commits; /* of decisions, by start; oracle_judge makes it */
    number_map owning;  /* starts of the transactions that locked or wrote `m owner`; likewise */
    const sb_node *servers;
    uint32_t server_count;
    bool permanent_error; /* an error that a job may fail for was injected */
    uint32_t error_limit; /* so many errors end a job; 0: not known */
    uint32_t table_count;
    judged_table tables[JUDGED_TABLES_MAX];
    uint32_t job_count;
    judged_job jobs[JUDGED_JOBS_MAX];
} evidence;

/* For "%llu". */
static inline unsigned long long number(uint64_t of)
{
    return (unsigned long long)of;
}

/* Whether the version is of a transaction that locked `m owner`, as the owner's do. */
static inline bool evidence_is_owners(const evidence *of, const version *one)
{
    return number_map_get(&of->owning, one->start) != NUMBER_MAP_NONE;
}

/* NULL: it is none of those. */
const judged_table *evidence_table(const evidence *of, table_id id);
const judged_job *evidence_job(const evidence *of, job_id id);

/* The newest definition of the table that a schema shows; false: it shows none. */
bool evidence_definition(const evidence *of, table_id table, schema_version shown,
                         table_definition *into);

/* I1: every index of the table that is public has exactly one entry for every row, and nothing
 * else. */
void oracle_index_rows(const evidence *of, const judged_table *table);

/* What clients were told is so: acknowledged writes are there, refused ones are not; nobody
 * overwrote what he had not seen; reads, by id and by index, gave the state at their timestamp, and
 * timestamps follow real time.  With the timestamps as witness that is snapshot isolation. */
void oracle_writes(const evidence *of, const judged_table *table);

/* An operation whose outcome its client never learnt is there as a whole or not at all: what it
 * would have made of what it could see, at one timestamp. */
void oracle_unknown_writes(const evidence *of, const judged_table *table);

/* A client's operation that was refused for a duplicate key had met one: a row of that id, or one
 * with the same values in a unique index, when it began. */
void oracle_refused_duplicates(const evidence *of, const judged_table *table);

/* Each row is a linearizable register, by the clients' own order of time: no timestamp of the
 * engine is asked. */
void oracle_registers(const evidence *of, const judged_table *table);

/* Every transaction of anybody committed at one timestamp on all its keys or was rolled back on all
 * of them, and of two that wrote or locked one key the later began when the earlier had
 * committed. */
void oracle_transactions(const evidence *of);

/* No store has committed for a session after it had promised never to accept it again, and none has
 * forgotten that. */
void oracle_fences(const evidence *of);

/* I4: what an owner alone may write was written by the owner of that time, who locked `m owner`,
 * and bears its tenure. */
void oracle_tenures(const evidence *of);

/* I3: no transaction committed under a schema after one two versions newer had begun to count. */
void oracle_schema_rule(const evidence *of);

/* I3, the owner's half: no step of the schema before every session that could still write under the
 * one before last had acknowledged the last, or was fenced at every store. */
void oracle_schema_wait(const evidence *of);

/* I5, law 10: every job is in history, once; it ended as it had to, and left the index that belongs
 * to that. */
void oracle_outcome(const evidence *of);

/* Law 10: the seed has put the cause for which this job ended into the world.  Part of
 * oracle_outcome. */
void oracle_cause(const evidence *of, const job_row *row, timestamp ended);

/* I2: two rows had the same values of a unique index of this job, which ended at `ended` for a
 * duplicate key, while it ran.  Part of oracle_outcome. */
void oracle_duplicates(const evidence *of, const job_row *row, timestamp ended);

/* I6: the subtasks of a finished task cover the table without hole or overlap, and all of them
 * succeeded. */
void oracle_tasks(const evidence *of);

/* I7: what a subtask's row calls imported, and all of one that has succeeded, had been ingested,
 * for good, when that was written. */
void oracle_checkpoints(const evidence *of);

/* I8: every entry that was ingested stands at the snapshot of the job that built its index. */
void oracle_ingests(const evidence *of, const judged_table *table);

/* I6: what a server says of a subtask it has written itself, under the session and the attempt that
 * it had been given. */
void oracle_results(const evidence *of);

/* While a job or a task is paused nobody writes what belongs to it. */
void oracle_pauses(const evidence *of);

/* I6, I10: the versions of a row that belongs to a job follow each other as its lifecycle allows;
 * what it says of progress never goes back, and the first error and the first cause are kept. */
void oracle_progress(const evidence *of);

/* Nothing temporary is left: no job, task, acknowledgement or range to be deleted; no entries of an
 * index that is not there; no files of a backfill. */
void oracle_quiescence(const evidence *of);

/* The part of it that is judged before anything stops, too: a server that goes on needs no boot to
 * get rid of the files of jobs that are over.  Whether they are gone; a finding if not.  Only world
 * and servers of the evidence are asked. */
bool oracle_server_files_are_gone(const evidence *of);
void oracle_server_files(const evidence *of);

/* The range of an index that is gone, and of the temporary twin of one that was built, is given up
 * for ever in every region: nothing that comes late can write there. */
void oracle_given_up(const evidence *of, const judged_table *table);

/* All of them, after what they share has been read from the durable bytes (definitions). */
void oracle_judge(evidence *of);

#endif
