/*
 * The wait for a schema version: see schema_sync.h.
 */
#include "engine/ddl/schema_sync.h"

#include "engine/schema/acknowledgement.h"
#include "engine/transaction/route.h"

#define POLL (100 * SB_MILLISECOND)

void schema_sync_init(schema_sync *of, cluster *in, schema_cache *schema, const sb_address *stores,
                      uint32_t store_count)
{
    *of = (schema_sync){
        .cluster = in, .schema = schema, .stores = stores, .store_count = store_count};
}

/* ------------------------------------------------------------------------------------- fences */

static schema_fence *fence_of(schema_sync *of, sb_address server)
{
    for (uint32_t i = 0; i < of->fence_count; i++) {
        if (of->fences[i].server == server) {
            return &of->fences[i];
        }
    }
    if (of->fence_count == SERVERS_MAX) {
        return NULL;
    }
    of->fences[of->fence_count] = (schema_fence){.server = server};
    return &of->fences[of->fence_count++];
}

static bool is_fenced(const sb_reply *reply, uint64_t least)
{
    fence_reply got;
    return fence_reply_decode(&got, slice_of(reply->data, reply->size)) &&
           got.head.status == REPLY_OK && got.least >= least;
}

/* Every store refuses sessions of the server below `least`. */
static engine_status fence(schema_sync *of, sb_address server, session_id least, sb_scope *scope)
{
    const schema_fence *known = fence_of(of, server);
    if (known != NULL && known->least >= least) {
        return ENGINE_OK;
    }
    const fence_request ask = {.server = server, .session = least};
    buffer request;
    buffer_init(&request);
    fence_request_encode(&ask, &request);
    const engine_status status = cluster_tell_stores(
        of->cluster, of->stores, of->store_count, METHOD_FENCE, &request, is_fenced, least, scope);
    buffer_release(&request);
    schema_fence *note = fence_of(of, server);
    if (status == ENGINE_OK && note != NULL && note->least < least) {
        note->least = least;
    }
    return status;
}

/* --------------------------------------------------------------------------- acknowledgements */

static bool is_acknowledged(const acknowledgement *rows, uint32_t count,
                            const session_description *by, schema_version version)
{
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].server == by->server) {
            return rows[i].session >= by->session && rows[i].version >= version;
        }
    }
    return false;
}

/* One look: *synced when nobody is left to wait for. */
static engine_status look(schema_sync *of, uint64_t job, schema_version version, bool *synced,
                          sb_scope *scope)
{
    server_sessions servers;
    acknowledgement rows[SERVERS_MAX];
    uint32_t count;
    engine_status status = server_sessions_read(of->cluster, &servers, scope);
    if (status == ENGINE_OK) {
        status = acknowledgements_read(of->cluster, TIMESTAMP_MAX, job, rows, SERVERS_MAX, &count,
                                       scope);
    }
    *synced = status == ENGINE_OK;
    for (uint32_t i = 0; i < servers.count && status == ENGINE_OK; i++) {
        const session_description *one = &servers.items[i];
        if (one->live && !is_acknowledged(rows, count, one, version)) {
            *synced = false;
            continue;
        }
        SOMETIMES(!one->live, "schema-wait-goes-on-without-a-dead-server");
        status = fence(of, one->server, one->live ? one->session : one->session + 1, scope);
        *synced &= status == ENGINE_OK;
    }
    return status;
}

engine_status schema_sync_wait(schema_sync *of, uint64_t job, schema_version version,
                               sb_scope *scope)
{
    schema_cache_wake(of->schema);
    bool synced = false;
    for (;;) {
        const engine_status status = look(of, job, version, &synced, scope);
        if (status != ENGINE_OK || synced) {
            return status;
        }
        if (sb_sleep(POLL, scope) != SB_OK) {
            return engine_scope_status(scope);
        }
    }
}
