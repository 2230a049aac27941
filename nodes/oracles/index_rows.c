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

static const version *entry_at(const check *in, int64_t k, int64_t id, timestamp at)
{
    const encoded_key key = encode_entry_key(in->of->table, in->index->id, k, id);
    const version *found = durable_read(in->of->durable, encoded_slice(&key), at);
    if (found != NULL && !is_entry_value(version_value(found))) {
        wrong(in, k, id, at, "the value of its entry is not an entry's");
    }
    return found;
}

/* The states of a row since the index got public: its entry is there when it begins and when it
 * ends, and that of the state before is not, unless it is the same. */
static void check_row(check *in, int64_t id, const entry *found)
{
    row_value later = {0};
    bool later_put = false;
    timestamp later_from = TIMESTAMP_MAX;
    for (const version *of = found->values; of != NULL; of = of->older) {
        const timestamp from = of->commit > in->since ? of->commit : in->since;
        row_value value = {0};
        const bool put = of->kind == VERSION_PUT;
        if (put && !decode_row(version_value(of), &value)) {
            wrong(in, 0, id, from, "the row cannot be decoded");
        }
        if (later_from == TIMESTAMP_MAX && put) {
            in->entries++;
        }
        const timestamp last = later_from == TIMESTAMP_MAX ? TIMESTAMP_MAX : later_from - 1;
        if (put && entry_at(in, value.k, id, from) == NULL) {
            wrong(in, value.k, id, from, "it has no entry");
        }
        if (put && entry_at(in, value.k, id, last) == NULL) {
            wrong(in, value.k, id, last, "it has lost its entry");
        }
        if (put && later_from != TIMESTAMP_MAX && !(later_put && later.k == value.k) &&
            entry_at(in, value.k, id, later_from) != NULL) {
            wrong(in, value.k, id, later_from, "its entry outlived it");
        }
        if (of->commit <= in->since) {
            break;
        }
        later = value;
        later_put = put;
        later_from = of->commit;
    }
}

/* Entries that are there now, whether a row asks for them or not. */
static void check_entries(const check *in)
{
    const encoded_key start = encode_index_prefix(in->of->table, in->index->id),
                      end = encode_behind(&start);
    uint64_t there = 0;
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        if (durable_entry_read(walk.found, TIMESTAMP_MAX) == NULL) {
            continue;
        }
        there++;
        if (walk.key.size != ENCODED_ENTRY_KEY_SIZE) {
            wrong(in, 0, 0, TIMESTAMP_MAX, "an entry's key has another shape");
        }
        const int64_t id = decode_last_number(walk.key);
        const int64_t k = decode_last_number((slice){walk.key.data, walk.key.size - 8});
        const encoded_key row_key = encode_row_key(in->of->table, id);
        const version *row = durable_read(in->of->durable, encoded_slice(&row_key), TIMESTAMP_MAX);
        row_value value;
        if (row == NULL || !decode_row(version_value(row), &value) || value.k != k) {
            wrong(in, k, id, TIMESTAMP_MAX,
                  row == NULL ? "an entry without a row" : "an entry of another k");
        }
    }
    if (there != in->entries) {
        sb_finding(in->of->world, SB_FINDING_WRONG_INDEX, ORACLE,
                   "index %s has %llu entries for %llu rows", in->index->name,
                   (unsigned long long)there, (unsigned long long)in->entries);
    }
}

/* When the definition that is there now was committed: it is the one that made the index public, or
 * a later one. */
static timestamp public_since(const evidence *of)
{
    buffer key;
    buffer_init(&key);
    key_table(&key, of->table);
    const version *found = durable_read(of->durable, buffer_slice(&key), TIMESTAMP_MAX);
    buffer_release(&key);
    return found == NULL ? TIMESTAMP_MAX : found->commit;
}

void oracle_index_rows(const evidence *of)
{
    const encoded_key start = encode_rows_prefix(of->table), end = encode_behind(&start);
    const timestamp since = public_since(of);
    for (uint32_t i = 0; i < of->definition.index_count; i++) {
        check in = {.of = of, .index = &of->definition.indexes[i], .since = since};
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
