/*
 * Given up for ever: of an index that is not there any more every store remembers the range it had,
 * and of one that was built the range of its temporary twin.
 *
 * Taking the keys away is not enough.  The network repeats requests, and a file may be ingested, or
 * a key locked, long after the job that asked for it has ended.  Only what a store has written down
 * for good can refuse that: every region that counts has to carry the record, also where there was
 * no key to take away, and wherever the region has gone since.  So this is judged by the record
 * itself, and not by a straggler that comes once in many thousand seeds.
 */
#include "engine/wire/keys.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "given up"

/* One that begins at or before the key and ends behind it; NULL: the key was never given up. */
static const key_range *gone_at(const store_state *in, slice key)
{
    for (uint32_t i = 0; i < in->deleted_count; i++) {
        if (key_in_range(key, in->deleted[i].start, in->deleted[i].end)) {
            return &in->deleted[i];
        }
    }
    return NULL;
}

/* Whether all keys of [at, end) were given up, by one order or by several. */
static bool is_gone(const store_state *in, slice at, slice end)
{
    while (slice_compare(at, end) < 0) {
        const key_range *gone = gone_at(in, at);
        if (gone == NULL) {
            return false;
        }
        if (gone->end.size == 0) {
            return true;
        }
        at = gone->end;
    }
    return true;
}

static void check_range(const evidence *of, table_id table, index_id index, const char *what)
{
    const encoded_key start = encode_index_prefix(table, index), behind = encode_behind(&start);
    const durable_cluster *all = of->durable;
    for (uint32_t i = 0; i < all->region_count; i++) {
        const region *one = all->regions[i].is;
        const durable_store *store = &all->stores[all->regions[i].store];
        const slice from = encoded_slice(&start), to = encoded_slice(&behind);
        const slice at = slice_compare(one->start, from) > 0 ? one->start : from;
        const bool ends = one->end.size > 0 && slice_compare(one->end, to) < 0;
        if (!is_gone(&store->state, at, ends ? one->end : to)) {
            sb_finding_at(of->world, SB_FINDING_LEAK, store->node, ORACLE,
                          "the range of %s %llu of table %llu is not given up in region %llu", what,
                          (unsigned long long)(index & ~TEMPORARY_INDEX), (unsigned long long)table,
                          (unsigned long long)one->id);
        }
    }
}

/* What one definition shows that the last does not, or does not any more in that state. */
static void check_definition(const evidence *of, const judged_table *table,
                             const table_definition *then)
{
    for (uint32_t i = 0; i < then->index_count; i++) {
        const index_definition *one = &then->indexes[i];
        const index_definition *now = table_index(&table->definition, one->id);
        if (now == NULL) {
            check_range(of, table->id, one->id, "index");
        }
        if (now == NULL || (one->state != SCHEMA_PUBLIC && now->state == SCHEMA_PUBLIC)) {
            check_range(of, table->id, one->id | TEMPORARY_INDEX, "the temporary index of index");
        }
    }
}

void oracle_given_up(const evidence *of, const judged_table *table)
{
    const entry *found = durable_find_table(of->durable, table->id);
    for (const version *at = found == NULL ? NULL : found->values; at != NULL; at = at->older) {
        table_definition then;
        if (at->kind == VERSION_PUT && table_decode(version_value(at), &then)) {
            check_definition(of, table, &then);
        }
    }
}
