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
 * - an owner reigns until it resigns or its session ends.
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
    uint32_t nonce_count; /* how many were ever noted; the last REGISTRY_NONCES are here */
    uint64_t nonces[REGISTRY_NONCES];
    session_id nonce_sessions[REGISTRY_NONCES];
} server_session;

typedef struct registry {
    uint64_t changed;         /* how often what is kept has changed */
    uint64_t timestamp_bound; /* physical ms: every timestamp handed out is below */
    session_id last_session;
    tenure_id last_tenure;
    bool reigning; /* the owner has not resigned */
    sb_address owner;
    session_id owner_session;
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
reply_status registry_keepalive(registry *of, session_id session, sb_time now);
void registry_revoke(registry *of, session_id session);
reply_status registry_campaign(registry *of, session_id session, campaign_reply *reply);
void registry_resign(registry *of, session_id session, tenure_id tenure);
void registry_pack_sessions(const registry *of, packing *list);

#endif
