/*
 * Rows written and read in a transaction, with every index kept as its schema state demands.
 *
 * A change of a row becomes mutations of the row's key and of the keys of its indexes: entries.h.
 *
 * Trouble comes back as the status of the read that met it; then nothing of this call has been
 * buffered.
 */
#ifndef ENGINE_SCHEMA_TABLE_H
#define ENGINE_SCHEMA_TABLE_H

#include "engine/schema/row.h"

/* Before inserts of many rows with handles in [first, last]: one look at storage may save a look
 * for each of them. */
engine_status table_look_ahead(transaction *in, const table_definition *table, row_handle first,
                               row_handle last, sb_scope *scope);

/* ENGINE_DUPLICATE: the handle, or an entry of a unique index, is there already. */
engine_status table_insert(transaction *in, const table_definition *table, const row *new_row,
                           sb_scope *scope);

/* Replace the row of that handle.  A column beyond the handle that is not in `columns` (a bit set
 * by position) keeps its old value.  ENGINE_NOT_FOUND: no such row. */
engine_status table_update(transaction *in, const table_definition *table, const row *new_row,
                           uint32_t columns, sb_scope *scope);
engine_status table_delete(transaction *in, const table_definition *table, row_handle handle,
                           sb_scope *scope);

/* ENGINE_NOT_FOUND: no such row.  *found borrows from *bytes, which the caller has initialised. */
engine_status table_read(transaction *in, const table_definition *table, row_handle handle,
                         row *found, buffer *bytes, sb_scope *scope);

/* Handles of the rows whose indexed columns have these values, in the order of the index, at most
 * `limit`; the index must be public.  The transaction's own writes are seen.  `handles` has room
 * for `limit`. */
engine_status table_read_index(transaction *in, const table_definition *table,
                               const index_definition *index, const datum *values, uint32_t limit,
                               row_handle *handles, uint32_t *count, sb_scope *scope);

/* Handles of the rows in [first, last], in order, at most `limit`.  The transaction's own writes
 * are seen.  `handles` has room for `limit`. */
engine_status table_scan(transaction *in, const table_definition *table, row_handle first,
                         row_handle last, uint32_t limit, row_handle *handles, uint32_t *count,
                         sb_scope *scope);

#endif
