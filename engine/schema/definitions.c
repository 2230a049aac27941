/*
 * Table definitions as values and as bytes.
 *
 * The value of a `m table` row:
 *
 *     u8 format | u64 table | u64 version | name | u8 columns | for each: name, u8 type
 *               | u8 indexes | for each: u64 id, name, u8 state, u8 backfill, u8 unique,
 *                 u8 columns, their positions | u64 checksum of all before
 */
#include "engine/schema/definitions.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/checksum.h"

#define TABLE_FORMAT 1u

/* ------------------------------------------------------------------------------------- states */

static const char *const schema_state_texts[] = {
#define SCHEMA_STATE(name, text) [SCHEMA_##name] = text,
#include "engine/schema/states.def"
#undef SCHEMA_STATE
};

/* Adding an index goes down the list; giving it up, or dropping it, goes back. */
static const sb_move schema_state_moves[] = {
    {SCHEMA_NONE, SCHEMA_DELETE_ONLY},
    {SCHEMA_DELETE_ONLY, SCHEMA_WRITE_ONLY},
    {SCHEMA_WRITE_ONLY, SCHEMA_WRITE_REORGANIZATION},
    {SCHEMA_WRITE_REORGANIZATION, SCHEMA_PUBLIC},
    {SCHEMA_PUBLIC, SCHEMA_WRITE_ONLY},
    {SCHEMA_WRITE_REORGANIZATION, SCHEMA_DELETE_ONLY},
    {SCHEMA_WRITE_ONLY, SCHEMA_DELETE_ONLY},
    {SCHEMA_DELETE_ONLY, SCHEMA_NONE},
};

SB_MACHINE(schema_state_machine, "schema-state", schema_state_texts, schema_state_moves,
           .initial = SCHEMA_NONE, .finals = SB_STATE(SCHEMA_NONE) | SB_STATE(SCHEMA_PUBLIC),
           .source = "F1, VLDB 2013: adjacent states are mutually safe");

const char *schema_state_text(schema_state state)
{
    sb_assert_op(state, <, SCHEMA_STATE_COUNT);
    return schema_state_texts[state];
}

bool schema_move_allowed(schema_state from, schema_state to)
{
    for (uint32_t i = 0; i < schema_state_machine.move_count; i++) {
        if (schema_state_moves[i].from == from && schema_state_moves[i].to == to) {
            return true;
        }
    }
    return false;
}

static const char *const backfill_state_texts[] = {
#define BACKFILL_STATE(name, text) [BACKFILL_##name] = text,
#include "engine/schema/backfill_states.def"
#undef BACKFILL_STATE
};

static const sb_move backfill_state_moves[] = {
    {BACKFILL_INAPPLICABLE, BACKFILL_RUNNING},
    {BACKFILL_RUNNING, BACKFILL_READY_TO_MERGE},
    {BACKFILL_READY_TO_MERGE, BACKFILL_MERGING},
    {BACKFILL_MERGING, BACKFILL_INAPPLICABLE}, /* public */
    {BACKFILL_RUNNING, BACKFILL_INAPPLICABLE}, /* given up */
    {BACKFILL_READY_TO_MERGE, BACKFILL_INAPPLICABLE},
};

SB_MACHINE(backfill_state_machine, "backfill-state", backfill_state_texts, backfill_state_moves,
           .initial = BACKFILL_INAPPLICABLE, .finals = SB_STATE(BACKFILL_INAPPLICABLE),
           .source = "TiDB's backfill states; issues 54897, 52914");

/* ------------------------------------------------------------------------------------- values */

static void add_column(table_definition *table, const char *name, column_type type)
{
    column_definition *column = &table->columns[table->column_count++];
    sb_assert_op(strlen(name), <, sizeof(column->name));
    memcpy(column->name, name, strlen(name) + 1);
    column->type = type;
}

void table_define_sbtest(table_definition *table, table_id id)
{
    memset(table, 0, sizeof(*table));
    table->id = id;
    (void)snprintf(table->name, sizeof(table->name), "sbtest%llu", (unsigned long long)id);
    add_column(table, "id", COLUMN_INTEGER);
    add_column(table, "k", COLUMN_INTEGER);
    add_column(table, "c", COLUMN_BYTES);
    add_column(table, "pad", COLUMN_BYTES);
    sb_assert_op(table->column_count, ==, SBTEST_COLUMN_COUNT);
}

const index_definition *table_index(const table_definition *table, index_id id)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].id == id) {
            return &table->indexes[i];
        }
    }
    return NULL;
}

const index_definition *table_index_named(const table_definition *table, const char *name)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (strcmp(table->indexes[i].name, name) == 0) {
            return &table->indexes[i];
        }
    }
    return NULL;
}

bool table_add_index(table_definition *table, const index_definition *index)
{
    if (table->index_count == TABLE_INDEXES_MAX || table_index(table, index->id) != NULL ||
        table_index_named(table, index->name) != NULL) {
        return false;
    }
    table->indexes[table->index_count++] = *index;
    return true;
}

bool table_set_index_state(table_definition *table, index_id id, schema_state state,
                           backfill_state backfill)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].id == id) {
            table->indexes[i].state = state;
            table->indexes[i].backfill = backfill;
            return true;
        }
    }
    return false;
}

bool table_remove_index(table_definition *table, index_id id)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].id == id) {
            table->index_count--;
            memmove(&table->indexes[i], &table->indexes[i + 1],
                    (table->index_count - i) * sizeof(table->indexes[0]));
            return true;
        }
    }
    return false;
}

/* -------------------------------------------------------------------------------------- bytes */

static void add_name(buffer *into, const char *name)
{
    buffer_add_slice(into, slice_of_string(name));
}

static void take_name(cursor *from, char *name)
{
    const slice bytes = cursor_slice(from);
    if (bytes.size == 0 || bytes.size >= NAME_SIZE_MAX) {
        from->failed = true;
        return;
    }
    memcpy(name, bytes.data, bytes.size);
    name[bytes.size] = 0;
    from->failed |= strlen(name) != bytes.size; /* a zero inside */
}

void index_definition_encode(const index_definition *index, buffer *into)
{
    buffer_add_u64(into, index->id);
    add_name(into, index->name);
    buffer_add_u8(into, (uint8_t)index->state);
    buffer_add_u8(into, (uint8_t)index->backfill);
    buffer_add_u8(into, index->unique);
    buffer_add_u8(into, index->column_count);
    buffer_add(into, index->columns, index->column_count);
}

void index_definition_decode(cursor *from, index_definition *index)
{
    memset(index, 0, sizeof(*index));
    index->id = cursor_u64(from);
    take_name(from, index->name);
    const uint8_t state = cursor_u8(from);
    const uint8_t backfill = cursor_u8(from);
    const uint8_t unique = cursor_u8(from);
    index->column_count = cursor_u8(from);
    const bool only_named = index->id == 0;
    if (index->id >= TEMPORARY_INDEX || state >= SCHEMA_STATE_COUNT ||
        backfill >= BACKFILL_STATE_COUNT || unique > 1 || index->column_count > INDEX_COLUMNS_MAX ||
        only_named != (index->column_count == 0) ||
        (only_named && (state != SCHEMA_NONE || backfill != BACKFILL_INAPPLICABLE))) {
        from->failed = true;
        index->column_count = 0;
        return;
    }
    index->state = (schema_state)state;
    index->backfill = (backfill_state)backfill;
    index->unique = unique == 1;
    for (uint32_t i = 0; i < index->column_count; i++) {
        index->columns[i] = cursor_u8(from);
    }
}

/* An index that stands in a table. */
static void take_index(cursor *from, const table_definition *table, index_definition *index)
{
    index_definition_decode(from, index);
    from->failed |= index->state == SCHEMA_NONE;
    for (uint32_t i = 0; i < index->column_count; i++) {
        from->failed |= index->columns[i] >= table->column_count;
    }
}

void table_encode(const table_definition *table, buffer *into)
{
    buffer_clear(into);
    buffer_add_u8(into, TABLE_FORMAT);
    buffer_add_u64(into, table->id);
    buffer_add_u64(into, table->version);
    add_name(into, table->name);
    buffer_add_u8(into, (uint8_t)table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++) {
        add_name(into, table->columns[i].name);
        buffer_add_u8(into, (uint8_t)table->columns[i].type);
    }
    buffer_add_u8(into, (uint8_t)table->index_count);
    for (uint32_t i = 0; i < table->index_count; i++) {
        index_definition_encode(&table->indexes[i], into);
    }
    buffer_add_u64(into, checksum64(buffer_slice(into)));
}

static void take_columns(cursor *from, table_definition *table)
{
    const uint8_t count = cursor_u8(from);
    if (count == 0 || count > TABLE_COLUMNS_MAX) {
        from->failed = true;
        return;
    }
    table->column_count = count;
    for (uint32_t i = 0; i < count && !from->failed; i++) {
        take_name(from, table->columns[i].name);
        const uint8_t type = cursor_u8(from);
        from->failed |= type >= COLUMN_TYPE_COUNT || (i == 0 && type != COLUMN_INTEGER);
        table->columns[i].type = (column_type)type;
    }
}

static void take_indexes(cursor *from, table_definition *table)
{
    const uint8_t count = cursor_u8(from);
    if (count > TABLE_INDEXES_MAX) {
        from->failed = true;
        return;
    }
    for (uint32_t i = 0; i < count && !from->failed; i++) {
        index_definition index;
        take_index(from, table, &index);
        from->failed |= !table_add_index(table, &index);
    }
}

bool table_decode(slice from, table_definition *table)
{
    const uint32_t sum_size = 8;
    if (from.size < sum_size) {
        return false;
    }
    const slice body = {from.data, from.size - sum_size};
    cursor sum = cursor_of((slice){from.data + body.size, sum_size});
    if (cursor_u64(&sum) != checksum64(body)) {
        return false;
    }
    memset(table, 0, sizeof(*table));
    cursor at = cursor_of(body);
    at.failed |= cursor_u8(&at) != TABLE_FORMAT;
    table->id = cursor_u64(&at);
    table->version = cursor_u64(&at);
    take_name(&at, table->name);
    take_columns(&at, table);
    take_indexes(&at, table);
    return cursor_finished(&at) && table->id != 0;
}

void schema_version_encode(schema_version version, buffer *into)
{
    buffer_clear(into);
    buffer_add_u64(into, version);
}

bool schema_version_decode(slice from, schema_version *version)
{
    cursor at = cursor_of(from);
    *version = cursor_u64(&at);
    return cursor_finished(&at) && *version != 0;
}
