/*
 * The value of `m owner`: u64 tenure | u16 address | u64 checksum of both.
 */
#include "engine/task/tenure.h"

#include "engine/base/checksum.h"
#include "engine/transaction/route.h"
#include "engine/wire/keys.h"

#define OWNER_BODY_SIZE 10u
#define NO_SCHEMA 0u /* the version of transactions that touch no row of a table */

void owner_row_encode(const owner_row *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u64(into, from->tenure);
    buffer_add_u16(into, from->owner);
    buffer_add_u64(into, checksum64(buffer_slice(into)));
}

bool owner_row_decode(slice value, owner_row *into)
{
    cursor at = cursor_of(value);
    into->tenure = cursor_u64(&at);
    into->owner = cursor_u16(&at);
    const uint64_t sum = cursor_u64(&at);
    return cursor_finished(&at) && sum == checksum64((slice){value.data, OWNER_BODY_SIZE});
}

/* The tenure in `m owner`, 0 when there was never one. */
static engine_status read_tenure(transaction *in, slice key, tenure_id *found, sb_scope *scope)
{
    buffer value;
    buffer_init(&value);
    engine_status status = transaction_read(in, key, &value, scope);
    owner_row stored = {0};
    if (status == ENGINE_OK && !owner_row_decode(buffer_slice(&value), &stored)) {
        sb_fail("the row of the owner is damaged");
    }
    *found = stored.tenure;
    buffer_release(&value);
    return status == ENGINE_NOT_FOUND ? ENGINE_OK : status;
}

/* ------------------------------------------------------------------------------- inauguration */

static engine_status try_inaugurate(const tenure *of, transaction *in, slice key, sb_scope *scope)
{
    tenure_id found;
    const engine_status status = read_tenure(in, key, &found, scope);
    if (status != ENGINE_OK || found >= of->id) {
        transaction_rollback(in);
        return status != ENGINE_OK || found == of->id ? status : ENGINE_NOT_OWNER;
    }
    const owner_row ours = {of->id, sb_self()};
    buffer value;
    buffer_init(&value);
    owner_row_encode(&ours, &value);
    transaction_put(in, key, buffer_slice(&value));
    buffer_release(&value);
    return transaction_commit(in, NULL, scope);
}

engine_status tenure_inaugurate(const tenure *of, sb_scope *scope)
{
    buffer key;
    buffer_init(&key);
    key_owner(&key);
    backoff wait;
    backoff_init(&wait);
    engine_status status;
    do {
        transaction *in;
        status = transaction_begin(of->cluster, NO_SCHEMA, &in, scope);
        if (status == ENGINE_OK) {
            status = try_inaugurate(of, in, buffer_slice(&key), scope);
            transaction_release(in);
        }
    } while (engine_status_is_passing(status) && backoff_wait(&wait, scope) == ENGINE_OK);
    buffer_release(&key);
    return status;
}

/* ------------------------------------------------------------------------------- transactions */

static engine_status begin_locked(const tenure *of, transaction **begun, sb_scope *scope)
{
    transaction *in;
    engine_status status = transaction_begin(of->cluster, NO_SCHEMA, &in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    buffer key;
    buffer_init(&key);
    key_owner(&key);
    tenure_id found;
    status = read_tenure(in, buffer_slice(&key), &found, scope);
    if (status == ENGINE_OK && found != of->id) {
        SOMETIMES(true, "owner-meets-a-later-tenure");
        status = ENGINE_NOT_OWNER;
    }
    if (status == ENGINE_OK) {
        transaction_lock(in, buffer_slice(&key));
        *begun = in;
    } else {
        transaction_rollback(in);
        transaction_release(in);
    }
    buffer_release(&key);
    return status;
}

engine_status tenure_begin(const tenure *of, transaction **begun, sb_scope *scope)
{
    if (sb_mutex_lock(of->order, scope) != SB_OK) {
        return engine_scope_status(scope);
    }
    const engine_status status = begin_locked(of, begun, scope);
    if (status != ENGINE_OK) {
        sb_mutex_unlock(of->order);
    }
    return status;
}

engine_status tenure_commit(const tenure *of, transaction *in, sb_scope *scope)
{
    engine_status status;
    if (failpoint("owner-commit-fails")) {
        transaction_rollback(in);
        status = ENGINE_CONFLICT;
    } else {
        status = transaction_commit(in, NULL, scope);
    }
    transaction_release(in);
    sb_mutex_unlock(of->order);
    if (status == ENGINE_OK && failpoint("owner-commit-reply-is-lost")) {
        status = ENGINE_UNKNOWN;
    }
    return status;
}

void tenure_abandon(const tenure *of, transaction *in)
{
    transaction_rollback(in);
    transaction_release(in);
    sb_mutex_unlock(of->order);
}
