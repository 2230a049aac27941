/*
 * The DDL side of a server: what its owner role, its job workers and its reorg groups share.
 *
 * One `ddl` lives as long as the server's program.  What belongs to one tenure (workers, the cache
 * of fences, the scope) lives in a `reign` and dies with it: nothing in memory outlives its tenure
 * (TiDB issues 51846, 54897, 48904 are what happens when it does).
 */
#ifndef ENGINE_DDL_DDL_H
#define ENGINE_DDL_DDL_H

#include "engine/ddl/reorg.h"
#include "engine/ddl/schema_sync.h"
#include "engine/schema/schema_cache.h"
#include "engine/task/scheduler.h"

typedef struct ddl_settings {
    struct backfill *backfill; /* of this machine; outlives the ddl */
    const sb_address *stores;  /* every storage machine; outlives the ddl */
    uint32_t store_count;
    scheduler_settings scheduler;
    uint32_t jobs_at_once;        /* queueing or running jobs with a worker; 0: 4 */
    uint32_t error_limit;         /* of one job; then it is cancelled; 0: 512 */
    sb_duration campaign;         /* between two campaigns, also of the owner; 0: 1 s */
    sb_duration dispatch;         /* between two looks for jobs; 0: 500 ms */
    sb_duration reorg_round;      /* after which a waiting job worker saves progress; 0: 5 s */
    sb_duration garbage_interval; /* between two collections of garbage; 0: none */
    sb_duration garbage_lag;      /* how far the safe point stays behind the present */
    sb_duration reorg_poll;       /* how often a reorg group asks how its job is; 0: 100 ms */
} ddl_settings;

typedef struct ddl {
    cluster *cluster;
    schema_cache *schema;
    ddl_settings settings;
    uint32_t office; /* owner_state */
    sb_mutex order;  /* of the owner transactions of this machine: task/tenure.h */
    reorg_registry reorgs;
    bool news[2]; /* by news_topic: heard and not waited for yet */
    sb_condition heard;
} ddl;

ddl *ddl_open(cluster *of, schema_cache *schema, const ddl_settings *settings);

/* owner_run has returned. */
void ddl_close(ddl *of);

/* One tenure of this server. */
typedef struct reign {
    ddl *ddl;
    tenure tenure;
    sb_scope scope; /* of everything that is done in this tenure */
    sb_wait_group tasks;
    struct job_worker *workers;
    schema_sync sync;
} reign;

#endif
