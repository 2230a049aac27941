/*
 * The owner role: campaign, reign, retire.
 *
 *     idle → campaigning → elected → reigning → retiring → idle
 *              │    ↑         └── m owner could not be had ──↑
 *              └────┘ lost, again after a while; idle with the session's end
 *
 * Every server runs this for every session it has.  Placement elects by lease; who wins inaugurates
 * the tenure in `m owner` and only then looks at jobs.  While it reigns it campaigns on, which
 * tells it when another one was elected, and starts a worker for every live job that has none and
 * whose turn it is (worker.h).  The
 * reign ends with its scope: on shutdown, when the session is lost, when placement names another
 * owner, or when a transaction meets a later tenure.  It joins every worker before it returns.
 */
#ifndef ENGINE_DDL_OWNER_H
#define ENGINE_DDL_OWNER_H

#include "engine/ddl/ddl.h"

typedef enum owner_state {
#define OWNER_STATE(name, text) OWNER_##name,
#include "engine/ddl/owner_states.def"
#undef OWNER_STATE
    OWNER_STATE_COUNT
} owner_state;

extern const sb_machine owner_machine; /* moved with the server's address */

/* Until the scope ends, or the session has ended. */
void owner_run(ddl *of, session_id session, sb_scope *scope);

#endif
