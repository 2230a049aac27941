/*
 * Entries of the indexes of a row: see entries.h.
 */
#include "engine/schema/entries.h"

/* Which of its two indexes a change writes. */
static bool writes_real(const index_definition *index)
{
    return index->backfill != BACKFILL_RUNNING;
}

static bool writes_temporary(const index_definition *index)
{
    return index->backfill != BACKFILL_INAPPLICABLE;
}

/* Of a plain index the row alone decides what is at its keys.  The entry of a unique one that is
 * public is its row's, so only a gain has to look. */
static bool asks_for_state(const index_definition *index, bool gains)
{
    return index->unique && (gains || index->state != SCHEMA_PUBLIC);
}

/* ------------------------------------------------------------------------------------ looking */

/* Only the real entry is of interest: an index without a temporary one. */
static engine_status read_real(transaction *in, const table_definition *table,
                               const index_definition *index, key_state *into, sb_scope *scope)
{
    buffer value;
    buffer_init(&value);
    engine_status status = transaction_read(in, buffer_slice(&into->real), &value, scope);
    if (status == ENGINE_OK) {
        into->there = index_entry_handle(table, index, buffer_slice(&into->real),
                                         buffer_slice(&value), &into->holder);
        status = into->there ? ENGINE_OK : ENGINE_FAILED;
    }
    buffer_release(&value);
    return status == ENGINE_NOT_FOUND ? ENGINE_OK : status;
}

static engine_status look(entry_change *of, transaction *in, const table_definition *table,
                          row_handle handle, sb_scope *scope)
{
    if (!asks_for_state(of->index, of->gains)) {
        return ENGINE_OK;
    }
    const engine_status status = writes_temporary(of->index)
                                     ? key_state_read(in, table, of->index, &of->state, scope)
                                     : read_real(in, table, of->index, &of->state, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    of->is_known = true;
    const key_holders holders = key_state_holders(&of->state);
    if (of->gains && key_holders_without(&holders, handle).count > 0) {
        return ENGINE_DUPLICATE;
    }
    if (of->index->backfill == BACKFILL_RUNNING &&
        !key_state_note(&of->state, of->gains ? TEMPORARY_PUT : TEMPORARY_DELETE, handle)) {
        return ENGINE_CONFLICT;
    }
    return ENGINE_OK;
}

static void add_change(entry_changes *into, const index_definition *index, slice key, bool gains)
{
    sb_assert_op(into->count, <, ENTRY_CHANGES_MAX);
    entry_change *added = &into->changes[into->count++];
    *added = (entry_change){.index = index, .gains = gains};
    key_state_init(&added->state, key);
}

/* A row that is older than the index may have no entry, because it could have none. */
static engine_status add_changes(entry_changes *into, const table_definition *table,
                                 const index_definition *index, const row *old_row,
                                 const row *new_row)
{
    engine_status status = ENGINE_OK;
    buffer lost, gained;
    buffer_init(&lost);
    buffer_init(&gained);
    if (old_row != NULL) {
        index_entry_key(table, index, old_row, &lost);
    }
    if (new_row != NULL) {
        index_entry_key(table, index, new_row, &gained);
    }
    if (!slice_equal(buffer_slice(&lost), buffer_slice(&gained))) {
        if (old_row != NULL && lost.size <= INDEX_KEY_SIZE_MAX) {
            add_change(into, index, buffer_slice(&lost), false);
        }
        if (new_row != NULL && index->state >= SCHEMA_WRITE_ONLY) {
            if (gained.size <= INDEX_KEY_SIZE_MAX) {
                add_change(into, index, buffer_slice(&gained), true);
            } else {
                status = ENGINE_KEY_TOO_LONG;
            }
        }
    }
    buffer_release(&lost);
    buffer_release(&gained);
    return status;
}

engine_status entry_changes_plan(entry_changes *into, transaction *in,
                                 const table_definition *table, const row *old_row,
                                 const row *new_row, sb_scope *scope)
{
    into->handle = row_handle_of(new_row != NULL ? new_row : old_row);
    into->count = 0;
    engine_status status = ENGINE_OK;
    for (uint32_t i = 0; i < table->index_count && status == ENGINE_OK; i++) {
        if (table->indexes[i].state != SCHEMA_NONE) {
            status = add_changes(into, table, &table->indexes[i], old_row, new_row);
        }
    }
    for (uint32_t i = 0; i < into->count && status == ENGINE_OK; i++) {
        status = look(&into->changes[i], in, table, into->handle, scope);
    }
    return status;
}

void entry_changes_release(entry_changes *of)
{
    for (uint32_t i = 0; i < of->count; i++) {
        key_state_release(&of->changes[i].state);
    }
    of->count = 0;
}

/* ------------------------------------------------------------------------------------ writing */

static void put_entry(transaction *in, const entry_change *of, row_handle holder)
{
    buffer value;
    buffer_init(&value);
    index_entry_value(of->index, holder, &value);
    transaction_put(in, buffer_slice(&of->state.real), buffer_slice(&value));
    buffer_release(&value);
}

/* Append to the temporary entry; of a plain index it is this one element. */
static void write_temporary(transaction *in, const entry_change *of, row_handle handle)
{
    temporary_element alone = {TIMESTAMP_MAX, handle, of->gains ? TEMPORARY_PUT : TEMPORARY_DELETE};
    const temporary_history one = {.elements = &alone, .count = 1, .room = 1};
    buffer value;
    buffer_init(&value);
    temporary_history_encode(of->is_known ? &of->state.history : &one, &value);
    transaction_put(in, buffer_slice(&of->state.temporary), buffer_slice(&value));
    buffer_release(&value);
}

/* Make the real entry what the key's state is after the change. */
static void write_real(transaction *in, const entry_change *of, row_handle handle)
{
    if (of->gains) {
        put_entry(in, of, handle);
        return;
    }
    const key_holders before = key_state_holders(&of->state);
    const key_holders left = key_holders_without(&before, handle);
    if (!of->is_known || left.count == 0) {
        transaction_delete(in, buffer_slice(&of->state.real));
    } else {
        SOMETIMES(true, "duplicate-resolved-before-its-merge");
        sb_assert_op(left.count, ==, 1);
        put_entry(in, of, left.handles[0]);
    }
}

/* Does the loss change anything?  A row may lose a key that it gained unseen, while its server was
 * at delete-only: then the key is another's, or nobody's. */
static bool is_loss_of_nothing(const entry_change *of, row_handle handle)
{
    if (of->gains || !of->is_known) {
        return false;
    }
    const key_holders holders = key_state_holders(&of->state);
    return !key_holders_have(&holders, handle);
}

void entry_changes_apply(const entry_changes *of, transaction *in)
{
    sb_assert(of->count == 0 || transaction_write_count(in) > 0);
    for (uint32_t i = 0; i < of->count; i++) {
        const entry_change *one = &of->changes[i];
        if (!writes_real(one->index)) {
            write_temporary(in, one, of->handle);
            continue;
        }
        if (is_loss_of_nothing(one, of->handle)) {
            continue;
        }
        write_real(in, one, of->handle);
        if (writes_temporary(one->index)) {
            transaction_delete(in, buffer_slice(&one->state.temporary));
        }
    }
}
