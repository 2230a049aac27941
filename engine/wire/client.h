/*
 * EXECUTE: a client's transaction, sent to a server as one request and run there as one
 * transaction.
 *
 * At most once.  The network may repeat a request or deliver it late, and a server may have
 * restarted in between; yet a request must not run twice, or its second run could bring a deleted
 * row back.  So a request names the server's session and a number:
 *
 * - A server runs only requests that name its present session.  A client that does not know it
 *   sends session 0 (a `connect`), which is always refused, and learns the session from the
 *   refusal.  A request that names an old session may have run under it: the answer is `unknown`,
 *   with the new session.
 * - Numbers of one worker of one client rise (also over restarts of the client: they are taken from
 *   placement's timestamps).  A server remembers the last number of every worker; a request that is
 *   not above it is a repetition or is late, and is dropped without an answer, so that the client
 *   can never take the answer to a repetition for the answer to the first.
 */
#ifndef ENGINE_WIRE_CLIENT_H
#define ENGINE_WIRE_CLIENT_H

#include "engine/base/bytes.h"

typedef enum statement_kind {
    STATEMENT_READ,       /* the row of an id */
    STATEMENT_READ_INDEX, /* the ids of rows with these values, by the index named `index_name` */
    STATEMENT_INSERT,     /* id, k, c, pad; the transaction is refused when the id is there */
    STATEMENT_UPDATE,     /* the columns of an id */
    STATEMENT_DELETE,     /* the row of an id */
    STATEMENT_SCAN,       /* the ids of rows from id to last, by the rows themselves */
    STATEMENT_KIND_COUNT
} statement_kind;

typedef struct statement {
    statement_kind kind;
    uint32_t think_ms; /* waited before it runs */
    int64_t id, k;     /* k: INSERT, UPDATE, READ_INDEX */
    slice c, pad;      /* likewise; borrowed */
    uint32_t columns;  /* UPDATE, READ_INDEX: of k, c and pad those that count, bits by position */
    int64_t last;      /* SCAN */
    slice index_name;  /* READ_INDEX: over those columns and no others, or it does not count */
} statement;

#define STATEMENTS_MAX 256u
#define RESULT_IDS_MAX 64u /* a READ_INDEX or a SCAN finds at most so many */

typedef struct execute_request {
    uint64_t session; /* of the server; 0 to learn it */
    uint64_t number;
    uint32_t worker; /* which of the client's workers */
    uint64_t table;
    uint32_t statement_count;
    statement *statements;
} execute_request;

typedef enum execute_outcome {
    OUTCOME_COMMITTED,
    OUTCOME_REFUSED, /* nothing of it is there, or will be */
    OUTCOME_UNKNOWN,
    OUTCOME_COUNT
} execute_outcome;

typedef enum refusal {
#define REFUSAL(name) REFUSAL_##name,
#include "engine/wire/refusals.def"
#undef REFUSAL
    REFUSAL_COUNT
} refusal;

const char *statement_kind_text(statement_kind kind);

typedef enum result_kind {
    RESULT_ROW,      /* READ: k, c, pad */
    RESULT_ABSENT,   /* READ, UPDATE, DELETE: no such row; nothing was written for it */
    RESULT_IDS,      /* READ_INDEX, SCAN */
    RESULT_NO_INDEX, /* READ_INDEX: no public index of that name over those columns */
    RESULT_DONE,     /* INSERT, UPDATE, DELETE */
    RESULT_KIND_COUNT
} result_kind;

typedef struct statement_result {
    result_kind kind;
    int64_t k;
    slice c, pad; /* borrowed */
    uint32_t id_count;
    bool id_more; /* there are more than RESULT_IDS_MAX */
    int64_t *ids; /* of the reply's memory */
} statement_result;

/* Results are there for a committed transaction only, one per statement. */
typedef struct execute_reply {
    execute_outcome outcome;
    refusal reason; /* REFUSAL_NONE unless refused, or unknown for a changed session */
    uint64_t session;
    uint64_t start,
        committed; /* timestamps; reads are as of start; committed is 0 when nothing was written */
    uint64_t schema_version;
    uint32_t result_count;
    statement_result *results;
} execute_reply;

/* Encode adds to `into`.  Decode allocates the array (and the ids): release it, also after false,
 * which is a message that cannot be.  Slices borrow from the message. */
void execute_request_encode(const execute_request *from, buffer *into);
bool execute_request_decode(slice from, execute_request *into);
void execute_request_release(execute_request *of);

void execute_reply_encode(const execute_reply *from, buffer *into);
bool execute_reply_decode(slice from, execute_reply *into);
void execute_reply_release(execute_reply *of);

#endif
