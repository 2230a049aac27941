/*
 * What a store does about its regions by itself: it tells placement about them, and it brings those
 * that are leaving to where they go.  Private to engine/storage.
 */
#ifndef ENGINE_STORAGE_REGION_MOVES_H
#define ENGINE_STORAGE_REGION_MOVES_H

#include "engine/storage/storage_service.h"

/* One attempt to ask another machine, with the deadline of the `attempt`-th (from 0).  True:
 * *reply holds the answer, release it.  By a task of the service, or by a handler. */
bool storage_call(storage_service *of, sb_address to, wire_method method, const buffer *request,
                  uint32_t attempt, sb_reply *reply);

/* What placement and other callers are told of a region that is held here. */
region_description region_describe(const storage_service *of, const region *one);

/* A task that reports what has changed, once it is durable, until placement has confirmed it; the
 * first report is due at once. */
void region_reporter_start(storage_service *of);

/* A task that brings the region, which is leaving, to its new store; and one for each that is
 * leaving, after a boot.  Nothing is started once the service stops. */
void region_move_start(storage_service *of, region_id id);
void region_moves_resume(storage_service *of);

#endif
