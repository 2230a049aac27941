/*
 * Checkpoints: see checkpoint.h.
 */
#include "engine/storage/checkpoint.h"

#include <stdio.h>

#include "engine/storage/sorted_file.h"

#define MANIFEST_FORMAT 3u
#define HEAD_KEY 0x00u
#define ENTRY_KEY 0x01u
#define BLOCK_SIZE ((uint32_t)16 << 10)

void checkpoint_path(char path[CHECKPOINT_PATH_SIZE], uint64_t generation)
{
    (void)snprintf(path, CHECKPOINT_PATH_SIZE, "checkpoint-%llu", (unsigned long long)generation);
}

void log_path(char path[CHECKPOINT_PATH_SIZE], uint64_t generation)
{
    (void)snprintf(path, CHECKPOINT_PATH_SIZE, "log-%llu", (unsigned long long)generation);
}

void manifest_encode(const manifest *of, buffer *into)
{
    buffer_add_u32(into, MANIFEST_FORMAT);
    buffer_add_u64(into, of->generation);
    buffer_add_u64(into, of->sequence);
    buffer_add_u64(into, of->digest);
}

bool manifest_decode(manifest *into, slice bytes)
{
    cursor from = cursor_of(bytes);
    const uint32_t format = cursor_u32(&from);
    into->generation = cursor_u64(&from);
    into->sequence = cursor_u64(&from);
    into->digest = cursor_u64(&from);
    return cursor_finished(&from) && format == MANIFEST_FORMAT && into->generation > 0;
}

/* --------------------------------------------------------------------------------------- head */

static void head_encode(const store_state *state, buffer *into)
{
    buffer_add_u64(into, state->applied);
    buffer_add_u64(into, state->deletion);
    buffer_add_u64(into, state->safe_point);
    region_set_encode(&state->regions, into);
    buffer_add_u32(into, state->fence_count);
    for (uint32_t i = 0; i < state->fence_count; i++) {
        buffer_add_u16(into, state->fences[i].server);
        buffer_add_u64(into, state->fences[i].least);
    }
    buffer_add_u32(into, state->deleted_count);
    for (uint32_t i = 0; i < state->deleted_count; i++) {
        buffer_add_slice(into, state->deleted[i].start);
        buffer_add_slice(into, state->deleted[i].end);
    }
}

/* Fences and ranges come back the way they came: as records. */
static void apply_again(store_state *state, buffer *record, log_sequence sequence, cursor *from)
{
    state->applied = sequence - 1;
    if (!store_state_apply(state, sequence, buffer_slice(record))) {
        from->failed = true;
    }
    buffer_clear(record);
}

static bool head_decode(store_state *state, slice bytes, const manifest *of)
{
    buffer record;
    buffer_init(&record);
    cursor from = cursor_of(bytes);
    const log_sequence sequence = cursor_u64(&from), deletion = cursor_u64(&from);
    store_state_raise_safe_point(state, cursor_u64(&from), sequence);
    const bool regions = region_set_decode(&state->regions, &from, sequence);
    const uint32_t fence_count = cursor_u32(&from);
    for (uint32_t i = 0; i < fence_count && !from.failed; i++) {
        const sb_address server = cursor_u16(&from);
        record_fence(&record, server, cursor_u64(&from));
        apply_again(state, &record, sequence, &from);
    }
    const uint32_t deleted_count = cursor_u32(&from);
    for (uint32_t i = 0; i < deleted_count && !from.failed; i++) {
        const slice start = cursor_slice(&from);
        record_delete_range(&record, start, cursor_slice(&from));
        apply_again(state, &record, sequence, &from);
    }
    buffer_release(&record);
    state->applied = sequence;
    state->deletion = deletion;
    return regions && cursor_finished(&from) && sequence == of->sequence;
}

/* ---------------------------------------------------------------------------------- the whole */

uint64_t checkpoint_encode(const store_state *state, buffer *into)
{
    sorted_builder builder;
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    sorted_builder_init(&builder, BLOCK_SIZE);
    buffer_add_u8(&key, HEAD_KEY);
    head_encode(state, &value);
    sorted_builder_add(&builder, buffer_slice(&key), buffer_slice(&value));
    for (ordered_map_cursor at = ordered_map_first(&state->data.entries); ordered_map_valid(&at);
         ordered_map_next(&at)) {
        const slice user_key = ordered_map_key(&at);
        buffer_clear(&key);
        buffer_add_u8(&key, ENTRY_KEY);
        buffer_add(&key, user_key.data, user_key.size);
        buffer_clear(&value);
        entry_encode(ordered_map_value(&at), &value);
        sorted_builder_add(&builder, buffer_slice(&key), buffer_slice(&value));
    }
    const sorted_summary summary = sorted_builder_finish(&builder);
    buffer_add(into, builder.out.data, builder.out.size);
    sorted_builder_release(&builder);
    buffer_release(&value);
    buffer_release(&key);
    return summary.digest;
}

static bool load_pair(store_state *state, const manifest *of, slice key, slice value,
                      uint64_t number)
{
    if (number == 0) {
        return key.size == 1 && key.data[0] == HEAD_KEY && head_decode(state, value, of);
    }
    return key.size > 1 && key.data[0] == ENTRY_KEY &&
           mvcc_load_entry(&state->data, slice_of(key.data + 1, key.size - 1), value, of->sequence);
}

bool checkpoint_decode(store_state *state, slice bytes, const manifest *of, uint64_t *offset)
{
    sorted_reader reader;
    slice key, value;
    sorted_status status = sorted_reader_open(&reader, bytes);
    bool good =
        status == SORTED_OK && reader.summary.digest == of->digest && reader.summary.pair_count > 0;
    for (uint64_t number = 0; good && status == SORTED_OK; number++) {
        status = sorted_reader_next(&reader, &key, &value);
        if (status == SORTED_OK) {
            good = load_pair(state, of, key, value, number);
        }
    }
    *offset = reader.damaged_offset;
    sorted_reader_release(&reader);
    return good && status == SORTED_END;
}
