/*
 * Sorted files: see sorted_file.h for the format.
 */
#include "engine/storage/sorted_file.h"

#include "engine/base/checksum.h"

#define MAGIC 0x656c696664746f73u /* "sotdfile" */
#define FORMAT 1u
#define CHECKSUM_SIZE 8u

/* ------------------------------------------------------------------------------------ builder */

void sorted_builder_init(sorted_builder *builder, uint32_t block_size)
{
    sb_assert_op(block_size, >, 0);
    *builder = (sorted_builder){.block_size = block_size};
}

void sorted_builder_release(sorted_builder *builder)
{
    buffer_release(&builder->out);
    buffer_release(&builder->index);
    buffer_release(&builder->last_key);
}

static void close_block(sorted_builder *builder)
{
    buffer *out = &builder->out;
    const slice content = {out->data + builder->block_start, out->size - builder->block_start};
    const uint64_t checksum = checksum64(content);
    /* The pair's two sizes stand before its key. */
    const slice first_key = {content.data + 8, builder->block_first_key_size};
    buffer_add_u64(&builder->index, builder->block_start);
    buffer_add_u32(&builder->index, content.size + CHECKSUM_SIZE);
    buffer_add_u32(&builder->index, builder->block_pairs);
    buffer_add_u64(&builder->index, checksum);
    buffer_add_slice(&builder->index, first_key);
    buffer_add_u64(out, checksum);
    builder->block_count++;
    builder->block_start = out->size;
    builder->block_pairs = 0;
}

void sorted_builder_add(sorted_builder *builder, slice key, slice value)
{
    sb_assert_op(key.size, >, 0);
    sb_assert(slice_compare(buffer_slice(&builder->last_key), key) < 0);
    buffer_clear(&builder->last_key);
    buffer_add(&builder->last_key, key.data, key.size);
    if (builder->block_pairs == 0) {
        builder->block_first_key_size = key.size;
    }
    buffer_add_u32(&builder->out, key.size);
    buffer_add_u32(&builder->out, value.size);
    buffer_add(&builder->out, key.data, key.size);
    buffer_add(&builder->out, value.data, value.size);
    builder->block_pairs++;
    builder->pair_count++;
    if (builder->out.size - builder->block_start >= builder->block_size) {
        close_block(builder);
    }
}

sorted_summary sorted_builder_finish(sorted_builder *builder)
{
    buffer *out = &builder->out;
    if (builder->block_pairs > 0) {
        close_block(builder);
    }
    const uint64_t index_offset = out->size;
    const uint64_t digest =
        checksum64_of_part(buffer_slice(&builder->index), builder->pair_count) | 1;
    buffer_add(out, builder->index.data, builder->index.size);
    const uint32_t footer = out->size;
    const sorted_summary summary = {
        .digest = digest,
        .file_size = out->size + SORTED_FOOTER_SIZE,
        .pair_count = builder->pair_count,
    };
    buffer_add_u64(out, MAGIC);
    buffer_add_u32(out, FORMAT);
    buffer_add_u32(out, builder->block_count);
    buffer_add_u64(out, builder->pair_count);
    buffer_add_u64(out, index_offset);
    buffer_add_u64(out, builder->index.size);
    buffer_add_u64(out, digest);
    buffer_add_u64(out, summary.file_size);
    buffer_add_u64(out,
                   checksum64(slice_of(out->data + footer, SORTED_FOOTER_SIZE - CHECKSUM_SIZE)));
    sb_assert_op(out->size - footer, ==, SORTED_FOOTER_SIZE);
    return summary;
}

/* --------------------------------------------------------------------------- opening a reader */

static sorted_status damaged_at(sorted_reader *reader, uint64_t offset)
{
    reader->damaged_offset = offset;
    return SORTED_DAMAGED;
}

typedef struct footer {
    uint32_t block_count;
    uint64_t index_offset, index_size;
} footer;

static bool footer_decode(slice bytes, uint64_t file_size, sorted_summary *summary, footer *found)
{
    cursor at = cursor_of(bytes);
    bool good = cursor_u64(&at) == MAGIC;
    good = cursor_u32(&at) == FORMAT && good;
    found->block_count = cursor_u32(&at);
    summary->pair_count = cursor_u64(&at);
    found->index_offset = cursor_u64(&at);
    found->index_size = cursor_u64(&at);
    summary->digest = cursor_u64(&at);
    summary->file_size = cursor_u64(&at);
    good =
        cursor_u64(&at) == checksum64(slice_of(bytes.data, SORTED_FOOTER_SIZE - CHECKSUM_SIZE)) &&
        good;
    sb_assert(cursor_finished(&at));
    return good && summary->file_size == file_size && found->index_offset <= file_size &&
           found->index_size == file_size - SORTED_FOOTER_SIZE - found->index_offset &&
           found->index_size <= UINT32_MAX;
}

typedef struct block_entry {
    uint64_t offset;
    uint32_t size, pairs;
    uint64_t checksum;
    slice first_key;
} block_entry;

static bool index_next(cursor *at, block_entry *entry)
{
    if (at->failed || at->at == at->end) {
        return false;
    }
    entry->offset = cursor_u64(at);
    entry->size = cursor_u32(at);
    entry->pairs = cursor_u32(at);
    entry->checksum = cursor_u64(at);
    entry->first_key = cursor_slice(at);
    return !at->failed;
}

/* The index is sound when its checksum is right and its blocks lie one after the other from 0 to
 * the index. */
static bool index_is_sound(slice index, const sorted_summary *summary, const footer *of)
{
    if ((checksum64_of_part(index, summary->pair_count) | 1) != summary->digest) {
        return false;
    }
    uint64_t offset = 0, pairs = 0;
    uint32_t blocks = 0;
    block_entry entry;
    cursor at = cursor_of(index);
    while (index_next(&at, &entry)) {
        if (entry.offset != offset || entry.size <= CHECKSUM_SIZE || entry.pairs == 0 ||
            entry.first_key.size == 0) {
            return false;
        }
        offset += entry.size;
        pairs += entry.pairs;
        blocks++;
    }
    return cursor_finished(&at) && offset == of->index_offset && pairs == summary->pair_count &&
           blocks == of->block_count;
}

sorted_status sorted_reader_open(sorted_reader *reader, slice bytes)
{
    *reader = (sorted_reader){.bytes = bytes};
    if (bytes.size < SORTED_FOOTER_SIZE) {
        return damaged_at(reader, 0);
    }
    const uint32_t footer_offset = bytes.size - SORTED_FOOTER_SIZE;
    footer of;
    if (!footer_decode(slice_of(bytes.data + footer_offset, SORTED_FOOTER_SIZE), bytes.size,
                       &reader->summary, &of)) {
        return damaged_at(reader, footer_offset);
    }
    reader->index = slice_of(bytes.data + of.index_offset, of.index_size);
    if (!index_is_sound(reader->index, &reader->summary, &of)) {
        return damaged_at(reader, of.index_offset);
    }
    reader->index_at = cursor_of(reader->index);
    return SORTED_OK;
}

void sorted_reader_release(sorted_reader *reader)
{
    buffer_release(&reader->last_key);
}

/* ------------------------------------------------------------------------------------ reading */

/* Open the block whose entry index_at stands at.  SORTED_END when there is none. */
static sorted_status next_block(sorted_reader *reader)
{
    block_entry entry;
    cursor behind = reader->index_at;
    if (!index_next(&behind, &entry)) {
        return SORTED_END;
    }
    reader->index_at = behind;
    const slice bytes = slice_of(reader->bytes.data + entry.offset, entry.size);
    const slice content = {bytes.data, bytes.size - CHECKSUM_SIZE};
    cursor stored = cursor_of(slice_of(bytes.data + content.size, CHECKSUM_SIZE));
    if (checksum64(content) != entry.checksum || cursor_u64(&stored) != entry.checksum) {
        return damaged_at(reader, entry.offset);
    }
    reader->block = cursor_of(content);
    reader->block_offset = entry.offset;
    reader->block_pairs_left = entry.pairs;
    return SORTED_OK;
}

static slice take_bytes(cursor *from, uint32_t size)
{
    if ((size_t)(from->end - from->at) < size) {
        from->failed = true;
        return (slice){0};
    }
    const slice taken = {from->at, size};
    from->at += size;
    return taken;
}

static sorted_status next_pair(sorted_reader *reader, slice *key, slice *value)
{
    while (reader->block_pairs_left == 0) {
        const sorted_status status = next_block(reader);
        if (status != SORTED_OK) {
            return status;
        }
    }
    cursor *at = &reader->block;
    const uint32_t key_size = cursor_u32(at), value_size = cursor_u32(at);
    *key = take_bytes(at, key_size);
    *value = take_bytes(at, value_size);
    reader->block_pairs_left--;
    const bool block_ends = at->at == at->end;
    if (at->failed || key_size == 0 || (reader->block_pairs_left == 0) != block_ends ||
        slice_compare(buffer_slice(&reader->last_key), *key) >= 0) {
        reader->block_pairs_left = 0;
        return damaged_at(reader, reader->block_offset);
    }
    return SORTED_OK;
}

static void remember_key(sorted_reader *reader, slice key)
{
    buffer_clear(&reader->last_key);
    buffer_add(&reader->last_key, key.data, key.size);
}

sorted_status sorted_reader_next(sorted_reader *reader, slice *key, slice *value)
{
    const sorted_status status = next_pair(reader, key, value);
    if (status == SORTED_OK) {
        remember_key(reader, *key);
    }
    return status;
}

/* Stand before the last block that begins at or before the key, or before the first block. */
static void seek_block(sorted_reader *reader, slice key)
{
    cursor at = cursor_of(reader->index);
    cursor before = at;
    block_entry entry;
    reader->index_at = at;
    while (index_next(&at, &entry) && slice_compare(entry.first_key, key) <= 0) {
        reader->index_at = before;
        before = at;
    }
    reader->block_pairs_left = 0;
    buffer_clear(&reader->last_key);
}

sorted_status sorted_reader_seek(sorted_reader *reader, slice key)
{
    slice found, value;
    seek_block(reader, key);
    for (;;) {
        if (reader->block_pairs_left == 0) {
            const sorted_status status = next_block(reader);
            if (status != SORTED_OK) {
                return status == SORTED_END ? SORTED_OK : status;
            }
        }
        const cursor block = reader->block;
        const uint32_t pairs_left = reader->block_pairs_left;
        const sorted_status status = next_pair(reader, &found, &value);
        if (status != SORTED_OK) {
            return status;
        }
        if (slice_compare(found, key) >= 0) {
            reader->block = block;
            reader->block_pairs_left = pairs_left;
            return SORTED_OK;
        }
        remember_key(reader, found);
    }
}
