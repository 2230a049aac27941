/*
 * Garbage: versions that no reader at or above a safe point can see.
 *
 *     values   9 put   7 put   5 delete   3 put        safe point 8:  7 stays, 5 and 3 go
 *     marks    9 lock  6 lock  4 rollback              6 and 4 go
 *
 * A reader at or above the safe point S gets the newest value at or before his timestamp: one above
 * S, or the newest of those at or below it.  So all below that newest one may go, and it too when
 * it is a deletion, as nothing at all says the same.  Marks tell what became of a transaction, and
 * refuse its late prewrite; they may go when nobody can ask and no prewrite can come.  Therefore,
 * in this order:
 *
 *   1. placement raises the safe point to S and never lowers it; a job's snapshot, and what a
 *      transaction of a live server reads at, hold it back
 *   2. every store GUARDs S: nothing below is read, locked or ingested any more, also after a
 *      restart and wherever a region goes
 *   3. every lock of a transaction that began before S is resolved, wherever it lies.  None can
 *      come after 2, so from here on the records of those transactions decide nothing
 *   4. regions COLLECT
 *
 * What was collected may still be asked for by a message that comes late; who asks is told that it
 * is TOO_OLD, and never that there is nothing.  Versions of an ingest are no exception: a store
 * that has collected a deletion refuses the ingest of what had been deleted.
 *
 * An entry that carries a lock from below the safe point is left alone: rule 3 excludes it, and if
 * it were there all the same it would be a reason to keep everything.
 *
 * Source: TiKV's GC worker (resolve locks, then drop below the safe point), TiDB's GC life time and
 * service safe points.
 */
#ifndef ENGINE_STORAGE_GARBAGE_H
#define ENGINE_STORAGE_GARBAGE_H

#include "engine/storage/mvcc.h"

/* What would go of at most `most` entries of [start, end) (end empty: no end), appended: slice key,
 * slice versions (as an entry without a lock, mvcc.h).  `next` is where to go on, empty behind the
 * last entry.  False: nothing would. */
bool garbage_find(const mvcc *within, slice start, slice end, timestamp safe_point, uint32_t most,
                  buffer *found, buffer *next);

/* Let it go.  True: entries went as a whole. */
bool garbage_drop(mvcc *within, slice start, slice end, timestamp safe_point);

#endif
