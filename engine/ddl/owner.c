/*
 * The owner role: see owner.h.
 */
#include "engine/ddl/owner.h"

#include "engine/backfill/backfill.h"
#include "engine/ddl/garbage.h"
#include "engine/ddl/news.h"
#include "engine/ddl/worker.h"
#include "engine/transaction/route.h"

#define CAMPAIGN_INTERVAL SB_SECOND
#define CAMPAIGNS_SKIPPED                                                                          \
    3u /* the owner asks less often: its session's keepalive tells it as well */
#define DISPATCH_INTERVAL (500 * SB_MILLISECOND)
#define REORG_ROUND (5 * SB_SECOND)
#define JOBS_AT_ONCE 4u
#define ERROR_LIMIT 512u /* TiDB's tidb_ddl_error_count_limit */
#define RESIGN_LIMIT (500 * SB_MILLISECOND)

/* ------------------------------------------------------------------------------------- office */

static const char *const owner_state_texts[] = {
#define OWNER_STATE(name, text) [OWNER_##name] = text,
#include "engine/ddl/owner_states.def"
#undef OWNER_STATE
};

static const sb_move owner_moves[] = {
    {OWNER_IDLE, OWNER_CAMPAIGNING}, {OWNER_CAMPAIGNING, OWNER_ELECTED},
    {OWNER_CAMPAIGNING, OWNER_IDLE}, {OWNER_ELECTED, OWNER_REIGNING},
    {OWNER_ELECTED, OWNER_RETIRING}, {OWNER_REIGNING, OWNER_RETIRING},
    {OWNER_RETIRING, OWNER_IDLE},
};

SB_MACHINE(owner_machine, "owner", owner_state_texts, owner_moves, .initial = OWNER_IDLE,
           .finals = SB_STATE(OWNER_IDLE),
           .source = "TiDB's owner manager; issues 50055, 51846, 54897");

/* A memory of this machine: what it does as owner is fenced by its tenure. */
static void enter(ddl *of, owner_state to)
{
    sb_machine_move(&owner_machine, sb_self(), of->office, to);
    of->office = to;
}

/* ----------------------------------------------------------------------------------- lifetime */

ddl *ddl_open(cluster *of, schema_cache *schema, const ddl_settings *settings)
{
    ddl *made = sb_alloc_zero(sizeof(*made));
    made->cluster = of;
    made->schema = schema;
    made->settings = *settings;
    ddl_settings *use = &made->settings;
    use->campaign = use->campaign > 0 ? use->campaign : CAMPAIGN_INTERVAL;
    use->jobs_at_once = use->jobs_at_once > 0 ? use->jobs_at_once : JOBS_AT_ONCE;
    use->error_limit = use->error_limit > 0 ? use->error_limit : ERROR_LIMIT;
    use->dispatch = use->dispatch > 0 ? use->dispatch : DISPATCH_INTERVAL;
    use->reorg_round = use->reorg_round > 0 ? use->reorg_round : REORG_ROUND;
    sb_mutex_init(&made->order, "owner transactions");
    sb_condition_init(&made->heard, "news");
    reorg_registry_init(&made->reorgs, use->reorg_poll, schema, use->backfill);
    return made;
}

void ddl_close(ddl *of)
{
    reorg_registry_release(&of->reorgs);
    sb_condition_release(&of->heard);
    sb_mutex_release(&of->order);
    sb_free(of);
}

/* ----------------------------------------------------------------------------------- campaign */

/* What a campaign has brought. */
typedef enum campaign_result {
    CAMPAIGN_WON,
    CAMPAIGN_LOST,
    CAMPAIGN_SESSION_ENDED,
    CAMPAIGN_UNANSWERED
} campaign_result;

static campaign_result campaign(ddl *of, session_id session, tenure_id *won, sb_scope *scope)
{
    const campaign_request ask = {.session = session};
    buffer request;
    buffer_init(&request);
    campaign_request_encode(&ask, &request);
    sb_reply reply;
    campaign_result result = CAMPAIGN_UNANSWERED;
    if (cluster_ask(of->cluster, METHOD_CAMPAIGN, &request, &reply, scope) == ENGINE_OK) {
        campaign_reply got;
        if (!campaign_reply_decode(&got, slice_of(reply.data, reply.size))) {
            result = CAMPAIGN_UNANSWERED;
        } else if (got.head.status == REPLY_NOT_FOUND) {
            result = CAMPAIGN_SESSION_ENDED;
        } else if (got.head.status == REPLY_OK) {
            *won = got.tenure;
            result = got.owner_session == session ? CAMPAIGN_WON : CAMPAIGN_LOST;
        }
        sb_reply_release(&reply);
    }
    buffer_release(&request);
    return result;
}

/* Leave the office to others at once.  If the word is lost, they wait for the session to end. */
static void resign(ddl *of, session_id session, tenure_id over)
{
    const resign_request ask = {.session = session, .tenure = over};
    buffer request;
    buffer_init(&request);
    resign_request_encode(&ask, &request);
    sb_scope limit;
    sb_scope_init_timeout(&limit, NULL, "resign", RESIGN_LIMIT);
    sb_reply reply;
    if (cluster_ask(of->cluster, METHOD_RESIGN, &request, &reply, &limit) == ENGINE_OK) {
        sb_reply_release(&reply);
    }
    sb_scope_release(&limit);
    buffer_release(&request);
}

/* -------------------------------------------------------------------------------------- reign */

/* Jobs of one table run one after the other: each step of two at once would be a version of its
 * own, and servers might be two versions of the table apart.  A job that is given up or paused
 * before its first step changes no schema and need not wait; one that is paused later keeps those
 * behind it waiting, as in TiDB. */
static bool must_wait(const job_row *jobs, uint32_t at)
{
    const bool stops = jobs[at].state == JOB_CANCELLING || jobs[at].state == JOB_PAUSING;
    const bool stands = stops && jobs[at].version == 0;
    for (uint32_t i = 0; i < at && !stands; i++) {
        if (jobs[i].table == jobs[at].table) {
            return true;
        }
    }
    return false;
}

/* So many work at once.  What stops, is undone or is done needs no place: an order takes effect
 * however many jobs there are. */
static bool needs_place(const job_row *row)
{
    return row->state == JOB_QUEUEING || row->state == JOB_RUNNING;
}

/* Jobs have numbers in the order of their submission, and get their workers in that order, so none
 * starves; a paused one has none and gives its place away. */
static void start_workers(reign *of, const job_row *jobs, uint32_t count)
{
    const uint32_t places = of->ddl->settings.jobs_at_once;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        taken += needs_place(&jobs[i]) && worker_is_there(of, jobs[i].id);
    }
    for (uint32_t i = 0; i < count; i++) {
        const bool has_place = !needs_place(&jobs[i]) || taken < places;
        if (jobs[i].state == JOB_PAUSED || must_wait(jobs, i) || worker_is_there(of, jobs[i].id)) {
            continue;
        }
        SOMETIMES(!has_place, "job-waits-for-a-place");
        if (has_place) {
            taken += needs_place(&jobs[i]);
            worker_start(of, &jobs[i]);
        }
    }
}

/* Jobs without a worker get one; a job that is cancelling or pausing while its worker waits for
 * a reorg wakes it. */
static engine_status dispatch(reign *of)
{
    job_row *jobs;
    uint32_t count;
    if (failpoint("dispatch-fails")) {
        return ENGINE_OK; /* the next look will do it */
    }
    const engine_status status = jobs_read(of->ddl->cluster, &jobs, &count, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        reorg_context *context = reorg_context_of(&of->ddl->reorgs, jobs[i].id);
        if (context != NULL && jobs[i].state != JOB_RUNNING) {
            reorg_nudge(context);
        }
    }
    start_workers(of, jobs, count);
    sb_free(jobs);
    return ENGINE_OK;
}

typedef struct live_jobs {
    const job_row *rows;
    uint32_t count;
} live_jobs;

/* Its job may come back to this machine, with the checkpoint that lies there. */
static bool is_claimed(void *context, job_id job, uint32_t number)
{
    const live_jobs *in = context;
    bool found = false;
    (void)number;
    for (uint32_t i = 0; i < in->count && !found; i++) {
        found = in->rows[i].id == job && in->rows[i].single;
    }
    return found;
}

/* What the single-node path has left on this machine's disk for jobs that are over. */
static void remove_leftovers(ddl *of, sb_scope *scope)
{
    job_row *jobs;
    uint32_t count;
    if (backfill_has_leftovers(of->settings.backfill, true) &&
        jobs_read(of->cluster, &jobs, &count, scope) == ENGINE_OK) {
        live_jobs known = {jobs, count};
        backfill_remove_unclaimed(of->settings.backfill, true, is_claimed, &known);
        sb_free(jobs);
    }
}

/* Look for jobs, and campaign on, until the reign is over. */
static void rule(reign *of, session_id session)
{
    const ddl_settings *settings = &of->ddl->settings;
    sb_time campaigned = sb_monotonic_time();
    while (sb_scope_status(&of->scope) == SB_OK && dispatch(of) == ENGINE_OK &&
           news_rest(of->ddl, NEWS_TOPIC_JOBS, settings->dispatch, &of->scope) == ENGINE_OK) {
        if (failpoint("owner-resigns")) {
            break;
        }
        const sb_time now = sb_monotonic_time();
        if (now - campaigned < settings->campaign * CAMPAIGNS_SKIPPED) {
            continue;
        }
        campaigned = now;
        remove_leftovers(of->ddl, &of->scope);
        tenure_id elected = 0;
        const campaign_result result = campaign(of->ddl, session, &elected, &of->scope);
        if (result == CAMPAIGN_LOST || result == CAMPAIGN_SESSION_ENDED ||
            (result == CAMPAIGN_WON && elected != of->tenure.id)) {
            SOMETIMES(true, "owner-learns-that-its-tenure-is-over");
            break;
        }
    }
}

static void reign_run(ddl *in, session_id session, tenure_id elected, sb_scope *scope)
{
    enter(in, OWNER_ELECTED);
    reign of = {.ddl = in, .tenure = {in->cluster, elected, &in->order}};
    sb_scope_init(&of.scope, scope, "reign");
    sb_wait_group_init(&of.tasks, "job workers");
    schema_sync_init(&of.sync, in->cluster, in->schema, in->settings.stores,
                     in->settings.store_count);
    const engine_status status = tenure_inaugurate(&of.tenure, &of.scope);
    if (status == ENGINE_OK) {
        enter(in, OWNER_REIGNING);
        sb_log("owner of tenure %llu", (unsigned long long)elected);
        garbage_start(&of);
        rule(&of, session);
    }
    enter(in, OWNER_RETIRING);
    sb_scope_cancel(&of.scope);
    (void)sb_wait_group_wait(&of.tasks, NULL);
    sb_assert(of.workers == NULL);
    resign(in, session, elected);
    enter(in, OWNER_IDLE);
    sb_wait_group_release(&of.tasks);
    sb_scope_release(&of.scope);
}

void owner_run(ddl *of, session_id session, sb_scope *scope)
{
    campaign_result result = CAMPAIGN_LOST;
    while (sb_scope_status(scope) == SB_OK && result != CAMPAIGN_SESSION_ENDED &&
           cluster_session(of->cluster) == session && !cluster_fenced(of->cluster)) {
        if (of->office == OWNER_IDLE) {
            enter(of, OWNER_CAMPAIGNING);
        }
        tenure_id elected = 0;
        remove_leftovers(of, scope);
        result = campaign(of, session, &elected, scope);
        if (result == CAMPAIGN_WON) {
            reign_run(of, session, elected, scope);
        }
        (void)news_rest(of, NEWS_TOPIC_OWNER, of->settings.campaign, scope);
    }
    if (of->office == OWNER_CAMPAIGNING) {
        enter(of, OWNER_IDLE);
    }
}
