/*
 * The writes of one transaction: a sorted array with the bytes of each write in a block of its own.
 * Transactions write few keys, so inserting by memmove is cheaper than any tree.
 */
#include "engine/transaction/writes.h"

#include <string.h>

#define BATCH_BYTES_MAX ((size_t)256 << 10)

void write_set_release(write_set *of)
{
    for (uint32_t i = 0; i < of->count; i++) {
        sb_free(of->items[i].bytes);
    }
    sb_free(of->items);
    *of = (write_set){0};
}

uint32_t write_set_seek(const write_set *of, slice key)
{
    uint32_t low = 0, high = of->count; /* everything below low is less, from high on not less */
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (slice_compare(write_key(&of->items[middle]), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const buffered_write *write_set_find(const write_set *of, slice key)
{
    const uint32_t at = write_set_seek(of, key);
    const bool found = at < of->count && slice_equal(write_key(&of->items[at]), key);
    return found ? &of->items[at] : NULL;
}

static unsigned char *join(slice key, slice value)
{
    unsigned char *bytes = sb_alloc((size_t)key.size + value.size);
    memcpy(bytes, key.data, key.size);
    if (value.size > 0) {
        memcpy(bytes + key.size, value.data, value.size);
    }
    return bytes;
}

void write_set_add(write_set *of, mutation_kind kind, slice key, slice value)
{
    sb_assert(key.size > 0 && key.size <= KEY_SIZE_MAX);
    sb_assert_op(value.size, <=, VALUE_SIZE_MAX);
    const uint32_t at = write_set_seek(of, key);
    const bool replace = at < of->count && slice_equal(write_key(&of->items[at]), key);
    if (replace && kind == MUTATION_LOCK) {
        return;
    }
    unsigned char *bytes = join(key, value);
    bool primary = replace && of->items[at].primary;
    if (kind != MUTATION_LOCK && !of->has_primary) {
        primary = of->has_primary = true;
    }
    if (replace) {
        sb_free(of->items[at].bytes);
    } else {
        if (of->count == of->capacity) {
            of->capacity = of->capacity == 0 ? 8 : of->capacity * 2;
            const size_t size = of->capacity * sizeof(*of->items);
            of->items = of->items == NULL ? sb_alloc(size) : sb_realloc(of->items, size);
        }
        memmove(of->items + at + 1, of->items + at, (of->count - at) * sizeof(*of->items));
        of->count++;
    }
    of->items[at] = (buffered_write){.bytes = bytes,
                                     .key_size = key.size,
                                     .value_size = value.size,
                                     .kind = (uint8_t)kind,
                                     .stage = WRITE_BUFFERED,
                                     .primary = primary};
}

uint32_t write_set_primary(const write_set *of)
{
    sb_assert_op(of->count, >, 0);
    for (uint32_t i = 0; i < of->count; i++) {
        if (of->items[i].primary) {
            return i;
        }
    }
    return 0;
}

static size_t write_size(const buffered_write *of)
{
    return (size_t)of->key_size + of->value_size + 16;
}

batch write_set_batch(const write_set *of, const region_description *region, uint32_t anchor)
{
    sb_assert(key_in_range(write_key(&of->items[anchor]), region->start, region->end));
    batch cut = {anchor, anchor + 1};
    size_t size = write_size(&of->items[anchor]);
    while (cut.high < of->count && size < BATCH_BYTES_MAX &&
           key_in_range(write_key(&of->items[cut.high]), region->start, region->end)) {
        size += write_size(&of->items[cut.high++]);
    }
    while (cut.low > 0 && size < BATCH_BYTES_MAX &&
           key_in_range(write_key(&of->items[cut.low - 1]), region->start, region->end)) {
        size += write_size(&of->items[--cut.low]);
    }
    return cut;
}

uint32_t write_set_at_stage(const write_set *of, write_stage stage)
{
    uint32_t i = 0;
    while (i < of->count && of->items[i].stage != stage) {
        i++;
    }
    return i;
}
