/*
 * Reorg contexts and groups: see reorg.h.
 */
#include "engine/ddl/reorg.h"

#include "engine/ddl/single.h"
#include "engine/museum.h"

#define POLL (100 * SB_MILLISECOND)

struct reorg_group {
    struct reorg_group *next;
    reorg_registry *in;
    job_id job;
    bool is_single;
    scheduler scheduler; /* unless it is single */
    single_run single;   /* if it is */
    sb_scope scope;
    sb_wait_group tasks;
    sb_condition changed; /* ended, or nudged */
    bool nudged;
    bool ended;
    engine_status status; /* of ended */
    task_row task;        /* of ended with ENGINE_OK */
};

/* ----------------------------------------------------------------------------------- contexts */

void reorg_registry_init(reorg_registry *of, sb_duration poll, schema_cache *schema, backfill *with)
{
    *of = (reorg_registry){.poll = poll > 0 ? poll : POLL, .schema = schema};
    of->backends = sb_alloc(sizeof(*of->backends));
    backend_registry_init(of->backends, with);
    sb_scope_init(&of->program, NULL, "reorg registry");
}

reorg_context *reorg_context_of(const reorg_registry *in, job_id job)
{
    for (reorg_context *one = in->contexts; one != NULL; one = one->next) {
        if (one->job == job) {
            return one;
        }
    }
    return NULL;
}

bool reorg_is_paused(const reorg_registry *in, job_id job)
{
    return reorg_context_of(in, job)->signal == REORG_PAUSE;
}

bool reorg_is_canceled(const reorg_registry *in, job_id job)
{
    return reorg_context_of(in, job)->signal == REORG_CANCEL;
}

static void remove_context(reorg_registry *in, reorg_context *of)
{
    reorg_context **link = &in->contexts;
    while (*link != of) {
        link = &(*link)->next;
    }
    *link = of->next;
    sb_free(of);
}

/* ------------------------------------------------------------------------------------- groups */

static scheduler_order order_of(reorg_signal signal)
{
    static const scheduler_order orders[] = {[REORG_RUN] = SCHEDULER_GO,
                                             [REORG_PAUSE] = SCHEDULER_PAUSE,
                                             [REORG_CANCEL] = SCHEDULER_CANCEL};
    return orders[signal];
}

static void schedule_main(void *argument)
{
    reorg_group *of = argument;
    of->status = of->is_single ? single_run_main(&of->single, &of->task)
                               : scheduler_run(&of->scheduler, &of->task, &of->scope);
    of->ended = true;
    sb_condition_broadcast(&of->changed);
}

static void set_order(reorg_group *of, scheduler_order order)
{
    if (of->is_single) {
        single_run_set_order(&of->single, order);
    } else {
        scheduler_set_order(&of->scheduler, order);
    }
}

static void poll_main(void *argument)
{
    reorg_group *of = argument;
    while (sb_sleep(of->in->poll, &of->scope) == SB_OK) {
        reorg_signal signal = REORG_RUN;
        if (reorg_is_paused(of->in, of->job)) {
            signal = REORG_PAUSE;
        } else if (reorg_is_canceled(of->in, of->job)) {
            signal = REORG_CANCEL;
        }
        set_order(of, order_of(signal));
    }
}

static reorg_group *group_start(reorg_registry *in, const tenure *by, const reorg_plan *plan,
                                sb_scope *parent)
{
    reorg_group *made = sb_alloc_zero(sizeof(*made));
    made->in = in;
    made->job = plan->wanted.job;
    made->next = in->groups;
    in->groups = made;
    sb_scope_init(&made->scope, parent, "reorg group");
    sb_wait_group_init(&made->tasks, "reorg group");
    sb_condition_init(&made->changed, "reorg");
    made->is_single = plan->single;
    if (made->is_single) {
        single_run_init(&made->single, by, &plan->wanted, in->schema, in->backends, &made->scope);
        made->single.order = order_of(plan->signal);
    } else {
        scheduler_init(&made->scheduler, by, &plan->wanted, &plan->scheduler);
        made->scheduler.order = order_of(plan->signal);
    }
    return made;
}

static void group_run(reorg_group *of)
{
    sb_spawn(&of->tasks, schedule_main, of, "ddl-worker-%llu/task", (unsigned long long)of->job);
    sb_spawn(&of->tasks, poll_main, of, "ddl-worker-%llu/poll", (unsigned long long)of->job);
}

static void group_join(reorg_group *of)
{
    sb_scope_cancel(&of->scope);
    (void)sb_wait_group_wait(&of->tasks, NULL);
}

/* Joined before. */
static void group_free(reorg_group *of)
{
    reorg_group **link = &of->in->groups;
    while (*link != of) {
        link = &(*link)->next;
    }
    *link = of->next;
    if (of->is_single) {
        single_run_release(&of->single);
    } else {
        scheduler_release(&of->scheduler);
    }
    sb_condition_release(&of->changed);
    sb_wait_group_release(&of->tasks);
    sb_scope_release(&of->scope);
    sb_free(of);
}

void reorg_registry_release(reorg_registry *of)
{
    sb_scope_cancel(&of->program);
    while (of->groups != NULL) {
        reorg_group *left = of->groups;
        group_join(left);
        group_free(left);
    }
    sb_assert(of->contexts == NULL);
    backend_registry_release(of->backends);
    sb_free(of->backends);
    sb_scope_release(&of->program);
}

/* ----------------------------------------------------------------------------- for the worker */

reorg_context *reorg_begin(reorg_registry *in, const tenure *by, const reorg_plan *plan,
                           sb_scope *scope)
{
    sb_assert(reorg_context_of(in, plan->wanted.job) == NULL);
    sb_scope *parent = BUG(tidb_47902) ? &in->program : scope;
    reorg_context *made = sb_alloc_zero(sizeof(*made));
    made->job = plan->wanted.job;
    made->signal = plan->signal;
    made->group = group_start(in, by, plan, parent);
    made->next = in->contexts;
    in->contexts = made;
    group_run(made->group);
    return made;
}

void reorg_notify(reorg_context *of, reorg_signal signal)
{
    of->signal = signal;
}

void reorg_nudge(reorg_context *of)
{
    of->group->nudged = true;
    sb_condition_broadcast(&of->group->changed);
}

engine_status reorg_wait(reorg_context *of, sb_duration round, sb_scope *scope)
{
    reorg_group *group = of->group;
    sb_scope until;
    sb_scope_init_timeout(&until, scope, "reorg round", round);
    while (!group->ended && !group->nudged && sb_scope_status(&until) == SB_OK) {
        sb_condition_wait(&group->changed, NULL, &until);
    }
    sb_scope_release(&until);
    group->nudged = false;
    if (sb_scope_status(scope) != SB_OK) {
        return ENGINE_CANCELED;
    }
    return group->ended ? ENGINE_OK : ENGINE_TIMEOUT;
}

uint64_t reorg_row_count(const reorg_context *of)
{
    return of->group->is_single ? single_run_row_count(&of->group->single)
                                : of->group->scheduler.row_count;
}

engine_status reorg_end(reorg_registry *in, job_id job, task_row *ended)
{
    reorg_context *context = reorg_context_of(in, job);
    reorg_group *group = context->group;
    sb_assert(group->ended);
    const engine_status status = group->status;
    *ended = group->task;
    group_join(group);
    remove_context(in, context);
    group_free(group);
    return status;
}

void reorg_leave(reorg_registry *in, job_id job)
{
    reorg_context *context = reorg_context_of(in, job);
    if (context == NULL) {
        return;
    }
    reorg_group *group = context->group;
    SOMETIMES(!group->ended, "job-worker-leaves-a-running-reorg");
    if (BUG(tidb_47902)) {
        remove_context(in, context);
        return;
    }
    group_join(group);
    remove_context(in, context);
    group_free(group);
}

void reorg_unregister_backend(reorg_registry *in, job_id job, bool keep)
{
    backend_context_unregister(in->backends, job, keep);
}
