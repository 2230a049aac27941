/*
 * Merging: see merge.h.
 *
 * A batch is one transaction: which temporary entries there are, from a key on; what the real and
 * the temporary entry of each key are; the present state of each (schema/temporary.c) into the real
 * index.  The temporary entries go in the same transaction.  So doing it again, after a commit
 * whose outcome was not learnt, finds nothing to do, and every transaction that writes one of the
 * keys conflicts with it.
 */
#include "engine/backfill/merge.h"

#include "engine/schema/temporary.h"
#include "engine/transaction/route.h"

#define BATCH_KEYS 64u
_Static_assert(2 * BATCH_KEYS <= KEYS_AT_ONCE_MAX, "one request reads a batch of one region");

/* A run under way. */
typedef struct merging {
    const merge_work *work;
    cluster *cluster;
    buffer merged; /* all keys before it are done */
    uint64_t keys;
} merging;

/* --------------------------------------------------------------------------------- one batch */

/* The keys of a batch, each with all that is known about it. */
typedef struct merge_batch {
    key_state states[BATCH_KEYS];
    uint32_t count;
} merge_batch;

/* False: a key that is none of a temporary index. */
static bool batch_init(merge_batch *into, const pair_list *temporary)
{
    buffer real;
    buffer_init(&real);
    bool sound = true;
    into->count = 0;
    for (uint32_t i = 0; i < temporary->count && sound; i++) {
        sound = real_entry_key(temporary->pairs[i].key, &real);
        if (sound) {
            key_state_init(&into->states[into->count++], buffer_slice(&real));
        }
    }
    buffer_release(&real);
    return sound;
}

static void batch_release(merge_batch *of)
{
    for (uint32_t i = 0; i < of->count; i++) {
        key_state_release(&of->states[i]);
    }
}

/* Real and temporary entries at one timestamp, that of the transaction. */
static engine_status batch_read(merge_batch *of, transaction *in, const merge_work *work,
                                sb_scope *scope)
{
    slice keys[2 * BATCH_KEYS];
    for (uint32_t i = 0; i < of->count; i++) {
        keys[i] = buffer_slice(&of->states[i].real);
        keys[of->count + i] = buffer_slice(&of->states[i].temporary);
    }
    version_list found;
    engine_status status = transaction_read_versions(in, keys, 2 * of->count, &found, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    for (uint32_t i = 0; i < of->count && status == ENGINE_OK; i++) {
        if (!key_state_fill(&of->states[i], &work->table, &work->index, &found.versions[i],
                            &found.versions[of->count + i])) {
            sb_fail("a temporary entry of index %llu is damaged",
                    (unsigned long long)work->index.id);
        }
    }
    version_list_release(&found);
    return status;
}

/* Bring the entry to the present state of its key; the temporary one has done its part.  False: two
 * rows have a unique key. */
static bool merge_entry(transaction *in, const index_definition *index, const key_state *of)
{
    const key_holders holders = key_state_holders(of);
    if (holders.count > 1) {
        return false;
    }
    SOMETIMES(of->there && holders.count == 0, "merge-takes-an-entry-away");
    SOMETIMES(!of->there && holders.count == 1, "merge-adds-an-entry");
    SOMETIMES(of->there && holders.count == 1 && holders.handles[0] != of->holder,
              "merge-gives-an-entry-to-another-row");
    if (holders.count == 0 && of->there) {
        transaction_delete(in, buffer_slice(&of->real));
    } else if (holders.count == 1 && !(of->there && of->holder == holders.handles[0])) {
        buffer value;
        buffer_init(&value);
        index_entry_value(index, holders.handles[0], &value);
        transaction_put(in, buffer_slice(&of->real), buffer_slice(&value));
        buffer_release(&value);
    }
    transaction_delete(in, buffer_slice(&of->temporary));
    return true;
}

static engine_status merge_entries(transaction *in, const merge_work *work,
                                   const pair_list *temporary, failure *cause, sb_scope *scope)
{
    merge_batch batch;
    engine_status status = ENGINE_OK;
    if (!batch_init(&batch, temporary)) {
        sb_fail("a key of the temporary index of %llu is damaged",
                (unsigned long long)work->index.id);
    }
    if (batch.count > 0) {
        status = batch_read(&batch, in, work, scope);
    }
    for (uint32_t i = 0; i < batch.count && status == ENGINE_OK; i++) {
        if (!merge_entry(in, &work->index, &batch.states[i])) {
            SOMETIMES(true, "duplicate-found-by-the-merge");
            *cause = FAILURE_DUPLICATE_KEY;
            status = ENGINE_FAILED;
        }
    }
    batch_release(&batch);
    return status;
}

/* *keys: of the batch; then of all up to it. */
static engine_status commit_batch(merging *of, transaction *in, const pair_list *temporary,
                                  uint64_t *keys, failure *cause, sb_scope *scope)
{
    const slice next = temporary->more ? buffer_slice(&temporary->next) : of->work->end;
    engine_status status = of->work->progress(of->work->progress_context, in, next, keys, scope);
    if (status == ENGINE_OK) {
        status = merge_entries(in, of->work, temporary, cause, scope);
    }
    if (status == ENGINE_OK && failpoint("merge-permanent-error")) {
        *cause = FAILURE_INJECTED;
        status = ENGINE_FAILED;
    }
    if (status != ENGINE_OK || failpoint("merge-fails-before-its-commit")) {
        transaction_rollback(in);
        return status != ENGINE_OK ? status : ENGINE_CONFLICT;
    }
    status = transaction_commit(in, NULL, scope);
    /* It was committed, and its worker does not know. */
    return status == ENGINE_OK && failpoint("merge-fails-after-its-commit") ? ENGINE_UNKNOWN
                                                                            : status;
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
    uint64_t keys = batch.count;
    if (status == ENGINE_OK) {
        status = commit_batch(of, in, &batch, &keys, cause, scope);
    } else {
        transaction_rollback(in);
    }
    transaction_release(in);
    if (status == ENGINE_OK) {
        of->keys = keys;
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
    bool finished = slice_compare(from, work->end) >= 0; /* all but the record of it was done */
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && !finished) {
        status = merge_next(&run, &finished, cause, scope);
        if (engine_status_is_passing(status)) {
            status = backoff_wait(&wait, scope); /* once more: to do it again is harmless */
        } else {
            backoff_init(&wait);
        }
    }
    *key_count = run.keys;
    buffer_release(&run.merged);
    return status;
}
