/*
 * Placement at work: timestamps, the region map, sessions and the election, for everybody.
 *
 * What must survive is one small file, replaced as a whole (base/durable_file.h).  The first
 * request that needs its change saved writes the file; those who come meanwhile share the next
 * writing.
 */
#ifndef ENGINE_PLACEMENT_PLACEMENT_SERVICE_H
#define ENGINE_PLACEMENT_PLACEMENT_SERVICE_H

#include "engine/placement/timestamp_oracle.h"
#include "engine/placement/registry.h"

typedef struct placement_service {
    registry registry;
    timestamp_oracle oracle;
    uint64_t timestamp_ahead_ms;
    uint64_t saved;       /* registry.changed as it is on disk */
    uint64_t saved_bound; /* registry.timestamp_bound as it is on disk */
    bool saving;
    bool failed; /* the machine stops and the disk refuses */
    sb_condition progress;
} placement_service;

typedef enum placement_opened {
    PLACEMENT_OPENED,
    PLACEMENT_DAMAGED, /* the log says what and where */
    PLACEMENT_STOPPED  /* asked to stop while the disk refused to work */
} placement_opened;

/* Recover, or on an empty disk begin with these regions.  Close it whatever this returns. */
placement_opened placement_service_open(placement_service *of, packed_regions born_with,
                                        sb_duration timestamp_ahead);
void placement_service_close(placement_service *of); /* after its exchange has been closed */

/* The handler of an exchange whose context is the service. */
void placement_service_handle(void *service, const sb_request *request);

#endif
