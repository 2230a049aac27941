/*
 * The multi-version map of a store: see mvcc.h.
 */
#include "engine/storage/mvcc.h"

#include <string.h>

/* Of entry_encode's format and the lengths around key and value. */
#define ENTRY_SIZE 17u
#define ENTRY_HEAD_SIZE 9u /* of those before the versions */
#define VERSION_SIZE 29u

/* ------------------------------------------------------------------------- making and freeing */

void mvcc_init(mvcc *store)
{
    *store = (mvcc){0};
    ordered_map_init(&store->entries);
}

/* What an entry without versions, and a version, take in an encoding. */
static uint64_t entry_size(const entry *of)
{
    return ENTRY_SIZE + of->key_size;
}

uint64_t version_encoded_size(const version *of)
{
    return VERSION_SIZE + of->value_size + of->primary_size;
}

static void grow(mvcc *store, entry *of, uint64_t size)
{
    of->size += size;
    store->size += size;
}

static void shrink(mvcc *store, entry *of, uint64_t size)
{
    sb_assert_op(of->size, >=, size);
    of->size -= size;
    store->size -= size;
}

static void free_versions(version *first)
{
    while (first != NULL) {
        version *older = first->older;
        sb_free(first);
        first = older;
    }
}

static void free_entry(entry *of)
{
    sb_free(of->lock);
    free_versions(of->values);
    free_versions(of->marks);
    sb_free(of);
}

void mvcc_release(mvcc *store)
{
    for (ordered_map_cursor at = ordered_map_first(&store->entries); ordered_map_valid(&at);
         ordered_map_next(&at)) {
        free_entry(ordered_map_value(&at));
    }
    ordered_map_release(&store->entries);
}

static version *make_version(version_kind kind, timestamp start, slice value, slice primary)
{
    sb_assert_op(primary.size, <=, UINT16_MAX);
    version *made = sb_alloc(sizeof(*made) + value.size + primary.size);
    *made = (version){.start = start,
                      .value_size = value.size,
                      .primary_size = (uint16_t)primary.size,
                      .kind = (uint8_t)kind};
    if (value.size > 0) {
        memcpy(made->bytes, value.data, value.size);
    }
    if (primary.size > 0) {
        memcpy(made->bytes + value.size, primary.data, primary.size);
    }
    return made;
}

static entry *make_entry(slice key)
{
    entry *made = sb_alloc(sizeof(*made) + key.size);
    *made = (entry){.key_size = key.size};
    memcpy(made->key, key.data, key.size);
    return made;
}

static entry *find_or_add(mvcc *store, slice key)
{
    entry *found = mvcc_find(store, key);
    if (found != NULL) {
        return found;
    }
    entry *added = make_entry(key);
    (void)ordered_map_insert(&store->entries, entry_key(added), added);
    grow(store, added, entry_size(added));
    return added;
}

/* Into its list, which is sorted by commit, newest first. */
static void link_version(entry *into, version *one)
{
    version **link =
        one->kind == VERSION_PUT || one->kind == VERSION_DELETE ? &into->values : &into->marks;
    while (*link != NULL && (*link)->commit > one->commit) {
        link = &(*link)->older;
    }
    one->older = *link;
    *link = one;
}

slice entry_key(const entry *of)
{
    return (slice){.data = of->key, .size = of->key_size};
}

slice version_value(const version *of)
{
    return (slice){.data = of->bytes, .size = of->value_size};
}

slice version_primary(const version *of)
{
    return (slice){.data = of->bytes + of->value_size, .size = of->primary_size};
}

/* ---------------------------------------------------------------------------------- questions */

entry *mvcc_find(const mvcc *store, slice key)
{
    return ordered_map_find(&store->entries, key);
}

const version *entry_lock_before(const entry *of, timestamp at)
{
    const version *lock = of->lock;
    return lock != NULL && lock->kind != VERSION_LOCK && lock->start <= at ? lock : NULL;
}

const version *entry_read(const entry *of, timestamp at)
{
    const version *found = of->values;
    while (found != NULL && found->commit > at) {
        found = found->older;
    }
    return found;
}

/* A record of a transaction stands at or after its start, so the walk ends there. */
static const version *record_in(const version *newest, timestamp start)
{
    while (newest != NULL && newest->commit >= start) {
        if (newest->start == start) {
            return newest;
        }
        newest = newest->older;
    }
    return NULL;
}

const version *entry_record(const entry *of, timestamp start)
{
    const version *found = record_in(of->values, start);
    return found != NULL ? found : record_in(of->marks, start);
}

timestamp entry_commit_after(const entry *of, timestamp start)
{
    timestamp newest = of->values != NULL ? of->values->commit : 0;
    const version *mark = of->marks;
    while (mark != NULL && mark->kind == VERSION_ROLLBACK && mark->commit > start) {
        mark = mark->older;
    }
    if (mark != NULL && mark->kind != VERSION_ROLLBACK && mark->commit > newest) {
        newest = mark->commit;
    }
    return newest > start ? newest : 0;
}

const version *entry_own_lock(const entry *of, timestamp start)
{
    return of->lock != NULL && of->lock->start == start ? of->lock : NULL;
}

const version *entry_ingested(const entry *of, timestamp at)
{
    const version *found = entry_read(of, at);
    return found != NULL && found->commit == at && found->start == at ? found : NULL;
}

/* ------------------------------------------------------------------------------------ changes */

static version_kind kind_of_mutation(mutation_kind kind)
{
    switch (kind) {
    case MUTATION_PUT:
        return VERSION_PUT;
    case MUTATION_DELETE:
        return VERSION_DELETE;
    default:
        return VERSION_LOCK;
    }
}

void mvcc_prewrite(mvcc *store, timestamp start, uint32_t ttl_ms, slice primary,
                   const mutation *one, log_sequence sequence)
{
    entry *into = find_or_add(store, one->key);
    if (into->lock != NULL || entry_record(into, start) != NULL) {
        sb_assert(into->lock == NULL || into->lock->start == start);
        return;
    }
    into->lock = make_version(kind_of_mutation(one->kind), start, one->value, primary);
    into->lock->older = NULL;
    into->lock->ttl_ms = ttl_ms;
    into->sequence = sequence;
    grow(store, into, version_encoded_size(into->lock));
}

void mvcc_commit(mvcc *store, slice key, timestamp start, timestamp commit, log_sequence sequence)
{
    entry *into = mvcc_find(store, key);
    if (into == NULL || entry_own_lock(into, start) == NULL) {
        return;
    }
    sb_assert_op(commit, >, start);
    version *committed = into->lock;
    into->lock = NULL;
    committed->commit = commit;
    link_version(into, committed);
    into->sequence = sequence;
}

void mvcc_rollback(mvcc *store, slice key, timestamp start, log_sequence sequence)
{
    entry *into = find_or_add(store, key);
    if (entry_own_lock(into, start) != NULL) {
        shrink(store, into, version_encoded_size(into->lock));
        sb_free(into->lock);
        into->lock = NULL;
        into->sequence = sequence;
    }
    if (entry_record(into, start) == NULL) {
        version *record = make_version(VERSION_ROLLBACK, start, (slice){0}, (slice){0});
        record->commit = start;
        link_version(into, record);
        into->sequence = sequence;
        grow(store, into, version_encoded_size(record));
    }
}

void mvcc_ingest(mvcc *store, slice key, slice value, timestamp at, log_sequence sequence)
{
    entry *into = find_or_add(store, key);
    if (entry_ingested(into, at) != NULL) {
        return;
    }
    version *ingested = make_version(VERSION_PUT, at, value, (slice){0});
    ingested->commit = at;
    link_version(into, ingested);
    into->sequence = sequence;
    grow(store, into, version_encoded_size(ingested));
}

void mvcc_remove_at(mvcc *store, ordered_map_cursor *at)
{
    entry *victim = ordered_map_remove_at(&store->entries, at);
    store->size -= victim->size;
    free_entry(victim);
}

uint64_t mvcc_delete_range(mvcc *store, slice start, slice end)
{
    uint64_t removed = 0;
    ordered_map_cursor at = ordered_map_seek(&store->entries, start);
    while (ordered_map_valid(&at) && key_in_range(ordered_map_key(&at), start, end)) {
        mvcc_remove_at(store, &at);
        removed++;
    }
    return removed;
}

/* --------------------------------------------------------------------------- for a checkpoint */

void version_encode(const version *of, buffer *into)
{
    buffer_add_u8(into, of->kind);
    buffer_add_u64(into, of->start);
    buffer_add_u64(into, of->commit);
    buffer_add_u32(into, of->ttl_ms);
    buffer_add_slice(into, version_value(of));
    buffer_add_slice(into, version_primary(of));
}

static uint32_t count_versions(const version *newest)
{
    uint32_t count = 0;
    for (; newest != NULL; newest = newest->older) {
        count++;
    }
    return count;
}

void entry_encode(const entry *of, buffer *into)
{
    buffer_add_u8(into, of->lock != NULL ? 1 : 0);
    buffer_add_u32(into, count_versions(of->values));
    buffer_add_u32(into, count_versions(of->marks));
    if (of->lock != NULL) {
        version_encode(of->lock, into);
    }
    for (const version *value = of->values; value != NULL; value = value->older) {
        version_encode(value, into);
    }
    for (const version *mark = of->marks; mark != NULL; mark = mark->older) {
        version_encode(mark, into);
    }
}

static version *version_decode(cursor *from)
{
    const uint8_t kind = cursor_u8(from);
    const timestamp start = cursor_u64(from), commit = cursor_u64(from);
    const uint32_t ttl_ms = cursor_u32(from);
    const slice value = cursor_slice(from), primary = cursor_slice(from);
    if (from->failed || kind >= VERSION_KIND_COUNT || primary.size > KEY_SIZE_MAX) {
        from->failed = true;
        return NULL;
    }
    version *made = make_version((version_kind)kind, start, value, primary);
    made->older = NULL;
    made->commit = commit;
    made->ttl_ms = ttl_ms;
    return made;
}

/* `count` versions, newest first, behind each other. */
static void versions_decode(cursor *from, version **link, uint32_t count)
{
    for (uint32_t i = 0; i < count && !from->failed; i++) {
        version *made = version_decode(from);
        if (made != NULL) {
            *link = made;
            link = &made->older;
        }
    }
}

bool mvcc_load_entry(mvcc *store, slice key, slice encoded, log_sequence sequence)
{
    cursor from = cursor_of(encoded);
    const uint8_t has_lock = cursor_u8(&from);
    const uint32_t value_count = cursor_u32(&from), mark_count = cursor_u32(&from);
    if (from.failed || has_lock > 1 || key.size == 0) {
        return false;
    }
    entry *loaded = make_entry(key);
    if (ordered_map_insert(&store->entries, entry_key(loaded), loaded) != NULL) {
        sb_free(loaded);
        return false;
    }
    loaded->sequence = sequence;
    if (has_lock == 1) {
        loaded->lock = version_decode(&from);
    }
    versions_decode(&from, &loaded->values, value_count);
    versions_decode(&from, &loaded->marks, mark_count);
    grow(store, loaded, entry_size(loaded) + encoded.size - ENTRY_HEAD_SIZE);
    return cursor_finished(&from);
}
