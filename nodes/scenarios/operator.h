/*
 * The operator: who submits jobs, cancels them, and looks whether the cluster serves.
 *
 * A task of the director with an exchange of its own; its messages travel the same network as
 * everybody's.  Every question may be asked again, and is: each function below tries for a bounded
 * time, one server after the other, and says whether it was answered.
 */
#ifndef NODES_SCENARIOS_OPERATOR_H
#define NODES_SCENARIOS_OPERATOR_H

#include "engine/transaction/transaction.h"
#include "engine/wire/job.h"
#include "nodes/scenarios/machines.h"
#include "nodes/scenarios/watch.h"

typedef struct operator_desk {
    const machines *machines;
    watch *watch; /* its own transactions belong to the clients' history */
    sb_exchange *exchange;
    cluster *cluster;
    uint32_t next_server;
    uint64_t nonce;    /* of the submission */
    job_id job;        /* 0: none was accepted yet */
    bool cancel_asked; /* and perhaps heard */
} operator_desk;

void operator_open(operator_desk *into, const machines *of, watch *seen);
void operator_close(operator_desk *of);

/* One try at one server.  ADD INDEX k_1 (k).  True: the job is there, desk.job. */
bool operator_try_submit(operator_desk *of);

/* Tries until it is accepted, refused for good, or the time has passed.  True: the answer is known.
 */
bool operator_cancel(operator_desk *of, sb_duration patience);

/* Whether that server takes clients: one try. */
bool operator_server_serves(operator_desk *of, sb_node server);

/* Whether a client's transaction commits: one try, at the next server. */
bool operator_try_transaction(operator_desk *of, sb_world *world);

/* The tenure in `m owner`; 0: it could not be read. */
tenure_id operator_read_tenure(operator_desk *of);

/* Whether the job is in history and nothing temporary is left in rows: one look. */
bool operator_sees_quiet(operator_desk *of);

#endif
