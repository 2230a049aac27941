/*
 * A store at work: requests in, answers out.
 *
 * Each request runs in a task of its own (storage_service_handle is the exchange's handler).  A
 * command looks, decides and changes between two calls through door 1; only ingest and upload read
 * and write files, and look again afterwards.  The answer is written down at the moment of the
 * decision and sent when the sequence it depends on is durable (store.h).
 */
#ifndef ENGINE_STORAGE_STORAGE_SERVICE_H
#define ENGINE_STORAGE_STORAGE_SERVICE_H

#include "engine/storage/store.h"
#include "engine/storage/uploads.h"

typedef struct storage_settings {
    uint64_t capacity;            /* encoded bytes of entries; above it no upload and no ingest is
                                   * taken: NO_SPACE.  0: none */
    uint64_t ingest_pairs_max;    /* of one request; 0: none */
    sb_duration report_interval;  /* between two reports of regions that have not changed; 0: only
                                   * changes are reported */
    const sb_address *placements; /* borrowed; 0 of them: nothing is reported */
    uint32_t placement_count;
} storage_settings;

/* What a store has decided for good, for whoever watches it from outside.  The sequences of one
 * store are the order in which it decided, over its restarts too. */
typedef enum storage_decision_kind {
    DECISION_NONE,
    DECISION_COMMIT, /* of a transaction whose primary is here */
    DECISION_FENCE,  /* by.session is the least that is accepted of by.server */
    DECISION_INGEST, /* these keys have a value of that timestamp */
    DECISION_COLLECT /* these versions are about to be dropped */
} storage_decision_kind;

typedef struct storage_decision {
    storage_decision_kind kind;
    log_sequence sequence;
    writer by;
    timestamp start, commit; /* of COMMIT; INGEST: start alone; COLLECT: start is the safe point */
    slice keys; /* of INGEST: the checksum of each, u64; COLLECT: garbage.h; borrowed */
} storage_decision;

/* Called when the decision is durable and before it is answered; of COLLECT before it is made, as
 * afterwards nobody could tell what there was.  It may wait. */
typedef void storage_watcher(void *context, const storage_decision *made);

typedef struct storage_service {
    store *store;
    storage_settings settings;
    uploads uploads;
    sb_exchange *exchange; /* NULL before the start */
    bool started;          /* regions that were leaving at boot are on their way */
    sb_scope scope;        /* of its own tasks */
    sb_wait_group tasks;   /* that move regions, and report them */
    sb_condition regions_changed;
    storage_watcher *watcher; /* NULL: nobody watches */
    void *watcher_context;
} storage_service;

void storage_service_init(storage_service *of, store *at, const storage_settings *settings);
void storage_service_watch(storage_service *of, storage_watcher *watcher, void *context);

/* Whether the store has reached its capacity.  Transactions are taken all the same: they are small,
 * and what frees space is one of them. */
bool storage_is_full(const storage_service *of);

void storage_service_release(storage_service *of); /* after its exchange has been closed */

/* Between init and stop the service has tasks of its own, which call other machines.  Start when
 * the exchange is open, stop before it is closed. */
void storage_service_start(storage_service *of, sb_exchange *exchange);
void storage_service_stop(storage_service *of);

/* The handler of an exchange whose context is the service. */
void storage_service_handle(void *service, const sb_request *request);

#endif
