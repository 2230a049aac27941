/*
 * Merging: see merge.h.
 */
#include "engine/backfill/merge.h"

#include "engine/transaction/route.h"

#define BATCH_KEYS 64u

/* A run under way. */
typedef struct merging {
    const merge_work *work;
    cluster *cluster;
    buffer merged; /* all keys before it are done */
    uint64_t keys;
} merging;

/* Bring the index's entry to what its temporary entry says. */
static engine_status merge_entry(merging *of, transaction *in, const pair *temporary,
                                 failure *cause, sb_scope *scope)
{
    (void)of;
    (void)in;
    (void)temporary;
    (void)cause;
    (void)scope;
    sb_fail("no transaction writes a temporary index yet");
}

static engine_status merge_batch(merging *of, transaction *in, const pair_list *batch,
                                 failure *cause, sb_scope *scope)
{
    const slice next = batch->more ? buffer_slice(&batch->next) : of->work->end;
    engine_status status =
        of->work->progress(of->work->progress_context, in, next, of->keys + batch->count, scope);
    for (uint32_t i = 0; i < batch->count && status == ENGINE_OK; i++) {
        status = merge_entry(of, in, &batch->pairs[i], cause, scope);
    }
    if (status != ENGINE_OK) {
        transaction_rollback(in);
        return status;
    }
    return transaction_commit(in, NULL, scope);
}

/* One transaction; *finished when it was the last. */
static engine_status merge_next(merging *of, bool *finished, failure *cause, sb_scope *scope)
{
    transaction *in;
    engine_status status = transaction_begin(of->cluster, 0, &in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    pair_list batch = {0};
    status =
        transaction_scan(in, buffer_slice(&of->merged), of->work->end, BATCH_KEYS, &batch, scope);
    if (status == ENGINE_OK) {
        status = merge_batch(of, in, &batch, cause, scope);
    } else {
        transaction_rollback(in);
    }
    transaction_release(in);
    if (status == ENGINE_OK) {
        of->keys += batch.count;
        *finished = !batch.more;
        buffer_clear(&of->merged);
        buffer_add(&of->merged, batch.next.data, batch.next.size);
    }
    pair_list_release(&batch);
    return status;
}

engine_status merge_run(cluster *of, const merge_work *work, uint64_t *key_count, failure *cause,
                        sb_scope *scope)
{
    merging run = {.work = work, .cluster = of, .keys = work->merged_keys};
    buffer_init(&run.merged);
    const slice from = work->merged.size > 0 ? work->merged : work->start;
    buffer_add(&run.merged, from.data, from.size);
    backoff wait;
    backoff_init(&wait);
    *cause = FAILURE_NONE;
    bool finished = false;
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && !finished) {
        status = merge_next(&run, &finished, cause, scope);
        if (status == ENGINE_CONFLICT || status == ENGINE_UNKNOWN) {
            status = backoff_wait(&wait, scope); /* once more: to do it again is harmless */
        } else {
            backoff_init(&wait);
        }
    }
    *key_count = run.keys;
    buffer_release(&run.merged);
    return status;
}
