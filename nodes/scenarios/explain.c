/*
 * Who holds a job up: see explain.h.
 *
 *     job 1 running
 *       server2 has not acknowledged schema version 7            -> its schema poller
 *       task of phase 1 (backfill) running, 4 of 12 subtasks     -> the owner's scheduler
 *         subtask 5 running, attempt 2, of server3               -> its run on that server
 *         no server stands in the registry                       -> those that should
 */
#include "nodes/scenarios/explain.h"

#include <stdio.h>

#include "engine/placement/registry.h"
#include "engine/schema/acknowledgement.h"
#include "engine/task/task.h"
#include "engine/task/tenure.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/durable.h"
#include "nodes/server.h"

typedef struct explanation {
    sb_world *world;
    const trial *of;
    durable_cluster durable;
    owner_row owner;
} explanation;

/* The rows of a word and its first numbers; `walk` is at none of them yet. */
static void begin_rows(const explanation *in, durable_walk *walk, buffer *start, buffer *end,
                       const char *word, const uint64_t *numbers, uint32_t count)
{
    buffer_init(start);
    buffer_init(end);
    key_meta(start, word, numbers, count);
    key_prefix_end(end, buffer_slice(start));
    durable_walk_init(walk, &in->durable, buffer_slice(start), buffer_slice(end));
}

static void end_rows(buffer *start, buffer *end)
{
    buffer_release(start);
    buffer_release(end);
}

/* The row's present value; NULL: it is gone. */
static const version *row_of(const durable_walk *walk)
{
    return durable_entry_read(walk->found, TIMESTAMP_MAX);
}

/* ------------------------------------------------------------------------------------ servers */

/* The session under which it stands in the registry; 0: it does not. */
static session_id registered_session(const explanation *in, sb_node server)
{
    buffer key;
    server_row row = {.session = 0};
    buffer_init(&key);
    key_server(&key, server);
    const version *found = durable_read(&in->durable, buffer_slice(&key), TIMESTAMP_MAX);
    if (found != NULL && !server_row_decode(server, version_value(found), &row)) {
        row.session = 0;
    }
    buffer_release(&key);
    return row.session;
}

static bool is_registered(const explanation *in, sb_node server)
{
    const session_id session = registered_session(in, server);
    return session != 0 && session == in->of->watch.sessions[server];
}

static bool is_live(const explanation *in, sb_node server)
{
    return in->of->watch.leases[server] == LEASE_LIVE;
}

/* Who could be given work and does not stand among those who are. */
static void explain_registry(const explanation *in, unsigned depth)
{
    const machines *all = &in->of->machines;
    uint32_t registered = 0;
    for (uint32_t i = 0; i < all->server_count; i++) {
        registered += is_registered(in, all->servers[i]);
    }
    sb_explain_link(in->world, depth, 0, NULL,
                    "%u of %u servers stand in the registry under their session", registered,
                    all->server_count);
    for (uint32_t i = 0; i < all->server_count; i++) {
        const sb_node server = all->servers[i];
        if (!is_registered(in, server)) {
            sb_explain_link(in->world, depth + 1, server, "registration",
                            "%s stands there under session %llu; its session %llu %s",
                            sb_node_name(in->world, server), number(registered_session(in, server)),
                            number(in->of->watch.sessions[server]),
                            is_live(in, server) ? "lives" : "has ended");
        }
    }
}

/* ----------------------------------------------------------------------------- schema versions */

static bool read_acknowledgement(const explanation *in, job_id job, sb_node server,
                                 acknowledgement *into)
{
    buffer key;
    buffer_init(&key);
    key_ack(&key, job, server);
    const version *found = durable_read(&in->durable, buffer_slice(&key), TIMESTAMP_MAX);
    const bool decoded =
        found != NULL && acknowledgement_decode(buffer_slice(&key), version_value(found), into);
    buffer_release(&key);
    return decoded;
}

static void explain_versions(const explanation *in, const job_row *job)
{
    const machines *all = &in->of->machines;
    for (uint32_t i = 0; i < all->server_count && job->version != 0; i++) {
        const sb_node server = all->servers[i];
        acknowledgement row = {.version = 0};
        const bool has_row = read_acknowledgement(in, job->id, server, &row);
        if (is_live(in, server) && (!has_row || row.version < job->version)) {
            sb_explain_link(in->world, 1, server, "schema-poller",
                            "%s has not acknowledged schema version %llu, but %llu",
                            sb_node_name(in->world, server), number(job->version),
                            number(row.version));
        }
    }
}

/* The owner goes on without a server whose session has ended once every store refuses that. */
static void explain_fences(const explanation *in, const job_row *job)
{
    const machines *all = &in->of->machines;
    for (uint32_t i = 0; i < all->server_count * in->durable.store_count; i++) {
        const sb_node server = all->servers[i / in->durable.store_count];
        const durable_store *store = &in->durable.stores[i % in->durable.store_count];
        const session_id last = in->of->watch.sessions[server];
        const fence *kept = store_state_fence(&store->state, server);
        if (job->version != 0 && last != 0 && !is_live(in, server) &&
            (kept == NULL || kept->least <= last)) {
            sb_explain_link(in->world, 1, store->node, NULL,
                            "%s would still accept session %llu of %s, which has ended",
                            sb_node_name(in->world, store->node), number(last),
                            sb_node_name(in->world, server));
        }
    }
}

/* ------------------------------------------------------------------------------------ the owner */

/* Whether it could work: if not, who could be elected in its place. */
static void explain_owner(const explanation *in)
{
    const machines *all = &in->of->machines;
    const sb_node owner = (sb_node)in->owner.owner;
    const bool is_there = owner != 0 && sb_node_is_up(in->world, owner) && is_live(in, owner) &&
                          (sb_world_away(in->world) >> owner & 1) == 0;
    if (is_there) {
        return;
    }
    sb_explain_link(in->world, 1, 0, NULL, "nobody rules: the session of %s %s",
                    owner == 0 ? "nobody" : sb_node_name(in->world, owner),
                    owner != 0 && is_live(in, owner) ? "lives at placement" : "has ended");
    for (uint32_t i = 0; i < all->server_count; i++) {
        const sb_node server = all->servers[i];
        if (server != owner && sb_node_is_up(in->world, server) &&
            (sb_world_away(in->world) >> server & 1) == 0) {
            sb_explain_link(in->world, 2, server, "owner", "%s could be elected",
                            sb_node_name(in->world, server));
        }
    }
}

/* -------------------------------------------------------------------------------------- tasks */

static void explain_subtask(const explanation *in, const subtask_row *row)
{
    char task[32];
    snprintf(task, sizeof(task), "subtask-%llu-%u-%u", number(row->job), row->phase, row->number);
    sb_explain_link(in->world, 2, (sb_node)row->server, task,
                    "subtask %u %s, attempt %llu, of %s under session %llu", row->number,
                    subtask_state_text(row->state), number(row->attempt),
                    row->server == 0 ? "nobody" : sb_address_name(row->server),
                    number(row->session));
}

typedef struct subtask_counts {
    uint32_t all, succeeded, unended;
} subtask_counts;

/* explains: those that have not ended. */
static subtask_counts walk_subtasks(const explanation *in, const task_row *task, bool explains)
{
    const uint64_t numbers[] = {task->job, task->phase};
    subtask_counts counts = {0};
    durable_walk walk;
    buffer start, end;
    begin_rows(in, &walk, &start, &end, "subtask", numbers, 2);
    while (durable_walk_next(&walk)) {
        const version *value = row_of(&walk);
        uint64_t key[3];
        subtask_row row;
        if (value == NULL || !key_meta_decode(walk.key, "subtask", key, 3) ||
            !subtask_row_decode(task->job, task->phase, (uint32_t)key[2], version_value(value),
                                &row)) {
            continue;
        }
        counts.all++;
        counts.succeeded += row.state == SUBTASK_SUCCEED;
        counts.unended += !subtask_state_is_final(row.state);
        if (explains && !subtask_state_is_final(row.state)) {
            explain_subtask(in, &row);
        }
    }
    end_rows(&start, &end);
    return counts;
}

static void explain_task(const explanation *in, const task_row *task)
{
    const subtask_counts counts = walk_subtasks(in, task, false);
    char scheduler[32];
    snprintf(scheduler, sizeof(scheduler), "ddl-worker-%llu/task", number(task->job));
    sb_explain_link(in->world, 1, (sb_node)in->owner.owner, scheduler,
                    "task of phase %u (%s) %s, %u of %u subtasks have succeeded", task->phase,
                    task_kind_text(task->kind), task_state_text(task->state), counts.succeeded,
                    counts.all);
    (void)walk_subtasks(in, task, true);
    if (counts.unended == 0 || task->state == TASK_PENDING) {
        explain_registry(in, 2);
    }
}

static void explain_tasks(const explanation *in, const job_row *job)
{
    durable_walk walk;
    buffer start, end;
    begin_rows(in, &walk, &start, &end, "task", &job->id, 1);
    while (durable_walk_next(&walk)) {
        const version *value = row_of(&walk);
        uint64_t key[2];
        task_row row;
        if (value != NULL && key_meta_decode(walk.key, "task", key, 2) &&
            task_row_decode(job->id, (uint32_t)key[1], version_value(value), &row) &&
            !task_state_is_final(row.state)) {
            explain_task(in, &row);
        }
    }
    end_rows(&start, &end);
}

/* --------------------------------------------------------------------------------------- jobs */

static void explain_job(const explanation *in, const job_row *job)
{
    char worker[32];
    snprintf(worker, sizeof(worker), "ddl-worker-%llu", number(job->id));
    sb_explain_link(in->world, 0, (sb_node)in->owner.owner, worker,
                    "job %llu %s, its indexes %s, phase %u, %u errors; the owner is %s by tenure "
                    "%llu",
                    number(job->id), job_state_text(job->state), schema_state_text(job_schema(job)),
                    job->phase, job->error_count,
                    in->owner.owner == 0 ? "nobody" : sb_address_name(in->owner.owner),
                    number(in->owner.tenure));
    if (job->single && job_schema(job) == SCHEMA_WRITE_REORGANIZATION) {
        char group[32];
        snprintf(group, sizeof(group), "ddl-worker-%llu/task", number(job->id));
        sb_explain_link(in->world, 1, (sb_node)in->owner.owner, group,
                        "its backfill is done by the owner alone");
    }
    explain_owner(in);
    explain_versions(in, job);
    explain_fences(in, job);
    explain_tasks(in, job);
}

static uint32_t explain_jobs(const explanation *in)
{
    uint32_t count = 0;
    durable_walk walk;
    for (durable_walk_rows(&walk, &in->durable, "job"); durable_walk_next(&walk);) {
        const version *value = row_of(&walk);
        uint64_t id;
        job_row row;
        if (value != NULL && key_meta_decode(walk.key, "job", &id, 1) &&
            job_row_decode(id, version_value(value), &row)) {
            explain_job(in, &row);
            count++;
        }
    }
    return count;
}

static void read_owner(explanation *in)
{
    const entry *row = durable_find_row(&in->durable, key_owner);
    const version *found = row == NULL ? NULL : durable_entry_read(row, TIMESTAMP_MAX);
    if (found == NULL || !owner_row_decode(version_value(found), &in->owner)) {
        in->owner = (owner_row){.tenure = 0};
    }
}

/* ------------------------------------------------------------------------------------ machines */

/* Those that were asked to stop and have not; and servers without a session. */
static void explain_machines(const explanation *in)
{
    const uint64_t away = sb_world_away(in->world);
    for (sb_node node = 1; node < sb_node_count(in->world); node++) {
        const char *name = sb_node_name(in->world, node);
        if ((in->of->stopping >> node & 1) != 0 && sb_node_is_up(in->world, node)) {
            sb_explain_link(in->world, 0, node, "main", "%s has not stopped", name);
        } else if ((away >> node & 1) != 0) {
            sb_explain_link(in->world, 0, node, NULL, "%s stays away: %s", name,
                            sb_absence_word(sb_node_absence(in->world, node)));
        }
    }
    for (uint32_t i = 0; i < in->of->machines.server_count; i++) {
        const sb_node server = in->of->machines.servers[i];
        const server_state state = (server_state)in->of->watch.servers[server];
        if (sb_node_is_up(in->world, server) && (away >> server & 1) == 0 &&
            (state == SERVER_LOST || !is_live(in, server))) {
            sb_explain_link(in->world, 0, server, "main", "%s has no session that lives: it is %s",
                            sb_node_name(in->world, server), server_machine.states[state]);
        }
    }
}

void explain_trial(trial *of)
{
    explanation in = {.world = of->world, .of = of};
    durable_cluster_read(&in.durable, of->world, of->machines.stores, of->machines.store_count);
    read_owner(&in);
    const uint32_t jobs = explain_jobs(&in);
    if (jobs == 0 && of->stopping == 0) {
        sb_explain_link(of->world, 0, (sb_node)in.owner.owner, "owner",
                        "no job lives; the owner is %s",
                        in.owner.owner == 0 ? "nobody" : sb_address_name(in.owner.owner));
    }
    explain_machines(&in);
    durable_cluster_release(&in.durable);
}
