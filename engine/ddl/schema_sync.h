/*
 * Waiting until every live server has a schema version.
 *
 * A live server is one whose writes storage would accept.  For each server that placement has ever
 * given a session to, either
 *
 * - its newest session is live, and the row `m ack job server` says that this session, or a later
 * one, has the version; then every store is told to refuse the sessions before it; or
 * - its newest session has ended, and every store has confirmed that it refuses it, and all before.
 *
 * The list of sessions is read before the acknowledgements, and after the version was committed.  A
 * server that gets its session later loads the schema later still, so it has the version from the
 * start.  Nobody is ever given up for a silence: only placement ends sessions, and only storage
 * makes that true.
 *
 * Regions may move from store to store meanwhile.  That changes nothing: when every store has
 * confirmed, each refuses the session by itself, on whichever of them a region is, or between which
 * (storage/region_file.h).
 */
#ifndef ENGINE_DDL_SCHEMA_SYNC_H
#define ENGINE_DDL_SCHEMA_SYNC_H

#include "engine/schema/schema_cache.h"
#include "engine/task/liveness.h"

typedef struct schema_fence {
    sb_address server;
    session_id least;
} schema_fence;

/* What one tenure knows about fences. */
typedef struct schema_sync {
    cluster *cluster;
    schema_cache *schema; /* of this server, to wake it */
    const sb_address *stores;
    uint32_t store_count;
    uint32_t fence_count;
    schema_fence fences[SERVERS_MAX]; /* confirmed by every store */
} schema_sync;

void schema_sync_init(schema_sync *of, cluster *in, schema_cache *schema, const sb_address *stores,
                      uint32_t store_count);

/* ENGINE_OK: no server that could still write has an older version.  Else how the scope ended. */
engine_status schema_sync_wait(schema_sync *of, uint64_t job, schema_version version,
                               sb_scope *scope);

#endif
