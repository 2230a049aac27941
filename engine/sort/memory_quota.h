/*
 * A budget of bytes that several tasks of a machine share.
 *
 * What is counted is what the holder says it holds: encoded bytes and items, never what an
 * allocator makes of them, so the figures are the same on every machine.  Every byte taken is given
 * back exactly; at the end the meter stands at 0 or the program is wrong.
 *
 * Waiting is first come, first served: nobody is overtaken, a small need does not pass a large one.
 * Whoever waits should hold nothing of the quota itself, or wait on what another holder will give
 * back without waiting; then there is no circle.
 */
#ifndef ENGINE_SORT_MEMORY_QUOTA_H
#define ENGINE_SORT_MEMORY_QUOTA_H

#include "sim/node.h"

typedef struct quota_waiter quota_waiter;

typedef struct memory_quota {
    uint64_t limit, used, peak; /* in bytes; peak is the most that was ever used */
    quota_waiter *first, **last;
    sb_condition news; /* somebody was served */
} memory_quota;

void memory_quota_init(memory_quota *of, uint64_t limit);
void memory_quota_release(memory_quota *of); /* nobody holds or waits */

/* Take them if that is possible now and nobody waits. */
bool memory_quota_try(memory_quota *of, uint64_t bytes);

/* Take them, waiting in turn: SB_OK, or how the scope ended, and then nothing was taken.  More than
 * the limit is had once nobody else holds anything: one thing that is too large for the quota must
 * still be possible to do. */
sb_status memory_quota_acquire(memory_quota *of, uint64_t bytes, sb_scope *scope);

void memory_quota_return(memory_quota *of, uint64_t bytes);

#endif
