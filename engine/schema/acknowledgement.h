/*
 * The rows `m ack job server`: which schema version a server's session has acknowledged for a job.
 *
 * Written by the server's schema cache, read and removed by the owner.  A row may only exist while
 * its job is in `m job`.  A server's late acknowledgement could break that, so the owner's
 * transaction that moves a job to history calls acknowledgements_forget for *every* server there
 * is, with or without a row: a delete of a missing key still makes the two transactions conflict,
 * and one that begins later sees that the job is gone.
 */
#ifndef ENGINE_SCHEMA_ACKNOWLEDGEMENT_H
#define ENGINE_SCHEMA_ACKNOWLEDGEMENT_H

#include "engine/transaction/transaction.h"

typedef struct acknowledgement {
    uint64_t job;
    sb_address server;
    session_id session;
    schema_version version;
} acknowledgement;

void acknowledgement_encode(const acknowledgement *from, buffer *into);
bool acknowledgement_decode(slice key, slice value, acknowledgement *into);

/* The rows of a job at a timestamp (TIMESTAMP_MAX: the latest), in the order of servers, at most
 * `room`. */
engine_status acknowledgements_read(cluster *of, timestamp at, uint64_t job, acknowledgement *into,
                                    uint32_t room, uint32_t *count, sb_scope *scope);

/* Buffer the deletion of the rows of a job for these servers. */
void acknowledgements_forget(transaction *in, uint64_t job, const sb_address *servers,
                             uint32_t count);

#endif
