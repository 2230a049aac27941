/*
 * From a stored row to its index entry: the same bytes that a transaction would write for it
 * (schema/row.h).
 */
#include "engine/backfill/pipeline.h"

failure encode_entry(const backfill_work *work, slice row_key_bytes, slice row_value, buffer *key,
                     buffer *value)
{
    table_id table;
    row_handle handle;
    row decoded;
    if (!row_key_decode(row_key_bytes, &table, &handle) || table != work->table.id ||
        !row_decode(&work->table, handle, row_value, &decoded)) {
        return FAILURE_DAMAGED_ROW;
    }
    index_entry(&work->table, &work->index, &decoded, key, value);
    return key->size <= INDEX_KEY_SIZE_MAX ? FAILURE_NONE : FAILURE_KEY_TOO_LONG;
}
