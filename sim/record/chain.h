/*
 * Who holds up what: the links from what has not ended to who could end it, and what he waits for.
 *
 *   job 1 running                                     thing
 *     subtask 5 running, of server3                   thing
 *       server3#2 subtask-1-0-5 waits for a reply     task
 *         call 532 write at step 9120, ...            exchange
 *           reply dropped at step 9177 (reply-loss)   loss
 *
 * A forest: each link hangs on one above it, or on none.  It is made where the world is known
 * (sim/verdict/chain.c) and drawn where it is not (traces/chain.c).
 */
#ifndef SB_RECORD_CHAIN_H
#define SB_RECORD_CHAIN_H

#include "sim/record/record.h"

typedef enum sb_link_kind {
    SB_LINK_THING,    /* a job, a subtask: what the scenario says has not ended */
    SB_LINK_TASK,     /* a task that waits */
    SB_LINK_EXCHANGE, /* how far a request came */
    SB_LINK_LOSS,     /* a message that was dropped */
    SB_LINK_END       /* nobody: no such task, a machine that is away, a task that stands above */
} sb_link_kind;

#define SB_LINK_TEXT 240

typedef struct sb_chain_link {
    sb_link_kind kind;
    size_t above; /* its index, and one; 0: none */
    size_t same;  /* the link that stands for the same task, and one; 0: it is the first */
    sb_step step; /* where it shows in the record; 0: nowhere */
    char text[SB_LINK_TEXT];
} sb_chain_link;

typedef struct sb_chain {
    sb_chain_link *links; /* above < below */
    size_t count, capacity;
} sb_chain;

/* One more link below another (its index, and one; 0: below none), in words.  Returns its index,
 * and one. */
size_t sb_chain_add(sb_chain *into, sb_link_kind kind, size_t above, sb_step step,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
void sb_chain_release(sb_chain *of);

#endif
