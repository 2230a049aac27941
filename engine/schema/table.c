/*
 * Rows written and read in a transaction, and why their indexes stay right.
 *
 * Double writes and the backfill in one index
 * -------------------------------------------
 * In write-reorganization transactions write the index while the backfill puts entries into it,
 * computed from the rows at a snapshot S and ingested as versions of S: beneath everything newer.
 * No transaction takes notice of the backfill, nor it of them.  It is right for every row r,
 * because:
 *
 * 1. S is taken after every live server has acknowledged write-reorganization, so every transaction
 *    that began with an older schema has ended or can never commit: its session is fenced.  (Its
 *    locks may be left, and the commit of one whose outcome its server never learnt may still
 *    arrive.  Its commit timestamp, if any, was drawn before its server let go of the old schema,
 *    so it is less than S.)
 * 2. The reader at S waits for, or resolves, every lock that could commit at or before S.  So it
 *    sees exactly the version of r that is the last one at S: call it r(S).
 * 3. A commit C < S that wrote r is part of the past of r(S).  Entries that it wrote or deleted are
 *    versions of C; the entry of r(S), ingested at S, lies above them.  An entry of an older state
 *    of r was deleted by the transaction that ended that state, if the index was at delete-only or
 *    later by then, and was otherwise never written.
 * 4. A commit C > S that changes r is made by a transaction at write-only or later.  It deletes the
 *    entry of r(S) when it changes that entry: a tombstone at C, whether or not the backfill has
 *    put the entry there by now.  The entry that is ingested at S, before or after, lies beneath
 *    the tombstone and is never seen at or after C.  It writes the new entry at C, above anything
 *    of S.
 * 5. An entry whose key does not change is left alone: it is the entry of r(S), which the backfill
 *    puts there, or one that a transaction after S has put there.
 * 6. r inserted after S is not in the snapshot; its entry is written by the insert.
 *
 * Storage keeps tombstones for this.  Ingesting twice writes the same versions again, so a lost
 * reply costs nothing.  When the index is given up instead, storage deletes its range for ever, so
 * that late prewrites and ingests find no place.
 *
 * Why adjacent states may write side by side is F1's argument: a server at delete-only never leaves
 * an entry without a row (it deletes what others wrote), and rows that it leaves without an entry
 * are all older than S.
 */
#include "engine/schema/table.h"

#include "engine/wire/keys.h"

/* What one call needs memory for. */
typedef struct scratch {
    buffer row_key, row_value, stored; /* stored: the row as it was */
    buffer old_entry, new_entry, entry_value;
} scratch;

static void scratch_release(scratch *of)
{
    buffer_release(&of->row_key);
    buffer_release(&of->row_value);
    buffer_release(&of->stored);
    buffer_release(&of->old_entry);
    buffer_release(&of->new_entry);
    buffer_release(&of->entry_value);
}

/* ------------------------------------------------------------------------------------ entries */

/* ENGINE_DUPLICATE when a unique index has the new row's entry already, and it is not the old
 * row's. */
static engine_status check_unique(transaction *in, const table_definition *table,
                                  const row *old_row, const row *new_row, scratch *use,
                                  sb_scope *scope)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        const index_definition *index = &table->indexes[i];
        if (!index->unique || index->state < SCHEMA_WRITE_ONLY) {
            continue;
        }
        index_entry_key(table, index, new_row, &use->new_entry);
        if (old_row != NULL) {
            index_entry_key(table, index, old_row, &use->old_entry);
            if (slice_equal(buffer_slice(&use->old_entry), buffer_slice(&use->new_entry))) {
                continue;
            }
        }
        const engine_status status =
            transaction_read(in, buffer_slice(&use->new_entry), &use->entry_value, scope);
        if (status != ENGINE_NOT_FOUND) {
            return status == ENGINE_OK ? ENGINE_DUPLICATE : status;
        }
    }
    return ENGINE_OK;
}

/* Buffer what a change of the row does to every index.  old_row NULL: insert; new_row NULL:
 * delete. */
static void change_entries(transaction *in, const table_definition *table, const row *old_row,
                           const row *new_row, scratch *use)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        const index_definition *index = &table->indexes[i];
        if (index->state == SCHEMA_NONE) {
            continue;
        }
        if (new_row != NULL) {
            index_entry(table, index, new_row, &use->new_entry, &use->entry_value);
        }
        if (old_row != NULL) {
            index_entry_key(table, index, old_row, &use->old_entry);
            if (new_row != NULL &&
                slice_equal(buffer_slice(&use->old_entry), buffer_slice(&use->new_entry))) {
                continue;
            }
            transaction_delete(in, buffer_slice(&use->old_entry));
        }
        if (new_row != NULL && index->state >= SCHEMA_WRITE_ONLY) {
            transaction_put(in, buffer_slice(&use->new_entry), buffer_slice(&use->entry_value));
        }
    }
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
    scratch use = {0};
    row_key(table, row_handle_of(new_row), &use.row_key);
    engine_status status = transaction_read(in, buffer_slice(&use.row_key), &use.stored, scope);
    if (status == ENGINE_OK) {
        status = ENGINE_DUPLICATE;
    } else if (status == ENGINE_NOT_FOUND) {
        status = check_unique(in, table, NULL, new_row, &use, scope);
    }
    if (status == ENGINE_OK) {
        put_row(in, table, new_row, &use);
        change_entries(in, table, NULL, new_row, &use);
    }
    scratch_release(&use);
    return status;
}

engine_status table_update(transaction *in, const table_definition *table, const row *new_row,
                           uint32_t columns, sb_scope *scope)
{
    scratch use = {0};
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
        status = check_unique(in, table, &old_row, &merged, &use, scope);
    }
    if (status == ENGINE_OK) {
        put_row(in, table, &merged, &use);
        change_entries(in, table, &old_row, &merged, &use);
    }
    scratch_release(&use);
    return status;
}

engine_status table_delete(transaction *in, const table_definition *table, row_handle handle,
                           sb_scope *scope)
{
    scratch use = {0};
    row old_row;
    const engine_status status =
        read_row(in, table, handle, &use.row_key, &use.stored, &old_row, scope);
    if (status == ENGINE_OK) {
        transaction_delete(in, buffer_slice(&use.row_key));
        change_entries(in, table, &old_row, NULL, &use);
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
    pair_list found;
    engine_status status =
        transaction_scan(in, buffer_slice(&start), buffer_slice(&end), limit, &found, scope);
    *count = 0;
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
