/*
 * Which servers are live, as placement tells it: their newest sessions.
 *
 * It is a hint about who to give work to and whom to wait for.  What a dead session may still do,
 * only storage's fence decides (ddl/schema_sync.h).
 */
#ifndef ENGINE_TASK_LIVENESS_H
#define ENGINE_TASK_LIVENESS_H

#include "engine/transaction/transaction.h"
#include "engine/wire/messages.h"

#define SERVERS_MAX 64u

typedef struct server_sessions {
    uint32_t count;
    session_description items[SERVERS_MAX]; /* by address */
} server_sessions;

/* Asks until placement answers: ENGINE_OK, or how the scope ended. */
engine_status server_sessions_read(cluster *of, server_sessions *into, sb_scope *scope);

/* The live session of a server, 0 when it has none. */
session_id server_sessions_live(const server_sessions *of, sb_address server);

#endif
