/*
 * What placement knows: sessions, the owner, the bound of timestamps, the regions.
 *
 * Plain data and its rules; nothing here waits.  The rules that matter:
 *
 * - sessions and tenures rise for ever, and a session that has ended never comes back;
 * - a session lives until its TTL has passed on placement's own monotonic clock without a
 *   keepalive; after a restart, when nobody knows how long placement was away, every live session
 *   gets its whole TTL again;
 * - a server has one live session at most: a new one ends the one before;
 * - an owner reigns until it resigns or its session ends;
 * - the safe point (storage/garbage.h) never falls, and never passes what a job holds or what a
 *   live session is known to read at.  After a restart that is not known before the next
 *   keepalive of a session that has heard of it, so the safe point stands still until then.
 *
 * What is kept is encoded by registry_encode; deadlines and nonces are not.  Whoever changes what
 * is kept raises `changed`, and no answer that tells of it may go out before that change is saved.
 */
#ifndef ENGINE_PLACEMENT_REGISTRY_H
#define ENGINE_PLACEMENT_REGISTRY_H

#include "engine/base/scalars.h"
#include "engine/placement/region_table.h"
#include "engine/wire/messages.h"

#define REGISTRY_SERVERS_MAX 64u
#define REGISTRY_NONCES 8u
#define REGISTRY_HOLDS_MAX 64u

/* Of a server, by its address: whether a session of it lives. */
typedef enum lease_state {
#define LEASE_STATE(name, text) LEASE_##name,
#include "engine/placement/lease_states.def"
#undef LEASE_STATE
} lease_state;
extern const sb_machine lease_machine;

typedef struct server_session {
    sb_address server;
    bool live;
    session_id session; /* the newest */
    sb_duration ttl;
    sb_time deadline;     /* on the monotonic clock of this incarnation */
    timestamp oldest;     /* the least that it reads at; 0: nothing */
    uint64_t heard;       /* number of the keepalive that told so; 0: none, in this incarnation */
    bool is_heard;        /* `oldest` was told to this incarnation */
    uint32_t nonce_count; /* how many were ever noted; the last REGISTRY_NONCES are here */
    uint64_t nonces[REGISTRY_NONCES];
    session_id nonce_sessions[REGISTRY_NONCES];
} server_session;

/* A job whose snapshot must stay readable. */
typedef struct safe_point_hold {
    job_id job;
    timestamp at;
} safe_point_hold;

typedef struct registry {
    uint64_t changed;         /* how often what is kept has changed */
    uint64_t timestamp_bound; /* physical ms: every timestamp handed out is below */
    uint64_t boots;           /* of placement */
    session_id last_session;
    tenure_id last_tenure;
    bool reigning; /* the owner has not resigned */
    sb_address owner;
    session_id owner_session;
    timestamp safe_point;
    uint32_t hold_count;
    safe_point_hold holds[REGISTRY_HOLDS_MAX]; /* in the order they were asked for */
    uint32_t server_count;
    server_session servers[REGISTRY_SERVERS_MAX]; /* by address */
    region_table regions;
} registry;

void registry_init(registry *of);
void registry_release(registry *of);

void registry_encode(const registry *of, buffer *into); /* appends */

/* Into a fresh registry; every live session gets its whole TTL from now. */
bool registry_decode(registry *of, slice bytes, sb_time now);

/* End every session whose deadline has passed. */
void registry_expire(registry *of, sb_time now);

reply_status registry_grant(registry *of, const session_grant_request *request, sb_time now,
                            session_id *session);
reply_status registry_keepalive(registry *of, const session_keepalive_request *request,
                                sb_time now);
void registry_revoke(registry *of, session_id session);
bool registry_session_lives(const registry *of, session_id session);
reply_status registry_campaign(registry *of, session_id session, campaign_reply *reply);
bool registry_has_owner(const registry *of);
void registry_resign(registry *of, session_id session, tenure_id tenure);

/* As SAFE_POINT_HOLD and SAFE_POINT_ADVANCE say (messages.def).  advance: `wanted` is a timestamp
 * that has been handed out. */
reply_status registry_hold(registry *of, job_id job, timestamp at);
timestamp registry_advance(registry *of, timestamp wanted);

void registry_pack_sessions(const registry *of, packing *list);

#endif
