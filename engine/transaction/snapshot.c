/*
 * Reads at a timestamp: one key, or a range that may lie in many regions.
 *
 * A lock that could commit at or before the timestamp hides what the snapshot is, so the reader
 * learns the fate of its transaction (locks.c) and asks again; while that is undecided it waits.
 * Below the safe point there is no snapshot any more: ENGINE_TOO_OLD.
 */
#include "engine/transaction/cluster.h"

#include <string.h>

/* A lock stands in the way: see to it, or wait a little. */
static engine_status pass_lock(cluster *of, const lock_description *lock, backoff *wait,
                               sb_scope *scope)
{
    bool alive = false;
    const engine_status status = lock_resolve(of, lock, &alive, scope);
    if (status == ENGINE_OK && alive) {
        return backoff_wait(wait, scope);
    }
    return status;
}

/* A reply that is neither an answer nor a lock.  ENGINE_OK: ask again. */
static engine_status meet_trouble(route *way, reply_status said, snapshot at)
{
    if (said == REPLY_FENCED) {
        SOMETIMES(true, "a-read-is-fenced");
        cluster_note_fenced(way->of, at.session);
        return ENGINE_FENCED;
    }
    route_trouble(way, said);
    return ENGINE_OK;
}

static session_context session_of(snapshot at)
{
    return (session_context){.server = sb_self(), .session = at.session};
}

/* ------------------------------------------------------------------------------------ one key */

typedef enum answer { ANSWER_DONE, ANSWER_AGAIN } answer;

/* Take in one reply to a get.  ANSWER_AGAIN with *status ENGINE_OK: ask again. */
static answer take_get(route *way, const sb_reply *reply, snapshot at, backoff *locked,
                       buffer *value, engine_status *status)
{
    get_reply got;
    if (!get_reply_decode(&got, slice_of(reply->data, reply->size))) {
        route_trouble(way, REPLY_CORRUPT);
        return ANSWER_AGAIN;
    }
    switch (got.head.status) {
    case REPLY_OK:
        if (!got.found) {
            *status = ENGINE_NOT_FOUND;
            return ANSWER_DONE;
        }
        buffer_clear(value);
        buffer_add(value, got.value.data, got.value.size);
        return ANSWER_DONE;
    case REPLY_LOCKED:
        *status = pass_lock(way->of, &got.head.lock, locked, way->scope);
        return ANSWER_AGAIN;
    case REPLY_TOO_OLD:
        *status = ENGINE_TOO_OLD;
        return ANSWER_DONE;
    default:
        *status = meet_trouble(way, got.head.status, at);
        return ANSWER_AGAIN;
    }
}

engine_status snapshot_read(cluster *of, snapshot at, slice key, buffer *value, sb_scope *scope)
{
    sb_assert_op(at.at, >, 0);
    get_request ask = {.by = session_of(at), .at = at.at, .key = key};
    buffer request;
    buffer_init(&request);
    backoff locked;
    backoff_init(&locked);
    route way;
    route_init(&way, of, scope);
    engine_status status;
    while ((status = route_find(&way, key)) == ENGINE_OK) {
        ask.region = (region_context){way.region->id, way.region->epoch};
        get_request_encode(&ask, &request);
        sb_reply reply;
        if (!route_send(&way, METHOD_GET, &request, &reply)) {
            continue;
        }
        const answer taken = take_get(&way, &reply, at, &locked, value, &status);
        sb_reply_release(&reply);
        if (taken == ANSWER_DONE || status != ENGINE_OK) {
            break;
        }
    }
    route_release(&way);
    buffer_release(&request);
    return status;
}

engine_status cluster_read(cluster *of, timestamp at, slice key, buffer *value, sb_scope *scope)
{
    return snapshot_read(of, (snapshot){.at = at}, key, value, scope);
}

engine_status cluster_get(cluster *of, timestamp at, slice key, slice *value, sb_scope *scope)
{
    buffer bytes;
    buffer_init(&bytes);
    const engine_status status = cluster_read(of, at, key, &bytes, scope);
    if (status == ENGINE_OK) {
        *value = slice_copy(buffer_slice(&bytes));
    }
    buffer_release(&bytes);
    return status;
}

/* ----------------------------------------------------------------------------------- versions */

/* Into the list.  Its bytes move while they grow, so the values learn their places at the end. */
static void collect_version(version_list *into, const version_description *one)
{
    into->versions[into->count++] =
        (key_version){.commit = one->commit, .there = one->there, .value = {NULL, one->value.size}};
    buffer_add(&into->bytes, one->value.data, one->value.size);
}

static void place_values(version_list *list)
{
    const unsigned char *at = list->bytes.data;
    for (uint32_t i = 0; i < list->count; i++) {
        list->versions[i].value.data = at;
        at += list->versions[i].value.size;
    }
}

/* Take in one reply, to a request for `asked` keys.  What is missing is asked for again. */
static engine_status take_versions(route *way, const sb_reply *reply, snapshot at, uint32_t asked,
                                   version_list *into, backoff *locked)
{
    get_versions_reply got;
    if (!get_versions_reply_decode(&got, slice_of(reply->data, reply->size)) ||
        got.versions.count > asked) {
        route_trouble(way, REPLY_CORRUPT);
        return ENGINE_OK;
    }
    if (got.head.status == REPLY_LOCKED) {
        return pass_lock(way->of, &got.head.lock, locked, way->scope);
    }
    if (got.head.status == REPLY_TOO_OLD) {
        return ENGINE_TOO_OLD;
    }
    if (got.head.status != REPLY_OK) {
        return meet_trouble(way, got.head.status, at);
    }
    version_description one;
    for (cursor from = packed_cursor(got.versions); unpack_version(&from, &one);) {
        collect_version(into, &one);
    }
    return ENGINE_OK;
}

/* The keys from the first on that lie in its region, as far as one request goes. */
static uint32_t pack_neighbours(const region_description *region, const slice *keys, uint32_t count,
                                packing *list)
{
    packing_clear(list);
    while (list->count < count && list->count < KEYS_AT_ONCE_MAX &&
           key_in_range(keys[list->count], region->start, region->end)) {
        pack_key(list, keys[list->count]);
    }
    return list->count;
}

engine_status snapshot_read_versions(cluster *of, snapshot at, const slice *keys, uint32_t count,
                                     version_list *found, sb_scope *scope)
{
    sb_assert_op(at.at, >, 0);
    *found = (version_list){.versions = sb_alloc((count + 1) * sizeof(key_version))};
    packing list;
    packing_init(&list);
    buffer request;
    buffer_init(&request);
    backoff locked;
    backoff_init(&locked);
    route way;
    route_init(&way, of, scope);
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && found->count < count) {
        const slice *rest = keys + found->count;
        status = route_find(&way, rest[0]);
        if (status != ENGINE_OK) {
            break;
        }
        const uint32_t asked = pack_neighbours(way.region, rest, count - found->count, &list);
        const get_versions_request ask = {.region = {way.region->id, way.region->epoch},
                                          .by = session_of(at),
                                          .at = at.at,
                                          .keys = packing_list(&list)};
        get_versions_request_encode(&ask, &request);
        sb_reply reply;
        if (!route_send(&way, METHOD_GET_VERSIONS, &request, &reply)) {
            continue;
        }
        status = take_versions(&way, &reply, at, asked, found, &locked);
        sb_reply_release(&reply);
    }
    route_release(&way);
    buffer_release(&request);
    packing_release(&list);
    if (status == ENGINE_OK) {
        place_values(found);
    } else {
        version_list_release(found);
    }
    return status;
}

engine_status cluster_read_versions(cluster *of, timestamp at, const slice *keys, uint32_t count,
                                    version_list *found, sb_scope *scope)
{
    return snapshot_read_versions(of, (snapshot){.at = at}, keys, count, found, scope);
}

void version_list_release(version_list *of)
{
    sb_free(of->versions);
    buffer_release(&of->bytes);
    *of = (version_list){0};
}

/* ------------------------------------------------------------------------------------- ranges */

/* A list under construction.  Its bytes move while they grow, so the pairs learn their places at
 * the end: they lie one behind the other. */
typedef struct collecting {
    pair_list *list;
    uint32_t room; /* of list->pairs */
    uint32_t limit;
} collecting;

static void collect_pair(collecting *into, slice key, slice value)
{
    pair_list *list = into->list;
    sb_assert_op(list->count, <, into->limit);
    if (list->count == into->room) {
        into->room = into->room == 0 ? 16 : into->room * 2;
        const size_t size = into->room * sizeof(*list->pairs);
        list->pairs = list->pairs == NULL ? sb_alloc(size) : sb_realloc(list->pairs, size);
    }
    list->pairs[list->count++] = (pair){{NULL, key.size}, {NULL, value.size}};
    buffer_add(&list->bytes, key.data, key.size);
    buffer_add(&list->bytes, value.data, value.size);
}

static void place_pairs(pair_list *list)
{
    const unsigned char *at = list->bytes.data;
    for (uint32_t i = 0; i < list->count; i++) {
        list->pairs[i].key.data = at;
        at += list->pairs[i].key.size;
        list->pairs[i].value.data = at;
        at += list->pairs[i].value.size;
    }
    sb_assert(at == list->bytes.data + list->bytes.size);
}

/* Where the scan goes on after this reply, into list->next; false when it has seen the whole
 * range. */
static bool scan_advance(const route *way, const scan_reply *got, slice end, buffer *next)
{
    const slice onward = got->more ? got->next : way->region->end;
    if (onward.size == 0 || (end.size > 0 && slice_compare(onward, end) >= 0)) {
        return false;
    }
    sb_assert(slice_compare(onward, buffer_slice(next)) > 0);
    buffer_clear(next);
    buffer_add(next, onward.data, onward.size);
    return true;
}

/* Take in one reply to a scan.  ANSWER_AGAIN with *status ENGINE_OK: ask again, from list->next. */
static answer take_scan(route *way, const sb_reply *reply, snapshot at, slice end, collecting *into,
                        backoff *locked, engine_status *status)
{
    scan_reply got;
    if (!scan_reply_decode(&got, slice_of(reply->data, reply->size))) {
        route_trouble(way, REPLY_CORRUPT);
        return ANSWER_AGAIN;
    }
    if (got.head.status == REPLY_LOCKED) {
        *status = pass_lock(way->of, &got.head.lock, locked, way->scope);
        return ANSWER_AGAIN;
    }
    if (got.head.status == REPLY_TOO_OLD) {
        *status = ENGINE_TOO_OLD;
        return ANSWER_DONE;
    }
    if (got.head.status != REPLY_OK) {
        *status = meet_trouble(way, got.head.status, at);
        return ANSWER_AGAIN;
    }
    slice key, value;
    for (cursor from = packed_cursor(got.pairs); unpack_pair(&from, &key, &value);) {
        collect_pair(into, key, value);
    }
    backoff_init(locked);
    into->list->more = scan_advance(way, &got, end, &into->list->next);
    const bool full = into->list->count == into->limit;
    return full || !into->list->more ? ANSWER_DONE : ANSWER_AGAIN;
}

engine_status snapshot_scan(cluster *of, snapshot at, slice start, slice end, uint32_t limit,
                            pair_list *found, sb_scope *scope)
{
    sb_assert_op(at.at, >, 0);
    sb_assert_op(limit, >, 0);
    *found = (pair_list){0};
    buffer_add(&found->next, start.data, start.size);
    collecting into = {.list = found, .limit = limit};
    buffer request;
    buffer_init(&request);
    backoff locked;
    backoff_init(&locked);
    route way;
    route_init(&way, of, scope);
    engine_status status;
    while ((status = route_find(&way, buffer_slice(&found->next))) == ENGINE_OK) {
        const uint32_t room = limit - found->count;
        const scan_request ask = {.region = {way.region->id, way.region->epoch},
                                  .by = session_of(at),
                                  .at = at.at,
                                  .start = buffer_slice(&found->next),
                                  .end = earlier_end(end, way.region->end),
                                  .limit = room < SCAN_LIMIT_MAX ? room : SCAN_LIMIT_MAX};
        scan_request_encode(&ask, &request);
        sb_reply reply;
        if (!route_send(&way, METHOD_SCAN, &request, &reply)) {
            continue;
        }
        const answer taken = take_scan(&way, &reply, at, end, &into, &locked, &status);
        sb_reply_release(&reply);
        if (taken == ANSWER_DONE || status != ENGINE_OK) {
            break;
        }
    }
    route_release(&way);
    buffer_release(&request);
    if (status != ENGINE_OK) {
        pair_list_release(found);
        return status;
    }
    if (!found->more) {
        buffer_clear(&found->next);
    }
    place_pairs(found);
    return ENGINE_OK;
}

engine_status cluster_scan(cluster *of, timestamp at, slice start, slice end, uint32_t limit,
                           pair_list *found, sb_scope *scope)
{
    return snapshot_scan(of, (snapshot){.at = at}, start, end, limit, found, scope);
}

void pair_list_release(pair_list *of)
{
    sb_free(of->pairs);
    buffer_release(&of->bytes);
    buffer_release(&of->next);
    *of = (pair_list){0};
}
