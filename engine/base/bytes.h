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
unsigned char *buffer_extend(buffer *into, size_t size); /* room for size more bytes, counted in */
void buffer_add(buffer *into, const void *data, size_t size);
void buffer_add_u8(buffer *into, uint8_t value);
void buffer_add_u16(buffer *into, uint16_t value);
void buffer_add_u32(buffer *into, uint32_t value);
void buffer_add_u64(buffer *into, uint64_t value);
void buffer_add_slice(buffer *into, slice bytes); /* u32 length, then the bytes */

cursor cursor_of(slice bytes);
uint8_t cursor_u8(cursor *from);
uint16_t cursor_u16(cursor *from);
uint32_t cursor_u32(cursor *from);
uint64_t cursor_u64(cursor *from);
slice cursor_slice(cursor *from);         /* borrows from what the cursor reads */
bool cursor_finished(const cursor *from); /* nothing failed and nothing is left */

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

/* As unsigned bytes, the shorter first.  Here for speed: every look into an ordered map is made of
 * it. */
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
