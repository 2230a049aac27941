/*
 * Placement at work: timestamps, the region map, sessions, the election and watches, for everybody.
 *
 * What must survive is one small file, replaced as a whole (base/durable_file.h).  The first
 * request that needs its change saved writes the file; those who come meanwhile share the next
 * writing.
 *
 * Regions are changed by the stores; placement orders it (region_orders.h) and learns of it by
 * their reports (region_table.h).
 */
#ifndef ENGINE_PLACEMENT_PLACEMENT_SERVICE_H
#define ENGINE_PLACEMENT_PLACEMENT_SERVICE_H

#include "engine/placement/timestamp_oracle.h"
#include "engine/placement/registry.h"
#include "engine/placement/watches.h"

typedef struct placement_settings {
    sb_duration timestamp_ahead;
    const sb_address *stores; /* borrowed */
    uint32_t store_count;
    sb_duration balance_interval; /* between two looks of the balancer; 0: it does not look */
    uint64_t region_size_max;     /* encoded bytes: a larger region is split; 0: none is */
    uint64_t region_size_min; /* two neighbours that have less together are merged; 0: none are */
} placement_settings;

/* What an answer tells that must hold for ever, also after a crash of the next moment: everything
 * up to it was given to somebody.  0: not told. */
typedef struct placement_promise {
    timestamp last;
    session_id session;
    tenure_id tenure;
} placement_promise;

/* Called before the answer is sent.  It may wait. */
typedef void placement_watcher(void *context, const placement_promise *made);

typedef struct placement_service {
    registry registry;
    timestamp_oracle oracle;
    watches watches;
    placement_settings settings;
    uint64_t timestamp_ahead_ms;
    sb_exchange *exchange; /* NULL before the start */
    sb_scope scope;        /* of orders and of the balancer */
    sb_wait_group tasks;
    bool ordering;        /* one order at a time */
    uint64_t saved;       /* registry.changed as it is on disk */
    uint64_t saved_bound; /* registry.timestamp_bound as it is on disk */
    bool saving;
    bool failed;                /* the machine stops and the disk refuses */
    placement_watcher *watcher; /* NULL: nobody watches */
    void *watcher_context;
    sb_condition progress;
} placement_service;

typedef enum placement_opened {
    PLACEMENT_OPENED,
    PLACEMENT_DAMAGED, /* the log says what and where */
    PLACEMENT_STOPPED  /* asked to stop while the disk refused to work */
} placement_opened;

/* Recover, or on an empty disk begin with these regions.  Close it whatever this returns. */
placement_opened placement_service_open(placement_service *of, packed_regions born_with,
                                        const placement_settings *settings);
void placement_service_close(placement_service *of); /* after its exchange has been closed */

void placement_service_watch(placement_service *of, placement_watcher *watcher, void *context);

/* Between start and stop it orders stores about.  Start when the exchange is open, stop before it
 * is closed. */
void placement_service_start(placement_service *of, sb_exchange *exchange);
void placement_service_stop(placement_service *of);

/* Take in what a store holds; true: something is to be saved. */
bool placement_service_learn(placement_service *of, packed_regions regions);

/* Wait until what has changed so far is saved.  false: it never will be; do not answer. */
bool placement_service_save(placement_service *of);

/* The handler of an exchange whose context is the service. */
void placement_service_handle(void *service, const sb_request *request);

#endif
