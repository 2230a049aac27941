/*
 * Live servers: one question to placement.
 */
#include "engine/task/liveness.h"

#include "engine/transaction/route.h"

/* False when the answer cannot be, or is not one. */
static bool take_sessions(const sb_reply *reply, server_sessions *into)
{
    sessions_reply answer;
    if (!sessions_reply_decode(&answer, slice_of(reply->data, reply->size)) ||
        answer.head.status != REPLY_OK || answer.sessions.count > SERVERS_MAX) {
        return false;
    }
    into->count = 0;
    session_description one;
    for (cursor at = packed_cursor(answer.sessions); unpack_session(&at, &one);) {
        into->items[into->count++] = one;
    }
    return true;
}

engine_status server_sessions_read(cluster *of, server_sessions *into, sb_scope *scope)
{
    const sessions_request ask = {};
    buffer request;
    buffer_init(&request);
    sessions_request_encode(&ask, &request);
    backoff wait;
    backoff_init(&wait);
    engine_status status;
    for (;;) {
        sb_reply reply;
        status = cluster_ask(of, METHOD_SESSIONS, &request, &reply, scope);
        if (status != ENGINE_OK) {
            break;
        }
        const bool taken = take_sessions(&reply, into);
        sb_reply_release(&reply);
        if (taken || (status = backoff_wait(&wait, scope)) != ENGINE_OK) {
            break;
        }
    }
    buffer_release(&request);
    return status;
}

session_id server_sessions_live(const server_sessions *of, sb_address server)
{
    for (uint32_t i = 0; i < of->count; i++) {
        if (of->items[i].server == server) {
            return of->items[i].live ? of->items[i].session : 0;
        }
    }
    return 0;
}
