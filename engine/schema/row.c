/*
 * Rows and index entries as bytes: see row.h.
 */
#include "engine/schema/row.h"

#include <string.h>

#include "engine/base/codec.h"
#include "engine/wire/keys.h"
#include "engine/wire/messages.h"

_Static_assert(INDEX_KEY_SIZE_MAX <= KEY_SIZE_MAX, "storage takes what an index holds");

#define ROW_FORMAT 1u
#define PLAIN_ENTRY_VALUE '0'

row_handle row_handle_of(const row *of)
{
    return of->columns[0].integer;
}

void row_key(const table_definition *table, row_handle handle, buffer *into)
{
    key_row(into, table->id, handle);
}

bool row_key_decode(slice key, table_id *table, row_handle *handle)
{
    return key_row_decode(key, table, handle);
}

void row_range(table_id table, buffer *start, buffer *end)
{
    key_row_prefix(start, table);
    key_prefix_end(end, buffer_slice(start));
}

void row_encode(const table_definition *table, const row *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u8(into, ROW_FORMAT);
    buffer_add_u8(into, (uint8_t)(table->column_count - 1));
    for (uint32_t i = 1; i < table->column_count; i++) {
        const column_type type = table->columns[i].type;
        buffer_add_u8(into, (uint8_t)type);
        if (type == COLUMN_INTEGER) {
            buffer_add_u64(into, (uint64_t)from->columns[i].integer);
        } else {
            buffer_add_slice(into, from->columns[i].bytes);
        }
    }
}

bool row_decode(const table_definition *table, row_handle handle, slice value, row *into)
{
    cursor at = cursor_of(value);
    if (cursor_u8(&at) != ROW_FORMAT || cursor_u8(&at) != table->column_count - 1) {
        return false;
    }
    memset(into, 0, sizeof(*into));
    into->columns[0].integer = handle;
    for (uint32_t i = 1; i < table->column_count; i++) {
        const column_type type = table->columns[i].type;
        at.failed |= cursor_u8(&at) != type;
        if (type == COLUMN_INTEGER) {
            into->columns[i].integer = (int64_t)cursor_u64(&at);
        } else {
            into->columns[i].bytes = cursor_slice(&at);
        }
    }
    return cursor_finished(&at);
}

/* ------------------------------------------------------------------------------ index entries */

static void add_datum(buffer *into, column_type type, const datum *value)
{
    if (type == COLUMN_INTEGER) {
        codec_add_i64(into, value->integer);
    } else {
        codec_add_bytes(into, value->bytes);
    }
}

/* Read past one memory-comparable value. */
static void skip_datum(cursor *at, column_type type, buffer *scratch)
{
    if (type == COLUMN_INTEGER) {
        codec_i64(at);
    } else {
        buffer_clear(scratch);
        codec_bytes(at, scratch);
    }
}

void index_entry_key(const table_definition *table, const index_definition *index, const row *of,
                     buffer *key)
{
    key_index_prefix(key, table->id, index->id);
    for (uint32_t i = 0; i < index->column_count; i++) {
        const uint8_t column = index->columns[i];
        add_datum(key, table->columns[column].type, &of->columns[column]);
    }
    if (!index->unique) {
        codec_add_i64(key, row_handle_of(of));
    }
}

void index_entry_value(const index_definition *index, row_handle handle, buffer *value)
{
    buffer_clear(value);
    if (index->unique) {
        buffer_add_u64(value, (uint64_t)handle);
    } else {
        buffer_add_u8(value, PLAIN_ENTRY_VALUE);
    }
}

void index_entry(const table_definition *table, const index_definition *index, const row *of,
                 buffer *key, buffer *value)
{
    index_entry_key(table, index, of, key);
    index_entry_value(index, row_handle_of(of), value);
}

/* The same key in the index with the bit TEMPORARY_INDEX turned; false when it is of no index. */
static bool turn_index(slice key, bool temporary, buffer *into)
{
    table_id table;
    index_id index;
    cursor values;
    buffer_clear(into);
    if (!key_index_decode(key, &table, &index, &values) ||
        (index >= TEMPORARY_INDEX) == temporary) {
        return false;
    }
    key_index_prefix(into, table, index ^ TEMPORARY_INDEX);
    buffer_add(into, values.at, (size_t)(values.end - values.at));
    return true;
}

void temporary_entry_key(slice real, buffer *into)
{
    const bool turned = turn_index(real, true, into);
    sb_assert(turned);
}

bool real_entry_key(slice temporary, buffer *into)
{
    return turn_index(temporary, false, into);
}

void index_range(table_id table, index_id index, buffer *start, buffer *end)
{
    key_index_prefix(start, table, index);
    key_prefix_end(end, buffer_slice(start));
}

void index_values_range(const table_definition *table, const index_definition *index,
                        const datum *values, buffer *start, buffer *end)
{
    key_index_prefix(start, table->id, index->id);
    for (uint32_t i = 0; i < index->column_count; i++) {
        add_datum(start, table->columns[index->columns[i]].type, &values[i]);
    }
    key_prefix_end(end, buffer_slice(start));
}

bool index_entry_handle(const table_definition *table, const index_definition *index, slice key,
                        slice value, row_handle *handle)
{
    table_id of_table;
    index_id of_index;
    cursor at;
    if (!key_index_decode(key, &of_table, &of_index, &at) || of_table != table->id ||
        of_index != index->id) {
        return false;
    }
    buffer scratch;
    buffer_init(&scratch);
    for (uint32_t i = 0; i < index->column_count; i++) {
        skip_datum(&at, table->columns[index->columns[i]].type, &scratch);
    }
    buffer_release(&scratch);
    cursor from = cursor_of(value);
    if (index->unique) {
        *handle = (row_handle)cursor_u64(&from);
    } else {
        *handle = codec_i64(&at);
        from.failed |= cursor_u8(&from) != PLAIN_ENTRY_VALUE;
    }
    return cursor_finished(&at) && cursor_finished(&from);
}
