/*
 * Which part of a sweep is ours: --shard, or what the CI's environment says.
 *
 * The environment chooses among seeds; it never reaches a world.
 */
#ifndef SB_TOOL_SHARD_H
#define SB_TOOL_SHARD_H

#include "sim/tool/options.h"
#include "sim/tool/workers.h"

typedef struct sb_shard {
    uint64_t index, count; /* from 1; 1 of 1 is the whole */
    char source[64];       /* "--shard", "CI_NODE_INDEX", or "" for the whole */
} sb_shard;

/* 0, or the exit code after one line on stderr. */
int sb_shard_find(const sb_arguments *arguments, sb_shard *shard);

/* The seeds of the shard: every count-th from the index-th on.  False when there are none. */
bool sb_shard_seeds(const sb_shard *shard, uint64_t first, uint64_t last,
                    sb_seed_sequence *sequence);

#endif
