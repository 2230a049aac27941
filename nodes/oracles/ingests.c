/*
 * I8: what goes past the transactions stands at the snapshot of its job, and nowhere else.
 *
 * A file may be ingested any number of times, by one owner after the other; that is harmless only
 * because each time the same versions are written.  A second timestamp would lie above what
 * transactions have written since the first, and a merge would take it for newer.  So every version
 * that begins and commits at one timestamp must be an entry of an index that a job built, at that
 * job's snapshot.
 *
 * Source: TiDB issues 49233, where an index was imported again at another timestamp, and 48804,
 * where the timestamp was 0.
 */
#include "engine/ddl/job.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "ingests"

typedef struct check {
    const evidence *of;
    table_id table;
    index_id index;     /* that was looked for last; 0: none yet */
    timestamp snapshot; /* of the job that built it; 0: none did */
} check;

static bool is_builder(const check *in, const job_row *row)
{
    bool builds = false;
    for (uint32_t i = 0; i < row->index_count; i++) {
        builds |= row->indexes[i].id == in->index;
    }
    return builds && row->kind == JOB_KIND_ADD_INDEX && row->table == in->table;
}

/* Of a job that has ended, or lives on. */
static void find_snapshot(check *in, const char *word)
{
    durable_walk walk;
    for (durable_walk_rows(&walk, in->of->durable, word); durable_walk_next(&walk);) {
        const version *last = durable_entry_read(walk.found, TIMESTAMP_MAX);
        job_id job = 0;
        job_row row;
        if (last != NULL && key_meta_decode(walk.key, word, &job, 1) &&
            job_row_decode(job, version_value(last), &row) && is_builder(in, &row)) {
            in->snapshot = row.snapshot;
        }
    }
}

/* Entries come index by index. */
static void look_for_builder(check *in, index_id index)
{
    if (in->index != index) {
        in->index = index;
        in->snapshot = 0;
        find_snapshot(in, "job");
        find_snapshot(in, "history");
    }
}

static void check_entry(check *in, slice key, const entry *found)
{
    table_id table;
    index_id index;
    if (!decode_entry_key(key, &table, &index)) {
        return;
    }
    for (const version *one = found->values; one != NULL; one = one->older) {
        if (!version_is_ingested(key, one)) {
            continue;
        }
        look_for_builder(in, index);
        if (one->commit == 0 || one->commit != in->snapshot) {
            sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "an entry of index %llu of table %llu was ingested at %llu, and its job's "
                       "snapshot is %llu",
                       number(index), number(table), number(one->commit), number(in->snapshot));
        }
    }
}

void oracle_ingests(const evidence *of, const judged_table *table)
{
    const encoded_key start = encode_indexes_prefix(table->id), end = encode_behind(&start);
    check in = {.of = of, .table = table->id};
    durable_walk walk;
    for (durable_walk_init(&walk, of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        check_entry(&in, walk.key, walk.found);
    }
}
