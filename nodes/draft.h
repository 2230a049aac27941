/*
 * What a client's worker does next: the statements of one transaction, drawn.
 *
 * Few values of k and ids that come back after a delete make index entries appear, vanish and
 * appear again under the same key, which is where a backfill beneath double writes can go wrong.
 * Values of pad move from row to row (a REPLACE that meets a unique key, TiDB issue 52914; two rows
 * that change places), which is where an entry of a unique index can end up at the wrong row.
 *
 * A draft remembers a few rows that its transactions have read, so that it can read by their values
 * and move them, and by which indexes it could read; what it remembers may be old by now.
 */
#ifndef NODES_DRAFT_H
#define NODES_DRAFT_H

#include "engine/schema/definitions.h"
#include "engine/wire/client.h"
#include "nodes/boot.h"

/* An index of nodes/workload_indexes.def. */
typedef struct workload_index {
    const char *name;
    bool unique;
    uint8_t column_count;
    uint8_t columns[INDEX_COLUMNS_MAX];
} workload_index;

extern const workload_index workload_indexes[];
extern const uint32_t workload_index_count;

/* Bits by position. */
uint32_t workload_index_columns(const workload_index *of);

#define DRAFT_STATEMENTS_MAX 6u /* of an operation; the load has more */
#define DRAFT_ROWS_REMEMBERED 8u
#define DRAFT_IDS_REMEMBERED 8u

/* A row that was read. */
typedef struct remembered_row {
    uint64_t table; /* 0: none */
    int64_t id, k;
    unsigned char *c, *pad; /* of the draft's memory; `value_size` bytes */
} remembered_row;

typedef struct remembered_id {
    uint64_t table; /* 0: none */
    int64_t id;
} remembered_id;

/* The next number, unique in the world; 0: told to stop. */
typedef uint64_t draft_number(void *context);

typedef struct draft {
    const boot_settings *settings;
    draft_number *number;
    void *context;
    uint64_t table;
    statement *statements;
    uint32_t statement_count, statement_room;
    unsigned char *values; /* of its c and pad */
    remembered_row rows[DRAFT_ROWS_REMEMBERED];
    uint32_t rows_next;
    unsigned char *row_values;
    remembered_id deleted[DRAFT_IDS_REMEMBERED]; /* to insert again */
    uint32_t deleted_next;
    uint32_t
        readable[BOOT_TABLES_MAX]; /* bits of workload indexes that have been read by, by table */
} draft;

/* settings are borrowed; room: for statements. */
void draft_init(draft *into, const boot_settings *settings, uint32_t statement_room,
                draft_number *number, void *context);
void draft_release(draft *of);

/* One transaction on the table.  Its slices live until the next draft.  False: told to stop. */
bool draft_operation(draft *of, uint64_t table);

/* Inserts of the rows [first, first + count), as they are loaded into the table. */
bool draft_load(draft *of, uint64_t table, uint64_t first, uint64_t count);

/* The operation drafted last has committed with these results. */
void draft_learn(draft *of, const execute_reply *reply);

#endif
