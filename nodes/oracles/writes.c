/*
 * What clients were told is so.
 *
 * Storage keeps every version of a row with the timestamps of the transaction that made it, so the
 * truth is known exactly: which transaction wrote what when.  The clients' history is laid beside
 * it:
 *
 *   version → statement    by the number of the write in c; a deletion by its transaction's start
 *   statement → version    noted on the way (`made`), so that a statement without one is found
 *   read → version         the newest at or before the reader's start
 *
 * What became of operations whose outcome is unknown, unknown_writes.c judges.
 */
#include "engine/base/checksum.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/number_map.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "client writes"

/* Columns behind the handle: k, c, pad. */
#define VALUE_COLUMNS 3u
#define COLUMN_BIT(column) (1u << (column))

/* A put of a row, in a list of all puts with the same value of each column. */
typedef struct put_row {
    int64_t id;
    timestamp from, to; /* it is the row in [from, to) */
    row_value value;
    uint32_t next[VALUE_COLUMNS];
} put_row;

typedef struct writes {
    const evidence *of;
    table_id table;
    const history *told;
    const version **made;  /* by statement: the durable version that bears its number */
    uint32_t *owner;       /* by statement: its operation */
    number_map statements; /* by the number of the write */
    number_map starts;     /* operations, by the start of their transaction */
    uint32_t by_index;     /* bits of columns that somebody read by an index with, so that the lists
                              by their values are made */
    put_row *puts;
    uint32_t put_count, put_room;
    number_map by_value[VALUE_COLUMNS]; /* value_key → first of puts */
    schema_version known;               /* of the definition; 0: none was looked up yet */
    table_definition definition;
} writes;

/* The last write of the operation to this id before statement `before` that changed something;
 * NULL: none did. */
static const history_statement *own_write(const writes *in, const operation *of, uint32_t before,
                                          int64_t id)
{
    for (uint32_t i = before; i > 0; i--) {
        const history_statement *one = history_statement_of(in->told, of, i - 1);
        if (one->id == id && statement_is_write(one) && one->result == RESULT_DONE) {
            return one;
        }
    }
    return NULL;
}

static bool is_last_write(const writes *in, const operation *of, uint32_t at)
{
    const history_statement *one = history_statement_of(in->told, of, at);
    return own_write(in, of, of->statement_count, one->id) == one;
}

/* The least of a set. */
static uint32_t leading_column(uint32_t columns)
{
    sb_assert_op(columns, !=, 0);
    return (uint32_t)__builtin_ctz(columns);
}

/* ------------------------------------------------------------------------------ what was said */

static void gather(writes *in)
{
    const history *told = in->told;
    in->made = sb_alloc_zero((told->statement_count + 1) * sizeof(*in->made));
    in->owner = sb_alloc((told->statement_count + 1) * sizeof(*in->owner));
    number_map_init(&in->statements, told->statement_count);
    number_map_init(&in->starts, told->operation_count);
    for (uint32_t i = 0; i < told->operation_count; i++) {
        const operation *of = &told->operations[i];
        if (of->table != in->table) {
            continue;
        }
        if (of->start != 0 && number_map_put(&in->starts, of->start, i) != NUMBER_MAP_NONE) {
            sb_finding(in->of->world, SB_FINDING_WRONG_READ, ORACLE,
                       "two transactions began at %llu", number(of->start));
        }
        for (uint32_t j = 0; j < of->statement_count; j++) {
            const history_statement *one = history_statement_of(in->told, of, j);
            in->owner[of->first_statement + j] = i;
            if (one->kind == STATEMENT_READ_INDEX && one->result == RESULT_IDS) {
                in->by_index |= COLUMN_BIT(leading_column(one->columns));
            }
            if (statement_is_put(one)) {
                (void)number_map_put(&in->statements, one->wrote.write, of->first_statement + j);
            }
        }
    }
}

/* ------------------------------------------------------------------------------ what is there */

/* A key of by_value, never 0. */
static uint64_t value_key(uint32_t column, const row_value *value)
{
    return column == SBTEST_K   ? (uint64_t)value->k * 2 + 1
           : column == SBTEST_C ? value->c | 1
                                : value->pad | 1;
}

static void keep_by_value(writes *in, int64_t id, const row_value *value, const version *of,
                          timestamp to)
{
    if (in->put_count == in->put_room) {
        in->put_room = in->put_room == 0 ? 2048 : 2 * in->put_room;
        const size_t size = in->put_room * sizeof(*in->puts);
        in->puts = in->puts == NULL ? sb_alloc(size) : sb_realloc(in->puts, size);
    }
    put_row *made = &in->puts[in->put_count];
    *made = (put_row){.id = id, .from = of->commit, .to = to, .value = *value};
    for (uint32_t i = 0; i < VALUE_COLUMNS; i++) {
        if ((in->by_index & COLUMN_BIT(SBTEST_K + i)) != 0) {
            made->next[i] =
                number_map_put(&in->by_value[i], value_key(SBTEST_K + i, value), in->put_count);
        }
    }
    in->put_count++;
}

static bool unchanged_between(const version *of)
{
    return of->older == NULL || of->older->commit < of->start;
}

/* Whether the version is what the statement makes of the one before it. */
static bool is_what_was_written(const history_statement *one, const row_value *value,
                                const version *of)
{
    row_value expected = one->wrote;
    if (one->kind == STATEMENT_UPDATE) {
        if (of->older == NULL || of->older->kind != VERSION_PUT ||
            !decode_row(version_value(of->older), &expected)) {
            return true; /* told apart later */
        }
        row_value_update(&expected, one->columns, &one->wrote);
    }
    return row_value_equal(&expected, value);
}

static void check_put(writes *in, int64_t id, const version *of, timestamp to)
{
    sb_world *world = in->of->world;
    row_value value;
    if (!decode_row(version_value(of), &value)) {
        sb_finding(world, SB_FINDING_LOST_WRITE, ORACLE, "the bytes of row %lld are no row",
                   (long long)id);
    }
    const uint32_t at =
        value.write == 0 ? NUMBER_MAP_NONE : number_map_get(&in->statements, value.write);
    if (at == NUMBER_MAP_NONE) {
        sb_finding(world, SB_FINDING_WRONG_READ, ORACLE, "row %lld holds a value that nobody wrote",
                   (long long)id);
    }
    const history_statement *one = &in->told->statements[at];
    const operation *by = &in->told->operations[in->owner[at]];
    if (by->outcome == OUTCOME_REFUSED) {
        sb_finding(world, SB_FINDING_WRONG_READ, ORACLE,
                   "write %llu to row %lld was refused and is there", number(value.write),
                   (long long)id);
    }
    if (one->id != id || !is_what_was_written(one, &value, of)) {
        sb_finding(world, SB_FINDING_LOST_WRITE, ORACLE, "row %lld is not what write %llu made it",
                   (long long)id, number(value.write));
    }
    if (by->start != 0 && by->start != of->start) {
        sb_finding(
            world, SB_FINDING_WRONG_READ, ORACLE,
            "write %llu to row %lld, of the transaction of %llu, was committed by that of %llu",
            number(value.write), (long long)id, number(by->start), number(of->start));
    }
    const bool was_there = of->older != NULL && of->older->kind == VERSION_PUT;
    if (!unchanged_between(of) || (one->kind == STATEMENT_UPDATE && !was_there)) {
        sb_finding(world, SB_FINDING_LOST_WRITE, ORACLE,
                   "write %llu to row %lld does not follow from what its transaction read",
                   number(value.write), (long long)id);
    }
    in->made[at] = of;
    if (in->by_index != 0) {
        keep_by_value(in, id, &value, of, to);
    }
}

/* An operation that may have deleted the row without having told its start. */
static bool unknown_deletion(const writes *in, int64_t id)
{
    for (uint32_t i = 0; i < in->told->operation_count; i++) {
        const operation *of = &in->told->operations[i];
        const bool may_have = of->table == in->table && of->outcome == OUTCOME_UNKNOWN;
        for (uint32_t j = 0; may_have && j < of->statement_count; j++) {
            const history_statement *one = history_statement_of(in->told, of, j);
            if (one->kind == STATEMENT_DELETE && one->id == id) {
                return true;
            }
        }
    }
    return false;
}

static void check_deletion(writes *in, int64_t id, const version *of)
{
    const uint32_t at = number_map_get(&in->starts, of->start);
    const operation *by = at == NUMBER_MAP_NONE ? NULL : &in->told->operations[at];
    bool told = by == NULL && unknown_deletion(in, id);
    for (uint32_t j = 0; by != NULL && by->outcome != OUTCOME_REFUSED && j < by->statement_count;
         j++) {
        const history_statement *one = history_statement_of(in->told, by, j);
        told |= one->kind == STATEMENT_DELETE && one->id == id;
    }
    if (!told || !unchanged_between(of)) {
        sb_finding(in->of->world, SB_FINDING_LOST_WRITE, ORACLE,
                   "row %lld was deleted at %llu by nobody who was told so", (long long)id,
                   number(of->commit));
    }
}

static void look_at_rows(writes *in)
{
    const encoded_key start = encode_rows_prefix(in->table), end = encode_behind(&start);
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        const int64_t id = decode_last_number(walk.key);
        timestamp to = TIMESTAMP_MAX;
        for (const version *of = walk.found->values; of != NULL; of = of->older) {
            if (of->kind == VERSION_PUT) {
                check_put(in, id, of, to);
            } else {
                check_deletion(in, id, of);
            }
            to = of->commit;
        }
    }
}

/* --------------------------------------------------------------------------- acknowledgements */

static const version *version_by(const writes *in, int64_t id, timestamp start)
{
    const encoded_key key = encode_row_key(in->table, id);
    const entry *found = durable_find(in->of->durable, encoded_slice(&key));
    const version *of = found == NULL ? NULL : found->values;
    while (of != NULL && of->start != start) {
        of = of->older;
    }
    return of;
}

static void check_acknowledged(const writes *in, const operation *of, uint32_t at)
{
    const history_statement *one = history_statement_of(in->told, of, at);
    if (!statement_is_write(one) || one->result != RESULT_DONE || !is_last_write(in, of, at)) {
        return;
    }
    const version *made = statement_is_put(one) ? in->made[of->first_statement + at]
                                                : version_by(in, one->id, of->start);
    if (made == NULL || made->start != of->start || made->commit != of->committed) {
        sb_finding(in->of->world, SB_FINDING_LOST_WRITE, ORACLE,
                   "the %s of row %lld, acknowledged by %s at %llu, is not there",
                   statement_kind_text(one->kind), (long long)one->id,
                   sb_node_name(in->of->world, of->server), number(of->committed));
    }
}

/* -------------------------------------------------------------------------------------- reads */

/* Whether the row was there at the start, and what it held. */
static bool row_at(const writes *in, int64_t id, timestamp at, row_value *value)
{
    const encoded_key key = encode_row_key(in->table, id);
    const version *found = durable_read(in->of->durable, encoded_slice(&key), at);
    return found != NULL && decode_row(version_value(found), value);
}

/* The row as statement `at` of the operation should see it: as it was at the start, with the
 * operation's own writes laid over it. */
static bool row_seen(const writes *in, const operation *of, uint32_t at, int64_t id,
                     row_value *value)
{
    bool there = row_at(in, id, of->start, value);
    for (uint32_t i = 0; i < at; i++) {
        const history_statement *one = history_statement_of(in->told, of, i);
        if (one->id != id || !statement_is_write(one) || one->result != RESULT_DONE) {
            continue;
        }
        there = statement_is_put(one);
        if (one->kind == STATEMENT_INSERT) {
            *value = one->wrote;
        } else if (one->kind == STATEMENT_UPDATE) {
            row_value_update(value, one->columns, &one->wrote);
        }
    }
    return there;
}

static void check_read(const writes *in, const operation *of, uint32_t at)
{
    const history_statement *one = history_statement_of(in->told, of, at);
    row_value expected = {0};
    const bool there = row_seen(in, of, at, one->id, &expected);
    const bool found = one->result == RESULT_ROW;
    if (there != found || (found && !row_value_equal(&expected, &one->read))) {
        sb_finding(in->of->world, SB_FINDING_WRONG_READ, ORACLE,
                   "a read of row %lld at %llu by %s gave %s %llu; it was %s %llu then",
                   (long long)one->id, number(of->start), sb_node_name(in->of->world, of->server),
                   found ? "write" : "no row", number(one->read.write), there ? "write" : "no row",
                   number(expected.write));
    }
}

/* DONE of an insert says that the row was not there, DONE of the others that it was. */
static void check_result(const writes *in, const operation *of, uint32_t at)
{
    const history_statement *one = history_statement_of(in->told, of, at);
    row_value ignored;
    const bool there = row_seen(in, of, at, one->id, &ignored);
    const bool said = (one->kind == STATEMENT_INSERT) != (one->result == RESULT_DONE);
    if (there != said) {
        sb_finding(in->of->world, SB_FINDING_WRONG_READ, ORACLE,
                   "the %s of row %lld at %llu took it for %s", statement_kind_text(one->kind),
                   (long long)one->id, number(of->start), said ? "there" : "absent");
    }
}

/* Reads of many rows are judged when the transaction has written nothing before them. */
static bool has_written_before(const writes *in, const operation *of, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (statement_is_write(history_statement_of(in->told, of, i))) {
            return true;
        }
    }
    return false;
}

/* The ids given are those of the rows with these values at the start: all of them, or the least
 * when there are more. */
static void check_index_read(const writes *in, const operation *of, uint32_t at)
{
    const history_statement *one = history_statement_of(in->told, of, at);
    const int64_t *ids = in->told->ids + one->first_id;
    const int64_t last = one->id_count > 0 ? ids[one->id_count - 1] : 0;
    uint32_t matches = 0;
    bool complete = true;
    const uint32_t column = leading_column(one->columns), list = column - SBTEST_K;
    for (uint32_t i = number_map_get(&in->by_value[list], value_key(column, &one->wrote));
         i != NUMBER_MAP_NONE; i = in->puts[i].next[list]) {
        const put_row *put = &in->puts[i];
        if (put->from > of->start || of->start >= put->to ||
            !row_value_equal_in(one->columns, &put->value, &one->wrote)) {
            continue;
        }
        const bool given = history_was_given(in->told, one, put->id);
        matches += given;
        complete &= given || (one->id_more && put->id > last);
    }
    if (!complete || matches != one->id_count) {
        sb_finding(in->of->world, SB_FINDING_WRONG_INDEX, ORACLE,
                   "a read by index (k %lld) at %llu on %s gave %u rows, %u of them right%s",
                   (long long)one->wrote.k, number(of->start),
                   sb_node_name(in->of->world, of->server), one->id_count, matches,
                   complete ? "" : ", and left others out");
    }
}

/* Whether the schema under which the operation ran shows an index to read by.  Operations that
 * follow each other mostly run under one. */
static bool is_readable(writes *in, const operation *of, const history_statement *one)
{
    if (in->known == 0 || in->known != of->version) {
        in->known = of->version;
        if (!evidence_definition(in->of, in->table, of->version, &in->definition)) {
            in->definition.index_count = 0;
        }
    }
    bool readable = false;
    for (uint32_t i = 0; i < in->definition.index_count; i++) {
        const index_definition *index = &in->definition.indexes[i];
        readable |= index->state == SCHEMA_PUBLIC &&
                    checksum64(slice_of_string(index->name)) == one->index &&
                    index_columns(index) == one->columns;
    }
    return readable;
}

/* That there is no index to read by is true as well, and nobody reads by one that is not public. */
static void check_index_asked(writes *in, const operation *of, const history_statement *one)
{
    const bool said = one->result != RESULT_NO_INDEX;
    if (is_readable(in, of, one) != said) {
        sb_finding(in->of->world, SB_FINDING_WRONG_READ, ORACLE,
                   "operation %llu on %s, under schema %llu, took an index that is%s public for "
                   "%s",
                   number(of->number), sb_node_name(in->of->world, of->server), number(of->version),
                   said ? " not" : "", said ? "one to read by" : "none");
    }
}

/* Of a scan likewise. */
static void check_scan(const writes *in, const operation *of, uint32_t at)
{
    const history_statement *one = history_statement_of(in->told, of, at);
    const int64_t *ids = in->told->ids + one->first_id;
    const int64_t last = one->id_count > 0 ? ids[one->id_count - 1] : 0;
    const encoded_key start = encode_row_key(in->table, one->id),
                      end = encode_row_key(in->table, one->last + 1);
    uint32_t matches = 0;
    bool complete = true;
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        if (durable_entry_read(walk.found, of->start) != NULL) {
            const int64_t id = decode_last_number(walk.key);
            const bool given = history_was_given(in->told, one, id);
            matches += given;
            complete &= given || (one->id_more && id > last);
        }
    }
    if (!complete || matches != one->id_count) {
        sb_finding(in->of->world, SB_FINDING_WRONG_READ, ORACLE,
                   "a scan of rows %lld to %lld at %llu on %s gave %u rows, %u of them right%s",
                   (long long)one->id, (long long)one->last, number(of->start),
                   sb_node_name(in->of->world, of->server), one->id_count, matches,
                   complete ? "" : ", and left others out");
    }
}

static void check_committed(writes *in, const operation *of)
{
    if (of->start <= of->seen) {
        sb_finding(
            in->of->world, SB_FINDING_WRONG_READ, ORACLE,
            "operation %llu ran at %llu, before what had been acknowledged (%llu) when it began",
            number(of->number), number(of->start), number(of->seen));
    }
    for (uint32_t j = 0; j < of->statement_count; j++) {
        const history_statement *one = history_statement_of(in->told, of, j);
        if (one->kind == STATEMENT_READ_INDEX) {
            check_index_asked(in, of, one);
        }
        const bool many = one->result == RESULT_IDS && !has_written_before(in, of, j);
        if (one->kind == STATEMENT_READ) {
            check_read(in, of, j);
        } else if (statement_is_write(one)) {
            check_result(in, of, j);
        } else if (many && one->kind == STATEMENT_READ_INDEX) {
            check_index_read(in, of, j);
        } else if (many) {
            check_scan(in, of, j);
        }
        check_acknowledged(in, of, j);
    }
}

/* ---------------------------------------------------------------------------------- the whole */

void oracle_writes(const evidence *of, const judged_table *table)
{
    writes in = {.of = of, .table = table->id, .told = of->operations};
    gather(&in);
    for (uint32_t i = 0; i < VALUE_COLUMNS; i++) {
        const bool used = (in.by_index & COLUMN_BIT(SBTEST_K + i)) != 0;
        number_map_init(&in.by_value[i], used ? in.told->statement_count : 0);
    }
    look_at_rows(&in);
    for (uint32_t i = 0; i < in.told->operation_count; i++) {
        const operation *one = &in.told->operations[i];
        if (one->table != in.table) {
            continue;
        }
        if (one->outcome == OUTCOME_COMMITTED) {
            check_committed(&in, one);
        }
    }
    for (uint32_t i = 0; i < VALUE_COLUMNS; i++) {
        number_map_release(&in.by_value[i]);
    }
    number_map_release(&in.starts);
    number_map_release(&in.statements);
    sb_free(in.puts);
    sb_free(in.owner);
    sb_free(in.made);
}
