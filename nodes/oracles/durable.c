/*
 * Durable bytes of the storage machines: see durable.h.
 */
#include "nodes/oracles/durable.h"

#include <string.h>

#include "engine/base/checksum.h"
#include "engine/storage/checkpoint.h"
#include "engine/storage/write_log.h"
#include "engine/wire/keys.h"

#define ORACLE "durable bytes"
#define MANIFEST "manifest"
#define WRAPPER_SIZE 24u /* of a durable file: magic, size, checksum */

static void damaged(sb_world *world, sb_node node, const char *path, uint64_t offset)
    __attribute__((noreturn));
static void damaged(sb_world *world, sb_node node, const char *path, uint64_t offset)
{
    sb_finding_at(world, SB_FINDING_CANNOT_START, node, ORACLE,
                  "%s of %s is damaged at offset %llu", path, sb_node_name(world, node),
                  (unsigned long long)offset);
}

static slice durable_file(const sb_world *world, sb_node node, const char *path)
{
    size_t size = 0;
    const unsigned char *data = sb_disk_durable(world, node, path, &size);
    return data == NULL ? (slice){NULL, 0} : slice_of(data, size);
}

/* A store that was never up long enough to make its files has none, and an empty state. */
static bool read_manifest(sb_world *world, sb_node node, manifest *into)
{
    const slice file = durable_file(world, node, MANIFEST);
    if (file.data == NULL) {
        return false;
    }
    cursor at = cursor_of(file);
    (void)cursor_u64(&at); /* the magic: what matters is that the content is what was written */
    const uint64_t size = cursor_u64(&at), sum = cursor_u64(&at);
    if (at.failed || size != file.size - WRAPPER_SIZE) {
        damaged(world, node, MANIFEST, 0);
    }
    const slice content = slice_of(file.data + WRAPPER_SIZE, (size_t)size);
    if (checksum64(content) != sum || !manifest_decode(into, content)) {
        damaged(world, node, MANIFEST, WRAPPER_SIZE);
    }
    return true;
}

static bool apply(void *context, log_sequence sequence, slice record)
{
    return store_state_apply(context, sequence, record);
}

static void read_store(durable_store *into, sb_world *world)
{
    manifest of;
    char path[CHECKPOINT_PATH_SIZE];
    uint64_t offset = 0;
    store_state_init(&into->state);
    if (!read_manifest(world, into->node, &of)) {
        return;
    }
    checkpoint_path(path, of.generation);
    const slice checkpoint = durable_file(world, into->node, path);
    if (checkpoint.data == NULL || !checkpoint_decode(&into->state, checkpoint, &of, &offset)) {
        damaged(world, into->node, path, offset);
    }
    log_path(path, of.generation);
    const slice log = durable_file(world, into->node, path);
    if (log.data == NULL ||
        !write_log_read(log, of.generation, of.sequence, apply, &into->state, &offset)) {
        damaged(world, into->node, path, offset);
    }
}

void durable_cluster_read(durable_cluster *into, sb_world *world, const sb_node *nodes,
                          uint32_t count)
{
    *into = (durable_cluster){.store_count = count};
    into->stores = sb_alloc_zero(count * sizeof(*into->stores));
    for (uint32_t i = 0; i < count; i++) {
        into->stores[i].node = nodes[i];
        read_store(&into->stores[i], world);
    }
    durable_place_regions(into, world);
    durable_resolve_locks(into);
}

void durable_cluster_release(durable_cluster *of)
{
    for (uint32_t i = 0; i < of->store_count; i++) {
        store_state_release(&of->stores[i].state);
    }
    sb_free(of->regions);
    sb_free(of->stores);
    *of = (durable_cluster){0};
}

/* ------------------------------------------------------------------------------------ regions */

static bool overlap(const region *left, const region *right)
{
    return (left->end.size == 0 || slice_compare(right->start, left->end) < 0) &&
           (right->end.size == 0 || slice_compare(left->start, right->end) < 0);
}

/* Does somebody hold any of its keys in a later epoch?  Two that would serve a key are told. */
static bool is_outdated(const durable_cluster *of, sb_world *world, const region *one)
{
    bool outdated = false;
    for (uint32_t i = 0; i < of->store_count; i++) {
        const region_set *regions = &of->stores[i].state.regions;
        for (uint32_t j = 0; j < regions->count; j++) {
            const region *other = &regions->items[j];
            if (other == one || !region_is_held(other) || !overlap(one, other)) {
                continue;
            }
            if (one->epoch == other->epoch ||
                (one->phase == REGION_SERVING && other->phase == REGION_SERVING) ||
                (one->epoch > other->epoch && other->phase == REGION_SERVING)) {
                sb_finding_at(world, SB_FINDING_WRONG_STATE, of->stores[i].node, ORACLE,
                              "region %llu at epoch %llu and region %llu at epoch %llu hold the "
                              "same keys",
                              (unsigned long long)one->id, (unsigned long long)one->epoch,
                              (unsigned long long)other->id, (unsigned long long)other->epoch);
            }
            outdated |= other->epoch > one->epoch;
        }
    }
    return outdated;
}

static void insert_region(durable_cluster *into, const region *one, uint32_t store)
{
    uint32_t at = into->region_count++;
    for (; at > 0 && slice_compare(into->regions[at - 1].is->start, one->start) > 0; at--) {
        into->regions[at] = into->regions[at - 1];
    }
    into->regions[at] = (durable_region){.is = one, .store = store};
}

/* Regions in key order, none overlapping: is there a hole? */
static void check_cover(const durable_cluster *of, sb_world *world)
{
    slice reached = {NULL, 0};
    for (uint32_t i = 0; i <= of->region_count; i++) {
        const region *one = i < of->region_count ? of->regions[i].is : NULL;
        const bool good =
            one != NULL ? slice_equal(one->start, reached) : i > 0 && reached.size == 0;
        if (!good) {
            sb_finding(world, SB_FINDING_WRONG_STATE, ORACLE,
                       "no store holds the keys behind those of region %llu",
                       i > 0 ? (unsigned long long)of->regions[i - 1].is->id : 0);
        }
        reached = one != NULL ? one->end : reached;
    }
}

void durable_place_regions(durable_cluster *of, sb_world *world)
{
    uint32_t room = 1;
    for (uint32_t i = 0; i < of->store_count; i++) {
        room += of->stores[i].state.regions.count;
    }
    of->region_count = 0;
    of->regions = sb_alloc(room * sizeof(*of->regions));
    for (uint32_t i = 0; i < of->store_count; i++) {
        const region_set *regions = &of->stores[i].state.regions;
        for (uint32_t j = 0; j < regions->count; j++) {
            const region *one = &regions->items[j];
            if (region_is_held(one) && !is_outdated(of, world, one)) {
                insert_region(of, one, i);
            }
        }
    }
    check_cover(of, world);
}

/* -------------------------------------------------------------------------------------- locks */

/* The lock becomes a version or goes away.  Lists of versions change, the map of keys does not. */
static void resolve_lock(durable_cluster *of, mvcc *within, slice key, const version *lock)
{
    const timestamp start = lock->start;
    const entry *primary = durable_find(of, version_primary(lock));
    const version *record = primary == NULL ? NULL : entry_record(primary, start);
    if (record != NULL && record->kind != VERSION_ROLLBACK) {
        mvcc_commit(within, key, start, record->commit, 1);
        return;
    }
    if (record == NULL && primary != NULL && entry_own_lock(primary, start) != NULL) {
        return; /* undecided */
    }
    mvcc_rollback(within, key, start, 1);
}

void durable_resolve_locks(durable_cluster *of)
{
    durable_walk walk;
    const slice all = {NULL, 0};
    for (durable_walk_init(&walk, of, all, all); durable_walk_next(&walk);) {
        if (walk.found->lock != NULL) {
            resolve_lock(of, &of->stores[of->regions[walk.region].store].state.data, walk.key,
                         walk.found->lock);
        }
    }
}

/* ------------------------------------------------------------------------------------ looking */

static const ordered_map *entries_of(const durable_cluster *of, uint32_t at)
{
    return &of->stores[of->regions[at].store].state.data.entries;
}

/* The region that holds the key. */
static uint32_t find_region(const durable_cluster *of, slice key)
{
    uint32_t low = 0, high = of->region_count;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (slice_compare(of->regions[middle].is->start, key) <= 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

durable_store *durable_store_of(const durable_cluster *of, slice key)
{
    return &of->stores[of->regions[find_region(of, key)].store];
}

const entry *durable_find(const durable_cluster *of, slice key)
{
    return ordered_map_find(entries_of(of, find_region(of, key)), key);
}

const entry *durable_find_row(const durable_cluster *of, void (*make_key)(buffer *key))
{
    buffer key;
    buffer_init(&key);
    make_key(&key);
    const entry *found = durable_find(of, buffer_slice(&key));
    buffer_release(&key);
    return found;
}

const entry *durable_find_table(const durable_cluster *of, table_id id)
{
    buffer key;
    buffer_init(&key);
    key_table(&key, id);
    const entry *found = durable_find(of, buffer_slice(&key));
    buffer_release(&key);
    return found;
}

const version *durable_entry_read(const entry *of, timestamp at)
{
    const version *found = entry_read(of, at);
    return found != NULL && found->kind == VERSION_PUT ? found : NULL;
}

const version *durable_read(const durable_cluster *of, slice key, timestamp at)
{
    const entry *found = durable_find(of, key);
    return found == NULL ? NULL : durable_entry_read(found, at);
}

void durable_walk_init(durable_walk *walk, const durable_cluster *of, slice start, slice end)
{
    *walk = (durable_walk){.of = of, .start = start, .end = end, .region = find_region(of, start)};
}

/* At the first key of the region, or at the start of the walk. */
static void enter_region(durable_walk *walk, const region *one)
{
    const slice from = slice_compare(walk->start, one->start) > 0 ? walk->start : one->start;
    walk->at = ordered_map_seek(entries_of(walk->of, walk->region), from);
    walk->entered = true;
}

static slice bound(unsigned char *into, const buffer *from)
{
    sb_assert_op(from->size, <=, DURABLE_WORD_MAX);
    memcpy(into, from->data, from->size);
    return slice_of(into, from->size);
}

void durable_walk_rows(durable_walk *walk, const durable_cluster *of, const char *word)
{
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    key_meta(&start, word, NULL, 0);
    key_prefix_end(&end, buffer_slice(&start));
    durable_walk_init(walk, of, buffer_slice(&start), buffer_slice(&end));
    walk->start = bound(walk->bounds, &start);
    walk->end = bound(walk->bounds + DURABLE_WORD_MAX, &end);
    buffer_release(&end);
    buffer_release(&start);
}

bool durable_walk_next(durable_walk *walk)
{
    for (; walk->region < walk->of->region_count; walk->region++, walk->entered = false) {
        const region *one = walk->of->regions[walk->region].is;
        if (!walk->entered) {
            enter_region(walk, one);
        } else {
            ordered_map_next(&walk->at);
        }
        if (!ordered_map_valid(&walk->at) ||
            !key_in_range(ordered_map_key(&walk->at), one->start, one->end)) {
            continue;
        }
        walk->key = ordered_map_key(&walk->at);
        walk->found = ordered_map_value(&walk->at);
        return walk->end.size == 0 || slice_compare(walk->key, walk->end) < 0;
    }
    return false;
}
