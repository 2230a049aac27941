/*
 * What a table is: its columns, its indexes, and how far each index is on its way to being public.
 *
 * A table_definition is a plain value of fixed size, so a snapshot of the schema is an array of
 * them and copying one is a memcpy.  It is kept in the `m table` row, with a checksum.  An index
 * that is not in its table's definition is in state none.
 *
 * Schema states follow Google's F1 (Rae et al., "Online, Asynchronous Schema Change in F1", 2013):
 * two servers whose states are adjacent may write at the same time without hurting the index,
 * servers further apart may not.
 *
 *     state                   deletes kept   inserts kept   read by queries
 *     none
 *     delete-only             yes
 *     write-only              yes            yes
 *     write-reorganization    yes            yes            no; older rows are backfilled
 *     public                  yes            yes            yes
 */
#ifndef ENGINE_SCHEMA_DEFINITIONS_H
#define ENGINE_SCHEMA_DEFINITIONS_H

#include "engine/base/bytes.h"
#include "engine/transaction/transaction.h"

typedef int64_t row_handle; /* the primary key of a row */

typedef enum schema_state {
#define SCHEMA_STATE(name, text) SCHEMA_##name,
#include "engine/schema/states.def"
#undef SCHEMA_STATE
    SCHEMA_STATE_COUNT
} schema_state;

/* "write-reorganization".  Static. */
const char *schema_state_text(schema_state state);

/* How the entries of an index in the making come together: see "The temporary index" in
 * docs/ENGINE.md. */
typedef enum backfill_state {
#define BACKFILL_STATE(name, text) BACKFILL_##name,
#include "engine/schema/backfill_states.def"
#undef BACKFILL_STATE
    BACKFILL_STATE_COUNT
} backfill_state;

/* Moved with the index's id, like schema_state_machine. */
extern const sb_machine backfill_state_machine;

/* The moves an index may make, forward and back; whoever commits a step calls
 * sb_machine_move(&schema_state_machine, index id, from, to) once it is committed. */
extern const sb_machine schema_state_machine;

/* True for a move of that table. */
bool schema_move_allowed(schema_state from, schema_state to);

typedef enum column_type { COLUMN_INTEGER, COLUMN_BYTES, COLUMN_TYPE_COUNT } column_type;

#define NAME_SIZE_MAX 32 /* with the terminating zero */
#define TABLE_COLUMNS_MAX 8
#define TABLE_INDEXES_MAX 8
#define INDEX_COLUMNS_MAX 4

typedef struct column_definition {
    char name[NAME_SIZE_MAX];
    column_type type;
} column_definition;

typedef struct index_definition {
    index_id id;
    schema_state state;
    backfill_state backfill;
    bool unique;
    uint8_t column_count;
    uint8_t columns[INDEX_COLUMNS_MAX]; /* positions in the table's columns */
    char name[NAME_SIZE_MAX];
} index_definition;

/* Column 0 is the handle: an integer, kept in the row's key. */
typedef struct table_definition {
    table_id id;
    schema_version version; /* global version of the last change */
    uint32_t column_count, index_count;
    char name[NAME_SIZE_MAX];
    column_definition columns[TABLE_COLUMNS_MAX];
    index_definition indexes[TABLE_INDEXES_MAX]; /* in the order they were added */
} table_definition;

/* sbtest<id>(id integer, k integer, c bytes, pad bytes) without indexes, as sysbench makes it. */
enum { SBTEST_ID, SBTEST_K, SBTEST_C, SBTEST_PAD, SBTEST_COLUMN_COUNT };
void table_define_sbtest(table_definition *table, table_id id);

/* NULL when the table has none.  The pointer lives as long as the definition. */
const index_definition *table_index(const table_definition *table, index_id id);
const index_definition *table_index_named(const table_definition *table, const char *name);

/* Add an index (state delete-only or later), change its state, or take it away.  Add is false when
 * the table has no room, or has an index of that id or name already; the others are false when
 * there is no such index.  Nothing is changed then. */
bool table_add_index(table_definition *table, const index_definition *index);
bool table_set_index_state(table_definition *table, index_id id, schema_state state,
                           backfill_state backfill);
bool table_remove_index(table_definition *table, index_id id);

/* The place of the temporary index of an index, in keys.  Index ids are below it. */
#define TEMPORARY_INDEX ((index_id)1 << 63)

/* An index inside another value.  Encoding appends; decoding fails the cursor on what cannot be. An
 * index of which only the name is known (of a DROP INDEX that has not begun) has the id 0, no
 * columns and the state none. */
void index_definition_encode(const index_definition *index, buffer *into);
void index_definition_decode(cursor *from, index_definition *index);

/* The value of the `m table` row; encoding clears `into` first.  Decode is false on damage or on a
 * definition that cannot be. */
void table_encode(const table_definition *table, buffer *into);
bool table_decode(slice from, table_definition *table);

/* Values of the `m schema-version` row. */
void schema_version_encode(schema_version version, buffer *into);
bool schema_version_decode(slice from, schema_version *version);

#endif
