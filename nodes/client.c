/*
 * The client's program: a few workers, each with one operation under way at a time.
 *
 *     draft statements → pick a server → connect, if its session is not known → report the begin
 *         → EXECUTE → report the end → pause
 *
 * An operation is never sent twice: what is refused or unknown is over, and the next one is drafted
 * afresh.  So the reports tell exactly what may have happened, and an oracle needs no knowledge of
 * retries.
 * What it does is drawn in draft.c.
 */
#include "nodes/client.h"

#include <string.h>

#include "engine/transaction/route.h"
#include "engine/wire/method_points.h"
#include "nodes/boot.h"
#include "nodes/counters.h"
#include "nodes/draft.h"
#include "nodes/report.h"

#define NUMBERS_AT_A_TIME 1024u
#define LOAD_RETRY_PAUSE (200 * SB_MILLISECOND)

typedef struct client {
    const boot_plan *plan;
    sb_exchange *exchange;
    cluster *cluster; /* for numbers from placement's timestamps; a client touches no storage */
    sb_wait_group workers;
} client;

typedef struct worker {
    client *of;
    uint32_t index;
    uint64_t number, numbers_left;        /* unique in the world, rising */
    uint64_t sessions[BOOT_MACHINES_MAX]; /* of the servers, as last heard; 0: not known */
    uint32_t avoid;                       /* the server that failed last; count: none */
    draft draft;                          /* of the next operation */
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

/* The next number, rising over restarts too, because placement never hands a timestamp out twice.
 * 0: told to stop. */
static uint64_t draw_number(void *context)
{
    worker *of = context;
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

static worker *worker_open(client *of, uint32_t index, uint32_t statement_room)
{
    worker *made = sb_alloc_zero(sizeof(*made));
    made->of = of;
    made->index = index;
    made->avoid = of->plan->servers.count;
    draft_init(&made->draft, &of->plan->settings, statement_room, draw_number, made);
    buffer_init(&made->bytes);
    return made;
}

static void worker_close(worker *of)
{
    buffer_release(&of->bytes);
    draft_release(&of->draft);
    sb_free(of);
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
    const sb_status status = method_call(of->of->exchange, of->of->plan->servers.addresses[server],
                                         METHOD_EXECUTE, &of->bytes, message, &scope);
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
                                   .table = of->draft.table,
                                   .statement_count = of->draft.statement_count,
                                   .statements = of->draft.statements};
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
    if (reply.outcome == OUTCOME_COMMITTED) {
        draft_learn(&of->draft, &reply);
    }
    if (status == SB_OK) {
        execute_reply_release(&reply);
        sb_reply_release(&message);
    }
    return true;
}

/* ------------------------------------------------------------------------------------ loading */

/* Insert the rows [first, first + count) in one transaction; a duplicate key says that an attempt
 * whose outcome was not known, or that of an earlier life, has done it.  False: told to stop. */
static bool load_batch(worker *of, uint64_t table, uint64_t first, uint64_t count)
{
    while (!stopping()) {
        execute_outcome outcome = OUTCOME_UNKNOWN;
        refusal reason = REFUSAL_NONE;
        if (!draft_load(&of->draft, table, first, count)) {
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
    const boot_settings *settings = settings_of(loader);
    const uint64_t rows = boot_table_rows(settings, table), most = settings->load_batch;
    for (uint64_t done = 0; done < rows;) {
        const uint64_t left = rows - done;
        const uint64_t count = left < most ? left : most;
        if (!load_batch(loader, table, done + 1, count)) {
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
        const uint64_t table = draw_table(of);
        if (draft_operation(&of->draft, table) && run_operation(of, &outcome, &reason)) {
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
        sb_spawn(&of->workers, worker_main, worker_open(of, i, DRAFT_STATEMENTS_MAX),
                 "client-worker-%u", i);
    }
    sb_wait_group_wait(&of->workers, NULL);
    sb_wait_group_release(&of->workers);
    cluster_close(of->cluster);
    sb_exchange_close(of->exchange);
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
