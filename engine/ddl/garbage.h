/*
 * The garbage collector: a task of the owner's (in TiDB the GC worker is a leader's too).
 *
 *     a while ─→ raise the safe point ─→ every store guards it ─→ no lock is left below ─→ collect
 *        ↑            │ not risen, or something did not answer in time                      │
 *        └────────────┴─────────────────────────────────────────────────────────────────────┘
 *
 * The safe point follows the present at a distance, the lag.  What a live server's transactions
 * read at and the snapshots of jobs hold it back (placement/registry.h).  A job holds its snapshot
 * before the snapshot stands in its row; it is let go when the job is found in history, whence it
 * never comes back, so whoever lets go late, or twice, does no harm.  That is done by each round,
 * and, since there may be none, by a job that finds no room to hold its own.
 *
 * Nothing here is fenced by the tenure: two owners who collect side by side each keep the order of
 * steps with a safe point that placement has told them, and that never falls.
 */
#ifndef ENGINE_DDL_GARBAGE_H
#define ENGINE_DDL_GARBAGE_H

#include "engine/ddl/ddl.h"

/* Into the reign's tasks; nothing when the settings say so. */
void garbage_start(reign *of);

/* Jobs that hold the safe point although they are over hold it no more. */
engine_status garbage_make_room(cluster *of, sb_scope *scope);

#endif
