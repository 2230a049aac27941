/*
 * What the clients did, as they themselves reported it: every operation from its begin to its end.
 *
 * One operation is one EXECUTE to one server, sent once (nodes/report.h).  Values are kept as their
 * checksums and, of the column c, as the number of the write that made them, which is unique in the
 * world.
 *
 *     operations   in the order in which they began; each owns a run of
 *     statements   in the order in which they ran; each may own a run of
 *     ids          what a read by index found
 */
#ifndef NODES_ORACLES_HISTORY_H
#define NODES_ORACLES_HISTORY_H

#include "engine/base/scalars.h"
#include "nodes/report.h"
#include "sim/world.h"

/* A row's columns but for its id. */
typedef struct row_value {
    int64_t k;
    uint64_t write;  /* the number in c */
    uint64_t c, pad; /* checksums */
} row_value;

typedef struct history_statement {
    statement_kind kind;
    result_kind result; /* of a committed operation */
    bool id_more;       /* READ_INDEX: it found more than it gave */
    uint32_t columns;   /* UPDATE, READ_INDEX: those that count in `wrote`, bits by position */
    int64_t id, last;   /* last: SCAN */
    row_value wrote;    /* INSERT, UPDATE; READ_INDEX: the values looked for */
    row_value read;     /* READ with RESULT_ROW */
    uint64_t index;     /* READ_INDEX: checksum of its name */
    uint32_t first_id, id_count;
} history_statement;

#define HISTORY_NEVER UINT64_MAX

typedef struct operation {
    uint64_t number;
    uint64_t table;
    sb_node client, server;
    bool ended;              /* else its client died, or it is under way */
    execute_outcome outcome; /* UNKNOWN until it has ended */
    refusal reason;
    timestamp start, committed;
    schema_version version;
    timestamp seen;       /* the greatest timestamp any client had heard of when it began */
    uint64_t began, over; /* moments, in the order of all reports; over: HISTORY_NEVER until it has
                             ended */
    uint32_t first_statement, statement_count;
} operation;

typedef struct history {
    operation *operations;
    uint32_t operation_count, operation_room;
    history_statement *statements;
    uint32_t statement_count, statement_room;
    int64_t *ids;
    uint32_t id_count, id_room;
    uint32_t oldest_open; /* every operation before this one has ended */
    timestamp seen;
    uint64_t moment; /* of the last report */
} history;

void history_init(history *into);
void history_release(history *of);

/* From an observer of reports.  Returns the operation that began or ended with this report; NULL:
 * it was about something else. */
const operation *history_observe(history *into, sb_node client, uint32_t kind, slice report);

/* Digests of what a row holds. */
row_value row_value_of(int64_t k, slice c, slice pad);
bool row_value_equal(const row_value *left, const row_value *right);

/* Only in these columns (bits by position): whether both have the same; what an update makes of a
 * row. */
bool row_value_equal_in(uint32_t columns, const row_value *left, const row_value *right);
void row_value_update(row_value *into, uint32_t columns, const row_value *from);

/* Statement `at` of the operation.  Whether it writes a row that is there afterwards; whether it
 * writes at all. */
const history_statement *history_statement_of(const history *in, const operation *of, uint32_t at);
bool statement_is_put(const history_statement *one);
bool statement_is_write(const history_statement *one);

/* Whether a scan, or a read by an index, gave this id. */
bool history_was_given(const history *in, const history_statement *one, int64_t id);

#endif
