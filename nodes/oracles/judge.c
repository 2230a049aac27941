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

static void read_definition(const evidence *of, judged_table *into)
{
    buffer key;
    buffer_init(&key);
    key_table(&key, into->id);
    const version *found = durable_read(of->durable, buffer_slice(&key), TIMESTAMP_MAX);
    buffer_release(&key);
    if (found == NULL || !table_decode(version_value(found), &into->definition)) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, "definitions",
                   "the definition of table %llu is %s", (unsigned long long)into->id,
                   found == NULL ? "gone" : "damaged");
    }
}

void oracle_judge(evidence *of)
{
    for (uint32_t i = 0; i < of->table_count; i++) {
        read_definition(of, &of->tables[i]);
    }
    decisions_index(of->decisions, &of->commits);
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
    number_map_release(&of->commits);
}
