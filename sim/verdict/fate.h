/*
 * What became of a call, as the record tells it.
 *
 *   call --send--> [network] --deliver--> serve --answer, send--> [network] --deliver--> call-end
 */
#ifndef SB_VERDICT_FATE_H
#define SB_VERDICT_FATE_H

#include "sim/record/record.h"

/* Steps of an exchange as far as it came; 0: it did not come there. */
typedef struct sb_fate {
    sb_step call, request_sent, request_delivered, request_dropped;
    sb_step served, answered, reply_sent, reply_delivered, reply_dropped;
    uint64_t number;
    const char *method;
    unsigned to; /* the node that was called */
    uint64_t drop_cause;
    uint16_t server_lane; /* of the task that serves it; 0: none */
} sb_fate;

/* Of the call in which that task is.  All 0 when the record knows none. */
void sb_fate_of_task(const sb_record *record, unsigned node, unsigned lane, sb_fate *into);

/* Of the last call that tasks of that name lost a message of, on that node, in any incarnation, and
 * after which no such task has had an answer to the same method.  False: there is none. */
bool sb_fate_of_lost(const sb_record *record, unsigned node, const char *task, sb_fate *into);

bool sb_fate_is_lost(const sb_fate *of);
sb_step sb_fate_last(const sb_fate *of); /* how far it came */

/* "call 532 write at step 9120, request sent at step 9121, ..."; "reply dropped at step 9177
 * (reply-loss)". */
void sb_fate_text(const sb_fate *of, char *text, size_t size);
void sb_fate_loss_text(const sb_record *record, const sb_fate *of, char *text, size_t size);

#endif
