/*
 * Percolator's writes: prewrite, commit, rollback, and what others do about a transaction that does
 * neither.
 *
 * Every command asks about all its keys before it changes one, so it takes effect on all or none.
 * Each is idempotent: the network repeats requests, and callers send again what was not answered.
 *
 * A session below the fence of its server is refused where it reads (reads.c) and where the fate of
 * a transaction is decided: at the prewrite, and at the commit of the primary.  What follows from
 * the decision (secondaries, roll-backs, resolution by others) is never fenced: it must happen
 * whoever does it.
 */
#include "engine/storage/command.h"

static uint64_t expiry_ms(const version *lock)
{
    return timestamp_physical_ms(lock->start) + lock->ttl_ms;
}

/* ----------------------------------------------------------------------------------- prewrite */

/* May the transaction lock the key?  *fresh: it has not done so yet. */
static reply_status check_prewrite(command *of, const prewrite_request *request,
                                   const region *within, const mutation *one, reply_head *head,
                                   bool *fresh)
{
    const reply_status status = command_key(within, one->key);
    if (status != REPLY_OK) {
        return status;
    }
    if (one->value.size > VALUE_SIZE_MAX) {
        return REPLY_BAD_REQUEST;
    }
    const entry *found = command_find(of, one->key);
    if (store_state_is_deleted(&of->service->store->state, one->key)) {
        command_depends_on(of, of->service->store->state.deletion);
        SOMETIMES(true, "a straggler writes into a deleted range");
        head->at = TIMESTAMP_MAX;
        return REPLY_WRITE_CONFLICT;
    }
    if (found != NULL && entry_own_lock(found, request->start) != NULL) {
        return REPLY_OK;
    }
    const version *record = found != NULL ? entry_record(found, request->start) : NULL;
    if (record != NULL) {
        SOMETIMES(record->kind == VERSION_ROLLBACK, "a prewrite comes after its rollback");
        return record->kind == VERSION_ROLLBACK ? REPLY_ROLLED_BACK : REPLY_OK;
    }
    if (command_is_too_old(of, request->start, head)) {
        SOMETIMES(true, "a prewrite below the safe point is refused");
        return REPLY_TOO_OLD; /* the record that refuses it may have been collected */
    }
    if (found == NULL) {
        *fresh = true;
        return REPLY_OK;
    }
    if (found->lock != NULL) {
        head->lock = command_lock(found);
        return REPLY_LOCKED;
    }
    head->at = entry_commit_after(found, request->start);
    *fresh = true;
    return head->at == 0 ? REPLY_OK : REPLY_WRITE_CONFLICT;
}

static reply_status prewrite(command *of, const prewrite_request *request, reply_head *head)
{
    store *at = of->service->store;
    const region *within = NULL;
    bool fresh = false;
    mutation one;
    reply_status status = command_region(of, &request->region, head, &within);
    if (status == REPLY_OK) {
        status = command_session(of, request->writer.server, request->writer.session, head);
    }
    if (status == REPLY_OK &&
        (request->start == 0 || request->start >= TIMESTAMP_MAX || request->primary.size == 0 ||
         request->primary.size > KEY_SIZE_MAX)) {
        status = REPLY_BAD_REQUEST;
    }
    for (cursor from = packed_cursor(request->mutations);
         status == REPLY_OK && unpack_mutation(&from, &one);) {
        status = check_prewrite(of, request, within, &one, head, &fresh);
    }
    if (status == REPLY_OK && fresh) {
        record_prewrite(store_record(at), request->start, request->ttl_ms, request->primary,
                        request->mutations);
        command_depends_on(of, store_apply(at));
    }
    return status;
}

void command_prewrite(command *of)
{
    prewrite_request request;
    prewrite_reply reply = {0};
    reply.head.status = prewrite_request_decode(&request, of->body)
                            ? prewrite(of, &request, &reply.head)
                            : REPLY_BAD_REQUEST;
    prewrite_reply_encode(&reply, of->reply);
}

/* ------------------------------------------------------------------------------------- commit */

/* *pending: the key still carries the lock, so there is something to commit. */
static reply_status check_commit(command *of, const commit_request *request, slice key,
                                 reply_head *head, bool *pending)
{
    const entry *found = command_find(of, key);
    if (found != NULL && entry_own_lock(found, request->start) != NULL) {
        *pending = true;
        return REPLY_OK;
    }
    const version *record = found != NULL ? entry_record(found, request->start) : NULL;
    if (record != NULL) {
        return record->kind == VERSION_ROLLBACK ? REPLY_ROLLED_BACK : REPLY_OK;
    }
    /* What it wrote into a range that is given up is gone with the range. */
    const store_state *state = &of->service->store->state;
    command_depends_on(of, state->deletion);
    if (store_state_is_deleted(state, key)) {
        return REPLY_OK;
    }
    return command_is_too_old(of, request->start, head) ? REPLY_TOO_OLD : REPLY_LOCK_NOT_FOUND;
}

static reply_status commit(command *of, const commit_request *request, reply_head *head)
{
    store *at = of->service->store;
    const region *within = NULL;
    bool pending = false;
    slice key;
    reply_status status = command_region(of, &request->region, head, &within);
    if (status == REPLY_OK && (request->start == 0 || request->commit <= request->start ||
                               request->commit >= TIMESTAMP_MAX)) {
        status = REPLY_BAD_REQUEST;
    }
    if (status == REPLY_OK) {
        status = command_keys(within, request->keys);
    }
    for (cursor from = packed_cursor(request->keys);
         status == REPLY_OK && unpack_key(&from, &key);) {
        status = check_commit(of, request, key, head, &pending);
    }
    if (status == REPLY_OK && pending && request->is_primary) {
        status = command_session(of, request->writer.server, request->writer.session, head);
    }
    if (status == REPLY_OK && pending) {
        buffer *record = store_record(at);
        record_commit(record, request->start, request->commit);
        for (cursor from = packed_cursor(request->keys); unpack_key(&from, &key);) {
            record_add_key(record, key);
        }
        const log_sequence sequence = store_apply(at);
        command_depends_on(of, sequence);
        if (request->is_primary) {
            of->decision = (storage_decision){.kind = DECISION_COMMIT,
                                              .sequence = sequence,
                                              .by = request->writer,
                                              .start = request->start,
                                              .commit = request->commit};
        }
    }
    return status;
}

void command_commit(command *of)
{
    commit_request request;
    commit_reply reply = {0};
    reply.head.status = commit_request_decode(&request, of->body)
                            ? commit(of, &request, &reply.head)
                            : REPLY_BAD_REQUEST;
    commit_reply_encode(&reply, of->reply);
}

/* ----------------------------------------------------------------------------------- rollback */

/* What a rollback has to do on one key. */
typedef enum rollback_step {
    ROLLBACK_DO,
    ROLLBACK_DONE,
    ROLLBACK_COMMITTED,
    ROLLBACK_UNTOLD /* too old to tell; no late prewrite is taken any more either */
} rollback_step;

static rollback_step check_rollback(command *of, timestamp start, slice key, reply_head *head)
{
    const entry *found = command_find(of, key);
    const version *record = found != NULL ? entry_record(found, start) : NULL;
    if (record != NULL) {
        head->at = record->commit;
        return record->kind == VERSION_ROLLBACK ? ROLLBACK_DONE : ROLLBACK_COMMITTED;
    }
    const bool locked = found != NULL && entry_own_lock(found, start) != NULL;
    return !locked && command_is_too_old(of, start, head) ? ROLLBACK_UNTOLD : ROLLBACK_DO;
}

/* The keys that are to be rolled back into a record; *untold: of some nobody can tell. */
static reply_status add_rollback(command *of, const rollback_request *request, reply_head *head,
                                 buffer *record, bool *pending, bool *untold)
{
    const store_state *state = &of->service->store->state;
    slice key;
    record_rollback(record, request->start);
    for (cursor from = packed_cursor(request->keys); unpack_key(&from, &key);) {
        const rollback_step step = check_rollback(of, request->start, key, head);
        if (step == ROLLBACK_COMMITTED) {
            return REPLY_COMMITTED;
        }
        *untold |= step == ROLLBACK_UNTOLD;
        *pending |= step == ROLLBACK_DO;
        if (step != ROLLBACK_UNTOLD && !store_state_is_deleted(state, key)) {
            record_add_key(record, key);
        }
    }
    return REPLY_OK;
}

static reply_status rollback(command *of, const rollback_request *request, reply_head *head)
{
    store *at = of->service->store;
    const region *within = NULL;
    bool pending = false, untold = false;
    reply_status status = command_region(of, &request->region, head, &within);
    if (status == REPLY_OK) {
        status = request->start == 0 ? REPLY_BAD_REQUEST : command_keys(within, request->keys);
    }
    if (status != REPLY_OK) {
        return status;
    }
    status = add_rollback(of, request, head, store_record(at), &pending, &untold);
    if (status == REPLY_OK && pending) {
        command_depends_on(of, store_apply(at));
    } else {
        write_log_abandon(&at->log);
    }
    return status == REPLY_OK && untold ? REPLY_TOO_OLD : status;
}

void command_rollback(command *of)
{
    rollback_request request;
    rollback_reply reply = {0};
    reply.head.status = rollback_request_decode(&request, of->body)
                            ? rollback(of, &request, &reply.head)
                            : REPLY_BAD_REQUEST;
    rollback_reply_encode(&reply, of->reply);
}

/* ------------------------------------------------------------------------------- check status */

static void roll_back_primary(command *of, const check_status_request *request)
{
    store *at = of->service->store;
    buffer *record = store_record(at);
    record_rollback(record, request->start);
    record_add_key(record, request->primary);
    command_depends_on(of, store_apply(at));
}

static reply_status decide_fate(command *of, const check_status_request *request,
                                check_status_reply *reply)
{
    const entry *found = command_find(of, request->primary);
    const version *lock = found != NULL ? entry_own_lock(found, request->start) : NULL;
    const version *record = found != NULL ? entry_record(found, request->start) : NULL;
    const uint64_t now_ms = timestamp_physical_ms(request->now);
    if (lock != NULL && now_ms < expiry_ms(lock)) {
        reply->fate = TRANSACTION_LOCKED;
        reply->ttl_left_ms = expiry_ms(lock) - now_ms;
    } else if (record != NULL && record->kind != VERSION_ROLLBACK) {
        reply->fate = TRANSACTION_COMMITTED;
        reply->commit = record->commit;
    } else if (record != NULL) {
        reply->fate = TRANSACTION_ROLLED_BACK;
    } else if (lock == NULL && command_is_too_old(of, request->start, &reply->head)) {
        return REPLY_TOO_OLD;
    } else if (lock != NULL || request->rollback_if_missing) {
        SOMETIMES(lock != NULL, "a lock whose time has passed is rolled back");
        SOMETIMES(lock == NULL, "a transaction without a trace is rolled back");
        roll_back_primary(of, request);
        reply->fate = TRANSACTION_ROLLED_BACK;
    } else {
        reply->fate = TRANSACTION_MISSING;
    }
    return REPLY_OK;
}

static reply_status check_status(command *of, const check_status_request *request,
                                 check_status_reply *reply)
{
    const region *within = NULL;
    reply_status status = command_region(of, &request->region, &reply->head, &within);
    if (status == REPLY_OK) {
        status = request->start == 0 ? REPLY_BAD_REQUEST : command_key(within, request->primary);
    }
    return status == REPLY_OK ? decide_fate(of, request, reply) : status;
}

void command_check_status(command *of)
{
    check_status_request request;
    check_status_reply reply = {0};
    reply.head.status = check_status_request_decode(&request, of->body)
                            ? check_status(of, &request, &reply)
                            : REPLY_BAD_REQUEST;
    check_status_reply_encode(&reply, of->reply);
}

/* ------------------------------------------------------------------------------------ resolve */

static reply_status resolve(command *of, const resolve_request *request, reply_head *head)
{
    store *at = of->service->store;
    const region *within = NULL;
    bool pending = false;
    slice key;
    reply_status status = command_region(of, &request->region, head, &within);
    if (status == REPLY_OK && (request->start == 0 || request->commit >= TIMESTAMP_MAX ||
                               (request->commit > 0 && request->commit <= request->start))) {
        status = REPLY_BAD_REQUEST;
    }
    if (status == REPLY_OK) {
        status = command_keys(within, request->keys);
    }
    if (status != REPLY_OK) {
        return status;
    }
    buffer *record = store_record(at);
    if (request->commit > 0) {
        record_commit(record, request->start, request->commit);
    } else {
        record_rollback(record, request->start);
    }
    for (cursor from = packed_cursor(request->keys); unpack_key(&from, &key);) {
        const entry *found = command_find(of, key);
        if (found != NULL && entry_own_lock(found, request->start) != NULL) {
            record_add_key(record, key);
            pending = true;
        }
    }
    if (pending) {
        command_depends_on(of, store_apply(at));
    } else {
        write_log_abandon(&at->log);
    }
    return REPLY_OK;
}

void command_resolve(command *of)
{
    resolve_request request;
    resolve_reply reply = {0};
    reply.head.status = resolve_request_decode(&request, of->body)
                            ? resolve(of, &request, &reply.head)
                            : REPLY_BAD_REQUEST;
    resolve_reply_encode(&reply, of->reply);
}

/* -------------------------------------------------------------------------------------- fence */

static reply_status raise(command *of, const fence_request *request, session_id *least)
{
    store *at = of->service->store;
    if (request->session == 0) {
        return REPLY_BAD_REQUEST;
    }
    const fence *known = store_state_fence(&at->state, request->server);
    if (known == NULL || known->least < request->session) {
        record_fence(store_record(at), request->server, request->session);
        (void)store_apply(at);
        known = store_state_fence(&at->state, request->server);
    }
    command_depends_on(of, known->sequence);
    *least = known->least;
    of->decision = (storage_decision){.kind = DECISION_FENCE,
                                      .sequence = known->sequence,
                                      .by = {.server = known->server, .session = known->least}};
    return REPLY_OK;
}

void command_fence(command *of)
{
    fence_request request;
    fence_reply reply = {0};
    reply.head.status = fence_request_decode(&request, of->body) ? raise(of, &request, &reply.least)
                                                                 : REPLY_BAD_REQUEST;
    fence_reply_encode(&reply, of->reply);
}
