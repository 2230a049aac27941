/*
 * The facts that programs report: their kinds and their bytes.
 *
 * A client reports every operation twice: before it sends it (OPERATION_BEGIN) and when it knows,
 * or has given up learning, how it ended (OPERATION_END).  One operation is one EXECUTE to one
 * server, so it is one transaction that ran at most once.  A begin without an end (the client died)
 * is an unknown outcome.
 *
 * What an oracle may rely on:
 * - `number` is unique in the world and rises per worker.
 * - every INSERT and UPDATE writes a `c` that begins with its own write number
 *   (write_value_number), unique in the world; so a value read tells which write made it.
 * - committed: all its writes are there, as of `committed`; reads are as of `start`.  committed =
 *   0: it only read.
 * - refused: none of its writes is, or ever will be, there.  unknown: either, at any later time.
 */
#ifndef NODES_REPORT_H
#define NODES_REPORT_H

#include "engine/base/scalars.h"
#include "engine/wire/client.h"

enum {
#define REPORT(name) REPORT_##name,
#include "nodes/reports.def"
#undef REPORT
    REPORT_COUNT
};

typedef struct operation_begin {
    sb_address server;
    execute_request request; /* number, worker, table, statements */
} operation_begin;

typedef struct operation_end {
    uint64_t number;
    sb_status call;      /* SB_OK, or why no reply came */
    execute_reply reply; /* outcome unknown when none came */
} operation_end;

/* LOADED: the initial rows are all there: ids [first, first + count). */
typedef struct loaded_report {
    uint64_t table;
    int64_t first;
    uint64_t count;
} loaded_report;

/* SESSION_BEGAN (by a server that was granted it), SERVER_FENCED (by a store: it will never again
 * accept a session of the server below this one), COMMIT_DECIDED (by the store of the primary).
 * Stores report what is durable, before they answer.  sequence: of the store's log, so it tells in
 * which order one store decided. */
typedef struct session_report {
    sb_address server;
    uint64_t session;
    uint64_t version; /* of COMMIT_DECIDED: the schema it ran under */
    uint64_t sequence;
    timestamp start, commit; /* of COMMIT_DECIDED */
} session_report;

/* INGESTED, by a store: keys that have, durably, a value of a timestamp: u64 timestamp, then the
 * checksum of each key, u64. */

/* COLLECTED, by a store before it does so: u64 safe point, then versions as storage/garbage.h finds
 * them. */

/* PROMISED, by placement before it answers: the greatest timestamp, session and tenure that it has
 * given to somebody; 0: not told.  Of timestamps that follow close on each other not every one is
 * told. */
typedef struct promise_report {
    timestamp last;
    uint64_t session, tenure;
} promise_report;

void promise_report_encode(const promise_report *from, buffer *into);
bool promise_report_decode(slice from, promise_report *into);

void session_report_encode(const session_report *from, buffer *into);
bool session_report_decode(slice from, session_report *into);

void operation_begin_encode(sb_address server, const execute_request *request, buffer *into);
void operation_end_encode(uint64_t number, sb_status call, const execute_reply *reply,
                          buffer *into);
void loaded_report_encode(const loaded_report *from, buffer *into);

/* Decode borrows from the bytes; false when they cannot be.  Release request or reply, also after
 * false. */
bool operation_begin_decode(slice from, operation_begin *into);
bool operation_end_decode(slice from, operation_end *into);
bool loaded_report_decode(slice from, loaded_report *into);

/* The column c of a write: "w", sixteen hexadecimal digits, then filler up to `size` (at least
 * WRITE_VALUE_SIZE_MIN).  The number of a c, 0 when it has none. */
#define WRITE_VALUE_SIZE_MIN 17u
void write_value_format(uint64_t number, uint32_t size, unsigned char *into);
uint64_t write_value_number(slice c);

#endif
