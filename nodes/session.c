/*
 * Client sessions of a server: see session.h, and engine/wire/client.h for why a transaction runs
 * at most once.
 *
 *     decode → of our session? → new? → not draining, not too many → pin schema, begin
 *            → statements, with thinking → commit → unpin → answer
 */
#include "nodes/session.h"

#include <string.h>

#include "engine/schema/table.h"
#include "engine/wire/client.h"
#include "nodes/counters.h"

#define TRANSACTIONS_MAX 64u
#define TRANSACTION_TIME_LIMIT (10 * SB_SECOND)
#define THINK_MS_MAX 1000u
#define LOOK_AHEAD_INSERTS 8u /* from so many on */

/* The last number that a worker of a client has used here. */
typedef struct known_worker {
    sb_address client;
    uint32_t worker;
    uint64_t number;
} known_worker;

struct client_sessions {
    cluster *cluster;
    schema_cache *schema;
    client_session_settings settings;
    sb_scope scope;        /* of the running transactions */
    sb_condition finished; /* one of them has ended */
    uint32_t running;
    bool draining;
    known_worker *workers;
    uint32_t worker_count, worker_room;
};

/* ------------------------------------------------------------------------ opening and closing */

client_sessions *client_sessions_open(cluster *of, schema_cache *schema,
                                      const client_session_settings *settings)
{
    client_sessions *made = sb_alloc_zero(sizeof(*made));
    made->cluster = of;
    made->schema = schema;
    if (settings != NULL) {
        made->settings = *settings;
    }
    client_session_settings *use = &made->settings;
    use->transactions_max = use->transactions_max > 0 ? use->transactions_max : TRANSACTIONS_MAX;
    use->transaction_time_limit =
        use->transaction_time_limit > 0 ? use->transaction_time_limit : TRANSACTION_TIME_LIMIT;
    use->think_ms_max = use->think_ms_max > 0 ? use->think_ms_max : THINK_MS_MAX;
    sb_scope_init(&made->scope, NULL, "client transactions");
    sb_condition_init(&made->finished, "client transactions to end");
    return made;
}

sb_status client_sessions_drain(client_sessions *of, sb_duration grace)
{
    of->draining = true;
    sb_scope patience;
    sb_scope_init_timeout(&patience, NULL, "client drain", grace);
    while (of->running > 0 && sb_scope_status(&patience) == SB_OK) {
        sb_condition_wait(&of->finished, NULL, &patience);
    }
    sb_scope_release(&patience);
    if (of->running == 0) {
        return SB_OK;
    }
    sb_scope_cancel(&of->scope);
    while (of->running > 0) {
        sb_condition_wait(&of->finished, NULL, NULL);
    }
    return SB_TIMEOUT;
}

void client_sessions_close(client_sessions *of)
{
    sb_assert_op(of->running, ==, 0);
    sb_scope_release(&of->scope);
    sb_condition_release(&of->finished);
    sb_free(of->workers);
    sb_free(of);
}

/* ------------------------------------------------------------------------------- at most once */

/* False for a request that has been here before, or comes too late. */
static bool admit_number(client_sessions *of, sb_address client, const execute_request *asked)
{
    for (uint32_t i = 0; i < of->worker_count; i++) {
        known_worker *known = &of->workers[i];
        if (known->client == client && known->worker == asked->worker) {
            const bool is_new = asked->number > known->number;
            known->number = is_new ? asked->number : known->number;
            return is_new;
        }
    }
    if (of->worker_count == of->worker_room) {
        of->worker_room = of->worker_room == 0 ? 8 : of->worker_room * 2;
        const size_t size = of->worker_room * sizeof(*of->workers);
        of->workers = of->workers == NULL ? sb_alloc(size) : sb_realloc(of->workers, size);
    }
    of->workers[of->worker_count++] = (known_worker){client, asked->worker, asked->number};
    return true;
}

/* --------------------------------------------------------------------------------- statements */

/* One request while it runs. */
typedef struct execution {
    client_sessions *in;
    execute_request asked;
    execute_reply reply;
    buffer *rows; /* what the results of reads point into, one per statement */
    transaction *transaction;
    const table_definition *table;
    sb_scope scope;
} execution;

static row row_of_statement(const statement *one)
{
    row made;
    memset(&made, 0, sizeof(made));
    made.columns[SBTEST_ID].integer = one->id;
    made.columns[SBTEST_K].integer = one->k;
    made.columns[SBTEST_C].bytes = one->c;
    made.columns[SBTEST_PAD].bytes = one->pad;
    return made;
}

static engine_status run_read(execution *of, const statement *one, buffer *bytes,
                              statement_result *result)
{
    row found;
    const engine_status status =
        table_read(of->transaction, of->table, one->id, &found, bytes, &of->scope);
    if (status == ENGINE_OK) {
        *result = (statement_result){.kind = RESULT_ROW,
                                     .k = found.columns[SBTEST_K].integer,
                                     .c = found.columns[SBTEST_C].bytes,
                                     .pad = found.columns[SBTEST_PAD].bytes};
    }
    return status;
}

/* The public index of that name over these columns, or NULL. */
static const index_definition *readable_index(const table_definition *table, slice name,
                                              uint32_t columns)
{
    char text[NAME_SIZE_MAX];
    if (name.size >= sizeof(text)) {
        return NULL;
    }
    memcpy(text, name.data, name.size);
    text[name.size] = 0;
    const index_definition *index = table_index_named(table, text);
    uint32_t its_columns = 0;
    for (uint32_t i = 0; index != NULL && i < index->column_count; i++) {
        its_columns |= 1u << index->columns[i];
    }
    const bool readable =
        index != NULL && index->state == SCHEMA_PUBLIC && its_columns == columns && columns != 0;
    return readable ? index : NULL;
}

/* The handles found become the result; one more than it holds tells that there are more. */
static void keep_ids(statement_result *result, const row_handle *handles, uint32_t count)
{
    *result = (statement_result){.kind = RESULT_IDS, .id_more = count > RESULT_IDS_MAX};
    result->id_count = result->id_more ? RESULT_IDS_MAX : count;
    if (result->id_count > 0) {
        result->ids = sb_alloc(result->id_count * sizeof(*result->ids));
        memcpy(result->ids, handles, result->id_count * sizeof(*result->ids));
    }
}

static engine_status run_read_index(execution *of, const statement *one, statement_result *result)
{
    const index_definition *index = readable_index(of->table, one->index_name, one->columns);
    if (index == NULL) {
        *result = (statement_result){.kind = RESULT_NO_INDEX};
        return ENGINE_OK;
    }
    const row wanted = row_of_statement(one);
    datum values[INDEX_COLUMNS_MAX];
    for (uint32_t i = 0; i < index->column_count; i++) {
        values[i] = wanted.columns[index->columns[i]];
    }
    row_handle handles[RESULT_IDS_MAX + 1];
    uint32_t count = 0;
    const engine_status status = table_read_index(of->transaction, of->table, index, values,
                                                  RESULT_IDS_MAX + 1, handles, &count, &of->scope);
    if (status == ENGINE_OK) {
        keep_ids(result, handles, count);
        sb_count(COUNTER_index_reads, 1);
        sb_count(COUNTER_unique_index_reads, index->unique);
    }
    return status;
}

static engine_status run_scan(execution *of, const statement *one, statement_result *result)
{
    row_handle handles[RESULT_IDS_MAX + 1];
    uint32_t count = 0;
    const engine_status status = table_scan(of->transaction, of->table, one->id, one->last,
                                            RESULT_IDS_MAX + 1, handles, &count, &of->scope);
    if (status == ENGINE_OK) {
        keep_ids(result, handles, count);
    }
    return status;
}

static engine_status run_statement(execution *of, uint32_t at)
{
    const statement *one = &of->asked.statements[at];
    statement_result *result = &of->reply.results[at];
    *result = (statement_result){.kind = RESULT_DONE};
    const row written = row_of_statement(one);
    engine_status status = ENGINE_OK;
    switch (one->kind) {
    case STATEMENT_READ:
        status = run_read(of, one, &of->rows[at], result);
        break;
    case STATEMENT_READ_INDEX:
        status = run_read_index(of, one, result);
        break;
    case STATEMENT_INSERT:
        status = table_insert(of->transaction, of->table, &written, &of->scope);
        break;
    case STATEMENT_UPDATE:
        status = table_update(of->transaction, of->table, &written, one->columns, &of->scope);
        break;
    case STATEMENT_DELETE:
        status = table_delete(of->transaction, of->table, one->id, &of->scope);
        break;
    case STATEMENT_SCAN:
        status = run_scan(of, one, result);
        break;
    default:
        sb_fail("statement of kind %u", (unsigned)one->kind); /* decoding lets none through */
    }
    if (status == ENGINE_NOT_FOUND) {
        *result = (statement_result){.kind = RESULT_ABSENT};
        return ENGINE_OK;
    }
    return status;
}

static engine_status think(const execution *of, uint32_t think_ms, sb_scope *scope)
{
    const uint32_t most = of->in->settings.think_ms_max;
    if (think_ms > 0) {
        sb_sleep((think_ms < most ? think_ms : most) * SB_MILLISECOND, scope);
    }
    return engine_scope_status(scope);
}

/* Many inserts, as when a table is loaded, go side by side: look once where they are to go. */
static engine_status look_ahead(execution *of)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    uint32_t inserts = 0;
    for (uint32_t i = 0; i < of->asked.statement_count; i++) {
        const statement *one = &of->asked.statements[i];
        if (one->kind == STATEMENT_INSERT) {
            first = one->id < first ? one->id : first;
            last = one->id > last ? one->id : last;
            inserts++;
        }
    }
    if (inserts < LOOK_AHEAD_INSERTS) {
        return ENGINE_OK;
    }
    return table_look_ahead(of->transaction, of->table, first, last, &of->scope);
}

static engine_status run_statements(execution *of)
{
    const uint32_t count = of->asked.statement_count;
    engine_status status = look_ahead(of);
    of->rows = sb_alloc_zero(count * sizeof(*of->rows));
    of->reply.results = sb_alloc(count * sizeof(*of->reply.results));
    for (uint32_t i = 0; i < count && status == ENGINE_OK; i++) {
        of->reply.results[of->reply.result_count++] = (statement_result){.kind = RESULT_ABSENT};
        status = think(of, of->asked.statements[i].think_ms, &of->scope);
        if (status == ENGINE_OK) {
            status = run_statement(of, i);
        }
    }
    return status;
}

/* ------------------------------------------------------------------------------- transactions */

static refusal refusal_of(engine_status status)
{
    switch (status) {
    case ENGINE_CONFLICT:
        return REFUSAL_CONFLICT;
    case ENGINE_TOO_OLD:
        return REFUSAL_TOO_OLD;
    case ENGINE_FENCED:
        return REFUSAL_FENCED;
    case ENGINE_TIMEOUT:
        return REFUSAL_TIMEOUT;
    case ENGINE_CANCELED:
        return REFUSAL_CANCELED;
    case ENGINE_DUPLICATE:
        return REFUSAL_DUPLICATE;
    case ENGINE_KEY_TOO_LONG:
        return REFUSAL_KEY_TOO_LONG;
    default:
        return REFUSAL_FAILED;
    }
}

/* Results belong to a committed transaction only. */
static void drop_results(execute_reply *reply)
{
    for (uint32_t i = 0; i < reply->result_count; i++) {
        sb_free(reply->results[i].ids);
    }
    reply->result_count = 0;
}

static void refuse(execution *of, refusal reason)
{
    drop_results(&of->reply);
    of->reply.outcome = OUTCOME_REFUSED;
    of->reply.reason = reason;
    of->reply.committed = 0;
}

static bool is_being_backfilled(const table_definition *table)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].state == SCHEMA_WRITE_REORGANIZATION) {
            return true;
        }
    }
    return false;
}

static void count_outcome(const execution *of)
{
    switch (of->reply.outcome) {
    case OUTCOME_COMMITTED:
        sb_count(COUNTER_client_transactions_committed, 1);
        if (is_being_backfilled(of->table)) {
            sb_count(COUNTER_transactions_committed_during_backfill, 1);
        }
        break;
    case OUTCOME_REFUSED:
        sb_count(COUNTER_client_transactions_refused, 1);
        break;
    default:
        sb_count(COUNTER_client_transactions_unknown, 1);
        break;
    }
}

/* The statements and the commit; the schema is pinned and the transaction has begun. */
static void run_transaction(execution *of)
{
    engine_status status = run_statements(of);
    if (status != ENGINE_OK) {
        transaction_rollback(of->transaction);
        refuse(of, refusal_of(status));
        return;
    }
    status = transaction_commit(of->transaction, &of->reply.committed, &of->scope);
    if (status == ENGINE_OK) {
        of->reply.outcome = OUTCOME_COMMITTED;
    } else if (status == ENGINE_UNKNOWN) {
        drop_results(&of->reply);
        of->reply.outcome = OUTCOME_UNKNOWN;
    } else {
        refuse(of, refusal_of(status));
    }
}

/* Bind the request to a schema and run it. */
static void execute_pinned(execution *of)
{
    client_sessions *in = of->in;
    sb_scope_init_timeout(&of->scope, &in->scope, "client transaction",
                          in->settings.transaction_time_limit);
    const schema_snapshot *pinned;
    const engine_status status = schema_begin(in->schema, &pinned, &of->transaction, &of->scope);
    if (status != ENGINE_OK) {
        refuse(of, status == ENGINE_FENCED ? REFUSAL_NOT_READY : refusal_of(status));
        sb_scope_release(&of->scope);
        return;
    }
    of->reply.start = transaction_start(of->transaction);
    of->reply.schema_version = pinned->version;
    of->table = schema_table(pinned, of->asked.table);
    if (of->table != NULL && of->table->column_count == SBTEST_COLUMN_COUNT) {
        run_transaction(of);
        count_outcome(of);
    } else {
        transaction_rollback(of->transaction);
        refuse(of, REFUSAL_NO_TABLE);
    }
    transaction_release(of->transaction);
    schema_release(in->schema, pinned);
    sb_scope_release(&of->scope);
}

/* ------------------------------------------------------------------------------------ EXECUTE */

static void answer(execution *of, const sb_request *request)
{
    buffer bytes;
    buffer_init(&bytes);
    of->reply.session = cluster_session(of->in->cluster);
    execute_reply_encode(&of->reply, &bytes);
    sb_answer(request, bytes.data, bytes.size);
    buffer_release(&bytes);
}

static void execution_release(execution *of)
{
    for (uint32_t i = 0; of->rows != NULL && i < of->asked.statement_count; i++) {
        buffer_release(&of->rows[i]);
    }
    sb_free(of->rows);
    execute_reply_release(&of->reply);
    execute_request_release(&of->asked);
}

void client_sessions_execute(client_sessions *of, const sb_request *request)
{
    execution run = {.in = of, .reply = {.outcome = OUTCOME_REFUSED}};
    const session_id session = cluster_session(of->cluster);
    if (!execute_request_decode(slice_of(request->data, request->size), &run.asked) ||
        (run.asked.session != 0 && run.asked.statement_count == 0)) {
        refuse(&run, REFUSAL_BAD_REQUEST);
    } else if (session == 0 || run.asked.session != session) {
        /* A request that names another session may have run here, under that one. */
        refuse(&run, session == 0 ? REFUSAL_NOT_READY : REFUSAL_SESSION);
        run.reply.outcome = run.asked.session == 0 ? OUTCOME_REFUSED : OUTCOME_UNKNOWN;
    } else if (!admit_number(of, request->from, &run.asked)) {
        SOMETIMES(true, "client-request-repeated-or-late");
        goto release; /* no answer: it could be taken for the answer to the first copy */
    } else if (of->draining) {
        refuse(&run, REFUSAL_DRAINING);
    } else if (of->running >= of->settings.transactions_max) {
        refuse(&run, REFUSAL_BUSY);
    } else {
        of->running++;
        execute_pinned(&run);
        answer(&run, request);
        of->running--;
        sb_condition_broadcast(&of->finished);
        goto release;
    }
    answer(&run, request);

release:
    execution_release(&run);
}
