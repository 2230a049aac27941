/*
 * The safe point at a store: guard it, find what still stands below it, collect (garbage.h).
 *
 * A store does so many keys at once that no request holds it up for long.
 */
#include "engine/counters.h"
#include "engine/storage/command.h"
#include "engine/storage/garbage.h"

#define KEYS_AT_ONCE 1024u
#define PARTIAL_KEYS 16u /* that an injected partial collection looks at */
#define TRIES_MAX 4u

/* -------------------------------------------------------------------------------------- guard */

static reply_status guard(command *of, const guard_request *request, timestamp *safe_point)
{
    store *at = of->service->store;
    if (request->safe_point == 0 || request->safe_point >= TIMESTAMP_MAX) {
        return REPLY_BAD_REQUEST;
    }
    if (at->state.safe_point < request->safe_point) {
        record_guard(store_record(at), request->safe_point);
        (void)store_apply(at);
    }
    command_depends_on(of, at->state.guarded);
    *safe_point = at->state.safe_point;
    return REPLY_OK;
}

void command_guard(command *of)
{
    guard_request request;
    guard_reply reply = {0};
    reply.head.status = guard_request_decode(&request, of->body)
                            ? guard(of, &request, &reply.safe_point)
                            : REPLY_BAD_REQUEST;
    guard_reply_encode(&reply, of->reply);
}

/* ---------------------------------------------------------------------------------- find lock */

static reply_status find_lock(command *of, const find_lock_request *request, reply_head *head)
{
    const store_state *state = &of->service->store->state;
    const region *within = NULL;
    slice end = {NULL, 0};
    reply_status status = command_region(of, &request->region, head, &within);
    if (status == REPLY_OK) {
        status = command_range(within, request->start, &end);
    }
    if (status != REPLY_OK) {
        return status;
    }
    ordered_map_cursor at = ordered_map_seek(&state->data.entries, request->start);
    for (; ordered_map_valid(&at); ordered_map_next(&at)) {
        const entry *one = ordered_map_value(&at);
        if (!key_in_range(entry_key(one), request->start, end)) {
            break;
        }
        if (one->lock != NULL && one->lock->start < request->before) {
            command_depends_on(of, one->sequence);
            head->lock = command_lock(one);
            return REPLY_LOCKED;
        }
    }
    /* That they are gone must outlive a crash: it may have been any record that took them away. */
    command_depends_on(of, state->applied);
    return REPLY_OK;
}

void command_find_lock(command *of)
{
    find_lock_request request;
    find_lock_reply reply = {0};
    reply.head.status = find_lock_request_decode(&request, of->body)
                            ? find_lock(of, &request, &reply.head)
                            : REPLY_BAD_REQUEST;
    find_lock_reply_encode(&reply, of->reply);
}

/* ------------------------------------------------------------------------------------ collect */

/* What is to go, and where the region goes on behind it. */
typedef struct collection {
    uint32_t most; /* keys that are looked at */
    slice end;     /* of the region, or of what is looked at */
    buffer found, next;
    bool any;
} collection;

static reply_status look(command *of, const collect_request *request, reply_head *head,
                         collection *into)
{
    const store_state *state = &of->service->store->state;
    const region *within = NULL;
    into->end = (slice){NULL, 0};
    reply_status status = command_region(of, &request->region, head, &within);
    if (status == REPLY_OK) {
        status = command_range(within, request->start, &into->end);
    }
    if (status == REPLY_OK && request->safe_point > state->safe_point) {
        status = REPLY_BAD_REQUEST; /* not guarded here, so a reader could still ask */
    }
    if (status == REPLY_OK) {
        buffer_clear(&into->found);
        into->any = garbage_find(&state->data, request->start, into->end, request->safe_point,
                                 into->most, &into->found, &into->next);
        if (into->next.size > 0) {
            into->end = buffer_slice(&into->next);
        }
    }
    return status;
}

/* Whoever watches hears of it first; he may let others run, so look again until he has been told of
 * what is there. */
static reply_status tell(command *of, const collect_request *request, reply_head *head,
                         collection *what)
{
    storage_service *service = of->service;
    buffer told;
    buffer_init(&told);
    reply_status status = look(of, request, head, what);
    bool is_told = service->watcher == NULL;
    for (uint32_t i = 0; status == REPLY_OK && what->any && !is_told; i++) {
        if (i == TRIES_MAX) {
            status = REPLY_BUSY;
            break;
        }
        const storage_decision about = {.kind = DECISION_COLLECT,
                                        .start = request->safe_point,
                                        .keys = buffer_slice(&what->found)};
        buffer_clear(&told);
        buffer_add(&told, what->found.data, what->found.size);
        service->watcher(service->watcher_context, &about);
        status = look(of, request, head, what);
        is_told = slice_equal(buffer_slice(&told), buffer_slice(&what->found));
    }
    buffer_release(&told);
    return status;
}

static reply_status collect(command *of, const collect_request *request, reply_head *head,
                            collection *what)
{
    store *at = of->service->store;
    const reply_status status = tell(of, request, head, what);
    if (status == REPLY_OK && what->any) {
        const uint64_t before = at->state.data.size;
        record_collect(store_record(at), request->safe_point, request->start, what->end);
        command_depends_on(of, store_apply(at));
        sb_count(COUNTER_bytes_collected, before - at->state.data.size);
        SOMETIMES(what->next.size > 0, "a region is collected in parts");
    }
    return status;
}

void command_collect(command *of)
{
    collect_request request;
    collect_reply reply = {0};
    const bool partial = failpoint("storage-collects-in-part");
    collection what = {.most = partial ? PARTIAL_KEYS : KEYS_AT_ONCE};
    buffer_init(&what.found);
    buffer_init(&what.next);
    reply.head.status = collect_request_decode(&request, of->body)
                            ? collect(of, &request, &reply.head, &what)
                            : REPLY_BAD_REQUEST;
    reply.next = buffer_slice(&what.next);
    collect_reply_encode(&reply, of->reply);
    buffer_release(&what.next);
    buffer_release(&what.found);
}
