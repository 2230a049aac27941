/*
 * The local engine: runs in, sorted runs on the disk out.
 *
 *     channel ──→ spill ──→ run-0, run-1, …      (engine/sort/sorter.h)
 */
#include "engine/backfill/pipeline.h"

#include <stdio.h>

#include "engine/counters.h"

void backend_folder(job_id job, uint32_t number, char folder[SORTER_FOLDER_MAX])
{
    (void)snprintf(folder, SORTER_FOLDER_MAX, JOBS_FOLDER "/%llu/%u", (unsigned long long)job,
                   number);
}

/* ----------------------------------------------------------------------------------- spilling */

static void spill(local_engine *of, entry_run *run)
{
    if (of->discarding || of->trouble != SORTER_OK) {
        return;
    }
    of->trouble =
        failpoint("local-engine-spill-fails") ? SORTER_DISK : sorter_spill(&of->sorter, run);
    sb_count(COUNTER_runs_spilled, of->trouble == SORTER_OK);
    SOMETIMES(of->trouble == SORTER_NO_SPACE, "local-disk-is-full");
}

/* The run's end, and its charge's. */
static void take(local_engine *of, uint32_t place)
{
    entry_run *run = of->runs[place];
    of->runs[place] = NULL;
    spill(of, run);
    const uint64_t charge = run->charge;
    entry_run_free(run);
    of->taken++;
    memory_quota_return(of->sorter.memory, charge);
    sb_condition_broadcast(&of->drained);
}

static void receive_main(void *argument)
{
    local_engine *of = argument;
    uint32_t place;
    while (sb_channel_receive(&of->arrived, &place, NULL) == SB_OK) {
        take(of, place);
    }
}

/* ----------------------------------------------------------------------------------- lifetime */

void local_engine_open(local_engine *of, const engine_plan *plan)
{
    char folder[SORTER_FOLDER_MAX];
    *of = (local_engine){.trouble = SORTER_OK};
    backend_folder(plan->job, plan->number, folder);
    sorter_init(&of->sorter, folder, plan->memory, plan->disk, plan->shared);
    sb_channel_init(&of->arrived, "runs for the local engine", sizeof(uint32_t),
                    plan->channel_capacity);
    sb_condition_init(&of->drained, "local engine to drain");
    sb_wait_group_init(&of->tasks, "local engine");
    sb_spawn(&of->tasks, receive_main, of, "local-engine-%llu-%u", (unsigned long long)plan->job,
             plan->number);
}

/* A run whose send was canceled: its bytes were never in the channel. */
static void throw_away(local_engine *of, uint32_t place)
{
    entry_run *run = of->runs[place];
    of->runs[place] = NULL;
    const uint64_t charge = run->charge;
    entry_run_free(run);
    of->taken++;
    of->trouble = of->trouble == SORTER_OK ? SORTER_CANCELED : of->trouble;
    memory_quota_return(of->sorter.memory, charge);
}

sb_status local_engine_send(local_engine *of, entry_run *run, sb_scope *scope)
{
    if (of->run_count == of->run_room) {
        of->run_room = of->run_room == 0 ? 8 : of->run_room * 2;
        const size_t size = of->run_room * sizeof(*of->runs);
        of->runs = of->runs == NULL ? sb_alloc(size) : sb_realloc(of->runs, size);
    }
    const uint32_t place = of->run_count++;
    of->runs[place] = run;
    const sb_status status = sb_channel_send(&of->arrived, &place, scope);
    if (status != SB_OK) {
        throw_away(of, place);
    }
    return status;
}

engine_status local_engine_drain(local_engine *of, sb_scope *scope)
{
    sb_status status = sb_scope_status(scope);
    while (status == SB_OK && of->taken < of->run_count) {
        status = sb_condition_wait(&of->drained, NULL, scope);
    }
    if (status != SB_OK) {
        return engine_scope_status(scope);
    }
    return of->trouble == SORTER_OK ? ENGINE_OK : ENGINE_CONFLICT;
}

void local_engine_close(local_engine *of)
{
    sb_assert(!of->closed);
    of->closed = true;
    sb_channel_close(&of->arrived);
    (void)sb_wait_group_wait(&of->tasks, NULL);
    sb_assert_op(of->taken, ==, of->run_count);
}

void local_engine_release(local_engine *of)
{
    sb_assert(of->closed);
    sorter_release(&of->sorter);
    sb_free(of->runs);
    sb_channel_release(&of->arrived);
    sb_condition_release(&of->drained);
    sb_wait_group_release(&of->tasks);
}
