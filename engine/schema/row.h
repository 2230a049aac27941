/*
 * Rows and index entries as bytes.
 *
 * A row lies under `t table r handle`; its value is
 *
 *     u8 format (1) | u8 number of columns after the handle
 *                   | for each: u8 type, then i64 or u32 size + bytes
 *
 * An index entry lies under `t table i index values [handle]`, the values memory-comparable.  Of a
 * plain index the handle ends the key and the value is one byte, '0', so that no layer can take it
 * for a deletion; of a unique index the key ends with the values and the value is the handle (u64,
 * little-endian).  Both are functions of the row alone, so that a backfill and a transaction that
 * meet at one row write the same bytes.
 */
#ifndef ENGINE_SCHEMA_ROW_H
#define ENGINE_SCHEMA_ROW_H

#include "engine/schema/definitions.h"

/* One value: the integer or the bytes, by the type of its column.  Bytes are borrowed. */
typedef struct datum {
    int64_t integer;
    slice bytes;
} datum;

/* columns[0].integer is the handle. */
typedef struct row {
    datum columns[TABLE_COLUMNS_MAX];
} row;

row_handle row_handle_of(const row *of);

/* Keys are added to `into`, which is cleared first. */
void row_key(const table_definition *table, row_handle handle, buffer *into);
bool row_key_decode(slice key, table_id *table, row_handle *handle);

/* All rows of the table: [start, end). */
void row_range(table_id table, buffer *start, buffer *end);

/* The value is added to `into`, which is cleared first.  Decode borrows from `value`; false on
 * bytes that are no row of this table. */
void row_encode(const table_definition *table, const row *from, buffer *into);
bool row_decode(const table_definition *table, row_handle handle, slice value, row *into);

/* No entry may have a longer key (TiDB's limit is 3,072 bytes, with its larger pages).  A row whose
 * values would make one is refused by every server that would write the entry, and fails the job
 * that meets it; so a longer key stands in no index. */
#define INDEX_KEY_SIZE_MAX 1024u

/* Key and value of the entry that this row has in this index; both buffers are cleared first. */
void index_entry(const table_definition *table, const index_definition *index, const row *of,
                 buffer *key, buffer *value);
void index_entry_key(const table_definition *table, const index_definition *index, const row *of,
                     buffer *key);

/* The value of the entry of a row with that handle; cleared first. */
void index_entry_value(const index_definition *index, row_handle handle, buffer *value);

/* The place of an entry in the temporary index of its index, and back.  `into` is cleared first;
 * real is false on a key that is none of a temporary index. */
void temporary_entry_key(slice real, buffer *into);
bool real_entry_key(slice temporary, buffer *into);

/* All entries of an index: [start, end).  All entries of an index with these values in its
 * columns. */
void index_range(table_id table, index_id index, buffer *start, buffer *end);
void index_values_range(const table_definition *table, const index_definition *index,
                        const datum *values, buffer *start, buffer *end);

/* The handle an entry points to; false on bytes that are no entry of this index. */
bool index_entry_handle(const table_definition *table, const index_definition *index, slice key,
                        slice value, row_handle *handle);

#endif
