/*
 * A region's content as one sorted file: see region_file.h.
 */
#include "engine/storage/region_file.h"

#include "engine/storage/sorted_file.h"

#define HEAD_KEY 0x00u
#define ENTRY_KEY 0x01u
#define BLOCK_SIZE ((uint32_t)16 << 10)

/* ----------------------------------------------------------------------------------- encoding */

static slice later(slice left, slice right)
{
    return slice_compare(left, right) >= 0 ? left : right;
}

static void deleted_encode(const store_state *state, const region *of, buffer *into)
{
    packing list;
    packing_init(&list);
    for (uint32_t i = 0; i < state->deleted_count; i++) {
        const slice start = later(state->deleted[i].start, of->start);
        const slice end = earlier_end(state->deleted[i].end, of->end);
        if (end.size == 0 || slice_compare(start, end) < 0) {
            pack_pair(&list, start, end);
        }
    }
    buffer_add_u32(into, list.count);
    buffer_add(into, list.bytes.data, list.bytes.size);
    packing_release(&list);
}

static void head_encode(const store_state *state, const region *of, buffer *into)
{
    buffer_add_u64(into, of->id);
    buffer_add_u64(into, of->epoch + 1);
    buffer_add_slice(into, of->start);
    buffer_add_slice(into, of->end);
    buffer_add_u64(into, state->safe_point);
    buffer_add_u32(into, state->fence_count);
    for (uint32_t i = 0; i < state->fence_count; i++) {
        buffer_add_u16(into, state->fences[i].server);
        buffer_add_u64(into, state->fences[i].least);
    }
    deleted_encode(state, of, into);
}

uint64_t region_file_encode(const store_state *state, const region *of, buffer *into)
{
    sorted_builder builder;
    buffer key, value;
    sb_assert(region_is_held(of));
    buffer_init(&key);
    buffer_init(&value);
    sorted_builder_init(&builder, BLOCK_SIZE);
    buffer_add_u8(&key, HEAD_KEY);
    head_encode(state, of, &value);
    sorted_builder_add(&builder, buffer_slice(&key), buffer_slice(&value));
    ordered_map_cursor at = ordered_map_seek(&state->data.entries, of->start);
    for (; ordered_map_valid(&at); ordered_map_next(&at)) {
        const slice user_key = ordered_map_key(&at);
        if (!key_in_range(user_key, of->start, of->end)) {
            break;
        }
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

range_size region_size(const store_state *state, slice start, slice end)
{
    range_size size = {0};
    const ordered_map *entries = &state->data.entries;
    const ordered_map_cursor stop =
        end.size > 0 ? ordered_map_seek(entries, end) : (ordered_map_cursor){NULL, 0};
    ordered_map_cursor at = ordered_map_seek(entries, start);
    while (at.leaf != stop.leaf || at.slot != stop.slot) {
        size.bytes += ((const entry *)ordered_map_value(&at))->size;
        size.keys++;
        ordered_map_next(&at);
    }
    return size;
}

/* ----------------------------------------------------------------------------------- decoding */

static bool head_decode(cursor *from, region_description *about)
{
    *about = (region_description){.id = cursor_u64(from)};
    about->epoch = cursor_u64(from);
    about->start = cursor_slice(from);
    about->end = cursor_slice(from);
    return !from->failed && about->id != 0;
}

bool region_file_check(slice file, uint64_t digest, region_description *about)
{
    sorted_reader reader;
    slice key, value;
    sorted_status status = sorted_reader_open(&reader, file);
    bool good = status == SORTED_OK && reader.summary.digest == digest;
    if (good) {
        status = sorted_reader_next(&reader, &key, &value);
        cursor from = cursor_of(value);
        good = status == SORTED_OK && key.size == 1 && head_decode(&from, about);
    }
    while (good && status == SORTED_OK) {
        status = sorted_reader_next(&reader, &key, &value);
    }
    sorted_reader_release(&reader);
    return good && status == SORTED_END;
}

static bool head_load(store_state *state, slice bytes, log_sequence sequence)
{
    region_description about;
    cursor from = cursor_of(bytes);
    if (!head_decode(&from, &about) || !region_set_serve(&state->regions, &about, sequence)) {
        return false;
    }
    store_state_raise_safe_point(state, cursor_u64(&from), sequence);
    const uint32_t fence_count = cursor_u32(&from);
    for (uint32_t i = 0; i < fence_count && !from.failed; i++) {
        const sb_address server = cursor_u16(&from);
        store_state_raise_fence(state, server, cursor_u64(&from), sequence);
    }
    const uint32_t deleted_count = cursor_u32(&from);
    for (uint32_t i = 0; i < deleted_count && !from.failed; i++) {
        const slice start = cursor_slice(&from);
        store_state_delete_range(state, start, cursor_slice(&from), sequence);
    }
    return cursor_finished(&from);
}

bool region_file_load(store_state *state, slice file, log_sequence sequence)
{
    sorted_reader reader;
    slice key, value;
    sorted_status status = sorted_reader_open(&reader, file);
    bool good = status == SORTED_OK && reader.summary.pair_count > 0;
    for (uint64_t number = 0; good && status == SORTED_OK; number++) {
        status = sorted_reader_next(&reader, &key, &value);
        if (status == SORTED_OK && number == 0) {
            good = key.size == 1 && key.data[0] == HEAD_KEY && head_load(state, value, sequence);
        } else if (status == SORTED_OK) {
            good = key.size > 1 && key.data[0] == ENTRY_KEY &&
                   mvcc_load_entry(&state->data, slice_of(key.data + 1, key.size - 1), value,
                                   sequence);
        }
    }
    sorted_reader_release(&reader);
    return good && status == SORTED_END;
}
