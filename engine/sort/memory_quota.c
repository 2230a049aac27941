/*
 * The budget and its queue: see memory_quota.h.
 */
#include "engine/sort/memory_quota.h"

struct quota_waiter {
    quota_waiter *next;
    uint64_t bytes;
    bool granted;
};

void memory_quota_init(memory_quota *of, uint64_t limit)
{
    sb_assert_op(limit, >, 0);
    *of = (memory_quota){.limit = limit};
    of->last = &of->first;
    sb_condition_init(&of->news, "memory quota");
}

void memory_quota_release(memory_quota *of)
{
    sb_assert_op(of->used, ==, 0);
    sb_assert(of->first == NULL);
    sb_condition_release(&of->news);
}

static bool fits(const memory_quota *of, uint64_t bytes)
{
    return of->used == 0 || (of->used <= of->limit && bytes <= of->limit - of->used);
}

static void take(memory_quota *of, uint64_t bytes)
{
    of->used += bytes;
    sb_assert(of->used <= of->limit || of->used == bytes);
    of->peak = of->used > of->peak ? of->used : of->peak;
}

bool memory_quota_try(memory_quota *of, uint64_t bytes)
{
    const bool possible = of->first == NULL && fits(of, bytes);
    if (possible) {
        take(of, bytes);
    }
    return possible;
}

/* Take the first out of the queue. */
static void leave_queue(memory_quota *of, quota_waiter **link)
{
    quota_waiter *waiter = *link;
    *link = waiter->next;
    if (of->last == &waiter->next) {
        of->last = link;
    }
}

/* Serve from the front as far as it goes.  Waking may let others run first, and one who was served
 * may be gone by then (its scope ended): so what they are woken by is not theirs. */
static void serve(memory_quota *of)
{
    bool served = false;
    while (of->first != NULL && fits(of, of->first->bytes)) {
        quota_waiter *waiter = of->first;
        leave_queue(of, &of->first);
        take(of, waiter->bytes);
        waiter->granted = true;
        served = true;
    }
    if (served) {
        sb_condition_broadcast(&of->news);
    }
}

static void give_up(memory_quota *of, const quota_waiter *waiter)
{
    quota_waiter **link = &of->first;
    while (*link != waiter) {
        link = &(*link)->next;
    }
    leave_queue(of, link);
    serve(of); /* who stood behind a large need may fit */
}

sb_status memory_quota_acquire(memory_quota *of, uint64_t bytes, sb_scope *scope)
{
    sb_status status = sb_scope_status(scope);
    if (status != SB_OK || memory_quota_try(of, bytes)) {
        return status;
    }
    quota_waiter self = {.bytes = bytes};
    *of->last = &self;
    of->last = &self.next;
    while (!self.granted && status == SB_OK) {
        status = sb_condition_wait(&of->news, NULL, scope);
    }
    if (!self.granted) {
        SOMETIMES(true, "memory-quota-wait-canceled");
        give_up(of, &self);
    }
    return self.granted ? SB_OK : status;
}

void memory_quota_return(memory_quota *of, uint64_t bytes)
{
    sb_assert_op(bytes, <=, of->used);
    of->used -= bytes;
    serve(of);
}
