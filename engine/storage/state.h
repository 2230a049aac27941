/*
 * Everything a store knows, and the records that change it.
 *
 * A command that changes the state is written down as a record; the record is then applied.  There
 * is no other way to change it: the live store and the recovering store run the same code on the
 * same bytes, so what is recovered is what was.
 *
 *   u8 kind, then
 *   PREWRITE      u64 start, u32 ttl in ms, slice primary, then to the record's end
 *                 mutations: u8 kind, slice key, slice value
 *   COMMIT        u64 start, u64 commit, then to the record's end slice keys
 *   ROLLBACK      u64 start, then to the record's end slice keys
 *   FENCE         u16 server, u64 session
 *   INGEST        u64 at, then to the record's end pairs: slice key, slice value
 *   DELETE_RANGE  slice start, slice end
 */
#ifndef ENGINE_STORAGE_STATE_H
#define ENGINE_STORAGE_STATE_H

#include "engine/storage/mvcc.h"

typedef enum record_kind {
    RECORD_PREWRITE = 1,
    RECORD_COMMIT,
    RECORD_ROLLBACK,
    RECORD_FENCE,
    RECORD_INGEST,
    RECORD_DELETE_RANGE
} record_kind;

/* The least session of a server that is accepted, and the record that said so. */
typedef struct fence {
    session_id least;
    log_sequence sequence;
    sb_address server;
} fence;

typedef struct key_range {
    slice start, end; /* owned; end empty: no end */
} key_range;

/* A region that this store serves. */
typedef struct region {
    region_id id;
    region_epoch epoch;
    slice start, end; /* owned; end empty: no end */
} region;

typedef struct store_state {
    mvcc data;
    region *regions;
    uint32_t region_count;
    fence *fences;
    uint32_t fence_count;
    key_range *deleted; /* given up for ever */
    uint32_t deleted_count;
    log_sequence deletion; /* of the last record that removed entries */
    log_sequence applied;  /* of the last record */
} store_state;

void store_state_init(store_state *state);
void store_state_release(store_state *state);

void store_state_add_region(store_state *state, const region_description *served);

/* NULL when it is not served here. */
const region *store_state_region(const store_state *state, region_id id);

/* NULL: every session is accepted. */
const fence *store_state_fence(const store_state *state, sb_address server);

/* Whether the key, or any key of the range, was given up by DELETE_RANGE; or all keys of the range.
 */
bool store_state_is_deleted(const store_state *state, slice key);
bool store_state_deleted_overlaps(const store_state *state, slice start, slice end);
bool store_state_deleted_covers(const store_state *state, slice start, slice end);

/* False on a record that no store has written: damage. */
bool store_state_apply(store_state *state, log_sequence sequence, slice record);

/* ---------------------------------------------------------------------------- writing records */

void record_prewrite(buffer *into, timestamp start, uint32_t ttl_ms, slice primary,
                     packed_mutations mutations);
void record_commit(buffer *into, timestamp start, timestamp commit); /* then record_add_key */
void record_rollback(buffer *into, timestamp start);                 /* then record_add_key */
void record_add_key(buffer *into, slice key);
void record_fence(buffer *into, sb_address server, session_id session);
void record_ingest(buffer *into, timestamp at); /* then record_add_pair */
void record_add_pair(buffer *into, slice key, slice value);
void record_delete_range(buffer *into, slice start, slice end);

#endif
