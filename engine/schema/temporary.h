/*
 * The temporary index: what transactions did to the entries of an index while its backfill ran.
 *
 * Ingest goes past the transactions, so no transaction may write an index that is being ingested
 * into.  Instead it writes, under the same key with TEMPORARY_INDEX added to the index's id, a
 * temporary entry: for each row that has gained or lost the key, whether it did so last, and when.
 * Later the temporary entries are played over the ingested ones: by transactions that write the
 * key, and by the merge (backfill/merge.h).  The argument that this gives the right index stands at
 * the head of temporary.c.
 *
 *     temporary entry   u8 format (1) | u16 count
 *                       | for each, oldest first: u8 operation, i64 handle, u64 commit
 *
 * Who appends an element does not know when he will commit, so his own has commit 0 for "when this
 * version was committed"; every other carries its own.  No handle is twice in it: of a row's
 * elements the last one says all, so the older is dropped when it is appended.
 */
#ifndef ENGINE_SCHEMA_TEMPORARY_H
#define ENGINE_SCHEMA_TEMPORARY_H

#include "engine/schema/row.h"

typedef enum temporary_operation {
    TEMPORARY_PUT,    /* the row gained the key */
    TEMPORARY_DELETE, /* the row lost it */
    TEMPORARY_OPERATION_COUNT
} temporary_operation;

typedef struct temporary_element {
    timestamp commit; /* TIMESTAMP_MAX: that of the transaction which appends it */
    row_handle handle;
    temporary_operation operation;
} temporary_element;

#define TEMPORARY_ELEMENTS_MAX 3800u /* as many as a value has room for */

typedef struct temporary_history {
    temporary_element *elements; /* oldest first */
    uint32_t count, room;
} temporary_history;

void temporary_history_release(temporary_history *of);

/* Encoding clears `into` first; the history is not empty.  Decoding fills an empty one, from a
 * version committed at `commit`; false on damage. */
void temporary_history_encode(const temporary_history *from, buffer *into);
bool temporary_history_decode(slice value, timestamp commit, temporary_history *into);

/* --------------------------------------------------------------------------- the present state */

/* A key of an index with all that is known about it.  Fixed with key_state_init; release it. */
typedef struct key_state {
    buffer real, temporary;    /* the two keys */
    timestamp commit;          /* of the real entry, or of its deletion; 0: never written */
    bool there;                /* the real entry */
    row_handle holder;         /* of what is there */
    bool has_temporary;        /* a temporary entry is there */
    temporary_history history; /* its elements */
} key_state;

void key_state_init(key_state *into, slice real);
void key_state_release(key_state *of);

/* Take in what a read found under the two keys.  False: one of them is damaged. */
bool key_state_fill(key_state *into, const table_definition *table, const index_definition *index,
                    const key_version *real, const key_version *temporary);

/* Read both in a transaction.  ENGINE_FAILED: damaged. */
engine_status key_state_read(transaction *in, const table_definition *table,
                             const index_definition *index, key_state *into, sb_scope *scope);

/* The rows that have the key now.  More than one is a duplicate of a unique key; more than two
 * there cannot be. */
#define HOLDERS_MAX 2u
typedef struct key_holders {
    uint32_t count;
    row_handle handles[HOLDERS_MAX];
} key_holders;
key_holders key_state_holders(const key_state *of);
bool key_holders_have(const key_holders *of, row_handle handle);

/* The holders without this one. */
key_holders key_holders_without(const key_holders *of, row_handle handle);

/* Append what the transaction does to its row, and drop what cannot matter any more.  False: there
 * is no room. */
bool key_state_note(key_state *of, temporary_operation operation, row_handle handle);

#endif
