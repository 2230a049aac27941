/*
 * Reads: a key, or a range of keys, as of a timestamp.
 *
 * A lock that could still commit at or before the timestamp stops a read, and is handed to the
 * reader, who asks for its fate (Peng and Dabek, section 2.2, Get).  Below the safe point nothing
 * is read: what was there may have been collected.
 *
 * A reader whose session is fenced is refused, like a writer: the owner has gone on without it, so
 * the index that its schema takes for public may have lost entries, or its whole range.
 */
#include "engine/storage/command.h"

/* Whether this reader may read of this region, as it is served here. */
static reply_status admit(command *of, const region_context *context, const session_context *by,
                          reply_head *head, const region **within)
{
    const reply_status status = command_region(of, context, head, within);
    return status == REPLY_OK ? command_session(of, by->server, by->session, head) : status;
}

static reply_status get(command *of, const get_request *request, get_reply *reply)
{
    const region *within = NULL;
    reply_status status = admit(of, &request->region, &request->by, &reply->head, &within);
    if (status == REPLY_OK) {
        status = request->at == 0 ? REPLY_BAD_REQUEST : command_key(within, request->key);
    }
    if (status == REPLY_OK && command_is_too_old(of, request->at, &reply->head)) {
        status = REPLY_TOO_OLD;
    }
    if (status != REPLY_OK) {
        return status;
    }
    const entry *found = command_find(of, request->key);
    if (found == NULL) {
        return REPLY_OK;
    }
    if (entry_lock_before(found, request->at) != NULL) {
        reply->head.lock = command_lock(found);
        return REPLY_LOCKED;
    }
    const version *read = entry_read(found, request->at);
    if (read != NULL && read->kind == VERSION_PUT) {
        reply->found = true;
        reply->commit = read->commit;
        reply->value = version_value(read);
    }
    return REPLY_OK;
}

void command_get(command *of)
{
    get_request request;
    get_reply reply = {0};
    reply.head.status =
        get_request_decode(&request, of->body) ? get(of, &request, &reply) : REPLY_BAD_REQUEST;
    get_reply_encode(&reply, of->reply);
}

/* ----------------------------------------------------------------------------------- versions */

/* What a reader at `at` finds under the key; NULL: nobody has touched it. */
static version_description describe(const entry *found, timestamp at)
{
    const version *read = found != NULL ? entry_read(found, at) : NULL;
    if (read == NULL) {
        return (version_description){.commit = 0};
    }
    const bool there = read->kind == VERSION_PUT;
    return (version_description){
        .commit = read->commit, .there = there, .value = version_value(read)};
}

static reply_status get_versions(command *of, const get_versions_request *request,
                                 packing *versions, reply_head *head)
{
    const region *within = NULL;
    slice key;
    reply_status status = admit(of, &request->region, &request->by, head, &within);
    if (status == REPLY_OK) {
        status = command_keys(within, request->keys);
    }
    if (status == REPLY_OK && (request->at == 0 || request->keys.count > KEYS_AT_ONCE_MAX)) {
        status = REPLY_BAD_REQUEST;
    }
    if (status == REPLY_OK && command_is_too_old(of, request->at, head)) {
        status = REPLY_TOO_OLD;
    }
    for (cursor from = packed_cursor(request->keys);
         status == REPLY_OK && versions->bytes.size < SCAN_BYTES_MAX && unpack_key(&from, &key);) {
        const entry *found = command_find(of, key);
        if (found != NULL && entry_lock_before(found, request->at) != NULL) {
            head->lock = command_lock(found);
            return REPLY_LOCKED;
        }
        const version_description seen = describe(found, request->at);
        pack_version(versions, &seen);
    }
    return status;
}

void command_get_versions(command *of)
{
    get_versions_request request;
    get_versions_reply reply = {0};
    packing versions;
    packing_init(&versions);
    reply.head.status = get_versions_request_decode(&request, of->body)
                            ? get_versions(of, &request, &versions, &reply.head)
                            : REPLY_BAD_REQUEST;
    if (reply.head.status == REPLY_OK) {
        reply.versions = packing_list(&versions);
    }
    get_versions_reply_encode(&reply, of->reply);
    packing_release(&versions);
}

/* --------------------------------------------------------------------------------------- scan */

/* The pairs of [start, end) into the list, until the limit: then reply->next is where to go on. */
static reply_status scan_entries(command *of, const scan_request *request, slice end,
                                 packing *pairs, scan_reply *reply)
{
    const store_state *state = &of->service->store->state;
    command_depends_on(of, state->deletion);
    ordered_map_cursor at = ordered_map_seek(&state->data.entries, request->start);
    for (; ordered_map_valid(&at); ordered_map_next(&at)) {
        const entry *one = ordered_map_value(&at);
        const slice key = entry_key(one);
        if (end.size > 0 && slice_compare(key, end) >= 0) {
            break;
        }
        if (pairs->count == request->limit || pairs->bytes.size >= SCAN_BYTES_MAX) {
            reply->more = true;
            reply->next = key;
            break;
        }
        command_depends_on(of, one->sequence);
        if (entry_lock_before(one, request->at) != NULL) {
            reply->head.lock = command_lock(one);
            return REPLY_LOCKED;
        }
        const version *read = entry_read(one, request->at);
        if (read != NULL && read->kind == VERSION_PUT) {
            pack_pair(pairs, key, version_value(read));
        }
    }
    return REPLY_OK;
}

static reply_status scan(command *of, const scan_request *request, packing *pairs,
                         scan_reply *reply)
{
    const region *within = NULL;
    slice end = request->end;
    reply_status status = admit(of, &request->region, &request->by, &reply->head, &within);
    if (status == REPLY_OK) {
        status = command_range(within, request->start, &end);
    }
    if (status == REPLY_OK &&
        (request->at == 0 || request->limit == 0 || request->limit > SCAN_LIMIT_MAX)) {
        status = REPLY_BAD_REQUEST;
    }
    if (status == REPLY_OK && command_is_too_old(of, request->at, &reply->head)) {
        SOMETIMES(true, "a scan below the safe point is refused");
        status = REPLY_TOO_OLD;
    }
    return status == REPLY_OK ? scan_entries(of, request, end, pairs, reply) : status;
}

void command_scan(command *of)
{
    scan_request request;
    scan_reply reply = {0};
    packing pairs;
    packing_init(&pairs);
    reply.head.status = scan_request_decode(&request, of->body) ? scan(of, &request, &pairs, &reply)
                                                                : REPLY_BAD_REQUEST;
    if (reply.head.status == REPLY_OK) {
        reply.pairs = packing_list(&pairs);
    }
    scan_reply_encode(&reply, of->reply);
    packing_release(&pairs);
}
