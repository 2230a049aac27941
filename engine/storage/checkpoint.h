/*
 * Checkpoints: the whole state of a store as one sorted file.
 *
 *   0x00              the head: u64 sequence it contains, u64 sequence of the last deletion,
 *                     u64 safe point,
 *                     regions (u64 id, u64 epoch, u8 phase, u16 to, slice start, slice end),
 *                     fences (u16 server, u64 least session),
 *                     deleted ranges (slice start, slice end);
 *                     each list has its u32 count in front
 *   0x01 user key     an entry as mvcc.h encodes it
 *
 * and the manifest, the durable file (base/durable_file.h) that says which checkpoint and which log
 * count:
 *
 *   u32 format, u64 generation, u64 sequence, u64 digest of the checkpoint
 *
 * Generation g lives in checkpoint-g and log-g; the log's records go on behind the checkpoint's
 * sequence.
 */
#ifndef ENGINE_STORAGE_CHECKPOINT_H
#define ENGINE_STORAGE_CHECKPOINT_H

#include "engine/storage/state.h"

#define CHECKPOINT_PATH_SIZE 48u

typedef struct manifest {
    uint64_t generation;
    log_sequence sequence;
    uint64_t digest;
} manifest;

void checkpoint_path(char path[CHECKPOINT_PATH_SIZE], uint64_t generation);
void log_path(char path[CHECKPOINT_PATH_SIZE], uint64_t generation);

void manifest_encode(const manifest *of, buffer *into);
bool manifest_decode(manifest *into, slice bytes);

/* The file's bytes, appended; returns its digest. */
uint64_t checkpoint_encode(const store_state *state, buffer *into);

/* Into a state fresh from store_state_init.  False on damage, and then *offset is where. */
bool checkpoint_decode(store_state *state, slice bytes, const manifest *of, uint64_t *offset);

#endif
