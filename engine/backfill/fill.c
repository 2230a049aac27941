/*
 * The workers of a run: each has a writer and takes batches.
 *
 * They work in legs.  A leg ends when the rows have ended, or when something wants everybody to
 * stand still: a local checkpoint is due, or the local files have grown to their share.  At its end
 * each worker flushes its own writer, so that nobody holds memory while others still work, and the
 * engine is drained: then all rows before the scan's position are on this machine's disk.
 */
#include "engine/backfill/pipeline.h"
#include "engine/counters.h"

typedef struct filling {
    backfill *in;
    backend *into;
    sb_scope scope; /* the first failure ends it for all */
    sb_wait_group workers;
    engine_status status;
    failure cause;
    bool over;      /* the leg: no further batch is taken */
    uint32_t taken; /* writers that have found their worker */
} filling;

static void fill_failed(filling *of, engine_status status, failure cause)
{
    if (of->status == ENGINE_OK) {
        of->status = status;
        of->cause = cause;
        sb_scope_cancel(&of->scope);
    }
}

/* Encode a batch and hand it to the writer. */
static engine_status write_batch(filling *of, entry_writer *into, const pair_list *batch,
                                 failure *cause)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    engine_status status = ENGINE_OK;
    for (uint32_t i = 0; i < batch->count && status == ENGINE_OK; i++) {
        *cause =
            encode_entry(of->into->work, batch->pairs[i].key, batch->pairs[i].value, &key, &value);
        if (*cause == FAILURE_NONE) {
            of->into->rows++;
            status = entry_writer_add(into, buffer_slice(&key), buffer_slice(&value), &of->scope);
        } else {
            status = ENGINE_FAILED;
        }
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

/* The setting, or less when the disk itself has said that it is full: then the next run does with
 * what there was. */
static uint64_t disk_quota_of(const backfill *in)
{
    const uint64_t set = in->settings.disk_quota, met = in->disk.full_at;
    return set == 0 || (met > 0 && met < set) ? met : set;
}

bool backend_is_over_share(const backfill *in, const backend *of)
{
    /* What is in memory comes too, and a merge pass needs room for its output beside its input. */
    const uint64_t files = of->engine.sorter.disk_used, quota = disk_quota_of(in);
    const uint64_t wanted = 2 * (files + in->memory.used) * backfill_backend_count(in);
    return quota > 0 && files > 0 && wanted > quota;
}

static bool checkpoint_is_due(const backfill *in, const backend *of)
{
    const sb_duration interval = in->settings.checkpoint_interval;
    return interval > 0 && sb_monotonic_time() - of->checkpointed >= interval;
}

static bool leg_is_over(filling *of)
{
    of->over =
        of->over || backend_is_over_share(of->in, of->into) || checkpoint_is_due(of->in, of->into);
    return of->over;
}

static engine_status fill_step(filling *of, entry_writer *into, failure *cause)
{
    pair_list batch;
    engine_status status =
        leg_is_over(of) ? ENGINE_NOT_FOUND : row_scan_next(&of->into->scan, &batch, &of->scope);
    if (status != ENGINE_OK) {
        return status;
    }
    sb_count(COUNTER_rows_scanned, batch.count);
    status = write_batch(of, into, &batch, cause);
    pair_list_release(&batch);
    if (status == ENGINE_OK && failpoint("backfill-permanent-error")) {
        *cause = FAILURE_INJECTED;
        status = ENGINE_FAILED;
    }
    return status;
}

static void fill_main(void *argument)
{
    filling *of = argument;
    entry_writer *into = &of->into->writers[of->taken++];
    failure cause = FAILURE_NONE;
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK) {
        status = fill_step(of, into, &cause);
    }
    if (status == ENGINE_NOT_FOUND) {
        status = entry_writer_flush(into, &of->scope);
    }
    if (status != ENGINE_OK) {
        fill_failed(of, status, cause);
    }
}

engine_status backend_fill(backfill *in, backend *of, failure *cause, sb_scope *scope)
{
    filling leg = {.in = in, .into = of};
    sb_scope_init(&leg.scope, scope, "backfill workers");
    sb_wait_group_init(&leg.workers, "backfill workers");
    for (uint32_t i = 0; i < of->writer_count; i++) {
        sb_spawn(&leg.workers, fill_main, &leg, "backfill-%llu-%u/%u",
                 (unsigned long long)of->work->job, of->work->number, i);
    }
    (void)sb_wait_group_wait(&leg.workers, NULL);
    sb_wait_group_release(&leg.workers);
    sb_scope_release(&leg.scope);
    *cause = leg.cause;
    return leg.status == ENGINE_OK ? local_engine_drain(&of->engine, scope) : leg.status;
}
