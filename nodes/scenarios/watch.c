/*
 * What the director has seen: see watch.h.
 */
#include "nodes/scenarios/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/checksum.h"
#include "engine/placement/registry.h"
#include "nodes/counters.h"
#include "nodes/server.h"

/* Scanning the tables, or changing regions, more often than this is going round in circles, and no
 * progress any more. */
#define SCANS_MAX 16u
#define REGION_CHANGES_MAX 1024u

void watch_init(watch *into, const machines *of)
{
    memset(into, 0, sizeof(*into));
    into->machines = of;
    history_init(&into->operations);
    decisions_init(&into->decisions);
    collected_init(&into->collected);
}

void watch_release(watch *of)
{
    collected_release(&of->collected);
    decisions_release(&of->decisions);
    history_release(&of->operations);
}

/* ------------------------------------------------------------------------------------ reports */

void watch_report(watch *into, sb_node node, uint32_t kind, slice report)
{
    const operation *about = history_observe(&into->operations, node, kind, report);
    if (about != NULL && about->ended && about->version > into->versions[about->server]) {
        into->versions[about->server] = about->version;
    }
    loaded_report loaded;
    if (kind == REPORT_LOADED && loaded_report_decode(report, &loaded)) {
        into->loaded |= (uint64_t)1 << loaded.table;
    }
    session_report began;
    if (kind == REPORT_SESSION_BEGAN && session_report_decode(report, &began)) {
        into->sessions[node] = began.session;
    }
    decisions_observe(&into->decisions, node, kind, report);
    collected_observe(&into->collected, kind, report);
}

/* -------------------------------------------------------------------------------------- moves */

static watched_job *find_or_add(watch *in, job_id id)
{
    for (uint32_t i = 0; i < in->job_count; i++) {
        if (in->jobs[i].id == id) {
            return &in->jobs[i];
        }
    }
    if (in->job_count == WATCHED_JOBS_MAX) {
        memmove(&in->jobs[0], &in->jobs[1], (WATCHED_JOBS_MAX - 1) * sizeof(in->jobs[0]));
        in->job_count--;
    }
    watched_job *added = &in->jobs[in->job_count++];
    memset(added, 0, sizeof(*added));
    added->id = id;
    return added;
}

static void subtask_moved(watch *into, sb_node node, uint64_t identity, uint32_t to)
{
    watched_job *of = find_or_add(into, identity >> 16);
    const uint32_t number = (uint32_t)(identity & ((1u << SUBTASK_NUMBER_BITS) - 1));
    of->subtasks[number] = (uint8_t)to;
    of->runners[number] = node;
    of->subtask_count = number >= of->subtask_count ? number + 1 : of->subtask_count;
    if (to == SUBTASK_SUCCEED) {
        into->workers |= (uint64_t)1 << node;
        sb_count(COUNTER_subtasks_succeeded, 1);
    }
}

/* False: nothing that counts. */
static bool note_move(watch *into, sb_node node, const sb_machine *machine, uint64_t id,
                      uint32_t to)
{
    if (machine == &job_machine) {
        watched_job *of = find_or_add(into, id);
        sb_count(COUNTER_jobs_paused, to == JOB_PAUSED);
        sb_count(COUNTER_jobs_resumed, to == JOB_QUEUEING && of->state == JOB_PAUSED);
        of->state = (job_state)to;
        if (to == JOB_ROLLINGBACK) {
            of->turned_back = true;
            of->full_disks = into->full_disks;
        }
        if (to != JOB_CANCELLING && to != JOB_PAUSING && to != JOB_QUEUEING) {
            into->owner = node; /* any server cancels, pauses and resumes */
        }
    } else if (machine == &schema_state_machine) {
        into->schema = (schema_state)to;
    } else if (machine == &task_machine) {
        watched_job *of = find_or_add(into, id >> 4);
        if (to == TASK_RUNNING) {
            of->subtask_count = 0; /* of this phase */
        }
        of->task = (task_state)to;
        of->has_task = true;
    } else if (machine == &subtask_machine) {
        subtask_moved(into, node, id, to);
    } else if (machine == &server_machine && id < SB_NODE_COUNT_MAX) {
        into->servers[id] = (uint8_t)to;
    } else if (machine == &lease_machine && id < SB_NODE_COUNT_MAX) {
        into->leases[id] = (uint8_t)to;
    } else {
        return false;
    }
    return true;
}

void watch_move(watch *into, sb_node node, const sb_machine *machine, uint64_t id, uint32_t to)
{
    into->moves += note_move(into, node, machine, id, to);
}

/* ---------------------------------------------------------------------------------- questions */

bool watch_loaded(const watch *of)
{
    const uint32_t tables = of->machines->plan.settings.tables;
    return (uint32_t)__builtin_popcountll(of->loaded) == tables;
}

const watched_job *watch_job(const watch *of, job_id id)
{
    for (uint32_t i = 0; i < of->job_count; i++) {
        if (of->jobs[i].id == id) {
            return &of->jobs[i];
        }
    }
    return NULL;
}

bool watch_job_ended(const watch *of, job_id id)
{
    const watched_job *job = watch_job(of, id);
    return job != NULL && job_state_is_final(job->state);
}

bool watch_runs_subtask(const watch *of, sb_node server)
{
    for (uint32_t i = 0; i < of->job_count; i++) {
        const watched_job *job = &of->jobs[i];
        for (uint32_t j = 0; j < job->subtask_count; j++) {
            if (job->subtasks[j] == SUBTASK_RUNNING && job->runners[j] == server) {
                return true;
            }
        }
    }
    return false;
}

static uint32_t count_succeeded(const watched_job *of)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < of->subtask_count; i++) {
        count += of->subtasks[i] == SUBTASK_SUCCEED;
    }
    return count;
}

/* ------------------------------------------------------------------------------------ witness */

/* What only grows is progress up to a bound. */
static void add_bounded(buffer *into, uint64_t count, uint64_t most)
{
    buffer_add_u64(into, count < most ? count : most);
}

uint64_t watch_progress(const watch *of, const sb_world *world)
{
    const boot_settings *settings = &of->machines->plan.settings;
    const uint64_t all = settings->rows + (settings->tables - 1) * settings->other_rows;
    const uint64_t most = SCANS_MAX * all;
    buffer bytes;
    buffer_init(&bytes);
    add_bounded(&bytes, sb_world_counter(world, COUNTER_rows_scanned), most);
    add_bounded(&bytes, sb_world_counter(world, COUNTER_entries_merged), most);
    add_bounded(&bytes,
                sb_world_counter(world, COUNTER_region_splits) +
                    sb_world_counter(world, COUNTER_region_merges) +
                    sb_world_counter(world, COUNTER_leader_moves),
                REGION_CHANGES_MAX);
    add_bounded(&bytes, sb_world_counter(world, COUNTER_job_errors),
                (uint64_t)settings->job_error_limit * WATCHED_JOBS_MAX);
    buffer_add_u64(&bytes, sb_world_counter(world, COUNTER_rows_loaded));
    buffer_add_u8(&bytes, of->owner);
    buffer_add_u8(&bytes, (uint8_t)of->schema);
    for (uint32_t i = 0; i < of->job_count; i++) {
        const watched_job *job = &of->jobs[i];
        buffer_add_u8(&bytes, (uint8_t)job->state);
        buffer_add_u8(&bytes, job->has_task ? 1 + (uint8_t)job->task : 0);
        buffer_add(&bytes, job->subtasks, job->subtask_count);
        buffer_add(&bytes, job->runners, job->subtask_count);
    }
    for (unsigned node = 1; node < sb_node_count(world); node++) {
        buffer_add_u8(&bytes, sb_node_is_up(world, (sb_node)node));
        buffer_add_u8(&bytes, of->servers[node]);
        buffer_add_u8(&bytes, of->leases[node]);
    }
    const uint64_t sum = checksum64(buffer_slice(&bytes));
    buffer_release(&bytes);
    return sum;
}

uint64_t watch_effort(const watch *of)
{
    return of->moves;
}

static void say(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(char *text, size_t size, const char *format, ...)
{
    const size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

void watch_describe(const watch *of, char *text, size_t size)
{
    const machines *all = of->machines;
    text[0] = '\0';
    say(text, size, "jobs");
    for (uint32_t i = 0; i < of->job_count; i++) {
        say(text, size, " %llu:%s", (unsigned long long)of->jobs[i].id,
            job_state_text(of->jobs[i].state));
    }
    say(text, size, " tasks");
    for (uint32_t i = 0; i < of->job_count; i++) {
        const watched_job *job = &of->jobs[i];
        if (job->has_task) {
            say(text, size, " %llu:%s(%u/%u)", (unsigned long long)job->id,
                task_state_text(job->task), count_succeeded(job), job->subtask_count);
        }
    }
    say(text, size, " owner %s index %s schema",
        of->owner == 0 ? "nobody" : sb_address_name(of->owner), schema_state_text(of->schema));
    for (uint32_t i = 0; i < all->server_count; i++) {
        say(text, size, " %llu", (unsigned long long)of->versions[all->servers[i]]);
    }
}
