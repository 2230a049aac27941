/*
 * What placement knows: see registry.h.
 */
#include "engine/placement/registry.h"

#include <string.h>

#define FORMAT 3u

void registry_init(registry *of)
{
    memset(of, 0, sizeof(*of));
    region_table_init(&of->regions);
}

void registry_release(registry *of)
{
    region_table_release(&of->regions);
}

static const char *const lease_state_texts[] = {
#define LEASE_STATE(name, text) [LEASE_##name] = text,
#include "engine/placement/lease_states.def"
#undef LEASE_STATE
};

static const sb_move lease_moves[] = {{LEASE_ENDED, LEASE_LIVE}, {LEASE_LIVE, LEASE_ENDED}};

SB_MACHINE(lease_machine, "lease", lease_state_texts, lease_moves, .initial = LEASE_ENDED,
           .finals = SB_STATE(LEASE_ENDED) | SB_STATE(LEASE_LIVE),
           .source = "etcd's leases, which hold TiDB's sessions; registry.h");

/* ----------------------------------------------------------------------------------- encoding */

void registry_encode(const registry *of, buffer *into)
{
    buffer_add_u32(into, FORMAT);
    buffer_add_u64(into, of->timestamp_bound);
    buffer_add_u64(into, of->boots);
    buffer_add_u64(into, of->last_session);
    buffer_add_u64(into, of->last_tenure);
    buffer_add_u8(into, of->reigning ? 1 : 0);
    buffer_add_u16(into, of->owner);
    buffer_add_u64(into, of->owner_session);
    buffer_add_u64(into, of->safe_point);
    buffer_add_u32(into, of->hold_count);
    for (uint32_t i = 0; i < of->hold_count; i++) {
        buffer_add_u64(into, of->holds[i].job);
        buffer_add_u64(into, of->holds[i].at);
    }
    buffer_add_u32(into, of->server_count);
    for (uint32_t i = 0; i < of->server_count; i++) {
        const server_session *one = &of->servers[i];
        buffer_add_u16(into, one->server);
        buffer_add_u8(into, one->live ? 1 : 0);
        buffer_add_u64(into, one->session);
        buffer_add_u64(into, one->ttl);
    }
    region_table_encode(&of->regions, into);
}

static void holds_decode(registry *of, cursor *from)
{
    of->safe_point = cursor_u64(from);
    of->hold_count = cursor_u32(from);
    if (of->hold_count > REGISTRY_HOLDS_MAX) {
        from->failed = true;
        of->hold_count = 0;
    }
    for (uint32_t i = 0; i < of->hold_count; i++) {
        of->holds[i].job = cursor_u64(from);
        of->holds[i].at = cursor_u64(from);
    }
}

static void servers_decode(registry *of, cursor *from, sb_time now)
{
    of->server_count = cursor_u32(from);
    if (of->server_count > REGISTRY_SERVERS_MAX) {
        from->failed = true;
        of->server_count = 0;
    }
    for (uint32_t i = 0; i < of->server_count; i++) {
        server_session *one = &of->servers[i];
        one->server = cursor_u16(from);
        one->live = cursor_u8(from) == 1;
        one->session = cursor_u64(from);
        one->ttl = cursor_u64(from);
        one->deadline = now + one->ttl;
    }
}

bool registry_decode(registry *of, slice bytes, sb_time now)
{
    cursor from = cursor_of(bytes);
    const uint32_t format = cursor_u32(&from);
    of->timestamp_bound = cursor_u64(&from);
    of->boots = cursor_u64(&from);
    of->last_session = cursor_u64(&from);
    of->last_tenure = cursor_u64(&from);
    of->reigning = cursor_u8(&from) == 1;
    of->owner = cursor_u16(&from);
    of->owner_session = cursor_u64(&from);
    holds_decode(of, &from);
    servers_decode(of, &from, now);
    region_table_decode(&of->regions, &from);
    return cursor_finished(&from) && format == FORMAT;
}

/* ----------------------------------------------------------------------------------- sessions */

static server_session *of_session(registry *of, session_id session)
{
    for (uint32_t i = 0; i < of->server_count; i++) {
        if (of->servers[i].session == session) {
            return &of->servers[i];
        }
    }
    return NULL;
}

bool registry_session_lives(const registry *of, session_id session)
{
    uint32_t i = 0;
    while (i < of->server_count && of->servers[i].session != session) {
        i++;
    }
    return i < of->server_count && of->servers[i].live;
}

static server_session *live_session(registry *of, session_id session)
{
    return registry_session_lives(of, session) ? of_session(of, session) : NULL;
}

static void end_session(registry *of, server_session *one)
{
    if (one->live) {
        one->live = false;
        of->changed++;
        sb_machine_move(&lease_machine, one->server, LEASE_LIVE, LEASE_ENDED);
    }
}

void registry_expire(registry *of, sb_time now)
{
    for (uint32_t i = 0; i < of->server_count; i++) {
        server_session *one = &of->servers[i];
        if (one->live && now >= one->deadline) {
            SOMETIMES(true, "a session ends because its time has passed");
            sb_log("placement: session %llu of %s has expired", (unsigned long long)one->session,
                   sb_address_name(one->server));
            end_session(of, one);
        }
    }
}

/* The place of a server in the list, which is kept in the order of addresses; NULL when there is no
 * more room. */
static server_session *of_server(registry *of, sb_address server)
{
    uint32_t i = 0;
    while (i < of->server_count && of->servers[i].server < server) {
        i++;
    }
    if (i < of->server_count && of->servers[i].server == server) {
        return &of->servers[i];
    }
    if (of->server_count == REGISTRY_SERVERS_MAX) {
        return NULL;
    }
    memmove(&of->servers[i + 1], &of->servers[i], (of->server_count - i) * sizeof(of->servers[0]));
    memset(&of->servers[i], 0, sizeof(of->servers[i]));
    of->servers[i].server = server;
    of->server_count++;
    return &of->servers[i];
}

/* The session that a request with this nonce was granted, or 0. */
static session_id granted_before(const server_session *one, uint64_t nonce)
{
    const uint32_t known = one->nonce_count < REGISTRY_NONCES ? one->nonce_count : REGISTRY_NONCES;
    for (uint32_t i = 0; i < known; i++) {
        if (one->nonces[i] == nonce) {
            return one->nonce_sessions[i];
        }
    }
    return 0;
}

reply_status registry_grant(registry *of, const session_grant_request *request, sb_time now,
                            session_id *session)
{
    server_session *one = of_server(of, request->server);
    if (one == NULL || request->ttl == 0) {
        return REPLY_BAD_REQUEST;
    }
    *session = granted_before(one, request->nonce);
    if (*session != 0) {
        SOMETIMES(true, "a request for a session is repeated");
        return REPLY_OK;
    }
    end_session(of, one);
    one->session = ++of->last_session;
    one->live = true;
    sb_machine_move(&lease_machine, one->server, LEASE_ENDED, LEASE_LIVE);
    one->ttl = request->ttl;
    one->deadline = now + request->ttl;
    one->oldest = 0;
    one->heard = 0;
    one->is_heard = true; /* what it reads at from now on is younger than this */
    const uint32_t slot = one->nonce_count++ % REGISTRY_NONCES;
    one->nonces[slot] = request->nonce;
    one->nonce_sessions[slot] = one->session;
    of->changed++;
    *session = one->session;
    return REPLY_OK;
}

reply_status registry_keepalive(registry *of, const session_keepalive_request *request, sb_time now)
{
    server_session *one = live_session(of, request->session);
    if (one == NULL) {
        return REPLY_NOT_FOUND;
    }
    if (request->number < one->heard) {
        return REPLY_OK; /* overtaken by a later one */
    }
    one->deadline = now + one->ttl;
    if (request->boot == of->boots) {
        one->heard = request->number;
        one->oldest = request->oldest;
        one->is_heard = true;
    }
    SOMETIMES(request->boot != of->boots, "a keepalive is of before placement's restart");
    return REPLY_OK;
}

void registry_revoke(registry *of, session_id session)
{
    server_session *one = of_session(of, session);
    if (one != NULL) {
        end_session(of, one);
    }
}

void registry_pack_sessions(const registry *of, packing *list)
{
    for (uint32_t i = 0; i < of->server_count; i++) {
        const server_session *one = &of->servers[i];
        pack_session(list, &(session_description){
                               .server = one->server, .session = one->session, .live = one->live});
    }
}

/* -------------------------------------------------------------------------------------- owner */

bool registry_has_owner(const registry *of)
{
    return of->reigning && registry_session_lives(of, of->owner_session);
}

reply_status registry_campaign(registry *of, session_id session, campaign_reply *reply)
{
    const server_session *candidate = live_session(of, session);
    if (candidate == NULL) {
        return REPLY_NOT_FOUND;
    }
    if (!registry_has_owner(of)) {
        of->last_tenure++;
        of->owner = candidate->server;
        of->owner_session = session;
        of->reigning = true;
        of->changed++;
    }
    reply->tenure = of->last_tenure;
    reply->owner = of->owner;
    reply->owner_session = of->owner_session;
    return REPLY_OK;
}

void registry_resign(registry *of, session_id session, tenure_id tenure)
{
    if (of->reigning && of->owner_session == session && of->last_tenure == tenure) {
        of->reigning = false;
        of->changed++;
    }
}

/* --------------------------------------------------------------------------------- safe point */

static safe_point_hold *hold_of(registry *of, job_id job)
{
    for (uint32_t i = 0; i < of->hold_count; i++) {
        if (of->holds[i].job == job) {
            return &of->holds[i];
        }
    }
    return NULL;
}

static void let_go(registry *of, safe_point_hold *one)
{
    const size_t behind = (size_t)(&of->holds[of->hold_count] - one) - 1;
    memmove(one, one + 1, behind * sizeof(*one));
    of->hold_count--;
    of->changed++;
}

reply_status registry_hold(registry *of, job_id job, timestamp at)
{
    safe_point_hold *known = hold_of(of, job);
    if (job == 0 || at >= TIMESTAMP_MAX) {
        return REPLY_BAD_REQUEST;
    }
    if (at == 0) {
        if (known != NULL) {
            let_go(of, known);
        }
        return REPLY_OK;
    }
    if (at < of->safe_point) {
        SOMETIMES(true, "a snapshot is too old to be held");
        return REPLY_TOO_OLD;
    }
    if (known == NULL && of->hold_count == REGISTRY_HOLDS_MAX) {
        return REPLY_NO_SPACE;
    }
    if (known == NULL) {
        known = &of->holds[of->hold_count++];
        *known = (safe_point_hold){.job = job, .at = at};
        of->changed++;
    } else if (at < known->at) {
        known->at = at;
        of->changed++;
    }
    return REPLY_OK;
}

timestamp registry_advance(registry *of, timestamp wanted)
{
    timestamp most = wanted;
    for (uint32_t i = 0; i < of->hold_count; i++) {
        SOMETIMES(of->holds[i].at < wanted, "a job holds the safe point");
        most = of->holds[i].at < most ? of->holds[i].at : most;
    }
    for (uint32_t i = 0; i < of->server_count; i++) {
        const server_session *one = &of->servers[i];
        const timestamp reads_at = one->is_heard ? one->oldest : of->safe_point;
        SOMETIMES(one->live && !one->is_heard, "nobody knows yet what a session reads at");
        if (one->live && (reads_at != 0 || !one->is_heard) && reads_at < most) {
            SOMETIMES(one->is_heard, "a transaction holds the safe point");
            most = reads_at;
        }
    }
    if (most > of->safe_point) {
        of->safe_point = most;
        of->changed++;
    }
    return of->safe_point;
}
