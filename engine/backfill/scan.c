/*
 * Reading rows at the snapshot, a batch at a time.
 */
#include "engine/backfill/pipeline.h"

void row_scan_init(row_scan *of, cluster *from, const backfill_work *work, slice start,
                   const backfill_settings *settings)
{
    *of = (row_scan){.cluster = from,
                     .snapshot = work->snapshot,
                     .batch_rows = settings->batch_rows,
                     .pause = settings->batch_pause / (work->haste > 0 ? work->haste : 1),
                     .end = work->end};
    buffer_init(&of->next);
    buffer_add(&of->next, start.data, start.size);
    sb_mutex_init(&of->turn, "turn to scan");
}

void row_scan_release(row_scan *of)
{
    buffer_release(&of->next);
    sb_mutex_release(&of->turn);
}

static engine_status scan_batch(row_scan *of, pair_list *batch, sb_scope *scope)
{
    if (of->finished) {
        return ENGINE_NOT_FOUND;
    }
    const engine_status status =
        failpoint("backfill-scan-fails")
            ? ENGINE_CONFLICT
            : cluster_scan(of->cluster, of->snapshot, buffer_slice(&of->next), of->end,
                           of->batch_rows, batch, scope);
    if (status != ENGINE_OK) {
        return status; /* before anything is taken for "no rows": TiDB issue 71518 */
    }
    of->finished = !batch->more;
    if (batch->more) {
        buffer_clear(&of->next);
        buffer_add(&of->next, batch->next.data, batch->next.size);
    }
    if (batch->count == 0) {
        sb_assert(of->finished);
        pair_list_release(batch);
        return ENGINE_NOT_FOUND;
    }
    return ENGINE_OK;
}

engine_status row_scan_next(row_scan *of, pair_list *batch, sb_scope *scope)
{
    if (sb_mutex_lock(&of->turn, scope) != SB_OK) {
        return engine_scope_status(scope);
    }
    engine_status status = ENGINE_OK;
    if (of->begun && of->pause > 0 && !of->finished) {
        (void)sb_sleep(of->pause, scope);
        status = engine_scope_status(scope);
    }
    of->begun = true;
    if (status == ENGINE_OK) {
        status = scan_batch(of, batch, scope);
    }
    sb_mutex_unlock(&of->turn);
    return status;
}
