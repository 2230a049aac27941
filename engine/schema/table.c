/*
 * Rows written and read in a transaction: see table.h.
 */
#include "engine/schema/table.h"

#include "engine/schema/entries.h"
#include "engine/wire/keys.h"

/* What one call needs memory for. */
typedef struct scratch {
    buffer row_key, row_value, stored; /* stored: the row as it was */
    entry_changes entries;
} scratch;

static void scratch_init(scratch *of)
{
    buffer_init(&of->row_key);
    buffer_init(&of->row_value);
    buffer_init(&of->stored);
    of->entries.count = 0;
}

static void scratch_release(scratch *of)
{
    buffer_release(&of->row_key);
    buffer_release(&of->row_value);
    buffer_release(&of->stored);
    entry_changes_release(&of->entries);
}

/* --------------------------------------------------------------------------------------- rows */

/* The row as the transaction sees it; its bytes are in `bytes`, its key stays in `key`. */
static engine_status read_row(transaction *in, const table_definition *table, row_handle handle,
                              buffer *key, buffer *bytes, row *found, sb_scope *scope)
{
    row_key(table, handle, key);
    const engine_status status = transaction_read(in, buffer_slice(key), bytes, scope);
    if (status == ENGINE_OK && !row_decode(table, handle, buffer_slice(bytes), found)) {
        sb_log("row %lld of table %llu is damaged", (long long)handle,
               (unsigned long long)table->id);
        return ENGINE_FAILED;
    }
    return status;
}

/* The row's own key goes first: it becomes the primary, which must not lie in an index (an index
 * may be given up, and its range deleted, while the transaction's fate still has to be asked
 * for). */
static void put_row(transaction *in, const table_definition *table, const row *new_row,
                    scratch *use)
{
    row_encode(table, new_row, &use->row_value);
    transaction_put(in, buffer_slice(&use->row_key), buffer_slice(&use->row_value));
}

engine_status table_look_ahead(transaction *in, const table_definition *table, row_handle first,
                               row_handle last, sb_scope *scope)
{
    buffer start, end, key;
    buffer_init(&start);
    buffer_init(&end);
    buffer_init(&key);
    row_key(table, first, &start);
    row_key(table, last, &key);
    key_after(&end, buffer_slice(&key));
    const engine_status status =
        transaction_look_ahead(in, buffer_slice(&start), buffer_slice(&end), scope);
    buffer_release(&key);
    buffer_release(&end);
    buffer_release(&start);
    return status;
}

engine_status table_insert(transaction *in, const table_definition *table, const row *new_row,
                           sb_scope *scope)
{
    scratch use;
    scratch_init(&use);
    row_key(table, row_handle_of(new_row), &use.row_key);
    engine_status status = transaction_read(in, buffer_slice(&use.row_key), &use.stored, scope);
    if (status == ENGINE_OK) {
        status = ENGINE_DUPLICATE;
    } else if (status == ENGINE_NOT_FOUND) {
        status = entry_changes_plan(&use.entries, in, table, NULL, new_row, scope);
    }
    if (status == ENGINE_OK) {
        put_row(in, table, new_row, &use);
        entry_changes_apply(&use.entries, in);
    }
    scratch_release(&use);
    return status;
}

engine_status table_update(transaction *in, const table_definition *table, const row *new_row,
                           uint32_t columns, sb_scope *scope)
{
    scratch use;
    scratch_init(&use);
    row old_row, merged;
    engine_status status =
        read_row(in, table, row_handle_of(new_row), &use.row_key, &use.stored, &old_row, scope);
    if (status == ENGINE_OK) {
        merged = old_row;
        for (uint32_t i = 1; i < table->column_count; i++) {
            if ((columns & (1u << i)) != 0) {
                merged.columns[i] = new_row->columns[i];
            }
        }
        status = entry_changes_plan(&use.entries, in, table, &old_row, &merged, scope);
    }
    if (status == ENGINE_OK) {
        put_row(in, table, &merged, &use);
        entry_changes_apply(&use.entries, in);
    }
    scratch_release(&use);
    return status;
}

engine_status table_delete(transaction *in, const table_definition *table, row_handle handle,
                           sb_scope *scope)
{
    scratch use;
    scratch_init(&use);
    row old_row;
    engine_status status = read_row(in, table, handle, &use.row_key, &use.stored, &old_row, scope);
    if (status == ENGINE_OK) {
        status = entry_changes_plan(&use.entries, in, table, &old_row, NULL, scope);
    }
    if (status == ENGINE_OK) {
        transaction_delete(in, buffer_slice(&use.row_key));
        entry_changes_apply(&use.entries, in);
    }
    scratch_release(&use);
    return status;
}

engine_status table_read(transaction *in, const table_definition *table, row_handle handle,
                         row *found, buffer *bytes, sb_scope *scope)
{
    buffer key;
    buffer_init(&key);
    const engine_status status = read_row(in, table, handle, &key, bytes, found, scope);
    buffer_release(&key);
    return status;
}

/* ----------------------------------------------------------------------------------- by index */

engine_status table_read_index(transaction *in, const table_definition *table,
                               const index_definition *index, const datum *values, uint32_t limit,
                               row_handle *handles, uint32_t *count, sb_scope *scope)
{
    sb_assert(index->state == SCHEMA_PUBLIC);
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    index_values_range(table, index, values, &start, &end);
    pair_list found = {0};
    engine_status status = ENGINE_OK;
    *count = 0;
    if (start.size <= INDEX_KEY_SIZE_MAX && end.size <= INDEX_KEY_SIZE_MAX) {
        status =
            transaction_scan(in, buffer_slice(&start), buffer_slice(&end), limit, &found, scope);
    }
    if (status == ENGINE_OK) {
        for (uint32_t i = 0; i < found.count && status == ENGINE_OK; i++) {
            if (index_entry_handle(table, index, found.pairs[i].key, found.pairs[i].value,
                                   &handles[*count])) {
                (*count)++;
            } else {
                sb_log("an entry of index %llu is damaged", (unsigned long long)index->id);
                status = ENGINE_FAILED;
            }
        }
        pair_list_release(&found);
    }
    buffer_release(&start);
    buffer_release(&end);
    return status;
}

/* ------------------------------------------------------------------------------------ by rows */

engine_status table_scan(transaction *in, const table_definition *table, row_handle first,
                         row_handle last, uint32_t limit, row_handle *handles, uint32_t *count,
                         sb_scope *scope)
{
    buffer start, end, key;
    buffer_init(&start);
    buffer_init(&end);
    buffer_init(&key);
    row_key(table, first, &start);
    row_key(table, last, &key);
    key_after(&end, buffer_slice(&key));
    pair_list found;
    engine_status status =
        transaction_scan(in, buffer_slice(&start), buffer_slice(&end), limit, &found, scope);
    *count = 0;
    if (status == ENGINE_OK) {
        for (uint32_t i = 0; i < found.count && status == ENGINE_OK; i++) {
            table_id of;
            if (row_key_decode(found.pairs[i].key, &of, &handles[*count])) {
                (*count)++;
            } else {
                sb_log("a row's key of table %llu is damaged", (unsigned long long)table->id);
                status = ENGINE_FAILED;
            }
        }
        pair_list_release(&found);
    }
    buffer_release(&key);
    buffer_release(&end);
    buffer_release(&start);
    return status;
}
