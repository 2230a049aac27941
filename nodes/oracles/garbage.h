/*
 * What stores have told that they would collect (storage/garbage.h), kept for the oracles.
 *
 * The oracles judge by every version there ever was: who wrote a row, which transaction has one
 * fate, what a read at some timestamp must have given.  Collection takes such versions away while
 * clients work.  So each store tells of a version before it drops it, and at the end those that are
 * gone are put back among the durable ones.
 *
 * That hides no loss:
 *
 * - A version that is gone and was never told is not put back.
 * - One that was told is put back only where the store had the right to drop it: a value newer than
 *   it stands at or below the safe point, so that no reader at or above it has lost anything (a
 *   deletion needs none, but then nothing older may be left that would come to light); a mark is
 *   of a transaction that began, and ended, below it; the store guards that safe point for good.
 *   Else it is a finding.
 * - Locks that were left are resolved before, by the durable bytes alone.  A record that was
 *   collected while a lock still needed it makes that lock's write a lost one.
 * - A reader below the safe point must have been refused.  If it was answered, the answer is judged
 *   by what there was.
 *
 * A store that dies between telling and dropping has told too much.  So nothing is put back that is
 * there, and nothing is judged but what is gone: what is gone for good was dropped by a record in
 * the log, and all that stood before it in the log is there as well.
 */
#ifndef NODES_ORACLES_GARBAGE_H
#define NODES_ORACLES_GARBAGE_H

#include "nodes/oracles/durable.h"

typedef struct collected {
    buffer told; /* reports one behind the other, as slices */
} collected;

void collected_init(collected *into);
void collected_release(collected *of);

/* From an observer of reports; other kinds are passed over. */
void collected_observe(collected *into, uint32_t kind, slice report);

/* No reader at or above the safe point has lost a version.  Afterwards the durable versions are all
 * there ever were, but for those of ranges that were given up. */
void oracle_garbage(const collected *told, durable_cluster *durable, sb_world *world);

#endif
