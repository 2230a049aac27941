/*
 * Two-phase commit, after Percolator (Peng and Dabek, "Large-scale Incremental Processing Using
 * Distributed Transactions and Notifications", 2010).
 *
 *     prewrite the primary's region → prewrite the others → commit timestamp
 *         → commit the primary's region: decided, and durable
 *             ├─→ the caller goes on
 *             └─→ in the background: commit the others
 *
 * - The primary's region comes first and is acknowledged before any other is prewritten.  So
 *   whoever meets a lock whose primary has neither lock nor record may roll the transaction back
 *   (locks.c).
 * - A write that meets a living lock waits for it a few times only: its transaction will most
 *   likely commit after our start, which is a conflict, and two transactions that wait for each
 *   other must not do so until a TTL passes.
 * - Until the first request to commit the primary leaves this machine, every failure is definite:
 *   nobody else commits it.  From then on the outcome is what storage says, and the network may
 *   have repeated any request, so even a refusal as `fenced` may be the answer to the second copy
 *   of a request whose first copy committed.  A rollback of the primary settles that: it either
 *   makes the transaction void for ever or says that it was committed.
 * - A transaction keeps its locks no longer than the TTL; a slow one loses them to whoever meets
 *   them and is then refused by the record of its rollback.
 */
#include "engine/counters.h"
#include "engine/transaction/cluster.h"
#include "engine/wire/keys.h"

#define LOCK_TTL_MS 3000u
#define LIVING_LOCK_WAITS_MAX 6u
#define BACKGROUND_LIMIT (8 * SB_SECOND)

/* What the requests of one commit share: the way to the regions and the memory they are encoded
 * in. */
typedef struct phase {
    transaction *of;
    route way;
    packing list;
    buffer request;
} phase;

static void phase_init(phase *on, transaction *of, sb_scope *scope)
{
    on->of = of;
    route_init(&on->way, of->cluster, scope);
    packing_init(&on->list);
    buffer_init(&on->request);
}

static void phase_release(phase *on)
{
    buffer_release(&on->request);
    packing_release(&on->list);
    route_release(&on->way);
}

static buffered_write *write_at(const phase *on, uint32_t at)
{
    return &on->of->writes.items[at];
}

static region_context phase_region(const phase *on)
{
    return (region_context){on->way.region->id, on->way.region->epoch};
}

static writer phase_writer(const phase *on)
{
    return (writer){.server = sb_self(), .session = on->of->session, .version = on->of->version};
}

/* The keys of the batch that stand at this stage. */
static packed_keys pack_stage(phase *on, batch part, write_stage stage)
{
    packing_clear(&on->list);
    for (uint32_t i = part.low; i < part.high; i++) {
        if (write_at(on, i)->stage == stage) {
            pack_key(&on->list, write_key(write_at(on, i)));
        }
    }
    return packing_list(&on->list);
}

static void mark_stage(phase *on, batch part, write_stage from, write_stage to)
{
    for (uint32_t i = part.low; i < part.high; i++) {
        if (write_at(on, i)->stage == from) {
            write_at(on, i)->stage = (uint8_t)to;
        }
    }
}

/* An index may be given up and its range deleted for ever, while the fate of a transaction has to
 * be asked for where its primary lies. */
static bool may_be_primary(slice key)
{
    table_id table;
    index_id index;
    cursor values;
    return !key_index_decode(key, &table, &index, &values);
}

/* ----------------------------------------------------------------------------------- prewrite */

static void encode_prewrite(phase *on, batch part, slice primary)
{
    packing_clear(&on->list);
    for (uint32_t i = part.low; i < part.high; i++) {
        const buffered_write *one = write_at(on, i);
        if (one->stage < WRITE_LOCKED) {
            const mutation change = {(mutation_kind)one->kind, write_key(one), write_value(one)};
            pack_mutation(&on->list, &change);
        }
    }
    const prewrite_request ask = {.region = phase_region(on),
                                  .writer = phase_writer(on),
                                  .start = on->of->start,
                                  .ttl_ms = LOCK_TTL_MS,
                                  .primary = primary,
                                  .mutations = packing_list(&on->list)};
    prewrite_request_encode(&ask, &on->request);
}

/* Somebody else's lock: finish it if its transaction is decided, else wait, but not often. */
static engine_status prewrite_meets_lock(phase *on, const lock_description *lock, backoff *living)
{
    bool alive = false;
    const engine_status status = lock_resolve(on->of->cluster, lock, &alive, on->way.scope);
    if (status != ENGINE_OK || !alive) {
        return status;
    }
    if (living->rounds == LIVING_LOCK_WAITS_MAX) {
        return ENGINE_CONFLICT;
    }
    return backoff_wait(living, on->way.scope);
}

/* ENGINE_OK without the batch being locked: ask again. */
static engine_status take_prewrite(phase *on, batch part, bool first, const sb_reply *reply,
                                   backoff *living)
{
    prewrite_reply got;
    if (!prewrite_reply_decode(&got, slice_of(reply->data, reply->size))) {
        route_trouble(&on->way, REPLY_CORRUPT);
        return ENGINE_OK;
    }
    switch (got.head.status) {
    case REPLY_OK:
        mark_stage(on, part, WRITE_SENT, WRITE_LOCKED);
        return ENGINE_OK;
    case REPLY_LOCKED:
        return prewrite_meets_lock(on, &got.head.lock, living);
    case REPLY_WRITE_CONFLICT:
        if (first) {
            /* The newer commit stays, so no copy of this request can lock anything: nothing to
             * undo. */
            mark_stage(on, part, WRITE_SENT, WRITE_BUFFERED);
        }
        return ENGINE_CONFLICT;
    case REPLY_ROLLED_BACK:
        SOMETIMES(true, "transaction-rolled-back-by-others-before-its-commit");
        return ENGINE_CONFLICT;
    case REPLY_TOO_OLD:
        return ENGINE_TOO_OLD;
    case REPLY_FENCED:
        cluster_note_fenced(on->of->cluster, on->of->session);
        return ENGINE_FENCED;
    default:
        route_trouble(&on->way, got.head.status);
        return ENGINE_OK;
    }
}

/* Lock the writes that lie in one region with the anchor. */
static engine_status prewrite_part(phase *on, uint32_t anchor, slice primary)
{
    backoff living;
    backoff_init(&living);
    bool first = true;
    engine_status status;
    while ((status = route_find(&on->way, write_key(write_at(on, anchor)))) == ENGINE_OK) {
        const batch part = write_set_batch(&on->of->writes, on->way.region, anchor);
        encode_prewrite(on, part, primary);
        mark_stage(on, part, WRITE_BUFFERED, WRITE_SENT);
        sb_reply reply;
        if (!route_send(&on->way, METHOD_PREWRITE, &on->request, &reply)) {
            first = false;
            continue;
        }
        status = take_prewrite(on, part, first, &reply, &living);
        sb_reply_release(&reply);
        first = false;
        if (status != ENGINE_OK || write_at(on, anchor)->stage == WRITE_LOCKED) {
            break;
        }
    }
    return status;
}

static engine_status prewrite_all(phase *on, uint32_t anchor)
{
    const write_set *writes = &on->of->writes;
    const slice primary = write_key(&writes->items[anchor]);
    engine_status status = prewrite_part(on, anchor, primary);
    while (status == ENGINE_OK) {
        const uint32_t next = write_set_at_stage(writes, WRITE_BUFFERED);
        const uint32_t again = next < writes->count ? next : write_set_at_stage(writes, WRITE_SENT);
        if (again == writes->count) {
            break; /* all locked */
        }
        status = prewrite_part(on, again, primary);
    }
    return status;
}

/* ------------------------------------------------------------------------------------- commit */

/* Make the primary's fate final: ENGINE_OK with *commit > 0 when it was committed, with 0 when it
 * is void for ever.  ENGINE_TOO_OLD: nobody can tell any more, and none of its locks is left. */
static engine_status settle_primary(phase *on, uint32_t anchor, timestamp *commit)
{
    buffered_write *primary = write_at(on, anchor);
    engine_status status;
    while ((status = route_find(&on->way, write_key(primary))) == ENGINE_OK) {
        packing_clear(&on->list);
        pack_key(&on->list, write_key(primary));
        const rollback_request ask = {
            .region = phase_region(on), .start = on->of->start, .keys = packing_list(&on->list)};
        rollback_request_encode(&ask, &on->request);
        sb_reply reply;
        if (!route_send(&on->way, METHOD_ROLLBACK, &on->request, &reply)) {
            continue;
        }
        rollback_reply got;
        const bool decoded = rollback_reply_decode(&got, slice_of(reply.data, reply.size));
        const bool settled =
            decoded && (got.head.status == REPLY_OK || got.head.status == REPLY_COMMITTED);
        if (settled) {
            *commit = got.head.status == REPLY_COMMITTED ? got.head.at : 0;
        } else {
            route_trouble(&on->way, decoded ? got.head.status : REPLY_CORRUPT);
        }
        const bool too_old = decoded && got.head.status == REPLY_TOO_OLD;
        sb_reply_release(&reply);
        if (settled) {
            primary->stage = WRITE_FINISHED;
            break;
        }
        if (too_old) {
            return ENGINE_TOO_OLD;
        }
    }
    return status;
}

static void encode_commit(phase *on, batch part, timestamp commit)
{
    const commit_request ask = {.region = phase_region(on),
                                .writer = phase_writer(on),
                                .is_primary = true,
                                .start = on->of->start,
                                .commit = commit,
                                .keys = pack_stage(on, part, WRITE_LOCKED)};
    commit_request_encode(&ask, &on->request);
}

/* The refusal may be the answer to a second copy of a request whose first copy committed. */
static engine_status settle_refusal(phase *on, uint32_t anchor, timestamp commit,
                                    engine_status refusal)
{
    timestamp settled = 0;
    if (settle_primary(on, anchor, &settled) != ENGINE_OK) {
        return ENGINE_UNKNOWN;
    }
    sb_assert(settled == 0 || settled == commit);
    return settled > 0 ? ENGINE_OK : refusal;
}

/* The point of no return.  Commits every write in the primary's region. */
static engine_status commit_primary(phase *on, uint32_t anchor, timestamp commit)
{
    bool in_doubt = false; /* a request has left */
    engine_status status;
    while ((status = route_find(&on->way, write_key(write_at(on, anchor)))) == ENGINE_OK) {
        const batch part = write_set_batch(&on->of->writes, on->way.region, anchor);
        encode_commit(on, part, commit);
        in_doubt = true;
        sb_reply reply;
        if (!route_send(&on->way, METHOD_COMMIT, &on->request, &reply)) {
            SOMETIMES(true, "reply-to-commit-of-primary-lost");
            continue;
        }
        const reply_status said = reply_status_of(&reply);
        sb_reply_release(&reply);
        switch (said) {
        case REPLY_OK:
            if (failpoint("commit-outcome-is-lost")) {
                return ENGINE_UNKNOWN;
            }
            mark_stage(on, part, WRITE_LOCKED, WRITE_FINISHED);
            return ENGINE_OK;
        case REPLY_ROLLED_BACK:
            SOMETIMES(true, "transaction-rolled-back-by-others-at-its-commit");
            return ENGINE_CONFLICT;
        case REPLY_TOO_OLD:
            SOMETIMES(true, "commit-is-too-old-to-be-told");
            return ENGINE_UNKNOWN; /* an earlier copy may have committed */
        case REPLY_LOCK_NOT_FOUND:
            return settle_refusal(on, anchor, commit, ENGINE_CONFLICT);
        case REPLY_FENCED:
            cluster_note_fenced(on->of->cluster, on->of->session);
            return settle_refusal(on, anchor, commit, ENGINE_FENCED);
        default:
            route_trouble(&on->way, said);
            break;
        }
    }
    return in_doubt ? ENGINE_UNKNOWN : status;
}

/* -------------------------------------------------------------------------- in the background */

/* A transaction whose caller has gone on: its remaining locks are to be committed or removed. */
typedef struct finishing {
    transaction of;   /* a copy that owns the writes */
    timestamp commit; /* 0: roll back */
    bool undecided;   /* learn it from the primary first */
} finishing;

/* Finish the locks that lie in one region with the anchor. */
static engine_status finish_part(phase *on, uint32_t anchor, timestamp commit)
{
    engine_status status;
    while ((status = route_find(&on->way, write_key(write_at(on, anchor)))) == ENGINE_OK) {
        const batch part = write_set_batch(&on->of->writes, on->way.region, anchor);
        const packed_keys keys = pack_stage(on, part, WRITE_LOCKED);
        if (commit > 0) {
            /* RESOLVE, not COMMIT: a key whose lock somebody has finished already is no trouble. */
            const resolve_request ask = {
                .region = phase_region(on), .start = on->of->start, .commit = commit, .keys = keys};
            resolve_request_encode(&ask, &on->request);
        } else {
            const rollback_request ask = {
                .region = phase_region(on), .start = on->of->start, .keys = keys};
            rollback_request_encode(&ask, &on->request);
        }
        sb_reply reply;
        const wire_method method = commit > 0 ? METHOD_RESOLVE : METHOD_ROLLBACK;
        if (!route_send(&on->way, method, &on->request, &reply)) {
            continue;
        }
        const reply_status said = reply_status_of(&reply);
        sb_reply_release(&reply);
        if (said == REPLY_OK || said == REPLY_TOO_OLD) {
            mark_stage(on, part, WRITE_LOCKED, WRITE_FINISHED);
            break;
        }
        sb_assert(said != REPLY_COMMITTED); /* we know that it was not */
        route_trouble(&on->way, said);
    }
    return status;
}

static void finish_main(void *argument)
{
    finishing *work = argument;
    sb_scope scope;
    sb_scope_init_timeout(&scope, &work->of.cluster->background_scope, "finish transaction",
                          BACKGROUND_LIMIT);
    phase on;
    phase_init(&on, &work->of, &scope);
    engine_status status = ENGINE_OK;
    if (work->undecided) {
        status = settle_primary(&on, write_set_primary(&work->of.writes), &work->commit);
    }
    SOMETIMES(work->undecided && work->commit > 0, "unknown-commit-had-been-committed");
    while (status == ENGINE_OK) {
        const uint32_t anchor = write_set_at_stage(&work->of.writes, WRITE_LOCKED);
        if (anchor == work->of.writes.count || failpoint("transaction-locks-are-left-behind")) {
            break;
        }
        status = finish_part(&on, anchor, work->commit);
    }
    phase_release(&on);
    sb_scope_release(&scope);
    write_set_release(&work->of.writes);
    sb_free(work);
}

/* Hand the writes over to a task, if a lock may be left. */
static void finish_in_background(transaction *of, timestamp commit, bool undecided)
{
    for (uint32_t i = 0; i < of->writes.count; i++) {
        if (of->writes.items[i].stage == WRITE_SENT) {
            of->writes.items[i].stage = WRITE_LOCKED; /* perhaps */
        }
    }
    if (write_set_at_stage(&of->writes, WRITE_LOCKED) == of->writes.count) {
        return;
    }
    finishing *work = sb_alloc(sizeof(*work));
    *work = (finishing){.of = *of, .commit = commit, .undecided = undecided};
    of->writes = (write_set){0};
    sb_spawn(&of->cluster->background, finish_main, work, "finish-transaction");
}

/* -------------------------------------------------------------------------------- both phases */

engine_status transaction_commit(transaction *of, timestamp *committed, sb_scope *scope)
{
    sb_assert(!of->ended);
    of->ended = true;
    timestamp commit = 0;
    engine_status status = ENGINE_OK;
    if (of->writes.count > 0) {
        const uint32_t anchor = write_set_primary(&of->writes);
        sb_assert(may_be_primary(write_key(&of->writes.items[anchor])));
        phase on;
        phase_init(&on, of, scope);
        status = prewrite_all(&on, anchor);
        if (status == ENGINE_OK) {
            status = failpoint("commit-meets-conflict")
                         ? ENGINE_CONFLICT
                         : cluster_timestamp(of->cluster, &commit, scope);
        }
        if (status == ENGINE_OK) {
            sb_assert_op(commit, >, of->start);
            status = commit_primary(&on, anchor, commit);
        }
        phase_release(&on);
        finish_in_background(of, status == ENGINE_OK ? commit : 0, status == ENGINE_UNKNOWN);
    }
    SOMETIMES(status == ENGINE_UNKNOWN, "commit-outcome-unknown");
    if (status == ENGINE_OK) {
        sb_count(COUNTER_transactions_committed, 1);
        if (committed != NULL) {
            *committed = commit;
        }
    }
    return status;
}

void transaction_rollback(transaction *of)
{
    /* Nothing has left this machine: only transaction_commit sends writes. */
    sb_assert(!of->ended);
    of->ended = true;
}
