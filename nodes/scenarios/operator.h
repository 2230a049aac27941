/*
 * The operator: who submits jobs, cancels them, and looks whether the cluster serves.
 *
 * A task of the director with an exchange of its own; its messages travel the same network as
 * everybody's.  Every question may be asked again, and is: each function below tries once, for a
 * bounded time, at one server after the other, and says whether it was answered.
 */
#ifndef NODES_SCENARIOS_OPERATOR_H
#define NODES_SCENARIOS_OPERATOR_H

#include "engine/transaction/transaction.h"
#include "engine/wire/job.h"
#include "engine/wire/messages.h"
#include "nodes/scenarios/machines.h"
#include "nodes/scenarios/watch.h"

typedef struct operator_desk {
    const machines *machines;
    watch *watch; /* its own transactions belong to the clients' history */
    sb_exchange *exchange;
    cluster *cluster;
    uint32_t next_server;
} operator_desk;

void operator_open(operator_desk *into, const machines *of, watch *seen);
void operator_close(operator_desk *of);

/* One try at the next server each.  UNKNOWN also when no reply came: ask again, with the same
 * nonce. *job: of OK. */
job_answer operator_try_submit(operator_desk *of, const submit_job_request *asked, job_id *job);

/* METHOD_CANCEL_JOB, METHOD_PAUSE_JOB or METHOD_RESUME_JOB. */
job_answer operator_try_order(operator_desk *of, wire_method order, job_id job);
job_status_reply operator_try_status(operator_desk *of, job_id job);

/* Whether that server takes clients: one try. */
bool operator_server_serves(operator_desk *of, sb_node server);

/* Whether a client's transaction commits: one try, at the next server. */
bool operator_try_transaction(operator_desk *of);

/* The tenure in `m owner`; 0: it could not be read. */
tenure_id operator_read_tenure(operator_desk *of);

/* Whether no job lives and nothing temporary is left in rows: one look. */
bool operator_sees_quiet(operator_desk *of);

#endif
