/*
 * Byte strings of the engine: a borrowed view, a growing buffer, and reading with a cursor.
 *
 * A `slice` borrows: whoever made it says how long it lives.  A `buffer` owns memory of this node's
 * heap and grows by doubling; buffer_release gives it back.  A `cursor` reads a slice from front to
 * back and remembers the first failure, so that a decoder checks once, at its end, with
 * cursor_finished. Encodings are little-endian and fixed-width unless the name says otherwise; keys
 * have their own codec (engine/base/codec.h).
 */
#ifndef ENGINE_BASE_BYTES_H
#define ENGINE_BASE_BYTES_H

#include <string.h>

#include "sim/node.h"

typedef struct slice {
    const unsigned char *data;
    uint32_t size;
} slice;

typedef struct buffer {
    unsigned char *data; /* NULL while capacity is 0 */
    uint32_t size, capacity;
} buffer;

typedef struct cursor {
    const unsigned char *at, *end;
    bool failed; /* a read went past the end or met an impossible length */
} cursor;

slice slice_of(const void *data, size_t size);
slice slice_of_string(const char *string); /* without its terminating zero */
bool slice_equal(slice left, slice right);
slice slice_copy(slice from); /* in this node's heap; the caller frees .data */

void buffer_init(buffer *into);
void buffer_release(buffer *of);
void buffer_clear(buffer *of); /* size 0, keeps the memory */
slice buffer_slice(const buffer *of);
void buffer_grow(buffer *into, size_t needed); /* capacity for needed bytes at least */
static inline unsigned char *buffer_extend(buffer *into, size_t size); /* size more, counted in */
static inline void buffer_add(buffer *into, const void *data, size_t size);
static inline void buffer_add_u8(buffer *into, uint8_t value);
static inline void buffer_add_u16(buffer *into, uint16_t value);
static inline void buffer_add_u32(buffer *into, uint32_t value);
static inline void buffer_add_u64(buffer *into, uint64_t value);
static inline void buffer_add_slice(buffer *into, slice bytes); /* u32 length, then the bytes */

/* Of a list that grows by doubling from 4: with room for one element more than `count`.  NULL when
 * it has none. */
void *list_with_room(void *list, uint32_t count, size_t element_size);

cursor cursor_of(slice bytes);
static inline uint8_t cursor_u8(cursor *from);
static inline uint16_t cursor_u16(cursor *from);
static inline uint32_t cursor_u32(cursor *from);
static inline uint64_t cursor_u64(cursor *from);
static inline uint8_t cursor_u8_below(cursor *from, uint32_t bound); /* else it has failed: 0 */
static inline slice cursor_slice(cursor *from); /* borrows from what the cursor reads */
bool cursor_finished(const cursor *from);       /* nothing failed and nothing is left */

/*
 * The rest is here for speed: every message, every record and every look into an ordered map is
 * made of it.  Numbers are put together byte by byte, which compilers turn into one load or store
 * where the machine is little-endian, and which is right where it is not.
 */

static inline unsigned char *buffer_extend(buffer *into, size_t size)
{
    const size_t needed = (size_t)into->size + size;
    if (needed > into->capacity || into->data == NULL) {
        buffer_grow(into, needed);
    }
    unsigned char *room = into->data + into->size;
    into->size = (uint32_t)needed;
    return room;
}

static inline void buffer_add(buffer *into, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(buffer_extend(into, size), data, size);
    }
}

static inline void buffer_add_u8(buffer *into, uint8_t value)
{
    *buffer_extend(into, 1) = value;
}

static inline void buffer_add_u16(buffer *into, uint16_t value)
{
    unsigned char *at = buffer_extend(into, 2);
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
}

static inline void store_u32(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
    at[2] = (unsigned char)(value >> 16);
    at[3] = (unsigned char)(value >> 24);
}

static inline void buffer_add_u32(buffer *into, uint32_t value)
{
    store_u32(buffer_extend(into, 4), value);
}

/* In the place of four bytes that are there. */
static inline void buffer_set_u32(buffer *into, uint32_t at, uint32_t value)
{
    sb_assert_op((uint64_t)at + 4, <=, into->size);
    store_u32(into->data + at, value);
}

static inline void buffer_add_u64(buffer *into, uint64_t value)
{
    unsigned char *at = buffer_extend(into, 8);
    store_u32(at, (uint32_t)value);
    store_u32(at + 4, (uint32_t)(value >> 32));
}

static inline void buffer_add_slice(buffer *into, slice bytes)
{
    unsigned char *at = buffer_extend(into, 4 + (size_t)bytes.size);
    store_u32(at, bytes.size);
    if (bytes.size > 0) {
        memcpy(at + 4, bytes.data, bytes.size);
    }
}

/* The next `size` bytes, or NULL: then the cursor has failed and stays where it is. */
static inline const unsigned char *cursor_take(cursor *from, size_t size)
{
    if (from->failed || (size_t)(from->end - from->at) < size) {
        from->failed = true;
        return NULL;
    }
    const unsigned char *taken = from->at;
    from->at += size;
    return taken;
}

static inline uint32_t load_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint8_t cursor_u8(cursor *from)
{
    const unsigned char *at = cursor_take(from, 1);
    return at == NULL ? 0 : at[0];
}

static inline uint8_t cursor_u8_below(cursor *from, uint32_t bound)
{
    const uint8_t value = cursor_u8(from);
    from->failed |= value >= bound;
    return from->failed ? 0 : value;
}

static inline uint16_t cursor_u16(cursor *from)
{
    const unsigned char *at = cursor_take(from, 2);
    return at == NULL ? 0 : (uint16_t)((unsigned)at[0] | (unsigned)at[1] << 8);
}

static inline uint32_t cursor_u32(cursor *from)
{
    const unsigned char *at = cursor_take(from, 4);
    return at == NULL ? 0 : load_u32(at);
}

static inline uint64_t cursor_u64(cursor *from)
{
    const unsigned char *at = cursor_take(from, 8);
    return at == NULL ? 0 : (uint64_t)load_u32(at) | (uint64_t)load_u32(at + 4) << 32;
}

static inline slice cursor_slice(cursor *from)
{
    const uint32_t size = cursor_u32(from);
    const unsigned char *at = from->failed || size == 0 ? NULL : cursor_take(from, size);
    return at == NULL ? (slice){0} : (slice){.data = at, .size = size};
}

/* Eight bytes as a number that orders as they do. */
static inline uint64_t slice_word(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* As unsigned bytes, the shorter first. */
static inline int slice_compare(slice left, slice right)
{
    const uint32_t shared = left.size < right.size ? left.size : right.size;
    uint32_t at = 0;
    for (; at + 8 <= shared; at += 8) {
        const uint64_t a = slice_word(left.data + at), b = slice_word(right.data + at);
        if (a != b) {
            return a < b ? -1 : 1;
        }
    }
    for (; at < shared; at++) {
        if (left.data[at] != right.data[at]) {
            return left.data[at] < right.data[at] ? -1 : 1;
        }
    }
    return (left.size > right.size) - (left.size < right.size);
}

#endif
