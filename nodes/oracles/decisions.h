/*
 * What was decided for good and by whom, as stores and servers reported it (nodes/report.h).
 *
 * Durable versions tell what a transaction wrote and when; these tell who wrote it.  They stand in
 * the order in which the world heard of them, which is an order of real time: a fence is told
 * before the owner hears of it, a commit before its client does, a session when it is granted. What
 * one store decided is ordered by its log's sequences besides.
 *
 * A store that dies between making a commit durable and telling of it tells nothing: where there is
 * no decision, nothing is known.
 */
#ifndef NODES_ORACLES_DECISIONS_H
#define NODES_ORACLES_DECISIONS_H

#include "nodes/oracles/number_map.h"
#include "nodes/report.h"
#include "sim/world.h"

typedef enum decision_kind { DECIDED_COMMIT, DECIDED_FENCE, DECIDED_SESSION } decision_kind;

typedef struct decision {
    decision_kind kind;
    sb_node teller; /* the store, or the server itself */
    session_report told;
} decision;

typedef struct decisions {
    decision *items;
    uint32_t count, room;
    number_map ingested; /* ingested_key → how many decisions had been told before it was there */
    bool has_ingested;
} decisions;

void decisions_init(decisions *into);
void decisions_release(decisions *of);

/* From an observer of reports; other kinds are passed over. */
void decisions_observe(decisions *into, sb_node teller, uint32_t kind, slice report);

/* Whether the key had its value of the timestamp before decision `before` was told. */
bool decisions_had_ingested(const decisions *of, timestamp at, slice key, const decision *before);

/* Commits by the start of their transaction. */
void decisions_index(const decisions *of, number_map *by_start);

/* NULL: nobody told of that transaction's commit. */
const decision *decisions_commit(const decisions *of, const number_map *by_start, timestamp start);

#endif
