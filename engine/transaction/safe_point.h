/*
 * The safe point, from a server's side: holding it back, raising it, and collecting what lies below
 * (storage/garbage.h says in which order, and why).
 */
#ifndef ENGINE_TRANSACTION_SAFE_POINT_H
#define ENGINE_TRANSACTION_SAFE_POINT_H

#include "engine/transaction/transaction.h"

/* From ENGINE_OK on the snapshot at that timestamp stays readable, until the job lets go: at = 0.
 * ENGINE_TOO_OLD: the safe point is above it already, choose a later one.  ENGINE_CONFLICT: so many
 * jobs hold it that there is no room for another. */
engine_status cluster_hold_safe_point(cluster *of, job_id job, timestamp at, sb_scope *scope);

/* Raise it as far as may be, at most to `wanted`; *safe_point is where it is then.  holders
 * (cleared first): the jobs that hold it, job_id after job_id as u64. */
engine_status cluster_advance_safe_point(cluster *of, timestamp wanted, timestamp *safe_point,
                                         buffer *holders, sb_scope *scope);

/* One after the other, each only after ENGINE_OK of the one before, with one safe point that
 * placement has told: every store guards it; no lock from below is left; all regions have
 * collected.  Each may be done again. */
engine_status cluster_guard(cluster *of, const sb_address *stores, uint32_t store_count,
                            timestamp safe_point, sb_scope *scope);
engine_status cluster_resolve_locks(cluster *of, timestamp before, sb_scope *scope);
engine_status cluster_collect(cluster *of, timestamp safe_point, sb_scope *scope);

#endif
