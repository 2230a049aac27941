/*
 * I3: live servers write under at most two adjacent versions of the schema.
 *
 * Judged by effects: a transaction that ran under version v must have committed before version v +
 * 2 began to count, because the step to v + 2 waits until every live server has let go of v, and a
 * server that is not live cannot commit.  And an index moves one state at a time.
 *
 * Source: I. Rae et al., "Online, Asynchronous Schema Change in F1", VLDB 2013, section 4.
 */
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "schema rule"

/* When each version began to count, newest first. */
typedef struct schema_steps {
    schema_step *steps;
    uint32_t count;
} schema_steps;

static const entry *find_meta(const evidence *of, void (*make_key)(buffer *))
{
    buffer key;
    buffer_init(&key);
    make_key(&key);
    const entry *found = durable_find(of->durable, buffer_slice(&key));
    buffer_release(&key);
    return found;
}

static void gather(const evidence *of, schema_steps *into)
{
    const entry *found = find_meta(of, key_schema_version);
    *into = (schema_steps){0};
    for (const version *at = found == NULL ? NULL : found->values; at != NULL; at = at->older) {
        into->count++;
    }
    into->steps = sb_alloc((into->count + 1) * sizeof(*into->steps));
    uint32_t next = 0;
    for (const version *at = found == NULL ? NULL : found->values; at != NULL; at = at->older) {
        schema_step *step = &into->steps[next++];
        step->committed = at->commit;
        if (at->kind != VERSION_PUT || !schema_version_decode(version_value(at), &step->version)) {
            sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "the version of the schema cannot be read");
        }
        if (next > 1 && step->version + 1 != into->steps[next - 2].version) {
            sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "schema version %llu follows on %llu",
                       (unsigned long long)into->steps[next - 2].version,
                       (unsigned long long)step->version);
        }
    }
}

/* TIMESTAMP_MAX: there is no such version yet. */
static timestamp counts_since(const schema_steps *in, schema_version of)
{
    for (uint32_t i = 0; i < in->count; i++) {
        if (in->steps[i].version == of) {
            return in->steps[i].committed;
        }
    }
    return TIMESTAMP_MAX;
}

static void check_operation(const evidence *of, const schema_steps *steps, const operation *one)
{
    const timestamp since = counts_since(steps, one->version);
    const timestamp over = counts_since(steps, one->version + 2);
    if (since > one->start) {
        sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "operation %llu on %s ran under schema %llu before there was one",
                   (unsigned long long)one->number, sb_node_name(of->world, one->server),
                   (unsigned long long)one->version);
    }
    if (one->committed >= over) {
        sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "operation %llu on %s committed at %llu under schema %llu; schema %llu counted "
                   "since %llu",
                   (unsigned long long)one->number, sb_node_name(of->world, one->server),
                   (unsigned long long)one->committed, (unsigned long long)one->version,
                   (unsigned long long)one->version + 2, (unsigned long long)over);
    }
}

/* -------------------------------------------------------------------------- states of indexes */

static schema_state state_in(const table_definition *table, index_id id)
{
    const index_definition *index = table_index(table, id);
    return index == NULL ? SCHEMA_NONE : index->state;
}

/* Forward by one; back to delete-only or write-only from above, to none from delete-only alone. */
static bool is_step(schema_state from, schema_state to)
{
    if (to >= from) {
        return to - from <= 1u;
    }
    return to == SCHEMA_NONE ? from == SCHEMA_DELETE_ONLY : to <= SCHEMA_WRITE_ONLY;
}

static void check_step(const evidence *of, const table_definition *from, const table_definition *to)
{
    for (uint32_t i = 0; i < from->index_count + to->index_count; i++) {
        const index_definition *index =
            i < from->index_count ? &from->indexes[i] : &to->indexes[i - from->index_count];
        const schema_state before = state_in(from, index->id), after = state_in(to, index->id);
        if (!is_step(before, after)) {
            sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "index %s went from %s to %s at version %llu", index->name,
                       schema_state_text(before), schema_state_text(after),
                       (unsigned long long)to->version);
        }
    }
}

static void check_definitions(const evidence *of, table_id table)
{
    buffer key;
    buffer_init(&key);
    key_table(&key, table);
    const entry *found = durable_find(of->durable, buffer_slice(&key));
    buffer_release(&key);
    table_definition later, earlier;
    bool has_later = false;
    for (const version *at = found == NULL ? NULL : found->values; at != NULL; at = at->older) {
        if (at->kind != VERSION_PUT || !table_decode(version_value(at), &earlier)) {
            sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "a definition of the table cannot be read");
        }
        if (has_later) {
            check_step(of, &earlier, &later);
        }
        later = earlier;
        has_later = true;
    }
}

void oracle_schema_rule(const evidence *of)
{
    schema_steps steps;
    gather(of, &steps);
    for (uint32_t i = 0; i < of->operations->operation_count; i++) {
        const operation *one = &of->operations->operations[i];
        if (one->outcome == OUTCOME_COMMITTED && one->committed != 0) {
            check_operation(of, &steps, one);
        }
    }
    sb_free(steps.steps);
    for (uint32_t i = 0; i < of->table_count; i++) {
        check_definitions(of, of->tables[i].id);
    }
}
