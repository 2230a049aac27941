/*
 * All oracles, in an order that names the cause before its consequences.
 */
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

const judged_table *evidence_table(const evidence *of, table_id id)
{
    for (uint32_t i = 0; i < of->table_count; i++) {
        if (of->tables[i].id == id) {
            return &of->tables[i];
        }
    }
    return NULL;
}

const judged_job *evidence_job(const evidence *of, job_id id)
{
    for (uint32_t i = 0; i < of->job_count; i++) {
        if (of->jobs[i].id == id) {
            return &of->jobs[i];
        }
    }
    return NULL;
}

bool evidence_definition(const evidence *of, table_id table, schema_version shown,
                         table_definition *into)
{
    const entry *found = durable_find_table(of->durable, table);
    for (const version *at = found == NULL ? NULL : found->values; at != NULL; at = at->older) {
        if (at->kind == VERSION_PUT && table_decode(version_value(at), into) &&
            into->version <= shown) {
            return true;
        }
    }
    return false;
}

static void read_definition(const evidence *of, judged_table *into)
{
    const entry *row = durable_find_table(of->durable, into->id);
    const version *found = row == NULL ? NULL : durable_entry_read(row, TIMESTAMP_MAX);
    if (found == NULL || !table_decode(version_value(found), &into->definition)) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, "definitions",
                   "the definition of table %llu is %s", (unsigned long long)into->id,
                   found == NULL ? "gone" : "damaged");
    }
}

static void note_owning(evidence *in, const version *newest)
{
    for (const version *one = newest; one != NULL; one = one->older) {
        if (one->kind != VERSION_ROLLBACK) {
            (void)number_map_put(&in->owning, one->start, 1);
        }
    }
}

void oracle_judge(evidence *of)
{
    const entry *owner = durable_find_row(of->durable, key_owner);
    for (uint32_t i = 0; i < of->table_count; i++) {
        read_definition(of, &of->tables[i]);
    }
    decisions_index(of->decisions, &of->commits);
    number_map_init(&of->owning, of->decisions->count);
    if (owner != NULL) {
        note_owning(of, owner->values);
        note_owning(of, owner->marks);
    }
    oracle_transactions(of);
    oracle_fences(of);
    oracle_tenures(of);
    oracle_schema_wait(of);
    oracle_schema_rule(of);
    oracle_pauses(of);
    oracle_progress(of);
    oracle_results(of);
    oracle_checkpoints(of);
    for (uint32_t i = 0; i < of->table_count; i++) {
        oracle_ingests(of, &of->tables[i]);
        oracle_writes(of, &of->tables[i]);
        oracle_unknown_writes(of, &of->tables[i]);
        oracle_refused_duplicates(of, &of->tables[i]);
        oracle_registers(of, &of->tables[i]);
    }
    oracle_tasks(of);
    for (uint32_t i = 0; i < of->table_count; i++) {
        oracle_index_rows(of, &of->tables[i]);
    }
    oracle_outcome(of);
    oracle_quiescence(of);
    for (uint32_t i = 0; i < of->table_count; i++) {
        oracle_given_up(of, &of->tables[i]);
    }
    number_map_release(&of->owning);
    number_map_release(&of->commits);
}
