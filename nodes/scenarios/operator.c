/*
 * The operator: see operator.h.
 */
#include "nodes/scenarios/operator.h"

#include <string.h>

#include "engine/task/tenure.h"
#include "engine/wire/keys.h"
#include "engine/wire/messages.h"
#include "nodes/draft.h"

#define CALL_TIMEOUT (2 * SB_SECOND)
#define TRANSACTION_TIMEOUT (12 * SB_SECOND) /* a server gives up after ten */
#define META_ROWS_MAX 1024u
#define OPERATOR_WORKER 999u /* of node 0, as servers tell workers apart */

void operator_open(operator_desk *into, const machines *of, watch *seen)
{
    *into = (operator_desk){.machines = of, .watch = seen};
    into->exchange = sb_exchange_open(wire_method_names, METHOD_COUNT, NULL, NULL, 1);
    const sb_address placement = of->placement;
    into->cluster = cluster_open(into->exchange, &placement, 1);
}

void operator_close(operator_desk *of)
{
    cluster_close(of->cluster);
    sb_exchange_close(of->exchange);
}

static sb_node next_server(operator_desk *of)
{
    return of->machines->servers[of->next_server++ % of->machines->server_count];
}

/* SB_OK: release the reply. */
static sb_status call(operator_desk *of, sb_node to, wire_method method, const buffer *request,
                      sb_duration timeout, sb_reply *reply)
{
    sb_scope scope;
    sb_scope_init_timeout(&scope, NULL, "operator", timeout);
    const sb_status status =
        sb_call(of->exchange, to, (uint16_t)method, request->data, request->size, reply, &scope);
    sb_scope_release(&scope);
    return status;
}

static void unreadable(const char *what) __attribute__((noreturn));
static void unreadable(const char *what)
{
    sb_fail("the answer to %s cannot be read", what);
}

/* --------------------------------------------------------------------------------------- jobs */

job_answer operator_try_submit(operator_desk *of, const submit_job_request *asked, job_id *job)
{
    buffer bytes;
    sb_reply reply;
    submit_job_reply said = {.answer = JOB_ANSWER_UNKNOWN};
    buffer_init(&bytes);
    submit_job_request_encode(asked, &bytes);
    if (call(of, next_server(of), METHOD_SUBMIT_JOB, &bytes, CALL_TIMEOUT, &reply) == SB_OK) {
        if (!submit_job_reply_decode(&said, slice_of(reply.data, reply.size))) {
            unreadable("submit-job");
        }
        sb_reply_release(&reply);
    }
    buffer_release(&bytes);
    if (said.answer == JOB_ANSWER_OK) {
        *job = said.job;
    }
    return said.answer;
}

job_answer operator_try_order(operator_desk *of, wire_method order, job_id job)
{
    sb_assert(order == METHOD_CANCEL_JOB || order == METHOD_PAUSE_JOB ||
              order == METHOD_RESUME_JOB);
    const job_request asked = {.job = job};
    buffer bytes;
    sb_reply reply;
    job_order_reply said = {.answer = JOB_ANSWER_UNKNOWN};
    buffer_init(&bytes);
    job_request_encode(&asked, &bytes);
    if (call(of, next_server(of), order, &bytes, CALL_TIMEOUT, &reply) == SB_OK) {
        if (!job_order_reply_decode(&said, slice_of(reply.data, reply.size))) {
            unreadable("an order about a job");
        }
        sb_reply_release(&reply);
    }
    buffer_release(&bytes);
    return said.answer;
}

job_status_reply operator_try_status(operator_desk *of, job_id job)
{
    const job_request asked = {.job = job};
    buffer bytes;
    sb_reply reply;
    job_status_reply said = {.answer = JOB_ANSWER_UNKNOWN};
    buffer_init(&bytes);
    job_request_encode(&asked, &bytes);
    if (call(of, next_server(of), METHOD_JOB_STATUS, &bytes, CALL_TIMEOUT, &reply) == SB_OK) {
        if (!job_status_reply_decode(&said, slice_of(reply.data, reply.size))) {
            unreadable("job-status");
        }
        sb_reply_release(&reply);
    }
    buffer_release(&bytes);
    return said;
}

/* ------------------------------------------------------------------------------- transactions */

/* One EXECUTE; *reply points into *message: release both. */
static sb_status execute(operator_desk *of, sb_node server, const execute_request *asked,
                         sb_duration timeout, sb_reply *message, execute_reply *reply)
{
    buffer bytes;
    buffer_init(&bytes);
    execute_request_encode(asked, &bytes);
    const sb_status status = call(of, server, METHOD_EXECUTE, &bytes, timeout, message);
    buffer_release(&bytes);
    if (status == SB_OK && !execute_reply_decode(slice_of(message->data, message->size), reply)) {
        unreadable("execute");
    }
    return status;
}

/* The server's session; 0: it does not take clients now. */
static session_id connect(operator_desk *of, sb_node server)
{
    const execute_request asked = {.worker = OPERATOR_WORKER};
    sb_reply message;
    execute_reply reply;
    session_id session = 0;
    if (execute(of, server, &asked, CALL_TIMEOUT, &message, &reply) == SB_OK) {
        session = reply.session;
        execute_reply_release(&reply);
        sb_reply_release(&message);
    }
    return session;
}

bool operator_server_serves(operator_desk *of, sb_node server)
{
    return connect(of, server) != 0;
}

static uint64_t draw_number(operator_desk *of)
{
    timestamp drawn = 0;
    sb_scope scope;
    sb_scope_init_timeout(&scope, NULL, "operator draws a number", CALL_TIMEOUT);
    const engine_status status = cluster_timestamp(of->cluster, &drawn, &scope);
    sb_scope_release(&scope);
    return status == ENGINE_OK ? drawn : 0;
}

/* What it does is told like a client's operation, so that the oracles know of it. */
static void tell(operator_desk *of, uint32_t kind, const buffer *report)
{
    watch_report(of->watch, 0, kind, buffer_slice(report));
}

static bool run_transaction(operator_desk *of, sb_node server, const execute_request *asked)
{
    static const execute_reply none = {.outcome = OUTCOME_UNKNOWN};
    buffer report;
    sb_reply message;
    execute_reply reply;
    buffer_init(&report);
    operation_begin_encode(server, asked, &report);
    tell(of, REPORT_OPERATION_BEGIN, &report);
    const sb_status status = execute(of, server, asked, TRANSACTION_TIMEOUT, &message, &reply);
    operation_end_encode(asked->number, status, status == SB_OK ? &reply : &none, &report);
    tell(of, REPORT_OPERATION_END, &report);
    buffer_release(&report);
    const bool committed = status == SB_OK && reply.outcome == OUTCOME_COMMITTED;
    if (status == SB_OK) {
        execute_reply_release(&reply);
        sb_reply_release(&message);
    }
    return committed;
}

bool operator_try_transaction(operator_desk *of)
{
    const sb_node server = next_server(of);
    const session_id session = connect(of, server);
    const uint64_t write = session == 0 ? 0 : draw_number(of),
                   number = write == 0 ? 0 : draw_number(of);
    if (number == 0) {
        return false;
    }
    unsigned char c[WRITE_VALUE_SIZE_MIN];
    write_value_format(write, sizeof(c), c);
    statement statements[] = {
        {.kind = STATEMENT_READ_INDEX,
         .k = 1,
         .columns = 1u << SBTEST_K,
         .index_name = slice_of_string(workload_indexes[0].name)},
        {.kind = STATEMENT_UPDATE,
         .columns = 1u << SBTEST_K | 1u << SBTEST_C,
         .id = 1,
         .k = of->machines->plan.settings.k_values, /* no client's: no unique index refuses it */
         .c = slice_of(c, sizeof(c))},
        {.kind = STATEMENT_READ, .id = 1},
    };
    const execute_request asked = {.session = session,
                                   .number = number,
                                   .worker = OPERATOR_WORKER,
                                   .table = of->machines->plan.settings.table,
                                   .statement_count = sizeof(statements) / sizeof(statements[0]),
                                   .statements = statements};
    return run_transaction(of, server, &asked);
}

/* --------------------------------------------------------------------------------- looking on */

tenure_id operator_read_tenure(operator_desk *of)
{
    buffer key, value;
    owner_row row = {.tenure = 0};
    sb_scope scope;
    buffer_init(&key);
    buffer_init(&value);
    key_owner(&key);
    sb_scope_init_timeout(&scope, NULL, "operator reads the owner", CALL_TIMEOUT);
    const engine_status status =
        cluster_read(of->cluster, TIMESTAMP_MAX, buffer_slice(&key), &value, &scope);
    sb_scope_release(&scope);
    if (status == ENGINE_OK && !owner_row_decode(buffer_slice(&value), &row)) {
        unreadable("a look at the owner");
    }
    buffer_release(&value);
    buffer_release(&key);
    return row.tenure;
}

/* Is it a row that may stay? */
static bool is_temporary(slice key)
{
    static const char *const words[] = {"job", "delete-range"};
    uint64_t numbers[3];
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (key_meta_decode(key, words[i], numbers, 1)) {
            return true;
        }
    }
    return key_meta_decode(key, "ack", numbers, 2) || key_meta_decode(key, "task", numbers, 2) ||
           key_meta_decode(key, "subtask", numbers, 3);
}

/* Jobs that were accepted are in history when they are no more among the jobs. */
static bool rows_are_quiet(const pair_list *rows)
{
    bool temporary = rows->more;
    for (uint32_t i = 0; i < rows->count && !temporary; i++) {
        temporary = is_temporary(rows->pairs[i].key);
    }
    return !temporary;
}

bool operator_sees_quiet(operator_desk *of)
{
    static const unsigned char first[] = {'m'}, behind[] = {'m' + 1};
    pair_list rows = {0};
    sb_scope scope;
    sb_scope_init_timeout(&scope, NULL, "operator looks for rows", CALL_TIMEOUT);
    const engine_status status =
        cluster_scan(of->cluster, TIMESTAMP_MAX, slice_of(first, sizeof(first)),
                     slice_of(behind, sizeof(behind)), META_ROWS_MAX, &rows, &scope);
    sb_scope_release(&scope);
    const bool quiet = status == ENGINE_OK && rows_are_quiet(&rows);
    if (status == ENGINE_OK) {
        pair_list_release(&rows);
    }
    return quiet;
}
