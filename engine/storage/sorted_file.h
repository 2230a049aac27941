/*
 * Sorted files: pairs in key order, in checksummed blocks, made and read in memory.  Checkpoints of
 * a store, the content of a region that moves, and the files a backfill uploads to be ingested have
 * this shape.
 *
 *   block …    pairs: u32 key size, u32 value size, key, value; then u64 checksum of all that
 *   index      for each block: u64 offset, u32 size (with checksum), u32 pairs, u64 checksum,
 *              u32 size and bytes of its first key
 *   footer     64 bytes: u64 magic, u32 format, u32 blocks, u64 pairs, u64 index offset,
 *              u64 index size, u64 digest, u64 file size, u64 checksum of the footer up to here
 *
 * Everything is little-endian.  The digest is a checksum of the index, which holds those of the
 * blocks, so it stands for the whole content: two files with the same digest hold the same pairs.
 * */
#ifndef ENGINE_STORAGE_SORTED_FILE_H
#define ENGINE_STORAGE_SORTED_FILE_H

#include "engine/base/bytes.h"

#define SORTED_FOOTER_SIZE 64u
#define SORTED_BLOCK_SIZE_DEFAULT ((uint32_t)4 << 10)

typedef struct sorted_summary {
    uint64_t digest; /* never 0 */
    uint64_t file_size;
    uint64_t pair_count;
} sorted_summary;

/* ----------------------------------------------------------------------------------------- builder
 *
 * Appends the file's bytes to `out` as blocks fill.
 */
typedef struct sorted_builder {
    buffer out;
    buffer index;
    buffer last_key;
    uint32_t block_size;  /* a block is closed when it reaches this */
    uint32_t block_start; /* in out, of the open block */
    uint32_t block_pairs;
    uint32_t block_first_key_size; /* of the open block; the bytes stand in it */
    uint32_t block_count;
    uint64_t pair_count;
} sorted_builder;

void sorted_builder_init(sorted_builder *builder, uint32_t block_size);
void sorted_builder_release(sorted_builder *builder);

/* Keys rise strictly; they are not empty. */
void sorted_builder_add(sorted_builder *builder, slice key, slice value);
sorted_summary sorted_builder_finish(sorted_builder *builder);

/* ------------------------------------------------------------------------------------------ reader
 *
 * SORTED_DAMAGED is for bytes that no writer made: too short, a wrong checksum, keys out of order.
 * Every block is checked before a pair of it is handed out.
 */
typedef enum sorted_status {
    SORTED_OK,
    SORTED_END, /* no further pair */
    SORTED_DAMAGED
} sorted_status;

typedef struct sorted_reader {
    slice bytes; /* the whole file */
    slice index;
    sorted_summary summary;
    cursor index_at; /* behind the entry of the block at hand */
    uint64_t block_offset;
    cursor block; /* what is left of the block at hand */
    uint32_t block_pairs_left;
    buffer last_key;
    uint64_t damaged_offset; /* where, after SORTED_DAMAGED */
} sorted_reader;

/* Release it whatever this returns.  The bytes outlive the reader. */
sorted_status sorted_reader_open(sorted_reader *reader, slice bytes);
void sorted_reader_release(sorted_reader *reader);

/* The next call of sorted_reader_next gives the first pair with a key >= this one. */
sorted_status sorted_reader_seek(sorted_reader *reader, slice key);

/* The next pair, good until the next call. */
sorted_status sorted_reader_next(sorted_reader *reader, slice *key, slice *value);

#endif
