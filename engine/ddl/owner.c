/*
 * The owner role: see owner.h.
 */
#include "engine/ddl/owner.h"

#include "engine/ddl/worker.h"
#include "engine/transaction/route.h"

#define CAMPAIGN_INTERVAL SB_SECOND
#define CAMPAIGNS_SKIPPED                                                                          \
    3u /* the owner asks less often: its session's keepalive tells it as well */
#define DISPATCH_INTERVAL (500 * SB_MILLISECOND)
#define REORG_ROUND (5 * SB_SECOND)
#define RESIGN_LIMIT (500 * SB_MILLISECOND)

/* ----------------------------------------------------------------------------------- lifetime */

ddl *ddl_open(cluster *of, schema_cache *schema, const ddl_settings *settings)
{
    ddl *made = sb_alloc_zero(sizeof(*made));
    made->cluster = of;
    made->schema = schema;
    made->settings = *settings;
    ddl_settings *use = &made->settings;
    use->campaign = use->campaign > 0 ? use->campaign : CAMPAIGN_INTERVAL;
    use->dispatch = use->dispatch > 0 ? use->dispatch : DISPATCH_INTERVAL;
    use->reorg_round = use->reorg_round > 0 ? use->reorg_round : REORG_ROUND;
    sb_mutex_init(&made->order, "owner transactions");
    reorg_registry_init(&made->reorgs, use->reorg_poll);
    return made;
}

void ddl_close(ddl *of)
{
    reorg_registry_release(&of->reorgs);
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
        if (jobs[i].state != JOB_PAUSED && !must_wait(jobs, i)) {
            worker_start(of, jobs[i].id);
        }
    }
    sb_free(jobs);
    return ENGINE_OK;
}

/* Look for jobs, and campaign on, until the reign is over. */
static void rule(reign *of, session_id session)
{
    const ddl_settings *settings = &of->ddl->settings;
    sb_time campaigned = sb_monotonic_time();
    while (sb_scope_status(&of->scope) == SB_OK && dispatch(of) == ENGINE_OK &&
           sb_sleep(settings->dispatch, &of->scope) == SB_OK) {
        const sb_time now = sb_monotonic_time();
        if (now - campaigned < settings->campaign * CAMPAIGNS_SKIPPED) {
            continue;
        }
        campaigned = now;
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
    reign of = {.ddl = in, .tenure = {in->cluster, elected, &in->order}};
    sb_scope_init(&of.scope, scope, "reign");
    sb_wait_group_init(&of.tasks, "job workers");
    schema_sync_init(&of.sync, in->cluster, in->schema, in->settings.stores,
                     in->settings.store_count);
    const engine_status status = tenure_inaugurate(&of.tenure, &of.scope);
    if (status == ENGINE_OK) {
        sb_log("owner of tenure %llu", (unsigned long long)elected);
        rule(&of, session);
    }
    sb_scope_cancel(&of.scope);
    (void)sb_wait_group_wait(&of.tasks, NULL);
    sb_assert(of.workers == NULL);
    resign(in, session, elected);
    sb_wait_group_release(&of.tasks);
    sb_scope_release(&of.scope);
}

void owner_run(ddl *of, session_id session, sb_scope *scope)
{
    campaign_result result = CAMPAIGN_LOST;
    while (sb_scope_status(scope) == SB_OK && result != CAMPAIGN_SESSION_ENDED &&
           cluster_session(of->cluster) == session && !cluster_fenced(of->cluster)) {
        tenure_id elected = 0;
        result = campaign(of, session, &elected, scope);
        if (result == CAMPAIGN_WON) {
            reign_run(of, session, elected, scope);
        }
        (void)sb_sleep(of->settings.campaign, scope);
    }
}
