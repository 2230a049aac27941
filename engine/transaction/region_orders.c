/*
 * Asking placement to change regions: see region_orders.h.
 */
#include "engine/transaction/region_orders.h"

#include "engine/transaction/route.h"

static engine_status ask(cluster *of, wire_method method, const buffer *request, sb_scope *scope)
{
    sb_reply reply;
    engine_status status = cluster_ask(of, method, request, &reply, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    switch (reply_status_of(&reply)) {
    case REPLY_OK:
        break;
    case REPLY_NOT_FOUND:
        status = ENGINE_NOT_FOUND;
        break;
    default:
        status = ENGINE_FAILED;
        break;
    }
    sb_reply_release(&reply);
    return status;
}

engine_status cluster_split_region(cluster *of, slice key, sb_scope *scope)
{
    const split_region_request asked = {.key = key};
    buffer request;
    buffer_init(&request);
    split_region_request_encode(&asked, &request);
    const engine_status status = ask(of, METHOD_SPLIT_REGION, &request, scope);
    buffer_release(&request);
    return status;
}

engine_status cluster_merge_regions(cluster *of, slice key, sb_scope *scope)
{
    const merge_regions_request asked = {.key = key};
    buffer request;
    buffer_init(&request);
    merge_regions_request_encode(&asked, &request);
    const engine_status status = ask(of, METHOD_MERGE_REGIONS, &request, scope);
    buffer_release(&request);
    return status;
}

engine_status cluster_move_leader(cluster *of, slice key, sb_address to, sb_scope *scope)
{
    const move_leader_request asked = {.key = key, .to = to};
    buffer request;
    buffer_init(&request);
    move_leader_request_encode(&asked, &request);
    const engine_status status = ask(of, METHOD_MOVE_LEADER, &request, scope);
    buffer_release(&request);
    return status;
}
