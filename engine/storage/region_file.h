/*
 * A region's content as one sorted file, as it travels from store to store.
 *
 *   0x00              the head: u64 id, u64 epoch that it goes on with, slice start, slice end,
 *                     u64 safe point, fences (u16 server, u64 least session),
 *                     deleted ranges, cut to the region (slice start, slice end);
 *                     each list has its u32 count in front
 *   0x01 user key     an entry as mvcc.h encodes it: lock, values and marks
 *
 * Fences and the safe point travel too, although the owner raises them on every store: one that was
 * raised on the old store and not yet on the new one would else let a session that this region has
 * refused come back, and a refusal by a fence is for ever (messages.def, COMMIT).  And nothing is
 * lost by it: whoever waits for a fence waits for every store, so when he goes on, each store
 * refuses the session by itself, on whichever of them the region is, or between which.
 */
#ifndef ENGINE_STORAGE_REGION_FILE_H
#define ENGINE_STORAGE_REGION_FILE_H

#include "engine/storage/state.h"

/* The file of a region that is held, appended; returns its digest. */
uint64_t region_file_encode(const store_state *state, const region *of, buffer *into);

/* Encoded bytes and keys of the entries in the range. */
typedef struct range_size {
    uint64_t bytes, keys;
} range_size;
range_size region_size(const store_state *state, slice start, slice end);

/* What the file is about; the slices borrow.  False: its bytes are not those with that digest, all
 * of them having been looked at. */
bool region_file_check(slice file, uint64_t digest, region_description *about);

/* Into a state that holds none of its keys: the region and all that belongs to it.  False on
 * damage. */
bool region_file_load(store_state *state, slice file, log_sequence sequence);

#endif
