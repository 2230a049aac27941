/*
 * Everything a store knows, and the records that change it: see state.h.
 */
#include "engine/storage/state.h"

#include "engine/storage/garbage.h"
#include "engine/storage/region_file.h"

/* ------------------------------------------------------------------------- making and freeing */

void store_state_init(store_state *state)
{
    *state = (store_state){0};
    mvcc_init(&state->data);
    region_set_init(&state->regions);
}

static void free_bounds(slice start, slice end)
{
    sb_free((void *)start.data);
    sb_free((void *)end.data);
}

void store_state_release(store_state *state)
{
    mvcc_release(&state->data);
    region_set_release(&state->regions);
    for (uint32_t i = 0; i < state->deleted_count; i++) {
        free_bounds(state->deleted[i].start, state->deleted[i].end);
    }
    sb_free(state->fences);
    sb_free(state->deleted);
    *state = (store_state){0};
}

/* ------------------------------------------------------------------------------------ regions */

void store_state_add_region(store_state *state, const region_description *served)
{
    const bool added = region_set_serve(&state->regions, served, 0);
    sb_assert(added);
}

/* Its keys go too. */
static bool forget_region(store_state *state, region_id id, log_sequence sequence)
{
    const region *one = region_set_find(&state->regions, id);
    if (one == NULL || one->phase != REGION_LEAVING) {
        return false;
    }
    (void)mvcc_delete_range(&state->data, one->start, one->end);
    state->deletion = sequence;
    return region_set_forget(&state->regions, id, sequence);
}

/* ------------------------------------------------------------------------------------- fences */

const fence *store_state_fence(const store_state *state, sb_address server)
{
    for (uint32_t i = 0; i < state->fence_count; i++) {
        if (state->fences[i].server == server) {
            return &state->fences[i];
        }
    }
    return NULL;
}

void store_state_raise_fence(store_state *state, sb_address server, session_id session,
                             log_sequence sequence)
{
    for (uint32_t i = 0; i < state->fence_count; i++) {
        fence *known = &state->fences[i];
        if (known->server == server) {
            if (session > known->least) {
                known->least = session;
                known->sequence = sequence;
            }
            return;
        }
    }
    state->fences = list_with_room(state->fences, state->fence_count, sizeof(*state->fences));
    state->fences[state->fence_count++] =
        (fence){.least = session, .sequence = sequence, .server = server};
}

/* ----------------------------------------------------------------------------- deleted ranges */

bool store_state_is_deleted(const store_state *state, slice key)
{
    for (uint32_t i = 0; i < state->deleted_count; i++) {
        if (key_in_range(key, state->deleted[i].start, state->deleted[i].end)) {
            return true;
        }
    }
    return false;
}

bool store_state_deleted_overlaps(const store_state *state, slice start, slice end)
{
    for (uint32_t i = 0; i < state->deleted_count; i++) {
        const key_range *gone = &state->deleted[i];
        const bool before = gone->end.size > 0 && slice_compare(gone->end, start) <= 0;
        const bool behind = end.size > 0 && slice_compare(end, gone->start) <= 0;
        if (!before && !behind) {
            return true;
        }
    }
    return false;
}

bool store_state_deleted_covers(const store_state *state, slice start, slice end)
{
    for (uint32_t i = 0; i < state->deleted_count; i++) {
        const key_range *gone = &state->deleted[i];
        const bool starts = slice_compare(gone->start, start) <= 0;
        const bool ends =
            gone->end.size == 0 || (end.size > 0 && slice_compare(end, gone->end) <= 0);
        if (starts && ends) {
            return true;
        }
    }
    return false;
}

void store_state_delete_range(store_state *state, slice start, slice end, log_sequence sequence)
{
    (void)mvcc_delete_range(&state->data, start, end);
    state->deletion = sequence;
    if (store_state_deleted_covers(state, start, end)) {
        return;
    }
    state->deleted = list_with_room(state->deleted, state->deleted_count, sizeof(*state->deleted));
    state->deleted[state->deleted_count++] =
        (key_range){.start = slice_copy(start), .end = slice_copy(end)};
}

/* --------------------------------------------------------------------------------- safe point */

void store_state_raise_safe_point(store_state *state, timestamp safe_point, log_sequence sequence)
{
    if (safe_point > state->safe_point) {
        state->safe_point = safe_point;
        state->guarded = sequence;
    }
}

/* ----------------------------------------------------------------------------------- applying */

static void apply_prewrite(store_state *state, log_sequence sequence, cursor *from)
{
    const timestamp start = cursor_u64(from);
    const uint32_t ttl_ms = cursor_u32(from);
    const slice primary = cursor_slice(from);
    mutation one;
    while (unpack_mutation(from, &one)) {
        mvcc_prewrite(&state->data, start, ttl_ms, primary, &one, sequence);
    }
}

static void apply_commit(store_state *state, log_sequence sequence, cursor *from)
{
    const timestamp start = cursor_u64(from), commit = cursor_u64(from);
    slice key;
    while (unpack_key(from, &key)) {
        mvcc_commit(&state->data, key, start, commit, sequence);
    }
}

static void apply_rollback(store_state *state, log_sequence sequence, cursor *from)
{
    const timestamp start = cursor_u64(from);
    slice key;
    while (unpack_key(from, &key)) {
        mvcc_rollback(&state->data, key, start, sequence);
    }
}

static void apply_fence(store_state *state, log_sequence sequence, cursor *from)
{
    const sb_address server = cursor_u16(from);
    const session_id session = cursor_u64(from);
    if (!from->failed) {
        store_state_raise_fence(state, server, session, sequence);
    }
}

static void apply_ingest(store_state *state, log_sequence sequence, cursor *from)
{
    const timestamp at = cursor_u64(from);
    slice key, value;
    while (unpack_pair(from, &key, &value)) {
        mvcc_ingest(&state->data, key, value, at, sequence);
    }
}

static void apply_delete_range(store_state *state, log_sequence sequence, cursor *from)
{
    const slice start = cursor_slice(from), end = cursor_slice(from);
    if (!from->failed) {
        store_state_delete_range(state, start, end, sequence);
    }
}

static void apply_guard(store_state *state, log_sequence sequence, cursor *from)
{
    const timestamp safe_point = cursor_u64(from);
    if (!from->failed) {
        store_state_raise_safe_point(state, safe_point, sequence);
    }
}

/* What is left says the same to every reader; but where an entry is gone a reply that depended on
 * its last change depends on this one. */
static void apply_collect(store_state *state, log_sequence sequence, cursor *from)
{
    const timestamp safe_point = cursor_u64(from);
    const slice start = cursor_slice(from), end = cursor_slice(from);
    from->failed |= safe_point > state->safe_point;
    if (!from->failed && garbage_drop(&state->data, start, end, safe_point)) {
        state->deletion = sequence;
    }
}

/* Records of regions; false: none that a store has written. */
static bool apply_region_record(store_state *state, uint8_t kind, log_sequence sequence,
                                cursor *from)
{
    if (kind == RECORD_INSTALL) {
        return region_file_load(state, cursor_slice(from), sequence);
    }
    const region_id id = cursor_u64(from);
    switch (kind) {
    case RECORD_SPLIT: {
        const region_id fresh = cursor_u64(from);
        return region_set_split(&state->regions, id, cursor_slice(from), fresh, sequence);
    }
    case RECORD_MERGE:
        return region_set_merge(&state->regions, id, cursor_u64(from), sequence);
    case RECORD_LEAVE:
        return region_set_leave(&state->regions, id, cursor_u16(from), sequence);
    case RECORD_FORGET:
        return forget_region(state, id, sequence);
    case RECORD_RETURN:
        return region_set_return(&state->regions, id, sequence);
    case RECORD_REFUSE:
        return region_set_refuse(&state->regions, id, cursor_u64(from), sequence);
    default:
        return false;
    }
}

bool store_state_apply(store_state *state, log_sequence sequence, slice record)
{
    sb_assert_op(sequence, ==, state->applied + 1);
    cursor from = cursor_of(record);
    const uint8_t kind = cursor_u8(&from);
    switch (kind) {
    case RECORD_PREWRITE:
        apply_prewrite(state, sequence, &from);
        break;
    case RECORD_COMMIT:
        apply_commit(state, sequence, &from);
        break;
    case RECORD_ROLLBACK:
        apply_rollback(state, sequence, &from);
        break;
    case RECORD_FENCE:
        apply_fence(state, sequence, &from);
        break;
    case RECORD_INGEST:
        apply_ingest(state, sequence, &from);
        break;
    case RECORD_DELETE_RANGE:
        apply_delete_range(state, sequence, &from);
        break;
    case RECORD_GUARD:
        apply_guard(state, sequence, &from);
        break;
    case RECORD_COLLECT:
        apply_collect(state, sequence, &from);
        break;
    default:
        if (!apply_region_record(state, kind, sequence, &from)) {
            return false;
        }
    }
    state->applied = sequence;
    return cursor_finished(&from);
}

/* ---------------------------------------------------------------------------- writing records */

void record_prewrite(buffer *into, timestamp start, uint32_t ttl_ms, slice primary,
                     packed_mutations mutations)
{
    buffer_add_u8(into, RECORD_PREWRITE);
    buffer_add_u64(into, start);
    buffer_add_u32(into, ttl_ms);
    buffer_add_slice(into, primary);
    buffer_add(into, mutations.bytes.data, mutations.bytes.size);
}

void record_commit(buffer *into, timestamp start, timestamp commit)
{
    buffer_add_u8(into, RECORD_COMMIT);
    buffer_add_u64(into, start);
    buffer_add_u64(into, commit);
}

void record_rollback(buffer *into, timestamp start)
{
    buffer_add_u8(into, RECORD_ROLLBACK);
    buffer_add_u64(into, start);
}

void record_add_key(buffer *into, slice key)
{
    buffer_add_slice(into, key);
}

void record_fence(buffer *into, sb_address server, session_id session)
{
    buffer_add_u8(into, RECORD_FENCE);
    buffer_add_u16(into, server);
    buffer_add_u64(into, session);
}

void record_ingest(buffer *into, timestamp at)
{
    buffer_add_u8(into, RECORD_INGEST);
    buffer_add_u64(into, at);
}

void record_add_pair(buffer *into, slice key, slice value)
{
    buffer_add_slice(into, key);
    buffer_add_slice(into, value);
}

void record_delete_range(buffer *into, slice start, slice end)
{
    buffer_add_u8(into, RECORD_DELETE_RANGE);
    buffer_add_slice(into, start);
    buffer_add_slice(into, end);
}

void record_guard(buffer *into, timestamp safe_point)
{
    buffer_add_u8(into, RECORD_GUARD);
    buffer_add_u64(into, safe_point);
}

void record_collect(buffer *into, timestamp safe_point, slice start, slice end)
{
    buffer_add_u8(into, RECORD_COLLECT);
    buffer_add_u64(into, safe_point);
    buffer_add_slice(into, start);
    buffer_add_slice(into, end);
}

void record_split(buffer *into, region_id id, region_id fresh, slice key)
{
    buffer_add_u8(into, RECORD_SPLIT);
    buffer_add_u64(into, id);
    buffer_add_u64(into, fresh);
    buffer_add_slice(into, key);
}

void record_merge(buffer *into, region_id left, region_id right)
{
    buffer_add_u8(into, RECORD_MERGE);
    buffer_add_u64(into, left);
    buffer_add_u64(into, right);
}

void record_leave(buffer *into, region_id id, sb_address to)
{
    buffer_add_u8(into, RECORD_LEAVE);
    buffer_add_u64(into, id);
    buffer_add_u16(into, to);
}

void record_forget(buffer *into, region_id id)
{
    buffer_add_u8(into, RECORD_FORGET);
    buffer_add_u64(into, id);
}

void record_return(buffer *into, region_id id)
{
    buffer_add_u8(into, RECORD_RETURN);
    buffer_add_u64(into, id);
}

void record_refuse(buffer *into, region_id id, region_epoch epoch)
{
    buffer_add_u8(into, RECORD_REFUSE);
    buffer_add_u64(into, id);
    buffer_add_u64(into, epoch);
}

void record_install(buffer *into, slice region_file)
{
    buffer_add_u8(into, RECORD_INSTALL);
    buffer_add_slice(into, region_file);
}
