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
 *   GUARD         u64 safe point
 *   COLLECT       u64 safe point, slice start, slice end
 *
 * and of the regions (region.h says what they are for):
 *   SPLIT         u64 region, u64 new region, slice key
 *   MERGE         u64 left region, u64 right region
 *   LEAVE         u64 region, u16 store it goes to
 *   FORGET        u64 region: it is there, and its keys are not here any more
 *   RETURN        u64 region: it is not there
 *   REFUSE        u64 region, u64 epoch
 *   INSTALL       a region file (region_file.h)
 */
#ifndef ENGINE_STORAGE_STATE_H
#define ENGINE_STORAGE_STATE_H

#include "engine/storage/mvcc.h"
#include "engine/storage/region.h"

typedef enum record_kind {
    RECORD_PREWRITE = 1,
    RECORD_COMMIT,
    RECORD_ROLLBACK,
    RECORD_FENCE,
    RECORD_INGEST,
    RECORD_DELETE_RANGE,
    RECORD_SPLIT,
    RECORD_MERGE,
    RECORD_LEAVE,
    RECORD_FORGET,
    RECORD_RETURN,
    RECORD_REFUSE,
    RECORD_INSTALL,
    RECORD_GUARD,
    RECORD_COLLECT
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

typedef struct store_state {
    mvcc data;
    region_set regions;
    fence *fences;
    uint32_t fence_count;
    key_range *deleted; /* given up for ever */
    uint32_t deleted_count;
    timestamp safe_point;  /* nothing is read or begun below it */
    log_sequence guarded;  /* the record that raised it */
    log_sequence deletion; /* of the last record that removed entries */
    log_sequence applied;  /* of the last record */
} store_state;

void store_state_init(store_state *state);
void store_state_release(store_state *state);

/* At birth. */
void store_state_add_region(store_state *state, const region_description *served);

/* NULL: every session is accepted. */
const fence *store_state_fence(const store_state *state, sb_address server);

/* Whether the key, or any key of the range, was given up by DELETE_RANGE; or all keys of the range.
 */
bool store_state_is_deleted(const store_state *state, slice key);
bool store_state_deleted_overlaps(const store_state *state, slice start, slice end);
bool store_state_deleted_covers(const store_state *state, slice start, slice end);

/* What the records FENCE and DELETE_RANGE do; a region brings its own along. */
void store_state_raise_fence(store_state *state, sb_address server, session_id session,
                             log_sequence sequence);
void store_state_delete_range(store_state *state, slice start, slice end, log_sequence sequence);

/* What the record GUARD does; a region brings its own along. */
void store_state_raise_safe_point(store_state *state, timestamp safe_point, log_sequence sequence);

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
void record_guard(buffer *into, timestamp safe_point);
void record_collect(buffer *into, timestamp safe_point, slice start, slice end);
void record_split(buffer *into, region_id id, region_id fresh, slice key);
void record_merge(buffer *into, region_id left, region_id right);
void record_leave(buffer *into, region_id id, sb_address to);
void record_forget(buffer *into, region_id id);
void record_return(buffer *into, region_id id);
void record_refuse(buffer *into, region_id id, region_epoch epoch);
void record_install(buffer *into, slice region_file);

#endif
