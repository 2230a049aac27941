/*
 * Several sorted run files as one sorted stream.
 *
 * The next pair is found with a tree of losers: each inner node keeps the source that lost there,
 * so a step replays one path, one comparison a level.  Comparisons begin with eight cached bytes
 * behind what all keys share.
 *
 *          winner              what was handed out last stays known: the same pair again is passed
 *            |                 over, another value under the same key is a conflict.
 *          loser
 *         /     \
 *      loser   loser
 *      /  \    /  \
 *     s0  s1  s2  s3
 *
 * Source: D. Knuth, The Art of Computer Programming 3, section 5.4.1.
 */
#ifndef ENGINE_SORT_RUN_MERGE_H
#define ENGINE_SORT_RUN_MERGE_H

#include "engine/sort/run_file.h"

typedef struct merge_source {
    run_reader reader;
    uint64_t word;                /* of the pair at hand; UINT64_MAX once it has ended */
    const unsigned char *encoded; /* NULL: it has ended */
} merge_source;

typedef struct run_merge {
    merge_source *sources;
    uint32_t *losers; /* losers[0] is the winner */
    uint32_t count;
    uint32_t shared;
    bool begun;
    run_read trouble; /* the first of a source, else RUN_OK */
    buffer last;      /* the pair handed out last */
} run_merge;

typedef enum merge_step {
    MERGE_OK,
    MERGE_END,
    MERGE_CONFLICT, /* the pair has the key of the one before, and another value */
    MERGE_DAMAGED,
    MERGE_DISK
} merge_step;

/* Room for so many sources, at least one; then add them; keys share their first bytes. */
void run_merge_init(run_merge *of, uint32_t source_max, uint32_t shared);
run_read run_merge_add(run_merge *of, const char *path, const run_summary *summary);
void run_merge_release(run_merge *of);

/* The next pair, encoded, good until the call after.  After MERGE_CONFLICT it may be called on. */
merge_step run_merge_next(run_merge *of, const unsigned char **encoded, uint32_t *size);

#endif
