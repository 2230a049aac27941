/*
 * Run files: sorted pairs on the local disk, written once, read from front to back.
 *
 *   block …   u32 size of its pairs, u32 how many, u64 checksum, then encoded pairs (entry_run.h)
 *   end       u32 0, u32 0, u64 checksum, u64 pairs, u64 digest
 *
 * The checksum of a block is that of its pairs at their place in the file, so a block that was
 * written elsewhere is noticed; the digest goes over the checksums of all blocks.  A reader needs
 * the memory of one block and no index.  Every block is checked before a pair of it is handed out.
 */
#ifndef ENGINE_SORT_RUN_FILE_H
#define ENGINE_SORT_RUN_FILE_H

#include "engine/sort/entry_run.h"

#define RUN_BLOCK_HEADER 16u

typedef struct run_summary {
    uint64_t pair_count, file_size;
    uint64_t digest;
    uint32_t block_max; /* bytes of the largest block, its header included */
} run_summary;

/* ------------------------------------------------------------------------------------------ writer
 *
 * open → add … → finish → release, or release at any time: then remove the file.  After a failure
 * every further call fails the same way.
 */
typedef struct run_writer {
    sb_file *file;
    buffer block; /* header and pairs of the open block */
    uint32_t block_size, block_pairs;
    run_summary summary; /* of what is written */
    sb_status status;
} run_writer;

/* Creates the file, or empties it.  A block is closed when it reaches block_size. */
sb_status run_writer_open(run_writer *of, const char *path, uint32_t block_size);

/* A pair as it is encoded; keys rise. */
sb_status run_writer_add(run_writer *of, const unsigned char *encoded, uint32_t size);

/* Writes the rest; syncs nothing. */
sb_status run_writer_finish(run_writer *of, run_summary *summary);
void run_writer_release(run_writer *of);

/* ------------------------------------------------------------------------------------------ reader
 */
typedef enum run_read {
    RUN_OK,
    RUN_END,
    RUN_DAMAGED, /* the file is not what was written */
    RUN_DISK     /* it could not be read just now */
} run_read;

typedef struct run_reader {
    sb_file *file;
    const run_summary *summary; /* of the file, as its writer told */
    buffer window;
    const unsigned char *at, *end; /* of the block at hand */
    uint64_t offset;               /* of the next block */
    uint64_t pair_count, digest;   /* so far */
    uint32_t block_left;           /* pairs of the block at hand */
} run_reader;

/* The summary outlives the reader.  Release it whatever this returns. */
run_read run_reader_open(run_reader *of, const char *path, const run_summary *summary);
void run_reader_release(run_reader *of);

/* The next pair, encoded, good until the call after. */
run_read run_reader_next(run_reader *of, const unsigned char **encoded);

/* Reads all of it.  RUN_END: every block is what was written. */
run_read run_file_check(const char *path, const run_summary *summary);

/* After a sync of it has failed: the kernel may have dropped what it could not write, and the next
 * sync would succeed on nothing.  All of it is read and, where it is right, written once more in
 * its place, for that sync.  RUN_END: done.  RUN_DAMAGED: something is gone. */
run_read run_file_write_again(const char *path, const run_summary *summary);

#endif
