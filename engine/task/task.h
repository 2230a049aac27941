/*
 * Rows of the distributed-task framework: one task per job and phase, its subtasks, and the
 * registry of servers that run them.
 *
 * `m task <job> <phase>` is moved by the owner alone.  `m subtask <job> <phase> <n>` is moved by
 * the owner (assigned, moved away, canceled) and by the server that runs it (started, succeeded,
 * failed); every move is made in a transaction that reads the row and finds the state, server and
 * attempt it expects.  `attempt` rises whenever the subtask is given to a server, so that the
 * result of a server that lost it, and got it again, is not taken for another's (TiDB issues 48649,
 * 48701: identity was ip:port alone).  When the task is over all these rows go to history in one
 * transaction.
 */
#ifndef ENGINE_TASK_TASK_H
#define ENGINE_TASK_TASK_H

#include "engine/schema/definitions.h"
#include "engine/wire/job.h"

typedef enum task_state {
#define TASK_STATE(name, text) TASK_##name,
#include "engine/task/task_states.def"
#undef TASK_STATE
    TASK_STATE_COUNT
} task_state;

typedef enum subtask_state {
#define SUBTASK_STATE(name, text) SUBTASK_##name,
#include "engine/task/subtask_states.def"
#undef SUBTASK_STATE
    SUBTASK_STATE_COUNT
} subtask_state;

typedef enum task_kind {
#define TASK_KIND(name, text) TASK_KIND_##name,
#include "engine/task/task_kinds.def"
#undef TASK_KIND
    TASK_KIND_COUNT
} task_kind;

const char *task_state_text(task_state state);
const char *subtask_state_text(subtask_state state);
const char *task_kind_text(task_kind kind);

extern const sb_machine task_machine;    /* moved with id = task_identity */
extern const sb_machine subtask_machine; /* moved with id = subtask_identity */

bool task_state_is_final(task_state state);
bool subtask_state_is_final(subtask_state state);

#define SUBTASKS_MAX 512u /* of one task */
_Static_assert(SUBTASKS_MAX <= SINGLE_SUBTASK, "a subtask's number has room");

typedef struct task_row {
    job_id job;
    uint32_t phase; /* of the job's reorganization: wire/job.h */
    task_kind kind;
    task_state state;
    table_id table;
    index_id index;
    timestamp snapshot;     /* a backfill reads and ingests at it */
    uint32_t subtask_count; /* 0 until it is planned */
    tenure_id tenure;       /* who wrote the row last */
    failure cause;          /* the first */
} task_row;

/* A boundary of a range of keys.  Rows' keys fit as they are; of a longer key of an index its first
 * bytes stand here, which is a lower bound of it: ranges cut there still tile, and progress noted
 * so is never more than was made. */
#define RANGE_KEY_MAX 128u
typedef struct range_key {
    uint32_t size;
    unsigned char bytes[RANGE_KEY_MAX];
} range_key;

static inline slice range_key_slice(const range_key *of)
{
    return (slice){of->bytes, of->size};
}
void range_key_set(range_key *of, slice key);

typedef struct subtask_row {
    job_id job;
    uint32_t phase;
    uint32_t number;
    task_kind kind;
    subtask_state state;
    sb_address server;  /* whose it is */
    session_id session; /* under which it was started there last; 0: not yet */
    uint64_t attempt;   /* from 1 */
    table_id table;
    index_id index;
    timestamp snapshot;
    range_key start, end;   /* of the kind's keys: [start, end) */
    range_key imported;     /* what [start, imported) holds is in the index, for good and for
                             * everybody: the global checkpoint; empty: none */
    uint64_t imported_rows; /* how many keys those are */
    uint64_t row_count;     /* of SUCCEED: rows, or entries merged */
    failure cause;          /* of FAILED */
} subtask_row;

/* A server that runs subtasks.  Written by itself, again and again (TiDB issue 47954). */
typedef struct server_row {
    sb_address server;
    session_id session;
} server_row;

/* Values of the rows.  Encoding clears `into` first; decoding is false on damage or on another
 * one's row. */
void task_row_encode(const task_row *from, buffer *into);
bool task_row_decode(job_id job, uint32_t phase, slice value, task_row *into);
void subtask_row_encode(const subtask_row *from, buffer *into);
bool subtask_row_decode(job_id job, uint32_t phase, uint32_t number, slice value,
                        subtask_row *into);
void server_row_encode(const server_row *from, buffer *into);
bool server_row_decode(sb_address server, slice value, server_row *into);

/* ENGINE_NOT_FOUND: there is no such row. */
engine_status task_read_in(transaction *in, job_id job, uint32_t phase, task_row *found,
                           sb_scope *scope);
engine_status subtask_read_in(transaction *in, job_id job, uint32_t phase, uint32_t number,
                              subtask_row *found, sb_scope *scope);
engine_status server_read_in(transaction *in, sb_address server, server_row *found,
                             sb_scope *scope);

void task_put(transaction *in, const task_row *row);
void subtask_put(transaction *in, const subtask_row *row);
void server_put(transaction *in, const server_row *row);
void server_delete(transaction *in, sb_address server);

/* All subtasks of a task, by number, as the transaction sees them; all subtasks there are, at the
 * latest; all servers in the registry.  The caller frees *rows after ENGINE_OK. */
engine_status subtasks_read_in(transaction *in, job_id job, uint32_t phase, subtask_row **rows,
                               uint32_t *count, sb_scope *scope);
engine_status subtasks_read_all(cluster *of, subtask_row **rows, uint32_t *count, sb_scope *scope);
engine_status servers_read_in(transaction *in, server_row **rows, uint32_t *count, sb_scope *scope);

/* Buffer the move of a task that is over, and of its subtasks, to history; without a task: nothing.
 */
engine_status task_put_history(transaction *in, job_id job, uint32_t phase, sb_scope *scope);

#endif
