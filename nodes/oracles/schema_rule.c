/*
 * I3: live servers write under at most two adjacent versions of the schema.
 *
 * Judged by effects, table by table: a transaction must have committed before the table was two
 * steps on from the definition that it saw, because a step waits until every live server has taken
 * the one before, and a server that is not live cannot commit.  And the definitions that servers
 * load move an index from one state to a neighbour: from public it goes to write-only and no
 * further, because who still reads by it needs everybody to write it.  Which states are neighbours
 * is said here once more, and not asked of the engine's table of moves: the table may be what is
 * wrong.
 *
 * Source: I. Rae et al., "Online, Asynchronous Schema Change in F1", VLDB 2013, section 4.
 */
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "schema rule"

/* When each version began to count, newest first. */
typedef struct schema_steps {
    schema_step *steps;
    uint32_t count, room;
} schema_steps;

/* An empty list with room for every version of the entry. */
static void make_room(schema_steps *into, const entry *found)
{
    *into = (schema_steps){.room = 1};
    for (const version *at = found == NULL ? NULL : found->values; at != NULL; at = at->older) {
        into->room++;
    }
    into->steps = sb_alloc(into->room * sizeof(*into->steps));
}

/* Newest first. */
static void add_step(schema_steps *into, schema_version number, timestamp committed)
{
    sb_assert_op(into->count, <, into->room);
    into->steps[into->count++] = (schema_step){.version = number, .committed = committed};
}

static void gather(const evidence *of, schema_steps *into)
{
    const entry *found = durable_find_row(of->durable, key_schema_version);
    make_room(into, found);
    for (const version *at = found == NULL ? NULL : found->values; at != NULL; at = at->older) {
        schema_version is = 0;
        if (at->kind != VERSION_PUT || !schema_version_decode(version_value(at), &is)) {
            sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "the version of the schema cannot be read");
        }
        if (into->count > 0 && is + 1 != into->steps[into->count - 1].version) {
            sb_finding(
                of->world, SB_FINDING_WRONG_STATE, ORACLE, "schema version %llu follows on %llu",
                (unsigned long long)into->steps[into->count - 1].version, (unsigned long long)is);
        }
        add_step(into, is, at->commit);
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

/* The definition two steps after the one that the version shows of the table; NULL: there is none
 * yet.  What other tables went through in between does not matter. */
static const schema_step *two_steps_after(const schema_steps *table, schema_version shown)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->steps[i].version <= shown) {
            return i < 2 ? NULL : &table->steps[i - 2];
        }
    }
    return NULL;
}

static void check_operation(const evidence *of, const schema_steps *all, const schema_steps *table,
                            const operation *one)
{
    const schema_step *over = two_steps_after(table, one->version);
    if (counts_since(all, one->version) > one->start) {
        sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "operation %llu on %s ran under schema %llu before there was one",
                   (unsigned long long)one->number, sb_node_name(of->world, one->server),
                   (unsigned long long)one->version);
    }
    if (over != NULL && one->committed >= over->committed) {
        sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "operation %llu on %s committed at %llu under schema %llu; the table was two "
                   "steps on, at schema %llu, since %llu",
                   (unsigned long long)one->number, sb_node_name(of->world, one->server),
                   (unsigned long long)one->committed, (unsigned long long)one->version,
                   (unsigned long long)over->version, (unsigned long long)over->committed);
    }
}

/* -------------------------------------------------------------------------- states of indexes */

static schema_state state_in(const table_definition *table, index_id id)
{
    const index_definition *index = table_index(table, id);
    return index == NULL ? SCHEMA_NONE : index->state;
}

/* Writers do the same in write-only and in write-reorganization, so both lie beside delete-only. */
static bool are_neighbours(schema_state from, schema_state to)
{
    switch (from) {
    case SCHEMA_NONE:
        return to == SCHEMA_DELETE_ONLY;
    case SCHEMA_DELETE_ONLY:
        return to == SCHEMA_NONE || to == SCHEMA_WRITE_ONLY;
    case SCHEMA_WRITE_ONLY:
        return to == SCHEMA_DELETE_ONLY || to == SCHEMA_WRITE_REORGANIZATION;
    case SCHEMA_WRITE_REORGANIZATION:
        return to == SCHEMA_DELETE_ONLY || to == SCHEMA_PUBLIC;
    default:
        return from == SCHEMA_PUBLIC && to == SCHEMA_WRITE_ONLY;
    }
}

static void check_step(const evidence *of, const table_definition *from, const table_definition *to)
{
    for (uint32_t i = 0; i < from->index_count + to->index_count; i++) {
        const index_definition *index =
            i < from->index_count ? &from->indexes[i] : &to->indexes[i - from->index_count];
        const schema_state before = state_in(from, index->id), after = state_in(to, index->id);
        if (before != after && !are_neighbours(before, after)) {
            sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "index %s went from %s to %s at version %llu", index->name,
                       schema_state_text(before), schema_state_text(after),
                       (unsigned long long)to->version);
        }
    }
}

/* The definitions of a table; each is a step from the one before. */
static void gather_table(const evidence *of, table_id table, schema_steps *into)
{
    const entry *found = durable_find_table(of->durable, table);
    make_room(into, found);
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
        add_step(into, earlier.version, at->commit);
        later = earlier;
        has_later = true;
    }
}

void oracle_schema_rule(const evidence *of)
{
    schema_steps all, table;
    gather(of, &all);
    for (uint32_t i = 0; i < of->table_count; i++) {
        gather_table(of, of->tables[i].id, &table);
        for (uint32_t j = 0; j < of->operations->operation_count; j++) {
            const operation *one = &of->operations->operations[j];
            if (one->table == of->tables[i].id && one->outcome == OUTCOME_COMMITTED &&
                one->committed != 0) {
                check_operation(of, &all, &table, one);
            }
        }
        sb_free(table.steps);
    }
    sb_free(all.steps);
}
