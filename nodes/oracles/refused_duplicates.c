/*
 * I2, the clients' half: who was refused for a duplicate key had met one.
 *
 * The reply does not say which statement it was, so there must be one among them that could not be
 * done: an insert of an id that was there, or a write that gave a row values which another one had
 * in a unique index.  "There" is what the statement found: the state at the transaction's start,
 * and over it what the statements before have inserted, changed and deleted.  Which unique indexes
 * there were, the schema tells under which the operation ran.
 */
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "refused duplicates"

typedef struct check {
    const evidence *of;
    const history *told;
    table_id table;
    const operation *one;
    table_definition definition; /* under which it ran */
} check;

static const history_statement *statement_at(const check *in, uint32_t at)
{
    return history_statement_of(in->told, in->one, at);
}

static bool row_at_start(const check *in, int64_t id, row_value *value)
{
    const encoded_key key = encode_row_key(in->table, id);
    const version *found = durable_read(in->of->durable, encoded_slice(&key), in->one->start);
    return found != NULL && decode_row(version_value(found), value);
}

/* What the statement finds of a row: as it was at the start, with what those before it did laid
 * over it.  A refused operation told no results, but each statement follows from those before. */
static bool row_found(const check *in, uint32_t at, int64_t id, row_value *value)
{
    bool there = row_at_start(in, id, value);
    for (uint32_t i = 0; i < at; i++) {
        const history_statement *one = statement_at(in, i);
        if (!statement_is_write(one) || one->id != id) {
            continue;
        }
        if (one->kind == STATEMENT_INSERT) {
            *value = one->wrote;
        } else if (one->kind == STATEMENT_UPDATE && there) {
            row_value_update(value, one->columns, &one->wrote);
        }
        there = one->kind == STATEMENT_INSERT || (one->kind == STATEMENT_UPDATE && there);
    }
    return there;
}

/* Whether a statement before this one wrote the row. */
static bool has_written(const check *in, uint32_t at, int64_t id)
{
    bool written = false;
    for (uint32_t i = 0; i < at && !written; i++) {
        const history_statement *one = statement_at(in, i);
        written = statement_is_write(one) && one->id == id;
    }
    return written;
}

/* One of the rows that the operation itself has written before has these values. */
static bool own_rows_have(const check *in, uint32_t at, uint32_t columns, const row_value *wanted)
{
    bool found = false;
    for (uint32_t i = 0; i < at && !found; i++) {
        const history_statement *one = statement_at(in, i);
        row_value value;
        found = statement_is_put(one) && one->id != statement_at(in, at)->id &&
                row_found(in, at, one->id, &value) && row_value_equal_in(columns, &value, wanted);
    }
    return found;
}

/* Another row has these values in these columns when the statement comes. */
static bool others_have(const check *in, uint32_t at, uint32_t columns, const row_value *wanted)
{
    const int64_t own = statement_at(in, at)->id;
    const encoded_key start = encode_rows_prefix(in->table), end = encode_behind(&start);
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        const version *found = durable_entry_read(walk.found, in->one->start);
        const int64_t id = decode_last_number(walk.key);
        row_value value;
        if (found != NULL && id != own && decode_row(version_value(found), &value) &&
            row_value_equal_in(columns, &value, wanted) && !has_written(in, at, id)) {
            return true;
        }
    }
    return own_rows_have(in, at, columns, wanted);
}

static bool collides(const check *in, uint32_t at)
{
    const history_statement *one = statement_at(in, at);
    row_value before = {0}, wanted = one->wrote;
    const bool there = row_found(in, at, one->id, &before);
    if (one->kind == STATEMENT_INSERT && there) {
        return true;
    }
    if (one->kind == STATEMENT_UPDATE) {
        if (!there) {
            return false; /* it did nothing */
        }
        wanted = before;
        row_value_update(&wanted, one->columns, &one->wrote);
    }
    for (uint32_t i = 0; i < in->definition.index_count; i++) {
        const index_definition *index = &in->definition.indexes[i];
        const uint32_t columns = index_columns(index);
        const bool gains = index->state >= SCHEMA_WRITE_ONLY &&
                           (!there || !row_value_equal_in(columns, &before, &wanted));
        if (index->unique && gains && others_have(in, at, columns, &wanted)) {
            return true;
        }
    }
    return false;
}

static void check_operation(check *in)
{
    for (uint32_t i = 0; i < in->one->statement_count; i++) {
        if (statement_is_put(statement_at(in, i)) && collides(in, i)) {
            return;
        }
    }
    sb_finding(in->of->world, SB_FINDING_FALSE_DUPLICATE, ORACLE,
               "operation %llu on %s was refused at %llu for a duplicate key, and there was none",
               (unsigned long long)in->one->number, sb_node_name(in->of->world, in->one->server),
               (unsigned long long)in->one->start);
}

void oracle_refused_duplicates(const evidence *of, const judged_table *table)
{
    for (uint32_t i = 0; i < of->operations->operation_count; i++) {
        const operation *one = &of->operations->operations[i];
        check in = {.of = of, .told = of->operations, .table = table->id, .one = one};
        if (one->table == table->id && one->outcome == OUTCOME_REFUSED &&
            one->reason == REFUSAL_DUPLICATE && one->start != 0 &&
            evidence_definition(of, table->id, one->version, &in.definition)) {
            check_operation(&in);
        }
    }
}
