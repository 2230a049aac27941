/*
 * Byte strings: see bytes.h.
 *
 * Numbers are put together byte by byte, which compilers turn into one load or store where the
 * machine is little-endian, and which is right where it is not.
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

static void buffer_grow(buffer *into, size_t needed)
{
    size_t capacity = into->capacity > 0 ? into->capacity : BUFFER_CAPACITY_MIN;
    sb_assert_op(needed, <=, BUFFER_CAPACITY_MAX);
    while (capacity < needed) {
        capacity *= 2;
    }
    into->data = into->data == NULL ? sb_alloc(capacity) : sb_realloc(into->data, capacity);
    into->capacity = (uint32_t)capacity;
}

unsigned char *buffer_extend(buffer *into, size_t size)
{
    const size_t needed = (size_t)into->size + size;
    if (needed > into->capacity || into->data == NULL) {
        buffer_grow(into, needed);
    }
    unsigned char *room = into->data + into->size;
    into->size = (uint32_t)needed;
    return room;
}

void buffer_add(buffer *into, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(buffer_extend(into, size), data, size);
    }
}

void buffer_add_u8(buffer *into, uint8_t value)
{
    *buffer_extend(into, 1) = value;
}

void buffer_add_u16(buffer *into, uint16_t value)
{
    unsigned char *at = buffer_extend(into, 2);
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

static void store_u32(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
    at[2] = (unsigned char)(value >> 16);
    at[3] = (unsigned char)(value >> 24);
}

void buffer_add_u32(buffer *into, uint32_t value)
{
    store_u32(buffer_extend(into, 4), value);
}

void buffer_add_u64(buffer *into, uint64_t value)
{
    unsigned char *at = buffer_extend(into, 8);
    store_u32(at, (uint32_t)value);
    store_u32(at + 4, (uint32_t)(value >> 32));
}

void buffer_add_slice(buffer *into, slice bytes)
{
    unsigned char *at = buffer_extend(into, 4 + (size_t)bytes.size);
    store_u32(at, bytes.size);
    if (bytes.size > 0) {
        memcpy(at + 4, bytes.data, bytes.size);
    }
}

/* ------------------------------------------------------------------------------------ cursors */

cursor cursor_of(slice bytes)
{
    return (cursor){.at = bytes.data, .end = bytes.size > 0 ? bytes.data + bytes.size : bytes.data};
}

/* The next `size` bytes, or NULL: then the cursor has failed and stays where it is. */
static const unsigned char *cursor_take(cursor *from, size_t size)
{
    if (from->failed || (size_t)(from->end - from->at) < size) {
        from->failed = true;
        return NULL;
    }
    const unsigned char *taken = from->at;
    from->at += size;
    return taken;
}

static uint32_t load_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint8_t cursor_u8(cursor *from)
{
    const unsigned char *at = cursor_take(from, 1);
    return at == NULL ? 0 : at[0];
}

uint16_t cursor_u16(cursor *from)
{
    const unsigned char *at = cursor_take(from, 2);
    return at == NULL ? 0 : (uint16_t)((unsigned)at[0] | (unsigned)at[1] << 8);
}

uint32_t cursor_u32(cursor *from)
{
    const unsigned char *at = cursor_take(from, 4);
    return at == NULL ? 0 : load_u32(at);
}

uint64_t cursor_u64(cursor *from)
{
    const unsigned char *at = cursor_take(from, 8);
    return at == NULL ? 0 : (uint64_t)load_u32(at) | (uint64_t)load_u32(at + 4) << 32;
}

slice cursor_slice(cursor *from)
{
    const uint32_t size = cursor_u32(from);
    const unsigned char *at = from->failed || size == 0 ? NULL : cursor_take(from, size);
    return at == NULL ? (slice){0} : (slice){.data = at, .size = size};
}

bool cursor_finished(const cursor *from)
{
    return !from->failed && from->at == from->end;
}
