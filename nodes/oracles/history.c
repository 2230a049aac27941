/*
 * The clients' history: see history.h.
 */
#include "nodes/oracles/history.h"

#include "engine/base/checksum.h"
#include "engine/schema/definitions.h"

void history_init(history *into)
{
    *into = (history){0};
}

void history_release(history *of)
{
    sb_free(of->operations);
    sb_free(of->statements);
    sb_free(of->ids);
    *of = (history){0};
}

/* Room for `more` elements behind the `count` that are there. */
static void *make_room(void *array, uint32_t count, uint32_t more, uint32_t *room,
                       size_t element_size)
{
    if (count + more <= *room) {
        return array;
    }
    uint32_t wanted = *room == 0 ? 256 : *room * 2;
    while (wanted < count + more) {
        wanted *= 2;
    }
    *room = wanted;
    return array == NULL ? sb_alloc(wanted * element_size)
                         : sb_realloc(array, wanted * element_size);
}

row_value row_value_of(int64_t k, slice c, slice pad)
{
    return (row_value){
        .k = k, .write = write_value_number(c), .c = checksum64(c), .pad = checksum64(pad)};
}

bool row_value_equal(const row_value *left, const row_value *right)
{
    return left->k == right->k && left->write == right->write && left->c == right->c &&
           left->pad == right->pad;
}

bool row_value_equal_in(uint32_t columns, const row_value *left, const row_value *right)
{
    return ((columns & 1u << SBTEST_K) == 0 || left->k == right->k) &&
           ((columns & 1u << SBTEST_C) == 0 || left->c == right->c) &&
           ((columns & 1u << SBTEST_PAD) == 0 || left->pad == right->pad);
}

void row_value_update(row_value *into, uint32_t columns, const row_value *from)
{
    if ((columns & 1u << SBTEST_K) != 0) {
        into->k = from->k;
    }
    if ((columns & 1u << SBTEST_C) != 0) {
        into->c = from->c;
        into->write = from->write;
    }
    if ((columns & 1u << SBTEST_PAD) != 0) {
        into->pad = from->pad;
    }
}

const history_statement *history_statement_of(const history *in, const operation *of, uint32_t at)
{
    return &in->statements[of->first_statement + at];
}

bool statement_is_put(const history_statement *one)
{
    return one->kind == STATEMENT_INSERT || one->kind == STATEMENT_UPDATE;
}

bool statement_is_write(const history_statement *one)
{
    return statement_is_put(one) || one->kind == STATEMENT_DELETE;
}

bool history_was_given(const history *in, const history_statement *one, int64_t id)
{
    for (uint32_t i = 0; i < one->id_count; i++) {
        if (in->ids[one->first_id + i] == id) {
            return true;
        }
    }
    return false;
}

/* -------------------------------------------------------------------------------------- begin */

static history_statement statement_begun(const statement *asked)
{
    history_statement made = {.kind = asked->kind,
                              .columns = asked->columns,
                              .id = asked->id,
                              .last = asked->last,
                              .index = checksum64(asked->index_name),
                              .result = RESULT_ABSENT};
    if (asked->kind == STATEMENT_INSERT || asked->kind == STATEMENT_UPDATE ||
        asked->kind == STATEMENT_READ_INDEX) {
        made.wrote = row_value_of(asked->k, asked->c, asked->pad);
    }
    return made;
}

static const operation *begin(history *into, sb_node client, slice report)
{
    operation_begin from;
    if (!operation_begin_decode(report, &from)) {
        sb_fail("the report of an operation's begin cannot be read");
    }
    const execute_request *asked = &from.request;
    into->operations = make_room(into->operations, into->operation_count, 1, &into->operation_room,
                                 sizeof(*into->operations));
    into->statements = make_room(into->statements, into->statement_count, asked->statement_count,
                                 &into->statement_room, sizeof(*into->statements));
    operation *made = &into->operations[into->operation_count++];
    *made = (operation){.number = asked->number,
                        .table = asked->table,
                        .client = client,
                        .server = (sb_node)from.server,
                        .outcome = OUTCOME_UNKNOWN,
                        .seen = into->seen,
                        .began = ++into->moment,
                        .over = HISTORY_NEVER,
                        .first_statement = into->statement_count,
                        .statement_count = asked->statement_count};
    for (uint32_t i = 0; i < asked->statement_count; i++) {
        into->statements[into->statement_count++] = statement_begun(&asked->statements[i]);
    }
    execute_request_release(&from.request);
    return made;
}

/* ---------------------------------------------------------------------------------------- end */

static void keep_result(history *into, history_statement *of, const statement_result *result)
{
    of->result = result->kind;
    if (result->kind == RESULT_ROW) {
        of->read = row_value_of(result->k, result->c, result->pad);
    }
    if (result->kind == RESULT_IDS) {
        into->ids = make_room(into->ids, into->id_count, result->id_count, &into->id_room,
                              sizeof(*into->ids));
        of->first_id = into->id_count;
        of->id_count = result->id_count;
        of->id_more = result->id_more;
        for (uint32_t i = 0; i < result->id_count; i++) {
            into->ids[into->id_count++] = result->ids[i];
        }
    }
}

/* The open operation of that number; only a few are open at once, and they are among the latest. */
static operation *find_open(history *of, uint64_t number)
{
    for (uint32_t i = of->operation_count; i > of->oldest_open; i--) {
        if (of->operations[i - 1].number == number && !of->operations[i - 1].ended) {
            return &of->operations[i - 1];
        }
    }
    return NULL;
}

static const operation *end(history *into, slice report)
{
    operation_end from;
    if (!operation_end_decode(report, &from)) {
        sb_fail("the report of an operation's end cannot be read");
    }
    operation *ended = find_open(into, from.number);
    if (ended == NULL) {
        sb_fail("operation %llu ended without having begun", (unsigned long long)from.number);
    }
    const execute_reply *reply = &from.reply;
    ended->ended = true;
    ended->over = ++into->moment;
    ended->outcome = reply->outcome;
    ended->reason = reply->reason;
    ended->start = reply->start;
    ended->committed = reply->committed;
    ended->version = reply->schema_version;
    for (uint32_t i = 0; i < reply->result_count && i < ended->statement_count; i++) {
        keep_result(into, &into->statements[ended->first_statement + i], &reply->results[i]);
    }
    if (reply->outcome == OUTCOME_COMMITTED) {
        const timestamp latest = reply->committed > reply->start ? reply->committed : reply->start;
        into->seen = latest > into->seen ? latest : into->seen;
    }
    execute_reply_release(&from.reply);
    while (into->oldest_open < into->operation_count && into->operations[into->oldest_open].ended) {
        into->oldest_open++;
    }
    return ended;
}

const operation *history_observe(history *into, sb_node client, uint32_t kind, slice report)
{
    switch (kind) {
    case REPORT_OPERATION_BEGIN:
        return begin(into, client, report);
    case REPORT_OPERATION_END:
        return end(into, report);
    default:
        return NULL;
    }
}
