/*
 * The multi-version map of a store: Percolator's columns in memory.
 *
 *   entry(key) ── lock    at most one: a version that has no commit timestamp yet
 *              ── values  puts and deletes, newest commit first
 *              ── marks   commits that only locked, and rollbacks, newest first
 *
 * A prewrite makes the version and hangs it in as the lock; the commit only moves it into its list.
 * Marks are apart so that a read does not walk over them: `m owner` is locked by every transaction
 * of an owner and written by few.  A mark of a rollback stands at the start of its transaction and
 * refuses a late prewrite.
 *
 * Nothing here waits, logs or fails: these are the questions a command asks before it is logged,
 * and the changes made after.  Every change is idempotent, so that a record may be applied to a
 * state that has it.
 *
 * Source: D. Peng, F. Dabek, "Large-scale Incremental Processing Using Distributed Transactions and
 * Notifications", OSDI 2010, section 2.2; the rollback records and the idempotence rules are
 * TiKV's.
 */
#ifndef ENGINE_STORAGE_MVCC_H
#define ENGINE_STORAGE_MVCC_H

#include "engine/base/ordered_map.h"
#include "engine/base/scalars.h"
#include "engine/wire/messages.h"

typedef enum version_kind {
    VERSION_PUT,
    VERSION_DELETE,
    VERSION_LOCK, /* wrote nothing, but conflicts as a write does */
    VERSION_ROLLBACK,
    VERSION_KIND_COUNT
} version_kind;

typedef struct version {
    struct version *older;
    timestamp start;
    timestamp commit; /* 0 while it is a lock; of a rollback its start */
    uint32_t value_size;
    uint32_t ttl_ms; /* of a lock */
    uint16_t primary_size;
    uint8_t kind;
    unsigned char bytes[]; /* the value, then the primary */
} version;

typedef struct entry {
    version *lock;
    version *values;
    version *marks;
    log_sequence sequence; /* of the last record that changed it: no reply may tell of it earlier */
    uint64_t size;         /* what it adds to mvcc.size */
    uint32_t key_size;
    unsigned char key[];
} entry;

typedef struct mvcc {
    ordered_map entries;
    uint64_t
        size; /* encoded bytes of all entries: keys, values, primaries, and what goes with them */
} mvcc;

void mvcc_init(mvcc *store);
void mvcc_release(mvcc *store);

slice entry_key(const entry *of);
slice version_value(const version *of);
slice version_primary(const version *of);

/* ---------------------------------------------------------------------------------- questions */

entry *mvcc_find(const mvcc *store, slice key); /* NULL: never touched */

/* The lock that a reader at `at` must wait for, or NULL. */
const version *entry_lock_before(const entry *of, timestamp at);

/* The newest put or delete committed at or before `at`, or NULL. */
const version *entry_read(const entry *of, timestamp at);

/* What became of the transaction that began at start on this key: its commit or its rollback, or
 * NULL. */
const version *entry_record(const entry *of, timestamp start);

/* The newest commit of any kind but rollback after start, or 0. */
timestamp entry_commit_after(const entry *of, timestamp start);

/* The lock if it belongs to the transaction that began at start, else NULL. */
const version *entry_own_lock(const entry *of, timestamp start);

/* What was ingested at that timestamp, or NULL. */
const version *entry_ingested(const entry *of, timestamp at);

/* What a version adds to the size of its entry. */
uint64_t version_encoded_size(const version *of);

/* ------------------------------------------------------------------------------------ changes */

void mvcc_prewrite(mvcc *store, timestamp start, uint32_t ttl_ms, slice primary,
                   const mutation *one, log_sequence sequence);
void mvcc_commit(mvcc *store, slice key, timestamp start, timestamp commit, log_sequence sequence);
void mvcc_rollback(mvcc *store, slice key, timestamp start, log_sequence sequence);
void mvcc_ingest(mvcc *store, slice key, slice value, timestamp at, log_sequence sequence);

/* The entry at the cursor, with all it holds; the cursor then stands at the one behind. */
void mvcc_remove_at(mvcc *store, ordered_map_cursor *at);
uint64_t mvcc_delete_range(mvcc *store, slice start, slice end); /* end empty: no end */

/* --------------------------------------------------------------------------- for a checkpoint */

/* Lock, values and marks of one entry, versions newest first within their list.  Format: u8 flag
 * whether there is a lock, u32 values, u32 marks, then each version: u8 kind, u64 start, u64
 * commit, u32 ttl, slice value, slice primary. */
void entry_encode(const entry *of, buffer *into);

void version_encode(const version *of, buffer *into);

/* False on malformed bytes, or when there is such an entry already. */
bool mvcc_load_entry(mvcc *store, slice key, slice encoded, log_sequence sequence);

#endif
