/*
 * The program of a server.
 *
 *     boot:     leftovers removed; exchange, cluster, schema cache, client sessions, ddl, backfill
 *     session:  from placement; first schema, if there is none; definitions loaded under it;
 *               then owner and executor, until it is lost or the machine is to stop
 *     stop:     see tear_down
 *
 * A lost session takes its owner role and its subtask runs with it; the next one begins anew.
 * The session is lost when placement says so, when storage refuses it (cluster_on_fenced), or when
 * nobody has confirmed it for its TTL.  The process does not die of that: client transactions of
 * the old session are refused by storage, new ones wait for the schema of the new session.
 */
#include "nodes/server.h"

#include "engine/backfill/backfill.h"
#include "engine/ddl/news.h"
#include "engine/ddl/owner.h"
#include "engine/ddl/submission.h"
#include "engine/schema/bootstrap.h"
#include "engine/task/executor.h"
#include "engine/task/registration.h"
#include "engine/transaction/route.h"
#include "engine/transaction/watch.h"
#include "nodes/boot.h"
#include "nodes/report.h"
#include "nodes/session.h"

#define JOB_REQUEST_LIMIT (8 * SB_SECOND)
#define REVOKE_LIMIT (2 * SB_SECOND)
#define KEEPALIVES_PER_TTL 4u
#define SLEEP_TTLS 3u /* of a keepalive that falls asleep */

typedef struct server {
    boot_plan plan;
    server_state state;
    sb_exchange *exchange;
    cluster *cluster;
    schema_cache *schema;
    client_sessions *clients;
    ddl *ddl;
    backfill *backfill;

    bool open;    /* everything above is there for the handlers */
    bool serving; /* jobs may be asked for: a schema is loaded under a session, and we are not
                     stopping */
    sb_scope request_scope;
    sb_wait_group requests; /* about jobs, being answered */

    sb_scope schema_scope;
    sb_wait_group schema_task;

    sb_scope registration_scope;
    sb_wait_group registration_task;

    /* Of the present session. */
    session_id session;
    bool session_lost;
    uint64_t keepalives;       /* that were ever asked for */
    uint64_t placement_boot;   /* that was heard of last */
    sb_time session_confirmed; /* when the last confirmed keepalive, or the grant, was sent */
    sb_condition session_news;
    sb_scope keepalive_scope, owner_scope, executor_scope;
    sb_wait_group keepalive_task, owner_task, executor_task;
} server;

static const char *const server_state_texts[] = {
#define SERVER_STATE(name, text) [SERVER_##name] = text,
#include "nodes/server_states.def"
#undef SERVER_STATE
};

static const sb_move server_moves[] = {
    {SERVER_SEEKING, SERVER_HOLDING}, {SERVER_HOLDING, SERVER_LOST},
    {SERVER_LOST, SERVER_SEEKING},    {SERVER_SEEKING, SERVER_STOPPED},
    {SERVER_HOLDING, SERVER_STOPPED}, {SERVER_LOST, SERVER_STOPPED},
};

SB_MACHINE(server_machine, "server", server_state_texts, server_moves, .initial = SERVER_SEEKING,
           .finals = SB_STATE(SERVER_HOLDING) | SB_STATE(SERVER_STOPPED),
           .source = "TiDB's server: a session, the roles under it, a drain");

/* A memory of this machine: what it does under a session is fenced by it. */
static void enter(server *of, server_state to)
{
    sb_machine_move(&server_machine, sb_self(), of->state, to);
    of->state = to;
}

/* ------------------------------------------------------------------------ requests about jobs */

/* There is something to do, wherever the owner is. */
static void tell_owner(server *of, job_answer answer)
{
    if (answer == JOB_ANSWER_OK) {
        cluster_publish(of->cluster, NEWS_JOBS);
    }
}

static void answer_submit(server *of, const sb_request *request, buffer *bytes, sb_scope *scope)
{
    submit_job_request asked;
    submit_job_reply reply = {.answer = JOB_ANSWER_BAD_REQUEST, .bad = JOB_FIELD_REQUEST};
    if (submit_job_request_decode(&asked, slice_of(request->data, request->size))) {
        reply = of->serving ? job_submit(of->cluster, &asked, scope)
                            : (submit_job_reply){.answer = JOB_ANSWER_NOT_READY};
        tell_owner(of, reply.answer);
    }
    submit_job_reply_encode(&reply, bytes);
}

static void answer_order(server *of, const sb_request *request, job_order order, buffer *bytes,
                         sb_scope *scope)
{
    job_request asked;
    job_order_reply reply = {.answer = JOB_ANSWER_BAD_REQUEST};
    if (job_request_decode(&asked, slice_of(request->data, request->size))) {
        reply.answer = JOB_ANSWER_NOT_READY;
        if (of->serving) {
            reply = job_give_order(of->cluster, order, asked.job, scope);
            tell_owner(of, reply.answer);
        }
    }
    job_order_reply_encode(&reply, bytes);
}

static void answer_status(server *of, const sb_request *request, buffer *bytes, sb_scope *scope)
{
    job_request asked;
    job_status_reply reply = {.answer = JOB_ANSWER_BAD_REQUEST};
    if (job_request_decode(&asked, slice_of(request->data, request->size))) {
        reply.answer = JOB_ANSWER_NOT_READY;
        if (of->serving) {
            reply = job_status(of->cluster, asked.job, scope);
        }
    }
    job_status_reply_encode(&reply, bytes);
}

static void answer_about_job(server *of, const sb_request *request)
{
    sb_wait_group_add(&of->requests, 1);
    buffer bytes;
    buffer_init(&bytes);
    sb_scope scope;
    sb_scope_init_timeout(&scope, &of->request_scope, "request about a job", JOB_REQUEST_LIMIT);
    switch (request->method) {
    case METHOD_SUBMIT_JOB:
        answer_submit(of, request, &bytes, &scope);
        break;
    case METHOD_CANCEL_JOB:
        answer_order(of, request, JOB_ORDER_CANCEL, &bytes, &scope);
        break;
    case METHOD_PAUSE_JOB:
        answer_order(of, request, JOB_ORDER_PAUSE, &bytes, &scope);
        break;
    case METHOD_RESUME_JOB:
        answer_order(of, request, JOB_ORDER_RESUME, &bytes, &scope);
        break;
    default:
        answer_status(of, request, &bytes, &scope);
        break;
    }
    sb_scope_release(&scope);
    sb_answer(request, bytes.data, bytes.size);
    buffer_release(&bytes);
    sb_wait_group_done(&of->requests);
}

static void handle(void *context, const sb_request *request)
{
    server *of = context;
    if (!of->open) {
        return;
    }
    switch (request->method) {
    case METHOD_EXECUTE:
        client_sessions_execute(of->clients, request);
        break;
    case METHOD_SUBMIT_JOB:
    case METHOD_CANCEL_JOB:
    case METHOD_PAUSE_JOB:
    case METHOD_RESUME_JOB:
    case METHOD_JOB_STATUS:
        answer_about_job(of, request);
        break;
    default:
        break; /* not for a server */
    }
}

/* -------------------------------------------------------------------------------- the session */

static void lose_session(server *of, const char *why)
{
    if (!of->session_lost) {
        sb_log("session %llu is lost: %s", (unsigned long long)of->session, why);
        of->session_lost = true;
        of->serving = false;
        enter(of, SERVER_LOST);
        sb_condition_broadcast(&of->session_news);
    }
}

/* Storage refuses a session of ours. */
static void on_fenced(void *context, session_id refused)
{
    server *of = context;
    if (refused == of->session) {
        SOMETIMES(true, "server-is-fenced");
        lose_session(of, "storage refuses it");
    }
}

/* One keepalive; false once placement says that the session has ended. */
static bool keep_alive(server *of, session_id session, sb_scope *scope)
{
    const session_keepalive_request ask = {.session = session,
                                           .boot = of->placement_boot,
                                           .number = ++of->keepalives,
                                           .oldest = cluster_oldest_start(of->cluster)};
    const sb_time sent = sb_monotonic_time();
    buffer request;
    buffer_init(&request);
    session_keepalive_request_encode(&ask, &request);
    bool live = true;
    sb_reply reply;
    if (cluster_ask(of->cluster, METHOD_SESSION_KEEPALIVE, &request, &reply, scope) == ENGINE_OK) {
        session_keepalive_reply got;
        const bool good = session_keepalive_reply_decode(&got, slice_of(reply.data, reply.size));
        const reply_status said = good ? got.head.status : REPLY_CORRUPT;
        sb_reply_release(&reply);
        if (failpoint("keepalive-reply-is-lost")) {
            buffer_release(&request);
            return true; /* as far as is known: a server that was given up goes on for a while */
        }
        live = said != REPLY_NOT_FOUND;
        if (said == REPLY_OK) {
            of->placement_boot = got.boot;
            of->session_confirmed = sent;
        }
    }
    buffer_release(&request);
    return live;
}

static void keepalive_main(void *argument)
{
    server *of = argument;
    const sb_duration ttl = of->plan.settings.server_session_ttl;
    while (sb_sleep(ttl / KEEPALIVES_PER_TTL, &of->keepalive_scope) == SB_OK) {
        if (failpoint("keepalive-falls-asleep")) {
            /* The rest of the machine goes on under a session that ends meanwhile. */
            (void)sb_sleep(SLEEP_TTLS * ttl, &of->keepalive_scope);
        }
        sb_scope patience;
        sb_scope_init_timeout(&patience, &of->keepalive_scope, "keepalive", ttl / 2);
        const bool live = keep_alive(of, of->session, &patience);
        sb_scope_release(&patience);
        if (!live) {
            SOMETIMES(true, "session-ended-at-placement");
            lose_session(of, "placement says that it has ended");
            break;
        }
        /* A lease on a clock decides when to try anew; that the old session is over, storage sees
         * to. */
        if (sb_monotonic_time() - of->session_confirmed >= ttl) {
            SOMETIMES(true, "session-not-confirmed-for-its-ttl");
            lose_session(of, "nobody has confirmed it");
            break;
        }
    }
}

/* One that no request of this server had before: chance alone may repeat itself, as after a machine
 * was restored from its image. */
static uint64_t fresh_nonce(void)
{
    const uint64_t chance = sb_random(UINT64_MAX);
    const uint64_t nonce = chance ^ sb_wall_time();
    return nonce != 0 ? nonce : 1;
}

static engine_status ask_for_session(server *of, session_id *granted, sb_scope *scope)
{
    const session_grant_request ask = {
        .server = sb_self(), .nonce = fresh_nonce(), .ttl = of->plan.settings.server_session_ttl};
    buffer request;
    buffer_init(&request);
    session_grant_request_encode(&ask, &request);
    backoff wait;
    backoff_init(&wait);
    *granted = 0;
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && *granted == 0) {
        const sb_time sent = sb_monotonic_time();
        sb_reply reply;
        status = cluster_ask(of->cluster, METHOD_SESSION_GRANT, &request, &reply, scope);
        if (status != ENGINE_OK) {
            break;
        }
        session_grant_reply got;
        if (session_grant_reply_decode(&got, slice_of(reply.data, reply.size)) &&
            got.head.status == REPLY_OK) {
            *granted = got.session;
            of->placement_boot = got.boot;
            of->session_confirmed = sent;
        }
        sb_reply_release(&reply);
        if (*granted == 0) {
            status = backoff_wait(&wait, scope);
        }
    }
    buffer_release(&request);
    return status;
}

static void report_session(session_id session)
{
    const session_report said = {.server = sb_self(), .session = session};
    buffer bytes;
    buffer_init(&bytes);
    session_report_encode(&said, &bytes);
    sb_report(REPORT_SESSION_BEGAN, bytes.data, bytes.size);
    buffer_release(&bytes);
}

/* A session, kept alive from now on. */
static engine_status begin_session(server *of, sb_scope *scope)
{
    session_id granted;
    const engine_status status = ask_for_session(of, &granted, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    sb_log("session %llu", (unsigned long long)granted);
    report_session(granted);
    of->session = granted;
    of->session_lost = false;
    enter(of, SERVER_HOLDING);
    cluster_set_session(of->cluster, granted);
    schema_cache_reset(of->schema);
    sb_scope_init(&of->keepalive_scope, NULL, "keepalive of the session");
    sb_scope_init(&of->owner_scope, NULL, "owner role");
    sb_scope_init(&of->executor_scope, NULL, "executor");
    sb_wait_group_init(&of->keepalive_task, "keepalive");
    sb_wait_group_init(&of->owner_task, "owner role");
    sb_wait_group_init(&of->executor_task, "executor");
    sb_spawn(&of->keepalive_task, keepalive_main, of, "keepalive");
    return ENGINE_OK;
}

static void stop_role(sb_scope *scope, sb_wait_group *task)
{
    sb_scope_cancel(scope);
    (void)sb_wait_group_wait(task, NULL);
}

static void release_session(server *of)
{
    sb_wait_group_release(&of->executor_task);
    sb_wait_group_release(&of->owner_task);
    sb_wait_group_release(&of->keepalive_task);
    sb_scope_release(&of->executor_scope);
    sb_scope_release(&of->owner_scope);
    sb_scope_release(&of->keepalive_scope);
}

/* What a lost session leaves: everything done under it, joined. */
static void drop_session(server *of)
{
    lose_session(of, "its schema could not be loaded"); /* if nothing else was the reason */
    stop_role(&of->owner_scope, &of->owner_task);
    stop_role(&of->executor_scope, &of->executor_task);
    stop_role(&of->keepalive_scope, &of->keepalive_task);
    release_session(of);
    enter(of, SERVER_SEEKING);
}

/* ---------------------------------------------------------------------------------- the roles */

static void schema_main(void *argument)
{
    server *of = argument;
    schema_cache_run(of->schema, &of->schema_scope);
}

static void registration_main(void *argument)
{
    server *of = argument;
    registration_run(of->cluster, 0, &of->registration_scope);
}

static void owner_main(void *argument)
{
    server *of = argument;
    owner_run(of->ddl, of->session, &of->owner_scope);
}

static void news_main(void *argument)
{
    server *of = argument;
    news_run(of->ddl, of->session, of->plan.settings.watch_patience, &of->owner_scope);
}

static void executor_main(void *argument)
{
    server *of = argument;
    const executor_settings settings = {.concurrency = of->plan.settings.subtasks_at_once,
                                        .poll_active = of->plan.settings.executor_poll};
    executor_run(of->cluster, of->schema, of->backfill, of->session, &settings,
                 &of->executor_scope);
}

/* The first schema, and the definitions under the present session; ends early when the session is
 * lost. */
static engine_status load_schema(server *of, sb_scope *scope)
{
    table_definition tables[BOOT_TABLES_MAX];
    const uint32_t count = of->plan.settings.tables;
    for (uint32_t i = 0; i < count; i++) {
        table_define_sbtest(&tables[i], of->plan.settings.table + i);
    }
    engine_status status = schema_bootstrap(of->cluster, tables, count, scope);
    while (status == ENGINE_OK && !of->session_lost) {
        sb_scope look;
        sb_scope_init_timeout(&look, scope, "first load of the schema", SB_SECOND);
        status = schema_cache_wait_loaded(of->schema, &look);
        sb_scope_release(&look);
        if (status == ENGINE_OK) {
            return ENGINE_OK;
        }
        status = engine_scope_status(scope);
    }
    return status == ENGINE_OK ? ENGINE_FENCED : status;
}

/* Serve under the present session until it is lost or the machine is to stop. */
static void serve(server *of)
{
    sb_scope *stop = sb_shutdown_scope();
    if (load_schema(of, stop) == ENGINE_OK && !of->session_lost) {
        of->serving = true;
        sb_spawn(&of->owner_task, owner_main, of, "owner");
        if (of->plan.settings.watch_patience > 0) {
            sb_spawn(&of->owner_task, news_main, of, "news");
        }
        sb_spawn(&of->executor_task, executor_main, of, "executor");
        while (!of->session_lost && sb_scope_status(stop) == SB_OK) {
            sb_condition_wait(&of->session_news, NULL, stop);
        }
    }
    of->serving = false;
}

/* ------------------------------------------------------------------------- boot and tear-down */

static void boot_up(server *of)
{
    const boot_settings *use = &of->plan.settings;
    sb_condition_init(&of->session_news, "news of the session");
    sb_scope_init(&of->request_scope, NULL, "requests about jobs");
    sb_wait_group_init(&of->requests, "requests about jobs");
    sb_scope_init(&of->schema_scope, NULL, "schema poller");
    sb_wait_group_init(&of->schema_task, "schema poller");
    sb_scope_init(&of->registration_scope, NULL, "registration");
    sb_wait_group_init(&of->registration_task, "registration");

    of->exchange =
        sb_exchange_open(wire_method_names, METHOD_COUNT, handle, of, use->server_concurrency);
    of->cluster =
        cluster_open(of->exchange, of->plan.placements.addresses, of->plan.placements.count);
    cluster_on_fenced(of->cluster, on_fenced, of);
    const schema_settings schema = {.poll_interval = use->schema_poll_interval};
    of->schema = schema_cache_open(of->cluster, &schema);
    const client_session_settings clients = {.transactions_max = use->session_transactions,
                                             .transaction_time_limit = use->session_time_limit};
    of->clients = client_sessions_open(of->cluster, of->schema, &clients);
    const backfill_settings backfilling = {.batch_rows = use->batch_size,
                                           .batch_pause = use->batch_pause,
                                           .writer_count = use->writers,
                                           .writer_quota = use->writer_quota,
                                           .memory_quota = use->memory_quota,
                                           .disk_quota = use->disk_quota,
                                           .split_size = use->split_size,
                                           .checkpoint_interval = use->checkpoint_interval,
                                           .channel_capacity = use->run_channel_capacity,
                                           .upload_part = use->upload_part,
                                           .scatter_regions = use->scatter_regions};
    of->backfill = backfill_open(of->cluster, &backfilling);
    backfill_find_leftovers(of->backfill);
    const ddl_settings owner = {.backfill = of->backfill,
                                .stores = of->plan.stores.addresses,
                                .store_count = of->plan.stores.count,
                                .jobs_at_once = use->jobs_at_once,
                                .error_limit = use->job_error_limit,
                                .garbage_interval = use->garbage_interval,
                                .garbage_lag = use->garbage_lag,
                                .scheduler = {.rows_per_subtask = use->subtask_rows}};
    of->ddl = ddl_open(of->cluster, of->schema, &owner);
    of->open = true;
    sb_spawn(&of->schema_task, schema_main, of, "schema-poller");
    sb_spawn(&of->registration_task, registration_main, of, "registration");
}

/* Tell placement that the session is over, so that nobody waits for its TTL. */
static void revoke_session(server *of)
{
    const session_revoke_request ask = {.session = of->session};
    buffer request;
    buffer_init(&request);
    session_revoke_request_encode(&ask, &request);
    sb_scope limit;
    sb_scope_init_timeout(&limit, NULL, "revoke session", REVOKE_LIMIT);
    sb_reply reply;
    if (cluster_ask(of->cluster, METHOD_SESSION_REVOKE, &request, &reply, &limit) == ENGINE_OK) {
        sb_reply_release(&reply);
    }
    sb_scope_release(&limit);
    buffer_release(&request);
}

/*
 * A graceful stop, in an order in which nothing loses what it stands on:
 *
 * 1. Clients: no new transactions; the running ones end, or are canceled when their grace is over.
 *    Owner, executor, schema poller and keepalive go on, so that nobody else waits for us.
 * 2. The owner role: its scope is canceled, job workers and reorg groups are joined, the office is
 *    resigned.  Jobs stay as they are in their rows.
 * 3. The executor: runs are canceled and clean up their backends.  Subtasks stay `running` in
 *    their rows.
 * 4. The registration; the schema poller, which acknowledged up to here; then the keepalive; then
 * the session is revoked, so that nobody waits for its TTL.
 * 5. What is left is memory: the ddl with its reorg registry; the backfill; the cluster, which
 *    waits for transactions being finished in the background and needs the exchange for that;
 *    then the exchange, whose handlers use everything else; then the rest.
 */
static void tear_down(server *of, bool has_session)
{
    of->serving = false;
    if (client_sessions_drain(of->clients, of->plan.settings.drain_grace) != SB_OK) {
        sb_log("client transactions were canceled");
    }
    sb_scope_cancel(&of->request_scope);
    (void)sb_wait_group_wait(&of->requests, NULL);
    if (has_session) {
        stop_role(&of->owner_scope, &of->owner_task);
        stop_role(&of->executor_scope, &of->executor_task);
    }
    stop_role(&of->registration_scope, &of->registration_task);
    stop_role(&of->schema_scope, &of->schema_task);
    if (has_session) {
        stop_role(&of->keepalive_scope, &of->keepalive_task);
        revoke_session(of);
        release_session(of);
    }
    ddl_close(of->ddl);
    backfill_close(of->backfill);
    of->open = false;
    cluster_on_fenced(of->cluster, NULL, NULL);
    cluster_close(of->cluster);
    sb_exchange_close(of->exchange);
    client_sessions_close(of->clients);
    schema_cache_close(of->schema);
    sb_wait_group_release(&of->registration_task);
    sb_scope_release(&of->registration_scope);
    sb_wait_group_release(&of->schema_task);
    sb_scope_release(&of->schema_scope);
    sb_wait_group_release(&of->requests);
    sb_scope_release(&of->request_scope);
    sb_condition_release(&of->session_news);
}

int server_program(const sb_boot *boot)
{
    server *of = sb_alloc_zero(sizeof(*of));
    if (!boot_plan_decode(&of->plan, slice_of(boot->argument, boot->argument_size))) {
        sb_log("server: the boot argument is not a plan");
        sb_free(of);
        return SERVER_EXIT_PLAN;
    }
    boot_up(of);
    sb_scope *stop = sb_shutdown_scope();
    bool has_session = false;
    while (sb_scope_status(stop) == SB_OK && begin_session(of, stop) == ENGINE_OK) {
        serve(of);
        has_session = sb_scope_status(stop) != SB_OK;
        if (!has_session) {
            drop_session(of);
        }
    }
    tear_down(of, has_session);
    enter(of, SERVER_STOPPED);
    sb_free(of);
    return 0;
}
