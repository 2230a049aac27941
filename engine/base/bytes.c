/*
 * Byte strings: see bytes.h.
 */
#include "engine/base/bytes.h"

#include <string.h>

#define BUFFER_CAPACITY_MIN 64u
#define BUFFER_CAPACITY_MAX ((size_t)1 << 31)

/* ------------------------------------------------------------------------------------- slices */

slice slice_of(const void *data, size_t size)
{
    sb_assert_op(size, <=, UINT32_MAX);
    return (slice){.data = data, .size = (uint32_t)size};
}

slice slice_of_string(const char *string)
{
    return slice_of(string, strlen(string));
}

bool slice_equal(slice left, slice right)
{
    return left.size == right.size &&
           (left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
}

slice slice_copy(slice from)
{
    unsigned char *copy = sb_alloc(from.size > 0 ? from.size : 1);
    if (from.size > 0) {
        memcpy(copy, from.data, from.size);
    }
    return (slice){.data = copy, .size = from.size};
}

/* ------------------------------------------------------------------------------------ buffers */

void buffer_init(buffer *into)
{
    *into = (buffer){0};
}

void buffer_release(buffer *of)
{
    sb_free(of->data);
    *of = (buffer){0};
}

void buffer_clear(buffer *of)
{
    of->size = 0;
}

slice buffer_slice(const buffer *of)
{
    return (slice){.data = of->data, .size = of->size};
}

void buffer_grow(buffer *into, size_t needed)
{
    size_t capacity = into->capacity > 0 ? into->capacity : BUFFER_CAPACITY_MIN;
    sb_assert_op(needed, <=, BUFFER_CAPACITY_MAX);
    while (capacity < needed) {
        capacity *= 2;
    }
    into->data = into->data == NULL ? sb_alloc(capacity) : sb_realloc(into->data, capacity);
    into->capacity = (uint32_t)capacity;
}

void *list_with_room(void *list, uint32_t count, size_t element_size)
{
    if (count == 0) {
        return sb_alloc(4 * element_size);
    }
    const bool full = count >= 4 && (count & (count - 1)) == 0;
    return full ? sb_realloc(list, 2 * (size_t)count * element_size) : list;
}

/* ------------------------------------------------------------------------------------ cursors */

cursor cursor_of(slice bytes)
{
    return (cursor){.at = bytes.data, .end = bytes.size > 0 ? bytes.data + bytes.size : bytes.data};
}

bool cursor_finished(const cursor *from)
{
    return !from->failed && from->at == from->end;
}
