/*
 * I1: an index that is public is a bijection of the rows, as ADMIN CHECK INDEX would have it.
 *
 * Judged at the end, and not only there: storage keeps all versions, so for every moment since the
 * index got public the entry of a row must be there exactly while the row has that k.
 */
#include "engine/wire/keys.h"
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

static void wrong(const check *in, int64_t k, int64_t id, timestamp at, const char *what)
    __attribute__((noreturn));
static void wrong(const check *in, int64_t k, int64_t id, timestamp at, const char *what)
{
    char when[48] = "";
    if (at != TIMESTAMP_MAX) {
        (void)snprintf(when, sizeof(when), " at %llu", (unsigned long long)at);
    }
    sb_finding(in->of->world, SB_FINDING_WRONG_INDEX, ORACLE,
               "index %s, row %lld with k %lld: %s%s", in->index->name, (long long)id, (long long)k,
               what, when);
}

static const entry *find_entry(const check *in, int64_t k, int64_t id)
{
    const encoded_key key = encode_entry_key(in->table, in->index->id, k, id);
    return durable_find(in->of->durable, encoded_slice(&key));
}

static bool is_there(const check *in, const entry *of, int64_t k, int64_t id, timestamp at)
{
    const version *found = of == NULL ? NULL : durable_entry_read(of, at);
    if (found != NULL && !is_entry_value(version_value(found))) {
        wrong(in, k, id, at, "the value of its entry is not an entry's");
    }
    return found != NULL;
}

/* A state of a row, from `from` to just before `to`. */
static void check_state(const check *in, int64_t id, int64_t k, timestamp from, timestamp to,
                        bool stays)
{
    const entry *found = find_entry(in, k, id);
    const timestamp last = to == TIMESTAMP_MAX ? TIMESTAMP_MAX : to - 1;
    if (!is_there(in, found, k, id, from)) {
        wrong(in, k, id, from, "it has no entry");
    }
    if (last != from && !is_there(in, found, k, id, last)) {
        wrong(in, k, id, last, "it has lost its entry");
    }
    if (!stays && is_there(in, found, k, id, to)) {
        wrong(in, k, id, to, "its entry outlived it");
    }
}

/* The states of a row since the index got public: the entry of each is there when it begins and
 * when it ends, and is gone with it, unless the next one has the same. */
static void check_row(check *in, int64_t id, const entry *found)
{
    int64_t later_k = 0;
    bool later_put = false;
    timestamp to = TIMESTAMP_MAX;
    for (const version *of = found->values; of != NULL && to > in->since; of = of->older) {
        int64_t k = 0;
        const bool put = of->kind == VERSION_PUT;
        if (put) {
            if (!decode_row_k(version_value(of), &k)) {
                wrong(in, 0, id, of->commit, "the row cannot be decoded");
            }
            const bool stays = to == TIMESTAMP_MAX || (later_put && later_k == k);
            check_state(in, id, k, of->commit > in->since ? of->commit : in->since, to, stays);
            in->entries += to == TIMESTAMP_MAX;
        }
        later_k = k;
        later_put = put;
        to = of->commit;
    }
}

/* Whose entry this is, or what is wrong with it. */
static void explain_entry(const check *in, slice key)
{
    if (key.size != ENCODED_ENTRY_KEY_SIZE) {
        wrong(in, 0, 0, TIMESTAMP_MAX, "an entry's key has another shape");
    }
    const int64_t id = decode_last_number(key);
    const int64_t k = decode_last_number((slice){key.data, key.size - 8});
    const encoded_key row_key = encode_row_key(in->table, id);
    const version *row = durable_read(in->of->durable, encoded_slice(&row_key), TIMESTAMP_MAX);
    int64_t row_k = 0;
    if (row == NULL || !decode_row_k(version_value(row), &row_k) || row_k != k) {
        wrong(in, k, id, TIMESTAMP_MAX,
              row == NULL ? "an entry without a row" : "an entry of another k");
    }
}

static uint64_t walk_entries(const check *in, void (*look)(const check *in, slice key))
{
    const encoded_key start = encode_index_prefix(in->table, in->index->id);
    const encoded_key end = encode_behind(&start);
    uint64_t there = 0;
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        if (durable_entry_read(walk.found, TIMESTAMP_MAX) != NULL) {
            there++;
            if (look != NULL) {
                look(in, walk.key);
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

/* When the definition that is there now was committed: it is the one that made the index public, or
 * a later one. */
static timestamp public_since(const evidence *of, table_id table)
{
    buffer key;
    buffer_init(&key);
    key_table(&key, table);
    const version *found = durable_read(of->durable, buffer_slice(&key), TIMESTAMP_MAX);
    buffer_release(&key);
    return found == NULL ? TIMESTAMP_MAX : found->commit;
}

void oracle_index_rows(const evidence *of, const judged_table *table)
{
    const encoded_key start = encode_rows_prefix(table->id), end = encode_behind(&start);
    const timestamp since = public_since(of, table->id);
    for (uint32_t i = 0; i < table->definition.index_count; i++) {
        const index_definition *index = &table->definition.indexes[i];
        check in = {.of = of, .table = table->id, .index = index, .since = since};
        if (in.index->state != SCHEMA_PUBLIC || in.index->unique) {
            continue;
        }
        durable_walk walk;
        for (durable_walk_init(&walk, of->durable, encoded_slice(&start), encoded_slice(&end));
             durable_walk_next(&walk);) {
            check_row(&in, decode_last_number(walk.key), walk.found);
        }
        check_entries(&in);
    }
}
