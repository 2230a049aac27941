/*
 * I1: an index that is public is a bijection of the rows, as ADMIN CHECK INDEX would have it.
 *
 * Judged at the end, and not only there: storage keeps all versions, so for every moment since the
 * index got public the entry of a row must be there exactly while the row has those values.  Both
 * ways: of each state of a row all versions of its entry are looked at, and of each version of an
 * entry all states of the row that it names.  Of a unique index the entry must bear the row's id,
 * so two rows with one value cannot both pass.
 *
 *     row 1       ====== k 3 ======|======= k 9 =======|  deleted
 *     entry 3 1   -----------------|
 *     entry 9 1                    |-------------------|
 *
 * An index that was dropped has taken all its versions with it: what it told while it was there,
 * writes.c judges by the reads.
 */
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "index and rows"

/* While of a table's index is checked. */
typedef struct check {
    const evidence *of;
    table_id table;
    const index_definition *index;
    timestamp since; /* when it got public */
} check;

static void wrong(const check *in, int64_t id, int64_t k, timestamp at, const char *what)
    __attribute__((noreturn));
static void wrong(const check *in, int64_t id, int64_t k, timestamp at, const char *what)
{
    char when[48] = "";
    if (at != TIMESTAMP_MAX) {
        (void)snprintf(when, sizeof(when), " at %llu", (unsigned long long)at);
    }
    sb_finding(in->of->world, SB_FINDING_WRONG_INDEX, ORACLE,
               "index %s of table %llu, row %lld with k %lld: %s%s", in->index->name,
               (unsigned long long)in->table, (long long)id, (long long)k, what, when);
}

/* ------------------------------------------------------------------- rows that have their entry */

/* A state of a row: its values from `from` to just before `to`. */
typedef struct row_state {
    int64_t id, k;
    timestamp from, to;
    encoded_key key; /* of its entry */
} row_state;

/* Of a unique index another row's entry may be there; of a plain one it cannot. */
static bool is_ours(const check *in, const row_state *state, const version *one)
{
    if (one->kind != VERSION_PUT) {
        return false;
    }
    const bool ours = is_value_of_entry(in->index, state->id, version_value(one));
    if (!ours && !in->index->unique) {
        wrong(in, state->id, state->k, one->commit, "the value of its entry is not an entry's");
    }
    return ours;
}

/* The entry is there when the state begins, and whatever was written to it until the state ended
 * has left it there. */
static void check_state(const check *in, const row_state *state)
{
    const entry *found = durable_find(in->of->durable, encoded_slice(&state->key));
    const version *one = found == NULL ? NULL : found->values;
    while (one != NULL && one->commit >= state->to) {
        one = one->older;
    }
    for (; one != NULL && one->commit > state->from; one = one->older) {
        if (!is_ours(in, state, one)) {
            wrong(in, state->id, state->k, one->commit, "it has lost its entry");
        }
    }
    if (one == NULL || !is_ours(in, state, one)) {
        wrong(in, state->id, state->k, state->from, "it has no entry");
    }
}

/* All states of a row since the index got public. */
static void check_row(const check *in, int64_t id, const entry *found)
{
    timestamp to = TIMESTAMP_MAX;
    for (const version *of = found->values; of != NULL && to > in->since; of = of->older) {
        row_columns columns;
        if (of->kind == VERSION_PUT) {
            if (!decode_row_columns(version_value(of), &columns)) {
                wrong(in, id, 0, of->commit, "the row cannot be decoded");
            }
            row_state state = {.id = id, .k = columns.k, .to = to};
            state.from = of->commit > in->since ? of->commit : in->since;
            encode_index_entry_key(in->table, in->index, &columns, id, &state.key);
            check_state(in, &state);
        }
        to = of->commit;
    }
}

/* ------------------------------------------------------------------- entries that have their row
 */

/* The row that an entry points to: by the end of its key, or by its value. */
static int64_t row_of_entry(const check *in, slice key, slice value)
{
    if (!in->index->unique) {
        return decode_last_number(key);
    }
    uint64_t id = 0;
    if (value.size != sizeof(id)) {
        wrong(in, 0, 0, TIMESTAMP_MAX, "the value of an entry is no id");
    }
    for (uint32_t i = sizeof(id); i > 0; i--) {
        id = id << 8 | value.data[i - 1];
    }
    return (int64_t)id;
}

/* The row has the values of the entry's key in this version of its. */
static void check_row_of_entry(const check *in, slice key, int64_t id, const version *row,
                               timestamp at)
{
    row_columns columns = {.k = 0};
    if (row == NULL || row->kind != VERSION_PUT ||
        !decode_row_columns(version_value(row), &columns)) {
        wrong(in, id, 0, at, "an entry without a row");
    }
    encoded_key expected;
    encode_index_entry_key(in->table, in->index, &columns, id, &expected);
    if (!slice_equal(encoded_slice(&expected), key)) {
        wrong(in, id, columns.k, at, "an entry of other values");
    }
}

/* While a version of an entry is there its row has these values, whichever versions that row has
 * meanwhile. */
static void check_entry_version(const check *in, slice key, const version *one, timestamp to)
{
    const timestamp from = one->commit > in->since ? one->commit : in->since;
    const int64_t id = row_of_entry(in, key, version_value(one));
    const encoded_key row_key = encode_row_key(in->table, id);
    const entry *found = durable_find(in->of->durable, encoded_slice(&row_key));
    const version *row = found == NULL ? NULL : found->values;
    while (row != NULL && row->commit >= to) {
        row = row->older;
    }
    for (; row != NULL && row->commit > from; row = row->older) {
        check_row_of_entry(in, key, id, row, row->commit);
    }
    check_row_of_entry(in, key, id, row, from);
}

static void check_entry(const check *in, slice key, const entry *found)
{
    timestamp to = TIMESTAMP_MAX;
    for (const version *one = found->values; one != NULL && to > in->since; one = one->older) {
        if (one->kind == VERSION_PUT) {
            check_entry_version(in, key, one, to);
        }
        to = one->commit;
    }
}

/* ------------------------------------------------------------------------------------ the whole */

static void check_rows(const check *in)
{
    const encoded_key start = encode_rows_prefix(in->table), end = encode_behind(&start);
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        check_row(in, decode_last_number(walk.key), walk.found);
    }
}

static void check_entries(const check *in)
{
    const encoded_key start = encode_index_prefix(in->table, in->index->id);
    const encoded_key end = encode_behind(&start);
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        check_entry(in, walk.key, walk.found);
    }
}

/* When the definition was committed that made the index public: the oldest of those, counted from
 * now, under which it is. */
static timestamp public_since(const evidence *of, table_id table, index_id id)
{
    const entry *found = durable_find_table(of->durable, table);
    timestamp since = TIMESTAMP_MAX;
    for (const version *at = found == NULL ? NULL : found->values; at != NULL; at = at->older) {
        table_definition then;
        if (at->kind != VERSION_PUT || !table_decode(version_value(at), &then)) {
            break;
        }
        const index_definition *index = table_index(&then, id);
        if (index == NULL || index->state != SCHEMA_PUBLIC) {
            break;
        }
        since = at->commit;
    }
    return since;
}

void oracle_index_rows(const evidence *of, const judged_table *table)
{
    for (uint32_t i = 0; i < table->definition.index_count; i++) {
        const index_definition *index = &table->definition.indexes[i];
        const check in = {.of = of,
                          .table = table->id,
                          .index = index,
                          .since = public_since(of, table->id, index->id)};
        if (index->state == SCHEMA_PUBLIC) {
            check_rows(&in);
            check_entries(&in);
        }
    }
}
