/*
 * SUBMIT_JOB, CANCEL_JOB, PAUSE_JOB, RESUME_JOB and JOB_STATUS: what an operator asks of any
 * server.
 *
 * Every request may be sent again, to any server: a job is submitted once for its nonce; OK to an
 * order says that the job is, or is on its way to be, as ordered, whoever ordered it.  An answer is
 * made after the commit that it tells of (TiDB issue 24172 reported success though the transaction
 * had failed).
 */
#ifndef ENGINE_WIRE_JOB_H
#define ENGINE_WIRE_JOB_H

#include "engine/base/bytes.h"
#include "engine/base/scalars.h"

typedef enum failure {
#define FAILURE(name, text) FAILURE_##name,
#include "engine/wire/failures.def"
#undef FAILURE
    FAILURE_COUNT
} failure;

const char *failure_text(failure of);

typedef enum job_answer {
    JOB_ANSWER_OK,
    JOB_ANSWER_NOT_READY,   /* nothing has happened; ask another server, or later */
    JOB_ANSWER_NOT_FOUND,   /* there is no such job */
    JOB_ANSWER_TOO_LATE,    /* it has ended, or cannot be stopped, or kept from being undone */
    JOB_ANSWER_UNKNOWN,     /* it may or may not have happened; ask again */
    JOB_ANSWER_BAD_REQUEST, /* it cannot be a job; the reply's field tells why */
    JOB_ANSWER_COUNT
} job_answer;

const char *job_answer_text(job_answer answer);

typedef enum job_field {
#define JOB_FIELD(name) JOB_FIELD_##name,
#include "engine/wire/job_fields.def"
#undef JOB_FIELD
    JOB_FIELD_COUNT
} job_field;

#define JOB_COLUMNS_MAX 4u
#define JOB_INDEXES_MAX 4u

typedef enum job_kind {
#define JOB_KIND(name) JOB_KIND_##name,
#include "engine/wire/job_kinds.def"
#undef JOB_KIND
    JOB_KIND_COUNT
} job_kind;

/* The reorganization of a job goes through phases, each a distributed task of its own: the backfill
 * of its first index, of its second, ..., then the merge of its first, .... */
#define JOB_PHASES_MAX (2u * JOB_INDEXES_MAX)

static inline uint32_t backfill_phase(uint32_t index)
{
    return index;
}

static inline uint32_t merge_phase(uint32_t index, uint32_t index_count)
{
    return index_count + index;
}

/* The numbers under which the moves of a task and of a subtask are recorded; a subtask's number
 * within its job. */
#define SUBTASK_NUMBER_BITS 12u
static inline uint64_t task_identity(job_id job, uint32_t phase)
{
    return job << 4 | phase;
}

static inline uint32_t subtask_number(uint32_t phase, uint32_t number)
{
    return phase << SUBTASK_NUMBER_BITS | number;
}

/* The number of what the owner does by itself in a phase. */
#define SINGLE_SUBTASK ((1u << SUBTASK_NUMBER_BITS) - 1)

static inline bool subtask_number_is_single(uint32_t number)
{
    return (number & SINGLE_SUBTASK) == SINGLE_SUBTASK;
}

static inline uint64_t subtask_identity(job_id job, uint32_t number)
{
    return job << 16 | number;
}

/* ADD INDEX name (columns), ... or DROP INDEX name of a table.  columns are positions; of a drop
 * there are none, and one index.  nonce: not 0, the asker's own, one per job. */
typedef struct index_request {
    slice name;
    bool unique;
    uint8_t column_count;
    uint8_t columns[JOB_COLUMNS_MAX];
} index_request;

typedef struct submit_job_request {
    uint64_t nonce;
    job_kind kind;
    table_id table;
    bool single; /* the owner does the backfill itself, instead of a distributed task */
    uint8_t index_count;
    index_request indexes[JOB_INDEXES_MAX];
} submit_job_request;

typedef struct submit_job_reply {
    job_answer answer;
    job_id job;    /* of OK */
    job_field bad; /* of BAD_REQUEST */
} submit_job_reply;

typedef struct job_request { /* of all but SUBMIT_JOB */
    job_id job;
} job_request;

typedef struct job_order_reply { /* of CANCEL_JOB, PAUSE_JOB and RESUME_JOB */
    job_answer answer;
} job_order_reply;

/* Of OK.  state and schema are job_state (engine/ddl/job.h) and schema_state. */
typedef struct job_status_reply {
    job_answer answer;
    bool ended; /* it is in history */
    job_kind kind;
    uint8_t state, schema;
    failure cause;
    uint32_t error_count; /* that it has survived, or was cancelled for; */
    failure error;        /* the first of them */
    uint64_t row_count;
} job_status_reply;

/* Encoding clears `into` first.  Decoding is false on a message that cannot be; slices borrow from
 * it. */
void submit_job_request_encode(const submit_job_request *from, buffer *into);
bool submit_job_request_decode(submit_job_request *into, slice bytes);
void submit_job_reply_encode(const submit_job_reply *from, buffer *into);
bool submit_job_reply_decode(submit_job_reply *into, slice bytes);
void job_request_encode(const job_request *from, buffer *into);
bool job_request_decode(job_request *into, slice bytes);
void job_order_reply_encode(const job_order_reply *from, buffer *into);
bool job_order_reply_decode(job_order_reply *into, slice bytes);
void job_status_reply_encode(const job_status_reply *from, buffer *into);
bool job_status_reply_decode(job_status_reply *into, slice bytes);

#endif
