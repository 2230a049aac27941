/*
 * Operations whose outcome nobody learnt: all of it or nothing.
 *
 * A version that bears the number of one of its writes gives the operation away: it was committed,
 * and the version says when it began.  Then the rest is certain too.  What the operation could see
 * at that moment decides which of its updates and deletes found a row, so what it must have made of
 * every row that it names can be worked out, and must be there: the last write of each, and no
 * other, at one commit timestamp.
 *
 * An operation that only deletes has no number to be found by; it is judged when its server told at
 * least where it began.
 */
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "unknown writes"

typedef struct check {
    const evidence *of;
    table_id table;
    const operation *one;
    timestamp start, commit; /* of its transaction, as a version tells; 0: none was found */
} check;

static void wrong(const check *in, int64_t id, const char *what) __attribute__((noreturn));
static void wrong(const check *in, int64_t id, const char *what)
{
    sb_finding(in->of->world, SB_FINDING_LOST_WRITE, ORACLE,
               "operation %llu, of unknown outcome, is there in part: row %lld, %s",
               number(in->one->number), (long long)id, what);
}

static const history_statement *statement_at(const check *in, uint32_t at)
{
    return history_statement_of(in->of->operations, in->one, at);
}

static const entry *find_row(const check *in, int64_t id)
{
    const encoded_key key = encode_row_key(in->table, id);
    return durable_find(in->of->durable, encoded_slice(&key));
}

/* --------------------------------------------------------------------------------- the transaction
 */

static void note(check *in, int64_t id, const version *made)
{
    if (in->commit != 0 && (made->start != in->start || made->commit != in->commit)) {
        wrong(in, id, "by two transactions");
    }
    in->start = made->start;
    in->commit = made->commit;
}

/* The versions that the statement may have made. */
static void look_for(check *in, const history_statement *one)
{
    const entry *found = find_row(in, one->id);
    for (const version *of = found == NULL ? NULL : found->values; of != NULL; of = of->older) {
        row_value value;
        const bool by_start = in->one->start != 0 && of->start == in->one->start;
        const bool by_number = statement_is_put(one) && of->kind == VERSION_PUT &&
                               decode_row(version_value(of), &value) &&
                               value.write == one->wrote.write;
        if (by_start || by_number) {
            note(in, one->id, of);
        }
    }
}

/* ----------------------------------------------------------------------------- what it must be */

/* A row as the transaction leaves it. */
typedef struct left_row {
    bool there, written;
    row_value value;
} left_row;

static left_row row_before(const check *in, int64_t id)
{
    const entry *found = find_row(in, id);
    const version *of = found == NULL ? NULL : durable_entry_read(found, in->start);
    left_row row = {0};
    row.there = of != NULL && decode_row(version_value(of), &row.value);
    return row;
}

static void apply(const check *in, const history_statement *one, left_row *row)
{
    if (one->kind == STATEMENT_INSERT && row->there) {
        wrong(in, one->id, "inserted where there was one");
    }
    if (one->kind == STATEMENT_INSERT) {
        *row = (left_row){.there = true, .written = true, .value = one->wrote};
    } else if (row->there && one->kind == STATEMENT_UPDATE) {
        row_value_update(&row->value, one->columns, &one->wrote);
        row->written = true;
    } else if (row->there && one->kind == STATEMENT_DELETE) {
        row->there = false;
        row->written = true;
    }
}

static left_row row_after(const check *in, int64_t id)
{
    left_row row = row_before(in, id);
    for (uint32_t i = 0; i < in->one->statement_count; i++) {
        const history_statement *one = statement_at(in, i);
        if (one->id == id && statement_is_write(one)) {
            apply(in, one, &row);
        }
    }
    return row;
}

static void check_row(const check *in, int64_t id)
{
    const left_row row = row_after(in, id);
    const entry *found = find_row(in, id);
    const version *made = found == NULL ? NULL : found->values;
    while (made != NULL && made->start != in->start) {
        made = made->older;
    }
    if ((made != NULL) != row.written) {
        wrong(in, id, made == NULL ? "which it must have written" : "which it cannot have written");
    }
    if (made != NULL && (made->kind == VERSION_PUT) != row.there) {
        wrong(in, id, row.there ? "deleted instead of written" : "written instead of deleted");
    }
    row_value value;
    if (made != NULL && row.there &&
        (!decode_row(version_value(made), &value) || !row_value_equal(&value, &row.value))) {
        wrong(in, id, "which it made another");
    }
}

static void check_operation(check *in)
{
    for (uint32_t i = 0; i < in->one->statement_count; i++) {
        if (statement_is_write(statement_at(in, i))) {
            look_for(in, statement_at(in, i));
        }
    }
    for (uint32_t i = 0; in->commit != 0 && i < in->one->statement_count; i++) {
        if (statement_is_write(statement_at(in, i))) {
            check_row(in, statement_at(in, i)->id);
        }
    }
}

void oracle_unknown_writes(const evidence *of, const judged_table *table)
{
    for (uint32_t i = 0; i < of->operations->operation_count; i++) {
        check in = {.of = of, .table = table->id, .one = &of->operations->operations[i]};
        if (in.one->table == table->id && in.one->outcome == OUTCOME_UNKNOWN) {
            check_operation(&in);
        }
    }
}
