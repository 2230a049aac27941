/*
 * Inside engine/transaction: what a cluster handle holds, and what its files offer each other.
 */
#ifndef ENGINE_TRANSACTION_CLUSTER_H
#define ENGINE_TRANSACTION_CLUSTER_H

#include "engine/transaction/route.h"
#include "engine/transaction/writes.h"

struct cluster {
    sb_exchange *exchange;
    sb_address *endpoints; /* of placement */
    uint32_t endpoint_count;
    uint32_t endpoint; /* the one that answered last */

    session_id session;
    session_id refused; /* the newest session of ours that storage has refused */
    cluster_fenced_hook *hook;
    void *hook_context;

    const region_map *map; /* NULL before the first use */
    bool refreshing;       /* a task is asking for a newer one */
    sb_condition refreshed;

    transaction *running; /* those that have begun and not been released, the newest first */

    sb_wait_group background; /* tasks that finish transactions whose outcome is decided */
    sb_scope background_scope;
};

struct transaction {
    cluster *cluster;
    timestamp start;
    session_id session; /* that of the begin, whatever the cluster's is now */
    schema_version version;
    write_set writes;
    buffer empty_start,
        empty_end; /* storage has nothing in this range, as of start; both empty: no range */
    bool ended;
    transaction *older, *newer; /* in the cluster's list */
};

/* Storage refused this session: remember, and call the hook if it is the present one. */
void cluster_note_fenced(cluster *of, session_id refused);

/* What a read is of: a timestamp, and the session it is done under (0: none that can be fenced). */
typedef struct snapshot {
    timestamp at;
    session_id session;
} snapshot;

static inline snapshot transaction_snapshot(const transaction *of)
{
    return (snapshot){of->start, of->session};
}

/* The reads of transaction.h at a snapshot; ENGINE_FENCED: its session is. */
engine_status snapshot_read(cluster *of, snapshot at, slice key, buffer *value, sb_scope *scope);
engine_status snapshot_read_versions(cluster *of, snapshot at, const slice *keys, uint32_t count,
                                     version_list *found, sb_scope *scope);
engine_status snapshot_scan(cluster *of, snapshot at, slice start, slice end, uint32_t limit,
                            pair_list *found, sb_scope *scope);

/* Make sure that of->map is not `seen` (NULL: that there is one). */
engine_status cluster_refresh_map(cluster *of, const region_map *seen, sb_scope *scope);

/* Learn the fate of the transaction whose lock is in the way and, when it is decided, finish this
 * one lock accordingly.  *alive: it is undecided, so wait and look again.  The lock's slices are
 * read until the end. */
engine_status lock_resolve(cluster *of, const lock_description *lock, bool *alive, sb_scope *scope);

#endif
