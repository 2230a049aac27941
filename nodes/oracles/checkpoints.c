/*
 * I7: a checkpoint never passes the data.
 *
 * The row of a subtask, or of a reorganization by the owner alone, says how far its entries are in
 * storage, and in the end that all of them are. Whoever takes the work over goes on from there, so
 * for every row of the table before that point some store must have told, before the row was
 * written, that the entry is there for good.
 */
#include "engine/ddl/reorg_row.h"
#include "engine/task/task.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "checkpoints"

typedef struct check {
    const evidence *of;
    uint64_t numbers[3]; /* of the subtask: job, phase, number; of the reorganization: job */
    const char *word;
    index_definition index;
    const decision *written; /* the row that is judged */
    timestamp snapshot;
    table_id table;
} check;

/* The index may be gone by now: its definition as any version of the table's shows it. */
static bool find_index(check *in, index_id id)
{
    const entry *found = durable_find_table(in->of->durable, in->table);
    for (const version *of = found == NULL ? NULL : found->values; of != NULL; of = of->older) {
        table_definition table;
        const bool read = of->kind == VERSION_PUT && table_decode(version_value(of), &table);
        const index_definition *index = read ? table_index(&table, id) : NULL;
        if (index != NULL) {
            in->index = *index;
            return true;
        }
    }
    return false;
}

static void check_row(const check *in, int64_t id, const version *found)
{
    row_columns columns;
    encoded_key key;
    if (!decode_row_columns(version_value(found), &columns)) {
        return; /* told elsewhere */
    }
    encode_index_entry_key(in->table, &in->index, &columns, id, &key);
    if (!decisions_had_ingested(in->of->decisions, in->snapshot, encoded_slice(&key),
                                in->written)) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "%s %llu of job %llu called row %lld imported at %llu, before any store had its "
                   "entry",
                   in->word, number(in->numbers[2]), number(in->numbers[0]), (long long)id,
                   number(in->written->told.commit));
    }
}

static void check_range(const check *in, slice start, slice end)
{
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, start, end); durable_walk_next(&walk);) {
        const version *found = durable_entry_read(walk.found, in->snapshot);
        if (found != NULL && walk.key.size == ENCODED_ROW_KEY_SIZE) {
            check_row(in, decode_last_number(walk.key), found);
        }
    }
}

/* What the version calls imported and the one before it did not: of this table's rows, at this
 * snapshot, for this index. */
static void check_progress(check *in, const version *one, index_id index, slice from, slice to)
{
    in->written = decisions_commit(in->of->decisions, &in->of->commits, one->start);
    if (in->written != NULL && to.size > 0 && slice_compare(from, to) < 0 &&
        find_index(in, index)) {
        check_range(in, from, to);
    }
}

static bool read_row(const check *in, const version *one, subtask_row *into)
{
    return one != NULL && one->kind == VERSION_PUT &&
           subtask_row_decode(in->numbers[0], (uint32_t)in->numbers[1], (uint32_t)in->numbers[2],
                              version_value(one), into);
}

static void check_subtask(check *in, const version *one)
{
    subtask_row row, before;
    if (!read_row(in, one, &row) || !read_row(in, one->older, &before)) {
        return;
    }
    const bool ended = row.state == SUBTASK_SUCCEED && before.state != SUBTASK_SUCCEED;
    in->table = row.table;
    in->snapshot = row.snapshot;
    check_progress(in, one, row.index,
                   range_key_slice(before.imported.size > 0 ? &before.imported : &row.start),
                   range_key_slice(ended ? &row.end : &row.imported));
}

/* The table whose rows end there; 0: none of those that are judged. */
static table_id table_before(const evidence *of, slice end)
{
    table_id found = 0;
    for (uint32_t i = 0; i < of->table_count; i++) {
        const encoded_key rows = encode_rows_prefix(of->tables[i].id),
                          behind = encode_behind(&rows);
        found = slice_equal(encoded_slice(&behind), end) ? of->tables[i].id : found;
    }
    return found;
}

/* start = end says that all is done. */
static void check_reorganization(check *in, const version *one)
{
    reorg_row row, before;
    const bool are_there = one->kind == VERSION_PUT && one->older != NULL &&
                           one->older->kind == VERSION_PUT &&
                           reorg_row_decode(in->numbers[0], version_value(one), &row) &&
                           reorg_row_decode(in->numbers[0], version_value(one->older), &before);
    if (!are_there || row.phase != before.phase) {
        return;
    }
    in->table = table_before(in->of, range_key_slice(&row.end));
    in->snapshot = row.snapshot;
    check_progress(in, one, row.element, range_key_slice(&before.start),
                   range_key_slice(&row.start));
}

static void check_rows(check *in, uint32_t number_count,
                       void (*check_version)(check *in, const version *one))
{
    durable_walk walk;
    for (durable_walk_rows(&walk, in->of->durable, in->word); durable_walk_next(&walk);) {
        if (!key_meta_decode(walk.key, in->word, in->numbers, number_count)) {
            continue;
        }
        for (const version *one = walk.found->values; one != NULL; one = one->older) {
            check_version(in, one);
        }
    }
}

void oracle_checkpoints(const evidence *of)
{
    check subtasks = {.of = of, .word = "subtask"};
    check reorganizations = {.of = of, .word = "reorg"};
    check_rows(&subtasks, 3, check_subtask);
    check_rows(&reorganizations, 1, check_reorganization);
}
