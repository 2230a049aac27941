/*
 * Run files: see run_file.h for the format.
 */
#include "engine/sort/run_file.h"

#include <string.h>

#include "engine/base/checksum.h"
#include "engine/sort/local_disk.h"

#define END_SIZE 32u

static uint64_t digest_with(uint64_t digest, uint64_t checksum)
{
    unsigned char bytes[8];
    memcpy(bytes, &checksum, sizeof(bytes));
    return checksum64_of_part(slice_of(bytes, sizeof(bytes)), digest);
}

static void put_header(unsigned char *at, uint32_t size, uint32_t pairs, uint64_t checksum)
{
    const uint64_t words[2] = {(uint64_t)pairs << 32 | size, checksum};
    for (uint32_t i = 0; i < RUN_BLOCK_HEADER; i++) {
        at[i] = (unsigned char)(words[i / 8] >> (8 * (i % 8)));
    }
}

/* ------------------------------------------------------------------------------------- writer */

static void begin_block(run_writer *of)
{
    buffer_clear(&of->block);
    (void)buffer_extend(&of->block, RUN_BLOCK_HEADER);
    of->block_pairs = 0;
}

sb_status run_writer_open(run_writer *of, const char *path, uint32_t block_size)
{
    sb_assert_op(block_size, >, RUN_BLOCK_HEADER);
    *of = (run_writer){.block_size = block_size};
    of->status = local_disk_before();
    if (of->status == SB_OK) {
        of->status = sb_file_open(path, SB_FILE_CREATE | SB_FILE_TRUNCATE, &of->file);
    }
    if (of->status != SB_OK) {
        of->file = NULL;
    }
    begin_block(of);
    return of->status;
}

static void write_bytes(run_writer *of, const void *data, uint32_t size)
{
    of->status = local_disk_before();
    if (of->status == SB_OK) {
        of->status = local_disk_after(sb_file_write(of->file, of->summary.file_size, data, size));
    }
    of->summary.file_size += size;
}

static void close_block(run_writer *of)
{
    const slice pairs = {of->block.data + RUN_BLOCK_HEADER, of->block.size - RUN_BLOCK_HEADER};
    const uint64_t checksum = checksum64_of_part(pairs, of->summary.file_size);
    put_header(of->block.data, pairs.size, of->block_pairs, checksum);
    of->summary.digest = digest_with(of->summary.digest, checksum);
    if (of->block.size > of->summary.block_max) {
        of->summary.block_max = of->block.size;
    }
    write_bytes(of, of->block.data, of->block.size);
    begin_block(of);
}

sb_status run_writer_add(run_writer *of, const unsigned char *encoded, uint32_t size)
{
    if (of->status != SB_OK) {
        return of->status;
    }
    memcpy(buffer_extend(&of->block, size), encoded, size);
    of->block_pairs++;
    of->summary.pair_count++;
    if (of->block.size >= of->block_size) {
        close_block(of);
    }
    return of->status;
}

sb_status run_writer_finish(run_writer *of, run_summary *summary)
{
    if (of->status == SB_OK && of->block_pairs > 0) {
        close_block(of);
    }
    if (of->status != SB_OK) {
        return of->status;
    }
    unsigned char end[END_SIZE];
    put_header(end + RUN_BLOCK_HEADER, (uint32_t)of->summary.pair_count,
               (uint32_t)(of->summary.pair_count >> 32), of->summary.digest);
    put_header(end, 0, 0,
               checksum64_of_part((slice){end + RUN_BLOCK_HEADER, RUN_BLOCK_HEADER},
                                  of->summary.file_size));
    write_bytes(of, end, sizeof(end));
    *summary = of->summary;
    return of->status;
}

void run_writer_release(run_writer *of)
{
    if (of->file != NULL) {
        sb_file_close(of->file);
        of->file = NULL;
    }
    buffer_release(&of->block);
}

/* ------------------------------------------------------------------------------------- reader */

run_read run_reader_open(run_reader *of, const char *path, const run_summary *summary)
{
    *of = (run_reader){.summary = summary};
    if (local_disk_before() != SB_OK) {
        return RUN_DISK;
    }
    const sb_status status = sb_file_open(path, 0, &of->file);
    if (status != SB_OK) {
        of->file = NULL;
        return status == SB_NOT_FOUND ? RUN_DAMAGED : RUN_DISK;
    }
    return sb_file_size(of->file) == summary->file_size ? RUN_OK : RUN_DAMAGED;
}

void run_reader_release(run_reader *of)
{
    if (of->file != NULL) {
        sb_file_close(of->file);
        of->file = NULL;
    }
    buffer_release(&of->window);
}

/* The end mark must say what was read, and stand at the file's end. */
static run_read check_end(const run_reader *of, slice bytes, uint64_t checksum)
{
    if (bytes.size < END_SIZE || of->offset + END_SIZE != of->summary->file_size) {
        return RUN_DAMAGED;
    }
    const slice content = {bytes.data + RUN_BLOCK_HEADER, RUN_BLOCK_HEADER};
    cursor at = cursor_of(content);
    const uint64_t pairs = cursor_u64(&at), digest = cursor_u64(&at);
    const bool good = checksum == checksum64_of_part(content, of->offset) &&
                      pairs == of->pair_count && pairs == of->summary->pair_count &&
                      digest == of->digest && digest == of->summary->digest;
    return good ? RUN_END : RUN_DAMAGED;
}

/* The block at offset, whose bytes, and perhaps some behind them, are these. */
static run_read take_block(run_reader *of, slice bytes)
{
    cursor at = cursor_of(bytes);
    const uint32_t size = cursor_u32(&at), pairs = cursor_u32(&at);
    const uint64_t checksum = cursor_u64(&at);
    if (at.failed || size > bytes.size - RUN_BLOCK_HEADER || (size == 0) != (pairs == 0)) {
        return RUN_DAMAGED;
    }
    if (size == 0) {
        return check_end(of, bytes, checksum);
    }
    const slice content = {bytes.data + RUN_BLOCK_HEADER, size};
    if (checksum64_of_part(content, of->offset) != checksum) {
        return RUN_DAMAGED;
    }
    of->digest = digest_with(of->digest, checksum);
    of->at = content.data;
    of->end = content.data + size;
    of->block_left = pairs;
    of->pair_count += pairs;
    of->offset += RUN_BLOCK_HEADER + size;
    return RUN_OK;
}

/* No block, nor the end, is larger. */
static uint32_t piece_size(const run_summary *of)
{
    return of->block_max > END_SIZE ? of->block_max : END_SIZE;
}

static run_read next_block(run_reader *of)
{
    const uint32_t wanted = piece_size(of->summary);
    size_t got = 0;
    buffer_clear(&of->window);
    unsigned char *into = buffer_extend(&of->window, wanted);
    if (local_disk_before() != SB_OK ||
        sb_file_read(of->file, of->offset, into, wanted, &got) != SB_OK) {
        return RUN_DISK;
    }
    return take_block(of, (slice){into, (uint32_t)got});
}

run_read run_reader_next(run_reader *of, const unsigned char **encoded)
{
    if (of->block_left == 0) {
        const run_read status = of->at == of->end ? next_block(of) : RUN_DAMAGED;
        if (status != RUN_OK) {
            return status;
        }
    }
    const size_t left = (size_t)(of->end - of->at);
    if (left < PAIR_HEADER) {
        return RUN_DAMAGED;
    }
    const uint64_t size = PAIR_HEADER + (uint64_t)pair_u32(of->at) + (uint64_t)pair_u32(of->at + 4);
    if (size > left) {
        return RUN_DAMAGED;
    }
    *encoded = of->at;
    of->at += size;
    of->block_left--;
    return RUN_OK;
}

run_read run_file_check(const char *path, const run_summary *summary)
{
    run_reader reader;
    const unsigned char *encoded;
    run_read status = run_reader_open(&reader, path, summary);
    while (status == RUN_OK) {
        status = run_reader_next(&reader, &encoded);
    }
    run_reader_release(&reader);
    return status;
}

static run_read write_same(sb_file *file, const run_summary *summary)
{
    buffer piece;
    run_read status = RUN_END;
    buffer_init(&piece);
    unsigned char *bytes = buffer_extend(&piece, piece_size(summary));
    for (uint64_t offset = 0; status == RUN_END && offset < summary->file_size;) {
        size_t got = 0;
        const bool same = local_disk_before() == SB_OK &&
                          sb_file_read(file, offset, bytes, piece.size, &got) == SB_OK && got > 0 &&
                          sb_file_write(file, offset, bytes, got) == SB_OK;
        offset += got;
        status = same ? RUN_END : RUN_DISK;
    }
    buffer_release(&piece);
    return status;
}

run_read run_file_write_again(const char *path, const run_summary *summary)
{
    sb_file *file = NULL;
    run_read status = run_file_check(path, summary);
    if (status != RUN_END) {
        return status;
    }
    if (sb_file_open(path, 0, &file) != SB_OK) {
        return RUN_DISK;
    }
    status = write_same(file, summary);
    sb_file_close(file);
    return status;
}
