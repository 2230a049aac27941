/*
 * Transactions over the cluster: snapshot reads and Percolator's two-phase commit, from the
 * client's side.
 *
 * A `cluster` is a server's view of the storage service: its exchange, the placement endpoints, a
 * cache of the region map, and the server's session.  It outlives its transactions.  A
 * `transaction` reads at one timestamp, buffers its writes in this node's heap, and ends in exactly
 * one call of transaction_commit or transaction_rollback, followed by transaction_release.
 *
 * Retryable trouble (a lost reply, a stale region, a lock of somebody else, a busy store) is
 * retried in here until the scope ends; it never surfaces as anything but ENGINE_TIMEOUT or
 * ENGINE_CANCELED.
 */
#ifndef ENGINE_TRANSACTION_TRANSACTION_H
#define ENGINE_TRANSACTION_TRANSACTION_H

#include "engine/base/bytes.h"
#include "engine/base/scalars.h"

typedef enum engine_status {
    ENGINE_OK,
    ENGINE_NOT_FOUND,
    ENGINE_CONFLICT,     /* another transaction wrote a key after our snapshot: begin again */
    ENGINE_FENCED,       /* our session is refused by storage */
    ENGINE_UNKNOWN,      /* the commit may or may not have happened */
    ENGINE_TIMEOUT,      /* the scope's deadline passed; nothing was committed */
    ENGINE_CANCELED,     /* the scope was canceled; nothing was committed */
    ENGINE_NOT_OWNER,    /* the tenure in `m owner` is not ours */
    ENGINE_DUPLICATE,    /* a unique key exists already */
    ENGINE_TOO_OLD,      /* it reads below the safe point: begin again */
    ENGINE_KEY_TOO_LONG, /* an entry of an index would have a key that no store takes */
    ENGINE_FAILED        /* a permanent error; its words are kept by whoever returns it */
} engine_status;

const char *engine_status_text(engine_status status);

/* True for what is worth another try of the same transaction. */
static inline bool engine_status_is_passing(engine_status status)
{
    return status == ENGINE_CONFLICT || status == ENGINE_UNKNOWN || status == ENGINE_TOO_OLD;
}

/* ENGINE_OK while the scope runs, else how it ended. */
engine_status engine_scope_status(const sb_scope *scope);

typedef struct cluster cluster;
typedef struct transaction transaction;

/* endpoints: addresses of placement, tried in turn; copied.  exchange stays the caller's and must
 * be closed after the cluster. */
cluster *cluster_open(sb_exchange *exchange, const sb_address *endpoints, uint32_t endpoint_count);

/* Waits, for a bounded time, for the commits and rollbacks that still run in the background, and
 * frees it.  No transaction and no call is left. */
void cluster_close(cluster *of);

/* Who we are to storage: carried by every transaction that begins from now on.  A transaction keeps
 * the session it began with, because with another one its old schema could outlive its fence.  0,
 * the first value: not a server; never fenced. */
void cluster_set_session(cluster *of, session_id session);
session_id cluster_session(const cluster *of);

/* Storage has refused our present session; nothing we write will be accepted before
 * cluster_set_session. */
bool cluster_fenced(const cluster *of);

/* The hook is called once for a session that storage refuses, by whichever task met it; it must not
 * wait (wake a task of the server's).  NULL: none. */
typedef void cluster_fenced_hook(void *context, session_id refused);
void cluster_on_fenced(cluster *of, cluster_fenced_hook *hook, void *context);

/* A fresh timestamp, never 0.  A timestamp range: *first .. *first + count - 1. */
engine_status cluster_timestamp(cluster *of, timestamp *now, sb_scope *scope);
engine_status cluster_timestamps(cluster *of, uint32_t count, timestamp *first, sb_scope *scope);

/* A transaction reading at a fresh timestamp.  version travels with its prewrites and commits. */
engine_status transaction_begin(cluster *of, schema_version version, transaction **begun,
                                sb_scope *scope);
timestamp transaction_start(const transaction *of);
session_id transaction_session(const transaction *of);
schema_version transaction_schema_version(const transaction *of);
uint32_t transaction_write_count(const transaction *of); /* keys buffered */
void transaction_release(transaction *of);               /* after commit or rollback */

/* The least start of those that have begun and not been released; 0: there is none.  Other reads
 * (cluster_scan and the like) are not counted. */
timestamp cluster_oldest_start(const cluster *of);

/* Reads see the transaction's own writes.  *value is the caller's to free (.data).  read: the same
 * into a buffer, which is cleared first. */
engine_status transaction_get(transaction *of, slice key, slice *value, sb_scope *scope);
engine_status transaction_read(transaction *of, slice key, buffer *value, sb_scope *scope);

/* Look at [start, end) once; if nothing is there at the transaction's start, its reads of keys in
 * that range need not ask storage again.  For whoever is about to insert many rows side by side.
 * The last range counts. */
engine_status transaction_look_ahead(transaction *of, slice start, slice end, sb_scope *scope);

/* Put and delete are buffered (bytes copied); lock writes nothing but makes the commit conflict
 * with any other that writes or locks the key after our start.  The last call for a key wins, but a
 * lock never takes a put or delete back.  The first key put or deleted is the primary: let it be
 * one that lives as long as the transaction's effect matters (a row, a job), never an index
 * entry. */
void transaction_put(transaction *of, slice key, slice value);
void transaction_delete(transaction *of, slice key);
void transaction_lock(transaction *of, slice key);

/* ENGINE_OK: committed at *committed (0 when there was nothing to write; committed may be NULL).
 * ENGINE_UNKNOWN: see there.  Anything else: it will never be visible.  Locks of other regions than
 * the primary's are committed, and those of a failed commit removed, in the background. */
engine_status transaction_commit(transaction *of, timestamp *committed, sb_scope *scope);
void transaction_rollback(transaction *of);

/* Pairs of [start, end) in key order at a timestamp, at most limit; *more tells whether the range
 * may hold more, and then next (a fresh buffer's bytes) is where to go on.  Does not see buffered
 * writes. */
typedef struct pair {
    slice key, value;
} pair;
typedef struct pair_list {
    pair *pairs;
    uint32_t count;
    bool more;
    buffer bytes; /* what the pairs point into */
    buffer next;
} pair_list;
engine_status cluster_scan(cluster *of, timestamp at, slice start, slice end, uint32_t limit,
                           pair_list *found, sb_scope *scope);

/* The same at the transaction's start, with its own writes laid over it. */
engine_status transaction_scan(transaction *of, slice start, slice end, uint32_t limit,
                               pair_list *found, sb_scope *scope);

/* *found holds something to release only after ENGINE_OK; releasing an all-zero or released one is
 * allowed. */
void pair_list_release(pair_list *of);

/* What several keys were at a timestamp, in their order: deletions too, with their commits.  No key
 * twice.  The same in a transaction, with its own writes: their commit is TIMESTAMP_MAX, and their
 * values are good until it writes again.  *found holds something to release only after
 * ENGINE_OK. */
typedef struct key_version {
    timestamp commit; /* 0: nobody had written it */
    bool there;       /* with a value; else deleted, or never there */
    slice value;
} key_version;
typedef struct version_list {
    key_version *versions;
    uint32_t count;
    buffer bytes; /* what the values point into */
} version_list;
engine_status cluster_read_versions(cluster *of, timestamp at, const slice *keys, uint32_t count,
                                    version_list *found, sb_scope *scope);
engine_status transaction_read_versions(transaction *of, const slice *keys, uint32_t count,
                                        version_list *found, sb_scope *scope);
void version_list_release(version_list *of);

/* The value of a key at a timestamp (TIMESTAMP_MAX: the latest commit). */
engine_status cluster_get(cluster *of, timestamp at, slice key, slice *value, sb_scope *scope);
engine_status cluster_read(cluster *of, timestamp at, slice key, buffer *value, sb_scope *scope);

#endif
