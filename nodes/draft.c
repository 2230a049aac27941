/*
 * Drafts of transactions: see draft.h.
 */
#include "nodes/draft.h"

#include <string.h>

#include "nodes/report.h"

#define K_AND_C (1u << SBTEST_K | 1u << SBTEST_C)
#define SCAN_WIDTH_MAX 96u /* ids, some of them without a row */
#define LOAD_DUPLICATES_SHARE 200u
#define INSERTS_PER_REPEAT 8u
#define HOT_ROWS 8u
#define MILLION 1000000u
#define INDEXES_READ_AT_ONCE 3u

/* ------------------------------------------------------------------------------------ indexes */

const workload_index workload_indexes[] = {
#define WORKLOAD_INDEX(name, unique, count, ...) {name, unique, count, {__VA_ARGS__}},
#include "nodes/workload_indexes.def"
#undef WORKLOAD_INDEX
};

const uint32_t workload_index_count = sizeof(workload_indexes) / sizeof(workload_indexes[0]);

uint32_t workload_index_columns(const workload_index *of)
{
    uint32_t columns = 0;
    for (uint32_t i = 0; i < of->column_count; i++) {
        columns |= 1u << of->columns[i];
    }
    return columns;
}

/* ------------------------------------------------------------------------------------- memory */

void draft_init(draft *into, const boot_settings *settings, uint32_t statement_room,
                draft_number *number, void *context)
{
    const size_t both = 2 * (size_t)settings->value_size;
    *into = (draft){.settings = settings, .number = number, .context = context};
    into->statement_room = statement_room;
    into->statements = sb_alloc(statement_room * sizeof(*into->statements));
    into->values = sb_alloc(statement_room * both);
    into->row_values = sb_alloc(DRAFT_ROWS_REMEMBERED * both);
    for (uint32_t i = 0; i < DRAFT_ROWS_REMEMBERED; i++) {
        into->rows[i].c = into->row_values + i * both;
        into->rows[i].pad = into->rows[i].c + settings->value_size;
    }
}

void draft_release(draft *of)
{
    sb_free(of->row_values);
    sb_free(of->values);
    sb_free(of->statements);
}

static void remember_row(draft *of, int64_t id, const statement_result *result)
{
    const uint32_t size = of->settings->value_size;
    if (result->c.size != size || result->pad.size != size) {
        return;
    }
    remembered_row *into = &of->rows[of->rows_next++ % DRAFT_ROWS_REMEMBERED];
    into->table = of->table;
    into->id = id;
    into->k = result->k;
    memcpy(into->c, result->c.data, size);
    memcpy(into->pad, result->pad.data, size);
}

static uint32_t *readable(draft *of)
{
    return &of->readable[of->table - of->settings->table];
}

/* Reads by an index tell whether it is public. */
static void remember_index(draft *of, slice name, result_kind result)
{
    for (uint32_t i = 0; i < workload_index_count; i++) {
        if (slice_equal(name, slice_of_string(workload_indexes[i].name))) {
            const uint32_t bit = 1u << i;
            *readable(of) = result == RESULT_IDS ? *readable(of) | bit : *readable(of) & ~bit;
        }
    }
}

void draft_learn(draft *of, const execute_reply *reply)
{
    for (uint32_t i = 0; i < reply->result_count && i < of->statement_count; i++) {
        const statement *one = &of->statements[i];
        const statement_result *result = &reply->results[i];
        if (one->kind == STATEMENT_READ && result->kind == RESULT_ROW) {
            remember_row(of, one->id, result);
        }
        if (one->kind == STATEMENT_READ_INDEX) {
            remember_index(of, one->index_name, result->kind);
        }
        if (one->kind == STATEMENT_DELETE && result->kind == RESULT_DONE) {
            of->deleted[of->deleted_next++ % DRAFT_IDS_REMEMBERED] =
                (remembered_id){of->table, one->id};
        }
    }
}

/* A row of the draft's table that was read, or NULL. */
static const remembered_row *recall(const draft *of)
{
    const remembered_row *row = &of->rows[sb_random(DRAFT_ROWS_REMEMBERED)];
    return row->table == of->table ? row : NULL;
}

/* -------------------------------------------------------------------------------------- draws */

static int64_t draw_k(const draft *of)
{
    return (int64_t)sb_random(of->settings->k_values);
}

static uint64_t loaded_rows(const draft *of)
{
    return boot_table_rows(of->settings, of->table);
}

/* A few rows, over all regions: what one server has written is soon written by another. */
static int64_t draw_hot_id(const draft *of)
{
    const uint64_t apart = loaded_rows(of) / HOT_ROWS;
    return 1 + (int64_t)(apart * sb_random(HOT_ROWS));
}

/* An id that may be there: a hot one, a loaded one, or one that some worker inserts. */
static int64_t draw_id(const draft *of)
{
    const uint32_t hot = of->settings->client_hot;
    if (hot > 0 && sb_random(MILLION) < hot) {
        return draw_hot_id(of);
    }
    return 1 + (int64_t)sb_random(loaded_rows(of) + of->settings->client_insert_range);
}

/* An id to insert: one that was deleted, or one behind the loaded ones. */
static int64_t draw_new_id(draft *of)
{
    const uint32_t slot = (uint32_t)sb_random(2 * DRAFT_IDS_REMEMBERED);
    if (slot < DRAFT_IDS_REMEMBERED && of->deleted[slot].table == of->table) {
        of->deleted[slot].table = 0;
        return of->deleted[slot].id;
    }
    const uint32_t range = of->settings->client_insert_range;
    return (int64_t)(loaded_rows(of) + 1 + sb_random(range > 0 ? range : 1));
}

/* A pad of that number: of a loaded row its id, of others the number of their write. */
static slice format_pad(const draft *of, uint64_t number, unsigned char *into)
{
    write_value_format(number, of->settings->value_size, into);
    into[0] = 'p';
    return slice_of(into, of->settings->value_size);
}

/* Of a new row: its own, but that a duplicate may be wanted; then that of some loaded row. */
static uint64_t draw_pad_number(const draft *of, uint64_t own, uint32_t rate)
{
    if (rate == 0 || sb_random(MILLION) >= rate) {
        return own;
    }
    return 1 + sb_random(loaded_rows(of));
}

/* ----------------------------------------------------------------------------------- drafting */

static unsigned char *value_place(const draft *of, uint32_t at, uint32_t which)
{
    return of->values + ((size_t)at * 2 + which) * of->settings->value_size;
}

static statement *add(draft *of, statement_kind kind, int64_t id)
{
    sb_assert_op(of->statement_count, <, of->statement_room);
    statement *added = &of->statements[of->statement_count++];
    *added = (statement){.kind = kind, .id = id};
    return added;
}

/* A c that bears a number of its own; 0: told to stop. */
static uint64_t set_c(draft *of, statement *one)
{
    const uint64_t number = of->number(of->context);
    if (number != 0) {
        unsigned char *c = value_place(of, (uint32_t)(one - of->statements), 0);
        write_value_format(number, of->settings->value_size, c);
        one->c = slice_of(c, of->settings->value_size);
    }
    return number;
}

static bool add_update(draft *of, int64_t id, int64_t k)
{
    statement *added = add(of, STATEMENT_UPDATE, id);
    added->k = k;
    added->columns = K_AND_C;
    return set_c(of, added) != 0;
}

static bool add_update_pad(draft *of, int64_t id, slice pad)
{
    statement *added = add(of, STATEMENT_UPDATE, id);
    added->pad = pad;
    added->columns = 1u << SBTEST_C | 1u << SBTEST_PAD;
    return set_c(of, added) != 0;
}

static bool add_insert_pad(draft *of, int64_t id, int64_t k, slice pad)
{
    statement *added = add(of, STATEMENT_INSERT, id);
    added->k = k;
    added->pad = pad;
    return set_c(of, added) != 0;
}

/* A row whose k and pad a new one is to have too, though a unique index says that it may not; NULL:
 * none.  Only where such an index has been read by: else what is being built would fail for it. */
static const remembered_row *draw_repeated(const draft *of)
{
    uint32_t unique = 0;
    for (uint32_t i = 0; i < workload_index_count; i++) {
        const bool has_c = (workload_index_columns(&workload_indexes[i]) & 1u << SBTEST_C) != 0;
        unique |= workload_indexes[i].unique && !has_c ? 1u << i : 0;
    }
    const bool known = (of->readable[of->table - of->settings->table] & unique) != 0;
    return known && sb_random(INSERTS_PER_REPEAT) == 0 ? recall(of) : NULL;
}

static bool add_insert(draft *of, int64_t id, int64_t k)
{
    statement *added = add(of, STATEMENT_INSERT, id);
    added->k = k;
    const uint64_t number = set_c(of, added);
    const remembered_row *repeated = draw_repeated(of);
    if (repeated != NULL) {
        added->k = repeated->k;
        added->pad = slice_of(repeated->pad, of->settings->value_size);
        return number != 0;
    }
    const uint64_t pad = draw_pad_number(of, number, of->settings->client_duplicates);
    added->pad = format_pad(of, pad, value_place(of, of->statement_count - 1, 1));
    return number != 0;
}

bool draft_load(draft *of, uint64_t table, uint64_t first, uint64_t count)
{
    of->table = table;
    of->statement_count = 0;
    for (uint64_t id = first; id < first + count; id++) {
        statement *added = add(of, STATEMENT_INSERT, (int64_t)id);
        added->k = draw_k(of);
        const uint32_t rate = of->settings->client_duplicates / LOAD_DUPLICATES_SHARE;
        const uint64_t pad = draw_pad_number(of, id, rate);
        added->pad = format_pad(of, pad, value_place(of, of->statement_count - 1, 1));
        if (set_c(of, added) == 0) {
            return false;
        }
    }
    return true;
}

/* --------------------------------------------------------------------------------- operations */

/* What an operation does, by weight. */
typedef enum operation_kind {
    OPERATION_READ,
    OPERATION_SCAN,
    OPERATION_READ_INDEX,
    OPERATION_INSERT,
    OPERATION_UPDATE,
    OPERATION_UPDATE_PAD,
    OPERATION_UPDATE_TWO,
    OPERATION_UPDATE_TWICE, /* the same row */
    OPERATION_UPDATE_MANY,
    OPERATION_DELETE,
    OPERATION_REPLACE, /* delete and insert of one id */
    OPERATION_MOVE,    /* a row gets another id */
    OPERATION_SWAP,    /* two rows change their pads */
    OPERATION_KIND_COUNT
} operation_kind;

static const uint8_t operation_weights[OPERATION_KIND_COUNT] = {
    [OPERATION_READ] = 16,      [OPERATION_SCAN] = 4,         [OPERATION_READ_INDEX] = 10,
    [OPERATION_INSERT] = 17,    [OPERATION_UPDATE] = 20,      [OPERATION_UPDATE_PAD] = 4,
    [OPERATION_UPDATE_TWO] = 5, [OPERATION_UPDATE_TWICE] = 3, [OPERATION_UPDATE_MANY] = 2,
    [OPERATION_DELETE] = 10,    [OPERATION_REPLACE] = 3,      [OPERATION_MOVE] = 4,
    [OPERATION_SWAP] = 2,
};
#define OPERATION_WEIGHTS 100u

static operation_kind draw_operation(void)
{
    uint64_t left = sb_random(OPERATION_WEIGHTS);
    uint32_t kind = 0;
    while (left >= operation_weights[kind]) {
        left -= operation_weights[kind++];
        sb_assert_op(kind, <, OPERATION_KIND_COUNT);
    }
    return (operation_kind)kind;
}

static bool draft_reads(draft *of, int64_t id)
{
    const int64_t other = draw_id(of);
    (void)add(of, STATEMENT_READ, id);
    (void)add(of, STATEMENT_READ, other);
    return true;
}

static bool draft_scan(draft *of, int64_t id)
{
    statement *added = add(of, STATEMENT_SCAN, id);
    added->last = id + (int64_t)sb_random(SCAN_WIDTH_MAX);
    return true;
}

/* Half of the time an index that could be read by, else any. */
static uint32_t draw_index(const draft *of)
{
    const uint32_t known = of->readable[of->table - of->settings->table];
    const uint64_t pick = sb_random(2 * (uint64_t)workload_index_count);
    if (pick < workload_index_count || known == 0) {
        return (uint32_t)(pick % workload_index_count);
    }
    uint64_t skip = sb_random((uint64_t)__builtin_popcount(known));
    uint32_t at = 0;
    while ((known >> at & 1) == 0 || skip-- > 0) {
        at++;
    }
    return at;
}

/* By the values of a row that was read; without one, by a k. */
static void add_read_index(draft *of, const workload_index *drawn, const remembered_row *row)
{
    const bool by_k_alone = drawn->column_count == 1 && drawn->columns[0] == SBTEST_K;
    const workload_index *by = row != NULL || by_k_alone ? drawn : workload_indexes;
    statement *added = add(of, STATEMENT_READ_INDEX, 0);
    added->index_name = slice_of_string(by->name);
    added->columns = workload_index_columns(by);
    added->k = row == NULL ? draw_k(of) : row->k;
    if (row != NULL) {
        added->c = slice_of(row->c, of->settings->value_size);
        added->pad = slice_of(row->pad, of->settings->value_size);
    }
}

/* Several indexes are asked in one transaction: at one moment they must tell the same. */
static bool draft_read_indexes(draft *of)
{
    const remembered_row *row = recall(of);
    const uint32_t first = draw_index(of);
    for (uint32_t i = 0; i < INDEXES_READ_AT_ONCE; i++) {
        add_read_index(of, &workload_indexes[(first + i) % workload_index_count], row);
    }
    return true;
}

static bool draft_update_many(draft *of, int64_t id)
{
    bool drafted = true;
    for (int64_t i = 0; i < 4 && drafted; i++) {
        const int64_t k = draw_k(of);
        drafted = add_update(of, id + 7 * i, k);
    }
    return drafted;
}

static bool draft_update_pad(draft *of, int64_t id)
{
    unsigned char *place = value_place(of, of->statement_count, 1);
    const uint64_t number = of->number(of->context);
    const slice pad = format_pad(of, number, place);
    return number != 0 && add_update_pad(of, id, pad);
}

/* What REPLACE does when the unique key is another row's (TiDB issue 52914). */
static bool draft_move(draft *of, const remembered_row *row)
{
    const int64_t fresh = draw_new_id(of);
    (void)add(of, STATEMENT_DELETE, row->id);
    return add_insert_pad(of, fresh, row->k, slice_of(row->pad, of->settings->value_size));
}

static bool draft_swap(draft *of, const remembered_row *one, const remembered_row *other)
{
    const uint32_t size = of->settings->value_size;
    (void)add(of, STATEMENT_DELETE, other->id);
    return add_update_pad(of, one->id, slice_of(other->pad, size)) &&
           add_insert_pad(of, other->id, other->k, slice_of(one->pad, size));
}

/* Of rows that were read; when there are none, they are read now. */
static bool draft_with_rows(draft *of, operation_kind kind, int64_t id)
{
    const remembered_row *one = recall(of);
    const remembered_row *other = recall(of);
    if (one == NULL || other == NULL || (kind == OPERATION_SWAP && one->id == other->id)) {
        return draft_reads(of, id);
    }
    return kind == OPERATION_MOVE ? draft_move(of, one) : draft_swap(of, one, other);
}

static bool draft_kind(draft *of, operation_kind kind)
{
    /* One draw a statement: C leaves open in which order arguments are evaluated. */
    const int64_t id = kind == OPERATION_INSERT ? draw_new_id(of) : draw_id(of);
    const int64_t k = draw_k(of);
    const int64_t other = draw_id(of);
    const int64_t other_k = draw_k(of);
    switch (kind) {
    case OPERATION_READ:
        return *readable(of) != 0 && (other & 1) == 1 ? draft_read_indexes(of)
                                                      : draft_reads(of, id);
    case OPERATION_SCAN:
        return draft_scan(of, id);
    case OPERATION_READ_INDEX:
        return draft_read_indexes(of);
    case OPERATION_INSERT:
        return add_insert(of, id, k);
    case OPERATION_UPDATE:
        return add_update(of, id, k);
    case OPERATION_UPDATE_PAD:
        return draft_update_pad(of, id);
    case OPERATION_UPDATE_TWO:
        return add_update(of, id, k) && add_update(of, other, other_k);
    case OPERATION_UPDATE_TWICE:
        return add_update(of, id, k) && add_update(of, id, other_k) &&
               add(of, STATEMENT_READ, id) != NULL;
    case OPERATION_UPDATE_MANY:
        return draft_update_many(of, id);
    case OPERATION_DELETE:
        return add(of, STATEMENT_DELETE, id) != NULL;
    case OPERATION_REPLACE:
        return add(of, STATEMENT_DELETE, id) != NULL && add_insert(of, id, k);
    default:
        return draft_with_rows(of, kind, id);
    }
}

bool draft_operation(draft *of, uint64_t table)
{
    of->table = table;
    of->statement_count = 0;
    const operation_kind kind = draw_operation();
    const bool drafted = draft_kind(of, kind);
    const uint32_t most = of->settings->client_think_ms;
    for (uint32_t i = 0; i < of->statement_count && most > 0; i++) {
        of->statements[i].think_ms = (uint32_t)sb_random(most + 1);
    }
    return drafted;
}
