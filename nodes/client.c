/*
 * The client's program: a few workers, each with one operation under way at a time.
 *
 *     draft statements → pick a server → connect, if its session is not known → report the begin
 *         → EXECUTE → report the end → pause
 *
 * An operation is never sent twice: what is refused or unknown is over, and the next one is drafted
 * afresh.  So the reports tell exactly what may have happened, and an oracle needs no knowledge of
 * retries.
 *
 * Few values of k and ids that come back after a delete make index entries appear, vanish and
 * appear again under the same key, which is where a backfill beneath double writes can go wrong.
 */
#include "nodes/client.h"

#include <string.h>

#include "engine/transaction/route.h"
#include "nodes/boot.h"
#include "nodes/counters.h"
#include "nodes/report.h"

#define NUMBERS_AT_A_TIME 1024u
#define OPERATION_STATEMENTS_MAX 4u
#define DELETED_REMEMBERED 8u
#define LOAD_RETRY_PAUSE (200 * SB_MILLISECOND)

typedef struct client {
    const boot_plan *plan;
    sb_exchange *exchange;
    cluster *cluster; /* for numbers from placement's timestamps; a client touches no storage */
    sb_wait_group workers;
    workload_end_report total;
} client;

typedef struct deleted_row {
    uint64_t table;
    int64_t id; /* 0: none */
} deleted_row;

typedef struct worker {
    client *of;
    uint32_t index;
    uint64_t number, numbers_left;           /* unique in the world, rising */
    uint64_t sessions[BOOT_MACHINES_MAX];    /* of the servers, as last heard; 0: not known */
    uint32_t avoid;                          /* the server that failed last; count: none */
    deleted_row deleted[DELETED_REMEMBERED]; /* to insert again */
    uint32_t deleted_next;
    uint64_t table;        /* of the draft */
    statement *statements; /* the draft of the next operation */
    uint32_t statement_count, statement_room;
    unsigned char *values; /* of its c and pad */
    buffer bytes;
} worker;

static const boot_settings *settings_of(const worker *of)
{
    return &of->of->plan->settings;
}

static bool stopping(void)
{
    return sb_scope_status(sb_shutdown_scope()) != SB_OK;
}

/* ------------------------------------------------------------------------------------ workers */

static worker *worker_open(client *of, uint32_t index, uint32_t statement_room)
{
    worker *made = sb_alloc_zero(sizeof(*made));
    made->of = of;
    made->index = index;
    made->avoid = of->plan->servers.count;
    made->statement_room = statement_room;
    made->statements = sb_alloc(statement_room * sizeof(*made->statements));
    made->values = sb_alloc((size_t)statement_room * 2 * of->plan->settings.value_size);
    buffer_init(&made->bytes);
    return made;
}

static void worker_close(worker *of)
{
    buffer_release(&of->bytes);
    sb_free(of->values);
    sb_free(of->statements);
    sb_free(of);
}

/* The next number, rising over restarts too, because placement never hands a timestamp out twice.
 * 0: told to stop. */
static uint64_t draw_number(worker *of)
{
    if (of->numbers_left == 0) {
        timestamp first;
        if (cluster_timestamps(of->of->cluster, NUMBERS_AT_A_TIME, &first, sb_shutdown_scope()) !=
            ENGINE_OK) {
            return 0;
        }
        of->number = first;
        of->numbers_left = NUMBERS_AT_A_TIME;
    }
    of->numbers_left--;
    return of->number++;
}

/* ----------------------------------------------------------------------------------- drafting */

static int64_t draw_k(const worker *of)
{
    return (int64_t)sb_random(settings_of(of)->k_values);
}

/* The first workers of a client are on the first table, the one behind them on the others. */
static uint64_t draw_table(const worker *of)
{
    const boot_settings *settings = settings_of(of);
    return of->index < settings->client_workers
               ? settings->table
               : settings->table + 1 + sb_random(settings->tables - 1);
}

static uint32_t worker_count(const boot_settings *settings)
{
    return settings->client_workers + (settings->tables > 1);
}

/* Rows that were loaded into the draft's table. */
static uint64_t loaded_rows(const worker *of)
{
    return boot_table_rows(settings_of(of), of->table);
}

/* An id that may be there: a loaded one, or one that some worker inserts. */
static int64_t draw_id(const worker *of)
{
    return 1 + (int64_t)sb_random(loaded_rows(of) + settings_of(of)->client_insert_range);
}

/* An id to insert: one that was deleted, or one behind the loaded ones. */
static int64_t draw_new_id(worker *of)
{
    const uint32_t slot = (uint32_t)sb_random(2 * DELETED_REMEMBERED);
    if (slot < DELETED_REMEMBERED && of->deleted[slot].id != 0 &&
        of->deleted[slot].table == of->table) {
        const int64_t id = of->deleted[slot].id;
        of->deleted[slot].id = 0;
        return id;
    }
    const uint32_t range = settings_of(of)->client_insert_range;
    return (int64_t)(loaded_rows(of) + 1 + sb_random(range > 0 ? range : 1));
}

/* A statement whose value of c bears a number of its own; false: told to stop. */
static bool draft(worker *of, statement_kind kind, int64_t id, int64_t k)
{
    sb_assert_op(of->statement_count, <, of->statement_room);
    const uint32_t size = settings_of(of)->value_size;
    unsigned char *c = of->values + (size_t)of->statement_count * 2 * size;
    unsigned char *pad = c + size;
    statement *one = &of->statements[of->statement_count];
    *one = (statement){.kind = kind, .id = id, .k = k};
    if (kind == STATEMENT_INSERT || kind == STATEMENT_UPDATE) {
        const uint64_t number = draw_number(of);
        if (number == 0) {
            return false;
        }
        write_value_format(number, size, c);
        one->c = slice_of(c, size);
    }
    if (kind == STATEMENT_INSERT) {
        memset(pad, 'p', size);
        one->pad = slice_of(pad, size);
    }
    if (kind == STATEMENT_READ_INDEX) {
        one->index_name = slice_of_string(WORKLOAD_INDEX_NAME);
    }
    of->statement_count++;
    return true;
}

/* What an operation does, by weight. */
typedef enum operation_kind {
    OPERATION_READ,
    OPERATION_READ_INDEX,
    OPERATION_INSERT,
    OPERATION_UPDATE,
    OPERATION_UPDATE_TWO,
    OPERATION_UPDATE_TWICE, /* the same row */
    OPERATION_DELETE,
    OPERATION_REPLACE, /* delete and insert of one id */
    OPERATION_KIND_COUNT
} operation_kind;

static const uint8_t operation_weights[OPERATION_KIND_COUNT] = {
    [OPERATION_READ] = 20,   [OPERATION_READ_INDEX] = 8, [OPERATION_INSERT] = 18,
    [OPERATION_UPDATE] = 24, [OPERATION_UPDATE_TWO] = 8, [OPERATION_UPDATE_TWICE] = 4,
    [OPERATION_DELETE] = 12, [OPERATION_REPLACE] = 6,
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

static bool draft_delete(worker *of, int64_t id)
{
    of->deleted[of->deleted_next++ % DELETED_REMEMBERED] = (deleted_row){of->table, id};
    return draft(of, STATEMENT_DELETE, id, 0);
}

static void draft_think_times(worker *of)
{
    const uint32_t most = settings_of(of)->client_think_ms;
    for (uint32_t i = 0; i < of->statement_count && most > 0; i++) {
        of->statements[i].think_ms = (uint32_t)sb_random(most + 1);
    }
}

static bool draft_operation(worker *of)
{
    /* One draw a statement: C leaves open in which order arguments are evaluated. */
    of->table = draw_table(of);
    const operation_kind kind = draw_operation();
    const int64_t id = draw_id(of);
    const int64_t other = draw_id(of);
    const int64_t k = draw_k(of);
    const int64_t other_k = draw_k(of);
    const int64_t fresh = kind == OPERATION_INSERT ? draw_new_id(of) : id;
    bool drafted = false;
    of->statement_count = 0;
    switch (kind) {
    case OPERATION_READ:
        drafted = draft(of, STATEMENT_READ, id, 0) && draft(of, STATEMENT_READ, other, 0);
        break;
    case OPERATION_READ_INDEX:
        drafted = draft(of, STATEMENT_READ_INDEX, 0, k);
        break;
    case OPERATION_INSERT:
        drafted = draft(of, STATEMENT_INSERT, fresh, k);
        break;
    case OPERATION_UPDATE:
        drafted = draft(of, STATEMENT_UPDATE, id, k);
        break;
    case OPERATION_UPDATE_TWO:
        drafted = draft(of, STATEMENT_UPDATE, id, k) && draft(of, STATEMENT_UPDATE, other, other_k);
        break;
    case OPERATION_UPDATE_TWICE:
        drafted = draft(of, STATEMENT_UPDATE, id, k) && draft(of, STATEMENT_UPDATE, id, other_k) &&
                  draft(of, STATEMENT_READ, id, 0);
        break;
    case OPERATION_DELETE:
        drafted = draft_delete(of, id);
        break;
    default:
        drafted = draft(of, STATEMENT_DELETE, id, 0) && draft(of, STATEMENT_INSERT, id, k);
        break;
    }
    draft_think_times(of);
    return drafted;
}

/* ------------------------------------------------------------------------------------ calling */

/* Any server, but not the one that failed last, if there is another. */
static uint32_t pick_server(const worker *of)
{
    const uint32_t count = of->of->plan->servers.count;
    if (of->avoid >= count || count == 1) {
        return (uint32_t)sb_random(count);
    }
    const uint32_t pick = (uint32_t)sb_random(count - 1);
    return pick < of->avoid ? pick : pick + 1;
}

/* One EXECUTE.  Not SB_OK: no reply came.  With SB_OK the reply borrows from *message: release
 * both. */
static sb_status execute(worker *of, uint32_t server, const execute_request *asked,
                         sb_duration timeout, sb_reply *message, execute_reply *reply)
{
    buffer_clear(&of->bytes);
    execute_request_encode(asked, &of->bytes);
    /* Not under the shutdown scope: an operation under way should come to a known end. */
    sb_scope scope;
    sb_scope_init_timeout(&scope, NULL, "client operation", timeout);
    const sb_status status =
        sb_call(of->of->exchange, of->of->plan->servers.addresses[server], METHOD_EXECUTE,
                of->bytes.data, of->bytes.size, message, &scope);
    sb_scope_release(&scope);
    if (status == SB_OK && !execute_reply_decode(slice_of(message->data, message->size), reply)) {
        sb_fail("a server's reply cannot be read");
    }
    return status;
}

/* What a reply, or its absence, says about the server. */
static void note_server(worker *of, uint32_t server, sb_status status, const execute_reply *reply)
{
    const bool refused = status == SB_OK && reply->outcome != OUTCOME_COMMITTED;
    const bool elsewhere =
        refused && (reply->reason == REFUSAL_DRAINING || reply->reason == REFUSAL_BUSY ||
                    reply->reason == REFUSAL_NOT_READY || reply->reason == REFUSAL_FENCED);
    of->sessions[server] = status == SB_OK ? reply->session : 0;
    if (status != SB_OK || elsewhere) {
        of->avoid = server;
    }
}

/* Learn the server's session, if it is not known; false when it does not answer or has none. */
static bool connect(worker *of, uint32_t server)
{
    if (of->sessions[server] == 0) {
        const execute_request asked = {.worker = of->index};
        sb_reply message;
        execute_reply reply;
        const sb_status status =
            execute(of, server, &asked, settings_of(of)->client_connect_timeout, &message, &reply);
        note_server(of, server, status, &reply);
        if (status == SB_OK) {
            execute_reply_release(&reply);
            sb_reply_release(&message);
        }
    }
    if (of->sessions[server] == 0) {
        of->avoid = server;
        return false;
    }
    return true;
}

static void count_outcome(worker *of, execute_outcome outcome)
{
    workload_end_report *total = &of->of->total;
    total->committed += outcome == OUTCOME_COMMITTED;
    total->refused += outcome == OUTCOME_REFUSED;
    total->unknown += outcome == OUTCOME_UNKNOWN;
}

static void report_end(worker *of, uint64_t number, sb_status status, const execute_reply *reply)
{
    static const execute_reply no_reply = {.outcome = OUTCOME_UNKNOWN};
    operation_end_encode(number, status, status == SB_OK ? reply : &no_reply, &of->bytes);
    sb_report(REPORT_OPERATION_END, of->bytes.data, of->bytes.size);
}

/* Send the draft as one operation.  *outcome and *reason: how it ended, as far as is known; false:
 * it was never sent, because the server could not be reached or the client is to stop. */
static bool run_operation(worker *of, execute_outcome *outcome, refusal *reason)
{
    const uint32_t server = pick_server(of);
    if (!connect(of, server)) {
        return false;
    }
    const execute_request asked = {.session = of->sessions[server],
                                   .number = draw_number(of),
                                   .worker = of->index,
                                   .table = of->table,
                                   .statement_count = of->statement_count,
                                   .statements = of->statements};
    if (asked.number == 0) {
        return false;
    }
    operation_begin_encode(of->of->plan->servers.addresses[server], &asked, &of->bytes);
    sb_report(REPORT_OPERATION_BEGIN, of->bytes.data, of->bytes.size);

    sb_reply message;
    execute_reply reply = {.outcome = OUTCOME_UNKNOWN};
    const sb_status status =
        execute(of, server, &asked, settings_of(of)->client_call_timeout, &message, &reply);
    note_server(of, server, status, &reply);
    report_end(of, asked.number, status, &reply);
    *outcome = reply.outcome;
    *reason = reply.reason;
    count_outcome(of, reply.outcome);
    if (status == SB_OK) {
        execute_reply_release(&reply);
        sb_reply_release(&message);
    }
    return true;
}

/* ------------------------------------------------------------------------------------ loading */

static bool draft_load(worker *of, uint64_t first, uint64_t count)
{
    of->statement_count = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (!draft(of, STATEMENT_INSERT, (int64_t)(first + i), draw_k(of))) {
            return false;
        }
    }
    return true;
}

/* Insert the rows [first, first + count) in one transaction; a duplicate key says that an attempt
 * whose outcome was not known, or that of an earlier life, has done it.  False: told to stop. */
static bool load_batch(worker *of, uint64_t first, uint64_t count)
{
    while (!stopping()) {
        execute_outcome outcome = OUTCOME_UNKNOWN;
        refusal reason = REFUSAL_NONE;
        if (!draft_load(of, first, count)) {
            return false;
        }
        if (run_operation(of, &outcome, &reason)) {
            if (outcome == OUTCOME_COMMITTED) {
                sb_count(COUNTER_rows_loaded, count);
                return true;
            }
            SOMETIMES(reason == REFUSAL_DUPLICATE, "rows-had-been-loaded");
            if (outcome == OUTCOME_REFUSED && reason == REFUSAL_DUPLICATE) {
                return true;
            }
        }
        sb_sleep(LOAD_RETRY_PAUSE, sb_shutdown_scope());
    }
    return false;
}

static bool load_table(worker *loader, uint64_t table)
{
    loader->table = table;
    const uint64_t rows = loaded_rows(loader), most = settings_of(loader)->load_batch;
    for (uint64_t done = 0; done < rows;) {
        const uint64_t left = rows - done;
        const uint64_t count = left < most ? left : most;
        if (!load_batch(loader, done + 1, count)) {
            return false;
        }
        done += count;
    }
    const loaded_report said = {table, 1, rows};
    loaded_report_encode(&said, &loader->bytes);
    sb_report(REPORT_LOADED, loader->bytes.data, loader->bytes.size);
    return true;
}

static void load_tables(client *of)
{
    const boot_settings *settings = &of->plan->settings;
    worker *loader = worker_open(of, worker_count(settings), settings->load_batch);
    uint64_t next = settings->table;
    while (next < settings->table + settings->tables && load_table(loader, next)) {
        next++;
    }
    worker_close(loader);
}

/* -------------------------------------------------------------------------------- the program */

static void worker_main(void *argument)
{
    worker *of = argument;
    const uint64_t limit = settings_of(of)->client_operations;
    const sb_duration pause = settings_of(of)->client_pause;
    for (uint64_t done = 0; (limit == 0 || done < limit) && !stopping();) {
        execute_outcome outcome;
        refusal reason;
        if (draft_operation(of) && run_operation(of, &outcome, &reason)) {
            done++;
        }
        sb_sleep(pause / 2 + sb_random(pause + 1), sb_shutdown_scope());
    }
    worker_close(of);
}

static bool plan_makes_sense(const boot_plan *plan)
{
    const boot_settings *settings = &plan->settings;
    return plan->servers.count > 0 && plan->placements.count > 0 && settings->rows > 0 &&
           (settings->other_rows > 0 || settings->tables == 1) && settings->k_values > 0 &&
           settings->value_size >= WRITE_VALUE_SIZE_MIN && settings->load_batch > 0 &&
           settings->load_batch <= STATEMENTS_MAX;
}

static void run_client(client *of)
{
    const boot_plan *plan = of->plan;
    of->exchange = sb_exchange_open(wire_method_names, METHOD_COUNT, NULL, NULL, 1);
    of->cluster = cluster_open(of->exchange, plan->placements.addresses, plan->placements.count);
    if (plan->settings.loader == sb_self()) {
        load_tables(of);
    }
    sb_wait_group_init(&of->workers, "client workers");
    for (uint32_t i = 0; i < worker_count(&plan->settings); i++) {
        sb_spawn(&of->workers, worker_main, worker_open(of, i, OPERATION_STATEMENTS_MAX),
                 "client-worker-%u", i);
    }
    sb_wait_group_wait(&of->workers, NULL);
    sb_wait_group_release(&of->workers);
    cluster_close(of->cluster);
    sb_exchange_close(of->exchange);

    buffer bytes;
    buffer_init(&bytes);
    workload_end_report_encode(&of->total, &bytes);
    sb_report(REPORT_WORKLOAD_END, bytes.data, bytes.size);
    buffer_release(&bytes);
}

int client_program(const sb_boot *boot)
{
    boot_plan *plan = sb_alloc(sizeof(*plan));
    const bool sound = boot_plan_decode(plan, slice_of(boot->argument, boot->argument_size)) &&
                       plan_makes_sense(plan);
    if (sound) {
        client self = {.plan = plan};
        run_client(&self);
    } else {
        sb_log("the boot plan makes no sense to a client");
    }
    sb_free(plan);
    return sound ? 0 : 1;
}
