/*
 * Changing regions: what placement is asked to order, and what its balancer orders by itself.
 * Private to engine/placement.
 *
 * An order goes to the store that leads the region, in the epoch that placement knows; the store
 * does it in that epoch or not at all.  So an order that comes late, or is made by a map that is
 * outdated, does nothing, and whoever still wants it asks again.  Placement keeps no orders: there
 * is nothing to be finished after a restart.
 */
#ifndef ENGINE_PLACEMENT_REGION_ORDERS_H
#define ENGINE_PLACEMENT_REGION_ORDERS_H

#include "engine/placement/placement_service.h"

/* What messages.def says of SPLIT_REGION (key empty: not allowed here), MERGE_REGIONS and
 * MOVE_LEADER.  They call the store, so others run meanwhile. */
reply_status region_order_split(placement_service *of, slice key);
reply_status region_order_merge(placement_service *of, slice key);
reply_status region_order_move(placement_service *of, slice key, sb_address to);

/* Split the region of the key where its store finds its middle. */
reply_status region_order_halve(placement_service *of, slice key);

void answer_split(placement_service *of, slice body, buffer *bytes);
void answer_merge(placement_service *of, slice body, buffer *bytes);
void answer_move(placement_service *of, slice body, buffer *bytes);

/* A task that, at each interval, makes one order of what it finds: a region over the largest size
 * is split, two neighbours below the least are merged, and a store that leads two regions more than
 * another gives one to it. */
void balancer_start(placement_service *of);

#endif
