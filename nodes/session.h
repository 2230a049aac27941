/*
 * Client sessions of a server: EXECUTE requests, each run as one transaction.
 *
 * The server's exchange handler passes every EXECUTE to client_sessions_execute, in the request's
 * own task.  The transaction is bound at its begin to the schema of that moment and keeps it pinned
 * to its end, thinking included, so its time limit bounds how long a schema step waits for it.
 *
 * Draining: client_sessions_drain refuses new transactions, lets the running ones end, and cancels
 * those that are still there when the grace is over.  After it nothing is pinned by a client.
 */
#ifndef NODES_SESSION_H
#define NODES_SESSION_H

#include "engine/schema/schema_cache.h"
#include "engine/transaction/transaction.h"

typedef struct client_sessions client_sessions;

typedef struct client_session_settings {
    uint32_t transactions_max;          /* at once; more are refused as busy.  0: 64 */
    sb_duration transaction_time_limit; /* 0: 10 s */
    uint32_t think_ms_max;              /* a longer think time is cut.  0: 1,000 */
} client_session_settings;

client_sessions *client_sessions_open(cluster *of, schema_cache *schema,
                                      const client_session_settings *settings);

/* Answers the request, or drops it when it is a repetition. */
void client_sessions_execute(client_sessions *of, const sb_request *request);

/* SB_OK: all ended by themselves; SB_TIMEOUT: the rest was canceled.  Both ways none runs any
 * more. */
sb_status client_sessions_drain(client_sessions *of, sb_duration grace);

/* After drain, and after the exchange is closed. */
void client_sessions_close(client_sessions *of);

#endif
