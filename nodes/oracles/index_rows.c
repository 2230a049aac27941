/*
 * I1: an index that is public is a bijection of the rows, as ADMIN CHECK INDEX would have it.
 *
 * Judged at the end, and not only there: storage keeps all versions, so for every moment since the
 * index got public the entry of a row must be there exactly while the row has those values.  Of a
 * unique index the entry must bear the row's id, so two rows with one value cannot both pass.
 */
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "index and rows"

/* While of a table's index is checked. */
typedef struct check {
    const evidence *of;
    table_id table;
    const index_definition *index;
    timestamp since;  /* when it got public */
    uint64_t entries; /* that the rows ask for */
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

/* A state of a row: its values from `from` to just before `to`. */
typedef struct row_state {
    int64_t id, k;
    timestamp from, to;
    encoded_key key; /* of its entry */
} row_state;

/* Of a unique index another row's entry may be there; of a plain one it cannot. */
static bool is_there(const check *in, const entry *of, const row_state *state, timestamp at)
{
    const version *found = of == NULL ? NULL : durable_entry_read(of, at);
    if (found == NULL) {
        return false;
    }
    const bool ours = is_value_of_entry(in->index, state->id, version_value(found));
    if (!ours && !in->index->unique) {
        wrong(in, state->id, state->k, at, "the value of its entry is not an entry's");
    }
    return ours;
}

static void check_state(const check *in, const row_state *state, bool stays)
{
    const entry *found = durable_find(in->of->durable, encoded_slice(&state->key));
    const timestamp last = state->to == TIMESTAMP_MAX ? TIMESTAMP_MAX : state->to - 1;
    if (!is_there(in, found, state, state->from)) {
        wrong(in, state->id, state->k, state->from, "it has no entry");
    }
    if (last != state->from && !is_there(in, found, state, last)) {
        wrong(in, state->id, state->k, last, "it has lost its entry");
    }
    if (!stays && is_there(in, found, state, state->to)) {
        wrong(in, state->id, state->k, state->to, "its entry outlived it");
    }
}

/* The states of a row since the index got public: the entry of each is there when it begins and
 * when it ends, and is gone with it, unless the next one has the same. */
static void check_row(check *in, int64_t id, const entry *found)
{
    row_state states[2]; /* this one and the one that came after it */
    bool later_put = false;
    uint32_t at = 0;
    timestamp to = TIMESTAMP_MAX;
    for (const version *of = found->values; of != NULL && to > in->since; of = of->older) {
        const bool put = of->kind == VERSION_PUT;
        if (put) {
            row_state *state = &states[at];
            const row_state *later = &states[1 - at];
            row_columns columns;
            if (!decode_row_columns(version_value(of), &columns)) {
                wrong(in, id, 0, of->commit, "the row cannot be decoded");
            }
            state->id = id;
            state->k = columns.k;
            state->from = of->commit > in->since ? of->commit : in->since;
            state->to = to;
            encode_index_entry_key(in->table, in->index, &columns, id, &state->key);
            const bool same = later_put && encoded_equal(&later->key, &state->key);
            check_state(in, state, to == TIMESTAMP_MAX || same);
            in->entries += to == TIMESTAMP_MAX;
            at = 1 - at;
        }
        later_put = put;
        to = of->commit;
    }
}

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

/* Whose entry this is, or what is wrong with it. */
static void explain_entry(const check *in, slice key, slice value)
{
    const int64_t id = row_of_entry(in, key, value);
    const encoded_key row_key = encode_row_key(in->table, id);
    const version *row = durable_read(in->of->durable, encoded_slice(&row_key), TIMESTAMP_MAX);
    row_columns columns = {.k = 0};
    if (row == NULL || !decode_row_columns(version_value(row), &columns)) {
        wrong(in, id, 0, TIMESTAMP_MAX, "an entry without a row");
    }
    encoded_key expected;
    encode_index_entry_key(in->table, in->index, &columns, id, &expected);
    if (!slice_equal(encoded_slice(&expected), key)) {
        wrong(in, id, columns.k, TIMESTAMP_MAX, "an entry of other values");
    }
}

static uint64_t walk_entries(const check *in, void (*look)(const check *in, slice key, slice value))
{
    const encoded_key start = encode_index_prefix(in->table, in->index->id);
    const encoded_key end = encode_behind(&start);
    uint64_t there = 0;
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        const version *found = durable_entry_read(walk.found, TIMESTAMP_MAX);
        if (found != NULL) {
            there++;
            if (look != NULL) {
                look(in, walk.key, version_value(found));
            }
        }
    }
    return there;
}

/* Every row has its entry; so if there are as many entries as rows, there are no others. */
static void check_entries(const check *in)
{
    const uint64_t there = walk_entries(in, NULL);
    if (there != in->entries) {
        (void)walk_entries(in, explain_entry);
        sb_finding(in->of->world, SB_FINDING_WRONG_INDEX, ORACLE,
                   "index %s has %llu entries for %llu rows", in->index->name,
                   (unsigned long long)there, (unsigned long long)in->entries);
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
    const encoded_key start = encode_rows_prefix(table->id), end = encode_behind(&start);
    for (uint32_t i = 0; i < table->definition.index_count; i++) {
        const index_definition *index = &table->definition.indexes[i];
        if (index->state != SCHEMA_PUBLIC) {
            continue;
        }
        check in = {.of = of,
                    .table = table->id,
                    .index = index,
                    .since = public_since(of, table->id, index->id)};
        durable_walk walk;
        for (durable_walk_init(&walk, of->durable, encoded_slice(&start), encoded_slice(&end));
             durable_walk_next(&walk);) {
            check_row(&in, decode_last_number(walk.key), walk.found);
        }
        check_entries(&in);
    }
}
