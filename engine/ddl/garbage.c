/*
 * The garbage collector: see garbage.h.
 */
#include "engine/ddl/garbage.h"

#include "engine/ddl/job.h"
#include "engine/transaction/safe_point.h"

#define ROUND_LIMIT (20 * SB_SECOND)

static engine_status let_go(cluster *of, job_id job, sb_scope *scope)
{
    job_row ended;
    const engine_status status = job_read_history(of, job, &ended, scope);
    if (status == ENGINE_NOT_FOUND) {
        return ENGINE_OK; /* it lives */
    }
    return status == ENGINE_OK ? cluster_hold_safe_point(of, job, 0, scope) : status;
}

/* Those who hold the safe point though their job is over. */
static engine_status let_ended_go(cluster *of, slice holders, sb_scope *scope)
{
    cursor at = cursor_of(holders);
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && !cursor_finished(&at)) {
        const job_id job = cursor_u64(&at);
        status = at.failed ? ENGINE_FAILED : let_go(of, job, scope);
    }
    return status;
}

engine_status garbage_make_room(cluster *of, sb_scope *scope)
{
    timestamp safe_point;
    buffer holders;
    buffer_init(&holders);
    engine_status status = cluster_advance_safe_point(of, 0, &safe_point, &holders, scope);
    if (status == ENGINE_OK) {
        status = let_ended_go(of, buffer_slice(&holders), scope);
    }
    buffer_release(&holders);
    return status;
}

static engine_status raise_safe_point(reign *of, timestamp *safe_point, sb_scope *scope)
{
    cluster *in = of->ddl->cluster;
    const uint64_t lag_ms = of->ddl->settings.garbage_lag / SB_MILLISECOND;
    buffer holders;
    timestamp now;
    buffer_init(&holders);
    engine_status status = cluster_timestamp(in, &now, scope);
    if (status == ENGINE_OK) {
        const uint64_t now_ms = timestamp_physical_ms(now);
        const timestamp wanted = now_ms > lag_ms ? timestamp_of_ms(now_ms - lag_ms) : 0;
        status = cluster_advance_safe_point(in, wanted, safe_point, &holders, scope);
    }
    if (status == ENGINE_OK) {
        status = let_ended_go(in, buffer_slice(&holders), scope);
    }
    buffer_release(&holders);
    return status;
}

/* *collected: the safe point that this task has collected below. */
static engine_status collect_once(reign *of, timestamp *collected, sb_scope *scope)
{
    cluster *in = of->ddl->cluster;
    const ddl_settings *settings = &of->ddl->settings;
    timestamp safe_point = 0;
    engine_status status = raise_safe_point(of, &safe_point, scope);
    if (status != ENGINE_OK || safe_point <= *collected) {
        return status;
    }
    status = cluster_guard(in, settings->stores, settings->store_count, safe_point, scope);
    if (status == ENGINE_OK) {
        status = cluster_resolve_locks(in, safe_point, scope);
    }
    if (status == ENGINE_OK && !failpoint("collection-stops-before-it-collects")) {
        status = cluster_collect(in, safe_point, scope);
        *collected = status == ENGINE_OK ? safe_point : *collected;
    }
    SOMETIMES(status == ENGINE_OK, "garbage-is-collected");
    return status;
}

static void garbage_main(void *argument)
{
    reign *of = argument;
    timestamp collected = 0;
    while (sb_sleep(of->ddl->settings.garbage_interval, &of->scope) == SB_OK) {
        sb_scope limit;
        sb_scope_init_timeout(&limit, &of->scope, "collection of garbage", ROUND_LIMIT);
        const engine_status status = collect_once(of, &collected, &limit);
        SOMETIMES(status == ENGINE_TIMEOUT, "collection-is-given-up-for-now");
        sb_scope_release(&limit);
    }
}

void garbage_start(reign *of)
{
    if (of->ddl->settings.garbage_interval > 0) {
        sb_spawn(&of->tasks, garbage_main, of, "garbage-collector");
    }
}
