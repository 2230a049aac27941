/*
 * Memory-comparable codec: values encoded so that comparing the bytes compares the values.
 *
 *   u64      eight bytes, big-endian
 *   i64      the same with the top bit flipped, so that negative numbers come first
 *   bytes    groups of eight, zero-padded, each followed by a marker 255 - padding; a full group is
 *            followed by another, so "abcdefgh" is eight bytes, 255, eight zeros, 247
 *
 * The layout of byte strings is TiDB's (pkg/util/codec, EncodeBytes).  An encoding is never a
 * prefix of another of the same kind, so encodings can stand one after the other in a key. Decoders
 * mark the cursor failed on anything that the encoder cannot have made.
 */
#ifndef ENGINE_BASE_CODEC_H
#define ENGINE_BASE_CODEC_H

#include "engine/base/bytes.h"

void codec_add_u64(buffer *into, uint64_t value);
void codec_add_i64(buffer *into, int64_t value);
void codec_add_bytes(buffer *into, slice bytes);

uint64_t codec_u64(cursor *from);
int64_t codec_i64(cursor *from);
void codec_bytes(cursor *from, buffer *into); /* appends the decoded bytes */

/* The size that codec_add_bytes gives to `size` bytes. */
static inline uint32_t codec_bytes_size(uint32_t size)
{
    return (size / 8 + 1) * 9;
}

#endif
