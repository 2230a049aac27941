/*
 * All oracles, in an order that names the cause before its consequences.
 */
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

static void read_definition(evidence *of)
{
    buffer key;
    buffer_init(&key);
    key_table(&key, of->table);
    const version *found = durable_read(of->durable, buffer_slice(&key), TIMESTAMP_MAX);
    buffer_release(&key);
    if (found == NULL || !table_decode(version_value(found), &of->definition)) {
        sb_finding(of->world, SB_FINDING_WRONG_OUTCOME, "definitions",
                   "the definition of table %llu is %s", (unsigned long long)of->table,
                   found == NULL ? "gone" : "damaged");
    }
}

void oracle_judge(evidence *of)
{
    read_definition(of);
    oracle_schema_rule(of);
    oracle_writes(of);
    oracle_tasks(of);
    oracle_index_rows(of);
    oracle_outcome(of);
    oracle_quiescence(of);
}
