/*
 * Orders to stores about regions: see region_orders.h.
 */
#include "engine/placement/region_orders.h"

#include "engine/wire/method_points.h"

#define ORDER_TIMEOUT (500 * SB_MILLISECOND)

/* A region as it was when an order was begun: the table may change while the store is asked. */
typedef struct order_target {
    region_context region;
    sb_address leader;
} order_target;

static bool find_target(const placement_service *of, slice key, order_target *into)
{
    const region_description *found = region_table_find(&of->registry.regions, key);
    if (found == NULL || found->leader == 0) {
        return false;
    }
    *into = (order_target){{found->id, found->epoch}, found->leader};
    return true;
}

/* One attempt.  True: release the reply. */
static bool call_store(placement_service *of, sb_address store, wire_method method,
                       const buffer *request, sb_reply *reply)
{
    sb_scope bounded;
    sb_scope_init_timeout(&bounded, &of->scope, "order to a store", ORDER_TIMEOUT);
    const sb_status status = method_call(of->exchange, store, method, request, reply, &bounded);
    sb_scope_release(&bounded);
    return status == SB_OK;
}

/* What a store says about an order, for whoever gave it. */
static reply_status outcome(reply_status said)
{
    switch (said) {
    case REPLY_OK:
    case REPLY_NO_SPACE:
    case REPLY_NOT_FOUND:
        return said;
    default:
        return REPLY_BUSY; /* our map was outdated, or the store cannot now */
    }
}

/* One order at a time, so that they cannot fill the machine. */
static bool begin_order(placement_service *of)
{
    if (of->ordering || of->exchange == NULL || sb_scope_status(&of->scope) != SB_OK) {
        return false;
    }
    of->ordering = true;
    return true;
}

/* -------------------------------------------------------------------------------------- split */

static reply_status send_split(placement_service *of, const order_target *at, slice key,
                               region_id fresh)
{
    const order_split_request ask = {.region = at->region, .key = key, .fresh = fresh};
    order_split_reply got;
    buffer request;
    sb_reply reply;
    reply_status status = REPLY_BUSY;
    buffer_init(&request);
    order_split_request_encode(&ask, &request);
    if (call_store(of, at->leader, METHOD_ORDER_SPLIT, &request, &reply)) {
        if (order_split_reply_decode(&got, slice_of(reply.data, reply.size))) {
            (void)placement_service_learn(of, got.regions);
            status = outcome(got.head.status);
        }
        sb_reply_release(&reply);
    }
    buffer_release(&request);
    return status;
}

/* The number of the new region is on disk before a store hears of it: it is never given again. */
static reply_status order_split_at(placement_service *of, const order_target *at, slice key)
{
    if (!begin_order(of)) {
        return REPLY_BUSY;
    }
    const region_id fresh = ++of->registry.regions.last;
    of->registry.changed++;
    const reply_status status =
        placement_service_save(of) ? send_split(of, at, key, fresh) : REPLY_BUSY;
    of->ordering = false;
    return status;
}

reply_status region_order_split(placement_service *of, slice key)
{
    order_target at;
    if (key.size == 0 || key.size > KEY_SIZE_MAX) {
        return REPLY_BAD_REQUEST;
    }
    const region_description *found = region_table_find(&of->registry.regions, key);
    if (found != NULL && slice_equal(found->start, key)) {
        return REPLY_OK;
    }
    return find_target(of, key, &at) ? order_split_at(of, &at, key) : REPLY_BUSY;
}

reply_status region_order_halve(placement_service *of, slice key)
{
    order_target at;
    return find_target(of, key, &at) ? order_split_at(of, &at, (slice){0}) : REPLY_BUSY;
}

/* --------------------------------------------------------------------------------------- move */

/* The store that leads the fewest regions, but this one; 0: there is no other. */
static sb_address least_loaded(const placement_service *of, sb_address but)
{
    sb_address chosen = 0;
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < of->settings.store_count; i++) {
        const sb_address store = of->settings.stores[i];
        const uint32_t leads = region_table_led_by(&of->registry.regions, store);
        if (store != but && leads < least) {
            chosen = store;
            least = leads;
        }
    }
    return chosen;
}

static bool is_store(const placement_service *of, sb_address store)
{
    for (uint32_t i = 0; i < of->settings.store_count; i++) {
        if (of->settings.stores[i] == store) {
            return true;
        }
    }
    return false;
}

static reply_status send_move(placement_service *of, const order_target *at, sb_address to)
{
    const order_move_request ask = {.region = at->region, .to = to};
    buffer request;
    sb_reply reply;
    order_move_reply got;
    reply_status status = REPLY_BUSY;
    if (!begin_order(of)) {
        return REPLY_BUSY;
    }
    buffer_init(&request);
    order_move_request_encode(&ask, &request);
    if (call_store(of, at->leader, METHOD_ORDER_MOVE, &request, &reply)) {
        if (order_move_reply_decode(&got, slice_of(reply.data, reply.size))) {
            status = outcome(got.head.status);
        }
        sb_reply_release(&reply);
    }
    buffer_release(&request);
    of->ordering = false;
    return status;
}

reply_status region_order_move(placement_service *of, slice key, sb_address to)
{
    order_target at;
    if (!find_target(of, key, &at)) {
        return REPLY_BUSY;
    }
    const sb_address chosen = to != 0 ? to : least_loaded(of, at.leader);
    if (chosen == at.leader) {
        return REPLY_OK;
    }
    return is_store(of, chosen) ? send_move(of, &at, chosen) : REPLY_BAD_REQUEST;
}

/* -------------------------------------------------------------------------------------- merge */

static reply_status send_merge(placement_service *of, const order_target *left,
                               const order_target *right)
{
    const order_merge_request ask = {.left = left->region, .right = right->region};
    order_merge_reply got;
    buffer request;
    sb_reply reply;
    reply_status status = REPLY_BUSY;
    if (!begin_order(of)) {
        return REPLY_BUSY;
    }
    buffer_init(&request);
    order_merge_request_encode(&ask, &request);
    if (call_store(of, left->leader, METHOD_ORDER_MERGE, &request, &reply)) {
        if (order_merge_reply_decode(&got, slice_of(reply.data, reply.size))) {
            (void)placement_service_learn(of, got.regions);
            status = outcome(got.head.status);
        }
        sb_reply_release(&reply);
    }
    buffer_release(&request);
    of->ordering = false;
    return status;
}

reply_status region_order_merge(placement_service *of, slice key)
{
    const region_table *table = &of->registry.regions;
    const region_description *one = region_table_find(table, key);
    if (one == NULL || one->leader == 0) {
        return REPLY_BUSY;
    }
    if (one->end.size == 0) {
        return REPLY_NOT_FOUND;
    }
    const region_description *next = region_table_behind(table, one);
    if (next == NULL || next->leader == 0) {
        return REPLY_BUSY;
    }
    const order_target left = {{one->id, one->epoch}, one->leader};
    const order_target right = {{next->id, next->epoch}, next->leader};
    if (left.leader == right.leader) {
        return send_merge(of, &left, &right);
    }
    const reply_status moved = send_move(of, &right, left.leader);
    return moved == REPLY_NO_SPACE ? moved : REPLY_BUSY;
}

/* -------------------------------------------------------------------------------------- asked */

void answer_split(placement_service *of, slice body, buffer *bytes)
{
    split_region_request asked;
    split_region_reply reply = {0};
    reply.head.status = split_region_request_decode(&asked, body)
                            ? region_order_split(of, asked.key)
                            : REPLY_BAD_REQUEST;
    split_region_reply_encode(&reply, bytes);
}

void answer_merge(placement_service *of, slice body, buffer *bytes)
{
    merge_regions_request asked;
    merge_regions_reply reply = {0};
    reply.head.status = merge_regions_request_decode(&asked, body)
                            ? region_order_merge(of, asked.key)
                            : REPLY_BAD_REQUEST;
    merge_regions_reply_encode(&reply, bytes);
}

void answer_move(placement_service *of, slice body, buffer *bytes)
{
    move_leader_request asked;
    move_leader_reply reply = {0};
    reply.head.status = move_leader_request_decode(&asked, body)
                            ? region_order_move(of, asked.key, asked.to)
                            : REPLY_BAD_REQUEST;
    move_leader_reply_encode(&reply, bytes);
}
