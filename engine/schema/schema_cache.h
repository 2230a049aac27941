/*
 * The schema as one server sees it, and how the owner learns that the server has caught up.
 *
 * The cache holds the definitions at one schema version, together with the session under which they
 * were loaded.  A transaction pins them at its begin (schema_begin) and unpins them at its end; so
 * the cache knows which older versions are still in use.  A poller task reads `m schema-version` at
 * intervals; on a new version it loads all definitions at one timestamp, switches new transactions
 * to them, waits until nobody uses an older version, and then writes the row `m ack job server` for
 * every live job (TiDB's metadata lock; issue 43755 is what happens when an acknowledgement that
 * failed is not sent again).
 *
 * Why the owner may trust an acknowledgement: it carries (version, session), is written under that
 * session, and after it no transaction of this session begins or prewrites below that version.  A
 * server takes its session from placement first and loads the schema afterwards, so a server that
 * the owner could not yet see when it listed the live ones has loaded the owner's new version
 * already.
 *
 * When the session is lost (cluster_on_fenced): schema_begin refuses at once.  The server gets a
 * new session, calls cluster_set_session, then schema_cache_reset; the poller loads anew and
 * acknowledges as the new session.  Transactions begun before keep their old session, so storage
 * refuses them.
 */
#ifndef ENGINE_SCHEMA_SCHEMA_CACHE_H
#define ENGINE_SCHEMA_SCHEMA_CACHE_H

#include "engine/schema/definitions.h"

typedef struct schema_cache schema_cache;

/* All definitions at one version; never changes; lives until every pin is gone. */
typedef struct schema_snapshot {
    schema_version version;
    session_id session; /* under which it was loaded */
    uint32_t table_count;
    uint32_t users;                /* pins; private */
    struct schema_snapshot *older; /* still pinned; private */
    table_definition tables[];
} schema_snapshot;

const table_definition *schema_table(const schema_snapshot *of,
                                     table_id id); /* NULL: no such table */

typedef struct schema_settings {
    sb_duration poll_interval; /* 0: 500 ms */
} schema_settings;

schema_cache *schema_cache_open(cluster *of, const schema_settings *settings);

/* The poller: loads, switches, waits, acknowledges, until the scope ends.  Run it in a task of its
 * own.  The argument of the task is the caller's; this is an ordinary function. */
void schema_cache_run(schema_cache *cache, sb_scope *scope);

/* Free it.  schema_cache_run has returned and nothing is pinned. */
void schema_cache_close(schema_cache *cache);

/* Forget what is loaded (pins of running transactions stay good) and load again at once, under the
 * cluster's present session.  Call it after cluster_set_session. */
void schema_cache_reset(schema_cache *cache);

/* Poll now instead of at the next interval. */
void schema_cache_wake(schema_cache *cache);

/* Wait until definitions are loaded under the cluster's present session. */
engine_status schema_cache_wait_loaded(schema_cache *cache, sb_scope *scope);

/* Pin the present definitions; NULL when none are loaded under the present session. */
const schema_snapshot *schema_acquire(schema_cache *cache);
void schema_release(schema_cache *cache, const schema_snapshot *snapshot);

/* A transaction bound to a pinned schema: release both, the transaction first.  ENGINE_FENCED:
 * there is no schema under a session that storage would accept, now. */
engine_status schema_begin(schema_cache *cache, const schema_snapshot **pinned, transaction **begun,
                           sb_scope *scope);

/* Version that new transactions use, 0 for none; the oldest that a running one uses. */
schema_version schema_cache_version(const schema_cache *cache);
schema_version schema_cache_oldest(const schema_cache *cache);

#endif
