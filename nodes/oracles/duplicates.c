/*
 * I2: a job that gave up for a duplicate key had met one.
 *
 * Two rows must have had the same values of a unique index of the job at one moment between its
 * snapshot and its end.  That a job which met one does not end synced needs no oracle of its own:
 * two rows cannot both have their entry in a unique index (index_rows.c).
 */
#include "engine/base/checksum.h"
#include "engine/ddl/job.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/number_map.h"
#include "nodes/oracles/oracle.h"

/* A row's values, and while of it had them. */
typedef struct holding {
    int64_t id;
    timestamp from, to;
    encoded_key key;
    uint32_t next; /* with the same hash */
} holding;

typedef struct search {
    const evidence *of;
    const index_definition *index;
    table_id table;
    timestamp from, to; /* where it looks */
    holding *holdings;
    uint32_t count, room;
    number_map by_key;
    bool found;
} search;

static bool overlap(const holding *one, const holding *other)
{
    return one->from < other->to && other->from < one->to;
}

static void add_holding(search *in, const holding *made)
{
    if (in->count == in->room) {
        in->room = in->room == 0 ? 1024 : 2 * in->room;
        const size_t size = in->room * sizeof(*in->holdings);
        in->holdings = in->holdings == NULL ? sb_alloc(size) : sb_realloc(in->holdings, size);
    }
    holding *added = &in->holdings[in->count];
    *added = *made;
    added->next = number_map_put(&in->by_key, checksum64(encoded_slice(&made->key)) | 1, in->count);
    for (uint32_t i = added->next; i != NUMBER_MAP_NONE; i = in->holdings[i].next) {
        const holding *other = &in->holdings[i];
        in->found |= other->id != added->id && overlap(other, added) &&
                     encoded_equal(&other->key, &added->key);
    }
    in->count++;
}

static void look_at_row(search *in, int64_t id, const entry *found)
{
    timestamp to = TIMESTAMP_MAX;
    for (const version *of = found->values; of != NULL && to > in->from; of = of->older) {
        row_columns columns;
        if (of->kind == VERSION_PUT && of->commit < in->to &&
            decode_row_columns(version_value(of), &columns)) {
            holding made = {.id = id, .from = of->commit, .to = to};
            encode_index_entry_key(in->table, in->index, &columns, id, &made.key);
            add_holding(in, &made);
        }
        to = of->commit;
    }
}

static bool had_duplicates(const evidence *of, const index_definition *index, table_id table,
                           timestamp from, timestamp to)
{
    const encoded_key start = encode_rows_prefix(table), end = encode_behind(&start);
    search in = {.of = of, .index = index, .table = table, .from = from, .to = to};
    uint32_t most = 0;
    durable_walk walk;
    for (durable_walk_init(&walk, of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        for (const version *at = walk.found->values; at != NULL; at = at->older) {
            most++;
        }
    }
    number_map_init(&in.by_key, most);
    for (durable_walk_init(&walk, of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        look_at_row(&in, decode_last_number(walk.key), walk.found);
    }
    number_map_release(&in.by_key);
    sb_free(in.holdings);
    return in.found;
}

void oracle_duplicates(const evidence *of, const job_row *row, timestamp ended)
{
    bool found = false;
    for (uint32_t i = 0; i < row->index_count && row->snapshot != 0; i++) {
        const index_definition *index = &row->indexes[i];
        found |= index->unique && had_duplicates(of, index, row->table, row->snapshot, ended);
    }
    if (!found) {
        sb_finding(
            of->world, SB_FINDING_FALSE_DUPLICATE, "duplicates",
            "job %llu met a duplicate key; no two rows had the same values of a unique index "
            "of it between its snapshot %llu and its end %llu",
            (unsigned long long)row->id, (unsigned long long)row->snapshot,
            (unsigned long long)ended);
    }
}
