/*
 * A store at work: see storage_service.h.
 */
#include "engine/storage/storage_service.h"

#include "engine/storage/command.h"
#include "engine/storage/region_moves.h"
#include "engine/wire/method_points.h"

void storage_service_init(storage_service *of, store *at, const storage_settings *settings)
{
    *of = (storage_service){.store = at, .settings = *settings};
    of->settings.ingest_pairs_max =
        settings->ingest_pairs_max > 0 ? settings->ingest_pairs_max : UINT64_MAX;
    of->exchange = NULL;
    of->started = false;
    uploads_init(&of->uploads);
    sb_scope_init(&of->scope, NULL, "storage service");
    sb_wait_group_init(&of->tasks, "tasks of the storage service");
    sb_condition_init(&of->regions_changed, "regions to change");
}

void storage_service_start(storage_service *of, sb_exchange *exchange)
{
    of->exchange = exchange;
    region_moves_resume(of);
    of->started = true;
    region_reporter_start(of);
}

void storage_service_stop(storage_service *of)
{
    sb_scope_cancel(&of->scope);
    (void)sb_wait_group_wait(&of->tasks, NULL);
}

bool storage_call(storage_service *of, sb_address to, wire_method method, const buffer *request,
                  uint32_t attempt, sb_reply *reply)
{
    return method_attempt(of->exchange, to, method, request, attempt, reply, &of->scope) == SB_OK;
}

void storage_service_watch(storage_service *of, storage_watcher *watcher, void *context)
{
    of->watcher = watcher;
    of->watcher_context = context;
}

void storage_service_release(storage_service *of)
{
    uploads_release(&of->uploads);
    sb_condition_release(&of->regions_changed);
    sb_wait_group_release(&of->tasks);
    sb_scope_release(&of->scope);
}

bool storage_is_full(const storage_service *of)
{
    return of->settings.capacity > 0 && of->store->state.data.size >= of->settings.capacity;
}

/* --------------------------------------------------------------- what commands have in common */

entry *command_find(command *of, slice key)
{
    const store_state *state = &of->service->store->state;
    entry *found = mvcc_find(&state->data, key);
    command_depends_on(of, found != NULL ? found->sequence : state->deletion);
    return found;
}

reply_status command_session(command *of, sb_address server, session_id session, reply_head *head)
{
    const fence *known = store_state_fence(&of->service->store->state, server);
    if (known == NULL || session == 0 || session >= known->least) {
        return REPLY_OK;
    }
    command_depends_on(of, known->sequence);
    head->session = known->least;
    SOMETIMES(true, "a store refuses a fenced session");
    return REPLY_FENCED;
}

reply_status command_region(command *of, const region_context *context, reply_head *head,
                            const region **found)
{
    const region_set *regions = &of->service->store->state.regions;
    if (failpoint("storage-region-error")) {
        return REPLY_EPOCH_NOT_MATCH;
    }
    if (failpoint("storage-is-busy")) {
        return REPLY_BUSY;
    }
    const region *one = region_set_find(regions, context->id);
    command_depends_on(of, one != NULL ? one->sequence : regions->changed);
    *found = one;
    if (one == NULL || one->phase == REGION_REFUSED ||
        (one->phase == REGION_GONE && one->to == 0)) {
        return REPLY_REGION_NOT_FOUND;
    }
    if (one->phase == REGION_SERVING) {
        return one->epoch == context->epoch ? REPLY_OK : REPLY_EPOCH_NOT_MATCH;
    }
    head->leader = one->to;
    head->epoch = one->phase == REGION_LEAVING ? one->epoch + 1 : one->epoch;
    return REPLY_NOT_LEADER;
}

bool command_is_too_old(command *of, timestamp at, reply_head *head)
{
    const store_state *state = &of->service->store->state;
    if (at >= state->safe_point) {
        return false;
    }
    command_depends_on(of, state->guarded);
    head->at = state->safe_point;
    return true;
}

reply_status command_key(const region *within, slice key)
{
    if (key.size == 0 || key.size > KEY_SIZE_MAX) {
        return REPLY_BAD_REQUEST;
    }
    return key_in_range(key, within->start, within->end) ? REPLY_OK : REPLY_OUTSIDE_REGION;
}

reply_status command_keys(const region *within, packed_keys keys)
{
    reply_status status = keys.count > 0 ? REPLY_OK : REPLY_BAD_REQUEST;
    slice key;
    for (cursor at = packed_cursor(keys); status == REPLY_OK && unpack_key(&at, &key);) {
        status = command_key(within, key);
    }
    return status;
}

reply_status command_range(const region *within, slice start, slice *end)
{
    if (end->size > 0 && slice_compare(start, *end) >= 0) {
        return REPLY_BAD_REQUEST;
    }
    if (!key_in_range(start, within->start, within->end)) {
        return REPLY_OUTSIDE_REGION;
    }
    if (end->size == 0) {
        *end = within->end;
        return REPLY_OK;
    }
    return within->end.size > 0 && slice_compare(*end, within->end) > 0 ? REPLY_OUTSIDE_REGION
                                                                        : REPLY_OK;
}

lock_description command_lock(const entry *of)
{
    return (lock_description){.key = entry_key(of),
                              .primary = version_primary(of->lock),
                              .start = of->lock->start,
                              .ttl_ms = of->lock->ttl_ms};
}

/* ----------------------------------------------------------------------------------- dispatch */

static bool run(command *of, uint16_t method)
{
    switch (method) {
    case METHOD_GET:
        command_get(of);
        return true;
    case METHOD_GET_VERSIONS:
        command_get_versions(of);
        return true;
    case METHOD_SCAN:
        command_scan(of);
        return true;
    case METHOD_PREWRITE:
        command_prewrite(of);
        return true;
    case METHOD_COMMIT:
        command_commit(of);
        return true;
    case METHOD_ROLLBACK:
        command_rollback(of);
        return true;
    case METHOD_CHECK_STATUS:
        command_check_status(of);
        return true;
    case METHOD_RESOLVE:
        command_resolve(of);
        return true;
    case METHOD_FENCE:
        command_fence(of);
        return true;
    case METHOD_UPLOAD:
        command_upload(of);
        return true;
    case METHOD_INGEST:
        command_ingest(of);
        return true;
    case METHOD_DELETE_RANGE:
        command_delete_range(of);
        return true;
    case METHOD_ORDER_SPLIT:
        command_order_split(of);
        return true;
    case METHOD_ORDER_MERGE:
        command_order_merge(of);
        return true;
    case METHOD_ORDER_MOVE:
        command_order_move(of);
        return true;
    case METHOD_INSTALL_REGION:
        command_install_region(of);
        return true;
    case METHOD_GUARD:
        command_guard(of);
        return true;
    case METHOD_FIND_LOCK:
        command_find_lock(of);
        return true;
    case METHOD_COLLECT:
        command_collect(of);
        return true;
    default:
        return false; /* not for a store: the caller is left to its deadline */
    }
}

void storage_service_handle(void *service, const sb_request *request)
{
    storage_service *of = service;
    buffer reply;
    if (failpoint("storage-request-lost")) {
        return;
    }
    buffer_init(&reply);
    command one = {.service = of, .body = slice_of(request->data, request->size), .reply = &reply};
    if (run(&one, request->method) && store_wait(of->store, one.after)) {
        if (one.decision.kind != DECISION_NONE && of->watcher != NULL) {
            one.decision.keys = buffer_slice(&one.ingested);
            of->watcher(of->watcher_context, &one.decision);
        }
        if (!failpoint("storage-answer-lost")) {
            sb_answer(request, reply.data, reply.size);
        }
    }
    buffer_release(&one.ingested);
    buffer_release(&reply);
}
