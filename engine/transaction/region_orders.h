/*
 * Asking placement to change regions: for an operator, and for an import that wants the range of a
 * new index spread before it fills it.
 *
 * Each asks until placement says that it is so, or that it will not be; nothing depends on it for
 * being right, so callers give it a short scope and go on.
 */
#ifndef ENGINE_TRANSACTION_REGION_ORDERS_H
#define ENGINE_TRANSACTION_REGION_ORDERS_H

#include "engine/transaction/transaction.h"

/* ENGINE_OK: a region begins at the key, which is not empty. */
engine_status cluster_split_region(cluster *of, slice key, sb_scope *scope);

/* ENGINE_OK: the region of the key and the one behind it are one.  ENGINE_NOT_FOUND: there is none
 * behind it. */
engine_status cluster_merge_regions(cluster *of, slice key, sb_scope *scope);

/* ENGINE_OK: the region of the key is on that store, or on its way there (to 0: to the store that
 * leads the fewest).  ENGINE_FAILED: it is too large, or there is no such store. */
engine_status cluster_move_leader(cluster *of, slice key, sb_address to, sb_scope *scope);

#endif
