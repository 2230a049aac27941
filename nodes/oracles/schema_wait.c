/*
 * I3, the owner's half: no step before everybody has taken the step before.
 *
 * A step writes a definition of a table at version v; the next one may be written when no session
 * could still commit under what was before v.  So every session that had been granted when v was
 * committed must, before the next step begins, have acknowledged v, or have been fenced at every
 * store.  A session granted later reads v or newer.  That a server was silent, or that a lease on a
 * clock had run out, is no excuse.
 *
 * Source: I. Rae et al., "Online, Asynchronous Schema Change in F1", VLDB 2013, section 4.
 */
#include "engine/ddl/job.h"
#include "engine/schema/acknowledgement.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "schema wait"
#define FIRST_SCHEMA 1u /* nobody has an older one */

/* An acknowledgement, and when it was committed. */
typedef struct ack {
    acknowledgement row;
    timestamp commit;
} ack;

typedef struct check {
    const evidence *of;
    ack *acks;
    uint32_t ack_count, ack_room;
} check;

/* -------------------------------------------------------------------------------------- gathering
 */

static void keep_ack(check *in, slice key, const version *one)
{
    acknowledgement row;
    if (one->kind != VERSION_PUT) {
        return;
    }
    if (!acknowledgement_decode(key, version_value(one), &row)) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "an acknowledgement cannot be read");
    }
    if (in->ack_count == in->ack_room) {
        in->ack_room = in->ack_room == 0 ? 32 : 2 * in->ack_room;
        const size_t size = in->ack_room * sizeof(*in->acks);
        in->acks = in->acks == NULL ? sb_alloc(size) : sb_realloc(in->acks, size);
    }
    in->acks[in->ack_count++] = (ack){row, one->commit};
}

static void gather(check *in)
{
    durable_walk walk;
    for (durable_walk_rows(&walk, in->of->durable, "ack"); durable_walk_next(&walk);) {
        for (const version *one = walk.found->values; one != NULL; one = one->older) {
            keep_ack(in, walk.key, one);
        }
    }
}

/* ---------------------------------------------------------------------------------------- asking
 */

/* By that session or a later one of the same server: then the earlier is over, and whatever it had
 * running has ended. */
static bool is_acknowledged(const check *in, const session_report *by, schema_version least,
                            timestamp before)
{
    for (uint32_t i = 0; i < in->ack_count; i++) {
        const ack *one = &in->acks[i];
        if (one->row.server == by->server && one->row.session >= by->session &&
            one->row.version >= least && one->commit < before) {
            return true;
        }
    }
    return false;
}

static bool is_fenced_at(const decisions *all, uint32_t before, sb_node store,
                         const session_report *by)
{
    for (uint32_t i = 0; i < before; i++) {
        const decision *one = &all->items[i];
        if (one->kind == DECIDED_FENCE && one->teller == store && one->told.server == by->server &&
            one->told.session > by->session) {
            return true;
        }
    }
    return false;
}

static bool is_fenced(const check *in, const session_report *by, uint32_t before)
{
    bool fenced = true;
    for (uint32_t i = 0; i < in->of->durable->store_count; i++) {
        fenced &= is_fenced_at(in->of->decisions, before, in->of->durable->stores[i].node, by);
    }
    return fenced;
}

/* ----------------------------------------------------------------------------------------- steps
 */

/* A step is taken: version `of` was committed by `from`, and what follows on it by the transaction
 * that began at `start`. */
static void check_step(const check *in, schema_version of, const version *from, timestamp start)
{
    const evidence *seen = in->of;
    const decision *first = decisions_commit(seen->decisions, &seen->commits, from->start);
    const decision *next = decisions_commit(seen->decisions, &seen->commits, start);
    if (of <= FIRST_SCHEMA || first == NULL || next == NULL) {
        return;
    }
    for (const decision *one = seen->decisions->items; one < first; one++) {
        if (one->kind == DECIDED_SESSION && !is_acknowledged(in, &one->told, of, start) &&
            !is_fenced(in, &one->told, (uint32_t)(next - seen->decisions->items))) {
            sb_finding(seen->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "the step at %llu follows on schema %llu, which session %llu of %s had not "
                       "acknowledged and no fence had shut out",
                       number(start), number(of), number(one->told.session),
                       sb_node_name(seen->world, (sb_node)one->told.server));
        }
    }
}

static void check_table(const check *in, table_id id)
{
    const entry *found = durable_find_table(in->of->durable, id);
    timestamp later_start = 0;
    for (const version *one = found == NULL ? NULL : found->values; one != NULL; one = one->older) {
        table_definition table;
        if (one->kind != VERSION_PUT || !table_decode(version_value(one), &table)) {
            continue; /* the schema rule tells */
        }
        if (later_start != 0) {
            check_step(in, table.version, one, later_start);
        }
        later_start = one->start;
    }
}

/* A job's end is a step too: it waits for the version that its last one wrote. */
static void check_end(const check *in, const version *ended, const job_row *row)
{
    const entry *found = durable_find_table(in->of->durable, row->table);
    for (const version *one = found == NULL ? NULL : found->values; one != NULL; one = one->older) {
        table_definition table;
        if (one->kind == VERSION_PUT && table_decode(version_value(one), &table) &&
            table.version == row->version) {
            check_step(in, table.version, one, ended->start);
        }
    }
}

static void check_ends(const check *in)
{
    durable_walk walk;
    for (durable_walk_rows(&walk, in->of->durable, "history"); durable_walk_next(&walk);) {
        const version *last = durable_entry_read(walk.found, TIMESTAMP_MAX);
        job_id job = 0;
        job_row row;
        if (last != NULL && key_meta_decode(walk.key, "history", &job, 1) &&
            job_row_decode(job, version_value(last), &row)) {
            check_end(in, last, &row);
        }
    }
}

void oracle_schema_wait(const evidence *of)
{
    check in = {.of = of};
    gather(&in);
    for (uint32_t i = 0; i < of->table_count; i++) {
        check_table(&in, of->tables[i].id);
    }
    check_ends(&in);
    sb_free(in.acks);
}
