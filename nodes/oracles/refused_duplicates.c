/*
 * I2, the clients' half: who was refused for a duplicate key had met one.
 *
 * The reply does not say which statement it was, so there must be one among them that could not be
 * done: an insert of an id that was there when the transaction began or that it had inserted
 * itself, or a write of values that another row had in a unique index, then or by an earlier
 * statement. Which unique indexes there were, the schema tells under which the operation ran.
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

/* A statement before this one that touched the same row, or wrote values that may be the same: what
 * it did nobody told, so it may be the reason. */
static bool own_reason(const check *in, uint32_t at, uint32_t columns)
{
    const history_statement *one = statement_at(in, at);
    for (uint32_t i = 0; i < at; i++) {
        const history_statement *earlier = statement_at(in, i);
        if (statement_is_put(earlier) &&
            (earlier->id == one->id || row_value_equal_in(columns, &earlier->wrote, &one->wrote))) {
            return true;
        }
    }
    return false;
}

/* What the statement would make of the row, as far as the state at the start tells. */
static row_value value_wanted(const check *in, const history_statement *one)
{
    row_value value = one->wrote;
    if (one->kind == STATEMENT_UPDATE && row_at_start(in, one->id, &value)) {
        row_value_update(&value, one->columns, &one->wrote);
    }
    return value;
}

/* Another row has these values in these columns at the start. */
static bool others_have(const check *in, int64_t id, uint32_t columns, const row_value *wanted)
{
    const encoded_key start = encode_rows_prefix(in->table), end = encode_behind(&start);
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        const version *found = durable_entry_read(walk.found, in->one->start);
        row_value value;
        if (found != NULL && decode_last_number(walk.key) != id &&
            decode_row(version_value(found), &value) &&
            row_value_equal_in(columns, &value, wanted)) {
            return true;
        }
    }
    return false;
}

static bool collides(const check *in, uint32_t at)
{
    const history_statement *one = statement_at(in, at);
    row_value ignored;
    if (one->kind == STATEMENT_INSERT &&
        (row_at_start(in, one->id, &ignored) || own_reason(in, at, 0))) {
        return true;
    }
    const row_value wanted = value_wanted(in, one);
    for (uint32_t i = 0; i < in->definition.index_count; i++) {
        const index_definition *index = &in->definition.indexes[i];
        uint32_t columns = 0;
        for (uint32_t j = 0; j < index->column_count; j++) {
            columns |= 1u << index->columns[j];
        }
        if (index->unique &&
            (own_reason(in, at, columns) || others_have(in, one->id, columns, &wanted))) {
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

/* The newest definition that the operation's schema shows. */
static bool find_definition(check *in)
{
    const entry *found = durable_find_table(in->of->durable, in->table);
    for (const version *of = found == NULL ? NULL : found->values; of != NULL; of = of->older) {
        if (of->kind == VERSION_PUT && table_decode(version_value(of), &in->definition) &&
            in->definition.version <= in->one->version) {
            return true;
        }
    }
    return false;
}

void oracle_refused_duplicates(const evidence *of, const judged_table *table)
{
    for (uint32_t i = 0; i < of->operations->operation_count; i++) {
        const operation *one = &of->operations->operations[i];
        check in = {.of = of, .told = of->operations, .table = table->id, .one = one};
        if (one->table == table->id && one->outcome == OUTCOME_REFUSED &&
            one->reason == REFUSAL_DUPLICATE && one->start != 0 && find_definition(&in)) {
            check_operation(&in);
        }
    }
}
