/*
 * Memory-comparable codec: see codec.h.
 */
#include "engine/base/codec.h"

#include <string.h>

#define GROUP 8u
#define MARKER_FULL 255u
#define SIGN_BIT ((uint64_t)1 << 63)

static void store_big_endian(unsigned char *at, uint64_t value)
{
    for (uint32_t i = 0; i < 8; i++) {
        at[i] = (unsigned char)(value >> (56 - 8 * i));
    }
}

void codec_add_u64(buffer *into, uint64_t value)
{
    store_big_endian(buffer_extend(into, 8), value);
}

void codec_add_i64(buffer *into, int64_t value)
{
    codec_add_u64(into, (uint64_t)value ^ SIGN_BIT);
}

void codec_add_bytes(buffer *into, slice bytes)
{
    unsigned char *at = buffer_extend(into, codec_bytes_size(bytes.size));
    uint32_t left = bytes.size;
    const unsigned char *from = bytes.data;
    while (left >= GROUP) {
        memcpy(at, from, GROUP);
        at[GROUP] = MARKER_FULL;
        at += GROUP + 1;
        from += GROUP;
        left -= GROUP;
    }
    memset(at, 0, GROUP);
    if (left > 0) {
        memcpy(at, from, left);
    }
    at[GROUP] = (unsigned char)(MARKER_FULL - (GROUP - left));
}

uint64_t codec_u64(cursor *from)
{
    if (from->failed || from->end - from->at < 8) {
        from->failed = true;
        return 0;
    }
    uint64_t value = 0;
    for (uint32_t i = 0; i < 8; i++) {
        value = value << 8 | from->at[i];
    }
    from->at += 8;
    return value;
}

int64_t codec_i64(cursor *from)
{
    return (int64_t)(codec_u64(from) ^ SIGN_BIT);
}

/* How many bytes of the group are content; GROUP + 1 for a group that no encoder makes. */
static uint32_t group_content(const unsigned char *group)
{
    const uint32_t padding = MARKER_FULL - group[GROUP];
    if (padding > GROUP) {
        return GROUP + 1;
    }
    for (uint32_t i = GROUP - padding; i < GROUP; i++) {
        if (group[i] != 0) {
            return GROUP + 1;
        }
    }
    return GROUP - padding;
}

void codec_bytes(cursor *from, buffer *into)
{
    uint32_t content = GROUP;
    while (!from->failed && content == GROUP) {
        if (from->end - from->at < (ptrdiff_t)(GROUP + 1)) {
            from->failed = true;
            return;
        }
        content = group_content(from->at);
        if (content > GROUP) {
            from->failed = true;
            return;
        }
        buffer_add(into, from->at, content);
        from->at += GROUP + 1;
    }
}
