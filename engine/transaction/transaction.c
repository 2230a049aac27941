/*
 * A transaction until its commit: its begin, its buffered writes, and reads that see them.
 */
#include "engine/transaction/cluster.h"

#include <string.h>

engine_status transaction_begin(cluster *of, schema_version version, transaction **begun,
                                sb_scope *scope)
{
    /* The session of now, not of after the wait below: a schema that was pinned before this call
     * must not get a younger session than it was loaded under. */
    const session_id session = of->session;
    if (cluster_fenced(of)) {
        return ENGINE_FENCED;
    }
    timestamp start;
    const engine_status status = cluster_timestamp(of, &start, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    transaction *made = sb_alloc(sizeof(*made));
    *made = (transaction){.cluster = of, .start = start, .session = session, .version = version};
    made->older = of->running;
    if (made->older != NULL) {
        made->older->newer = made;
    }
    of->running = made;
    *begun = made;
    return ENGINE_OK;
}

timestamp cluster_oldest_start(const cluster *of)
{
    timestamp least = 0;
    for (const transaction *one = of->running; one != NULL; one = one->older) {
        least = least == 0 || one->start < least ? one->start : least;
    }
    return least;
}

static void unlink_running(transaction *of)
{
    if (of->newer != NULL) {
        of->newer->older = of->older;
    } else {
        of->cluster->running = of->older;
    }
    if (of->older != NULL) {
        of->older->newer = of->newer;
    }
}

timestamp transaction_start(const transaction *of)
{
    return of->start;
}

session_id transaction_session(const transaction *of)
{
    return of->session;
}

schema_version transaction_schema_version(const transaction *of)
{
    return of->version;
}

uint32_t transaction_write_count(const transaction *of)
{
    return of->writes.count;
}

void transaction_release(transaction *of)
{
    if (of == NULL) {
        return;
    }
    sb_assert(of->ended);
    unlink_running(of);
    write_set_release(&of->writes);
    buffer_release(&of->empty_start);
    buffer_release(&of->empty_end);
    sb_free(of);
}

/* ------------------------------------------------------------------------------------- writes */

void transaction_put(transaction *of, slice key, slice value)
{
    sb_assert(!of->ended);
    write_set_add(&of->writes, MUTATION_PUT, key, value);
}

void transaction_delete(transaction *of, slice key)
{
    sb_assert(!of->ended);
    write_set_add(&of->writes, MUTATION_DELETE, key, (slice){0});
}

void transaction_lock(transaction *of, slice key)
{
    sb_assert(!of->ended);
    write_set_add(&of->writes, MUTATION_LOCK, key, (slice){0});
}

/* -------------------------------------------------------------------------------------- reads */

static bool is_known_absent(const transaction *of, slice key)
{
    return of->empty_end.size > 0 && slice_compare(key, buffer_slice(&of->empty_start)) >= 0 &&
           slice_compare(key, buffer_slice(&of->empty_end)) < 0;
}

engine_status transaction_look_ahead(transaction *of, slice start, slice end, sb_scope *scope)
{
    pair_list found;
    buffer_clear(&of->empty_start);
    buffer_clear(&of->empty_end);
    const engine_status status =
        snapshot_scan(of->cluster, transaction_snapshot(of), start, end, 1, &found, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    if (found.count == 0 && !found.more) {
        buffer_add(&of->empty_start, start.data, start.size);
        buffer_add(&of->empty_end, end.data, end.size);
    }
    pair_list_release(&found);
    return ENGINE_OK;
}

engine_status transaction_read(transaction *of, slice key, buffer *value, sb_scope *scope)
{
    const buffered_write *own = write_set_find(&of->writes, key);
    if (own != NULL && own->kind == MUTATION_DELETE) {
        return ENGINE_NOT_FOUND;
    }
    if (own != NULL && own->kind == MUTATION_PUT) {
        buffer_clear(value);
        buffer_add(value, write_value(own).data, own->value_size);
        return ENGINE_OK;
    }
    if (is_known_absent(of, key)) {
        return ENGINE_NOT_FOUND;
    }
    return snapshot_read(of->cluster, transaction_snapshot(of), key, value, scope);
}

/* What the transaction itself has made of a key; NULL when it has not. */
static const buffered_write *own_write(const transaction *of, slice key)
{
    const buffered_write *own = write_set_find(&of->writes, key);
    return own != NULL && own->kind != MUTATION_LOCK ? own : NULL;
}

engine_status transaction_read_versions(transaction *of, const slice *keys, uint32_t count,
                                        version_list *found, sb_scope *scope)
{
    slice *asked = sb_alloc((count + 1) * sizeof(*asked));
    uint32_t asked_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (own_write(of, keys[i]) == NULL) {
            asked[asked_count++] = keys[i];
        }
    }
    const engine_status status = snapshot_read_versions(of->cluster, transaction_snapshot(of),
                                                        asked, asked_count, found, scope);
    sb_free(asked);
    if (status != ENGINE_OK) {
        return status;
    }
    key_version *versions = sb_alloc((count + 1) * sizeof(*versions));
    uint32_t answered = 0;
    for (uint32_t i = 0; i < count; i++) {
        const buffered_write *own = own_write(of, keys[i]);
        if (own == NULL) {
            versions[i] = found->versions[answered++];
        } else {
            versions[i] = (key_version){.commit = TIMESTAMP_MAX,
                                        .there = own->kind == MUTATION_PUT,
                                        .value = write_value(own)};
        }
    }
    sb_free(found->versions);
    found->versions = versions;
    found->count = count;
    return ENGINE_OK;
}

engine_status transaction_get(transaction *of, slice key, slice *value, sb_scope *scope)
{
    buffer bytes;
    buffer_init(&bytes);
    const engine_status status = transaction_read(of, key, &bytes, scope);
    if (status == ENGINE_OK) {
        *value = slice_copy(buffer_slice(&bytes));
    }
    buffer_release(&bytes);
    return status;
}

/* Merging the stored pairs with the writes [low, high); both are in key order. */
typedef struct overlay {
    const pair_list *stored;
    const write_set *writes;
    uint32_t pair, low, high;
} overlay;

/* The next pair that the transaction sees; false at the end. */
static bool overlay_next(overlay *of, pair *next)
{
    while (of->pair < of->stored->count || of->low < of->high) {
        const pair *stored = of->pair < of->stored->count ? &of->stored->pairs[of->pair] : NULL;
        const buffered_write *write = of->low < of->high ? &of->writes->items[of->low] : NULL;
        int order = stored == NULL ? 1 : -1;
        if (stored != NULL && write != NULL) {
            order = slice_compare(stored->key, write_key(write));
        }
        if (order < 0 || (write->kind == MUTATION_LOCK && order == 0)) {
            *next = *stored;
            of->pair++;
            of->low += order == 0;
            return true;
        }
        of->pair += order == 0;
        of->low++;
        if (write->kind == MUTATION_PUT) {
            *next = (pair){write_key(write), write_value(write)};
            return true;
        }
    }
    return false;
}

/* Add one pair to a list whose bytes and pairs have room for it. */
static void append_pair(pair_list *into, pair one)
{
    unsigned char *bytes = buffer_extend(&into->bytes, (size_t)one.key.size + one.value.size);
    memcpy(bytes, one.key.data, one.key.size);
    if (one.value.size > 0) {
        memcpy(bytes + one.key.size, one.value.data, one.value.size);
    }
    into->pairs[into->count++] =
        (pair){{bytes, one.key.size}, {bytes + one.key.size, one.value.size}};
}

/* Replace what storage has by what the transaction sees. */
static void lay_over(const write_set *writes, uint32_t low, uint32_t high, uint32_t limit,
                     pair_list *found)
{
    size_t room = found->bytes.size;
    for (uint32_t i = low; i < high; i++) {
        room += (size_t)writes->items[i].key_size + writes->items[i].value_size;
    }
    pair_list seen = {.more = found->more, .next = found->next};
    found->next = (buffer){0};
    seen.pairs = sb_alloc((found->count + (high - low)) * sizeof(pair));
    buffer_extend(&seen.bytes, room); /* once, so that the pairs can point into it while it fills */
    buffer_clear(&seen.bytes);

    overlay merge = {.stored = found, .writes = writes, .low = low, .high = high};
    pair next;
    while (overlay_next(&merge, &next)) {
        if (seen.count == limit) {
            seen.more = true;
            buffer_clear(&seen.next);
            buffer_add(&seen.next, next.key.data, next.key.size);
            break;
        }
        append_pair(&seen, next);
    }
    pair_list_release(found);
    *found = seen;
}

engine_status transaction_scan(transaction *of, slice start, slice end, uint32_t limit,
                               pair_list *found, sb_scope *scope)
{
    const engine_status status =
        snapshot_scan(of->cluster, transaction_snapshot(of), start, end, limit, found, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    const slice seen_end = found->more ? buffer_slice(&found->next) : end;
    const uint32_t low = write_set_seek(&of->writes, start);
    const uint32_t high =
        seen_end.size == 0 ? of->writes.count : write_set_seek(&of->writes, seen_end);
    if (low < high) {
        lay_over(&of->writes, low, high, limit, found);
    }
    return ENGINE_OK;
}
