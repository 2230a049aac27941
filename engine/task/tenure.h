/*
 * The fence of the owner: `m owner` and the transactions that it guards.
 *
 * Being owner is a hint in memory.  What an owner does to the cluster's rows, it does in
 * transactions that read `m owner`, stop when another tenure stands there, and lock the key, so
 * that the commit of a later owner's tenure and a commit of ours cannot both succeed side by side
 * (TiDB issue 50055: ownership was checked in the dispatch loop, not at the commit).
 *
 *     transaction *in;
 *     status = tenure_begin(tenure, &in, scope);
 *     if (status == ENGINE_OK) {
 *         ... reads, puts ...
 *         status = tenure_commit(tenure, in, scope);      or tenure_abandon(tenure, in);
 *     }
 *
 * Between begin and commit the order mutex is held: transactions of one owner all lock one key, so
 * two at once would only conflict.  They carry schema version 0: they touch no row of any table.
 */
#ifndef ENGINE_TASK_TENURE_H
#define ENGINE_TASK_TENURE_H

#include "engine/transaction/transaction.h"

typedef struct tenure {
    cluster *cluster;
    tenure_id id;
    sb_mutex *order; /* of this machine's owner transactions; outlives every tenure */
} tenure;

/* Write the tenure into `m owner`, upwards only.  ENGINE_NOT_OWNER: a later one stands there. */
engine_status tenure_inaugurate(const tenure *of, sb_scope *scope);

/* ENGINE_NOT_OWNER: another tenure stands in `m owner`. */
engine_status tenure_begin(const tenure *of, transaction **begun, sb_scope *scope);
engine_status tenure_commit(const tenure *of, transaction *in, sb_scope *scope);
void tenure_abandon(const tenure *of, transaction *in);

/* The value of `m owner`, for those who watch from outside. */
typedef struct owner_row {
    tenure_id tenure;
    sb_address owner;
} owner_row;
void owner_row_encode(const owner_row *from, buffer *into); /* clears `into` first */
bool owner_row_decode(slice value, owner_row *into);

#endif
