/*
 * Orders of placement about regions: split, merge, and the first step of a move.
 *
 * Each is one record, decided and applied between two calls through door 1, in the epoch that the
 * order names or not at all; so a late copy of an order changes nothing.
 */
#include "engine/counters.h"
#include "engine/storage/command.h"
#include "engine/storage/region_file.h"
#include "engine/storage/region_moves.h"

/* A larger region is not moved: it has to be uploaded as one file. */
#define MOVED_SIZE_MAX (UPLOAD_SIZE_MAX / 2)

/* Wait for the record, so that what the lifecycle says is true; then everybody may know. */
static void changed(command *of, region_id id, region_phase from, region_phase to)
{
    if (store_wait(of->service->store, of->after)) {
        sb_machine_move(&region_machine, id, from, to);
        sb_condition_broadcast(&of->service->regions_changed);
    }
}

static void pack_held(const command *of, region_id id, packing *list)
{
    const region *one = region_set_find(&of->service->store->state.regions, id);
    if (one != NULL && region_is_held(one)) {
        const region_description about = region_describe(of->service, one);
        pack_region(list, &about);
    }
}

/* -------------------------------------------------------------------------------------- split */

/* The key at which half of the content is passed; empty when no key of the region will do. */
static slice middle_of(const store_state *state, const region *of)
{
    const uint64_t half = region_size(state, of->start, of->end).bytes / 2;
    uint64_t passed = 0;
    ordered_map_cursor at = ordered_map_seek(&state->data.entries, of->start);
    for (; ordered_map_valid(&at); ordered_map_next(&at)) {
        const slice key = ordered_map_key(&at);
        if (!key_in_range(key, of->start, of->end)) {
            break;
        }
        if (passed >= half && passed > 0 && slice_compare(key, of->start) > 0) {
            return key;
        }
        passed += ((const entry *)ordered_map_value(&at))->size;
    }
    return (slice){0};
}

static reply_status split(command *of, const order_split_request *request, reply_head *head)
{
    store *at = of->service->store;
    const region *one = NULL;
    slice key = request->key;
    reply_status status = command_region(of, &request->region, head, &one);
    if (status != REPLY_OK) {
        return status;
    }
    if (request->fresh == 0 || region_set_find(&at->state.regions, request->fresh) != NULL) {
        return REPLY_BAD_REQUEST;
    }
    if (key.size == 0) {
        key = middle_of(&at->state, one);
        if (key.size == 0) {
            return REPLY_NOT_FOUND;
        }
    }
    if (slice_equal(key, one->start) || command_key(one, key) != REPLY_OK) {
        return REPLY_OUTSIDE_REGION;
    }
    record_split(store_record(at), request->region.id, request->fresh, key);
    command_depends_on(of, store_apply(at));
    sb_count(COUNTER_region_splits, 1);
    return REPLY_OK;
}

void command_order_split(command *of)
{
    order_split_request request;
    order_split_reply reply = {0};
    packing list;
    packing_init(&list);
    reply.head.status = order_split_request_decode(&request, of->body)
                            ? split(of, &request, &reply.head)
                            : REPLY_BAD_REQUEST;
    if (reply.head.status == REPLY_OK) {
        pack_held(of, request.region.id, &list);
        pack_held(of, request.fresh, &list);
        reply.regions = packing_list(&list);
    }
    order_split_reply_encode(&reply, of->reply);
    if (reply.head.status == REPLY_OK) {
        changed(of, request.fresh, REGION_UNKNOWN, REGION_SERVING);
    }
    packing_release(&list);
}

/* -------------------------------------------------------------------------------------- merge */

static reply_status merge(command *of, const order_merge_request *request, reply_head *head)
{
    store *at = of->service->store;
    const region *left = NULL, *right = NULL;
    reply_status status = command_region(of, &request->left, head, &left);
    if (status == REPLY_OK) {
        status = command_region(of, &request->right, head, &right);
    }
    if (status == REPLY_OK && region_set_behind(&at->state.regions, left) != right) {
        status = REPLY_OUTSIDE_REGION;
    }
    if (status == REPLY_OK) {
        record_merge(store_record(at), request->left.id, request->right.id);
        command_depends_on(of, store_apply(at));
        sb_count(COUNTER_region_merges, 1);
    }
    return status;
}

void command_order_merge(command *of)
{
    order_merge_request request;
    order_merge_reply reply = {0};
    packing list;
    packing_init(&list);
    reply.head.status = order_merge_request_decode(&request, of->body)
                            ? merge(of, &request, &reply.head)
                            : REPLY_BAD_REQUEST;
    if (reply.head.status == REPLY_OK) {
        pack_held(of, request.left.id, &list);
        reply.regions = packing_list(&list);
    }
    order_merge_reply_encode(&reply, of->reply);
    if (reply.head.status == REPLY_OK) {
        changed(of, request.right.id, REGION_SERVING, REGION_GONE);
    }
    packing_release(&list);
}

/* --------------------------------------------------------------------------------------- move */

static reply_status leave(command *of, const order_move_request *request, reply_head *head)
{
    store *at = of->service->store;
    const region *one = NULL;
    reply_status status = command_region(of, &request->region, head, &one);
    if (status != REPLY_OK) {
        return status;
    }
    if (request->to == 0 || request->to == sb_self()) {
        return REPLY_BAD_REQUEST;
    }
    if (!of->service->started) {
        return REPLY_STARTING;
    }
    if (region_size(&at->state, one->start, one->end).bytes > MOVED_SIZE_MAX) {
        return REPLY_NO_SPACE;
    }
    record_leave(store_record(at), request->region.id, request->to);
    command_depends_on(of, store_apply(at));
    return REPLY_OK;
}

void command_order_move(command *of)
{
    order_move_request request;
    order_move_reply reply = {0};
    reply.head.status = order_move_request_decode(&request, of->body)
                            ? leave(of, &request, &reply.head)
                            : REPLY_BAD_REQUEST;
    order_move_reply_encode(&reply, of->reply);
    if (reply.head.status == REPLY_OK) {
        region_move_start(of->service, request.region.id);
        changed(of, request.region.id, REGION_SERVING, REGION_LEAVING);
    }
}
