/*
 * Many seeds in several processes.
 *
 *            batches of indices, over a pipe
 *   parent ----------------------------------> worker: one universe, one world after the other
 *          <----------------------------------
 *            one sb_seed_result a seed; where it is now: shared memory
 *
 * Results are handed on in the order of the seeds, whatever the number of workers. A worker that
 * dies is replaced; the seed it had in hand is told as lost, or, when alone it dies or never ends
 * again, as a finding. After a finding by signal a worker retires: what a stray write did to its
 * memory must not reach another seed.
 */
#ifndef SB_TOOL_WORKERS_H
#define SB_TOOL_WORKERS_H

#include "sim/tool/child.h"

/* Seeds first, first + stride, ...; or, of one seed, the places first, first + stride, ...; or a
 * list.  Never empty. */
typedef struct sb_seed_sequence {
    uint64_t first, stride;
    uint64_t last_index;
    bool is_of_places; /* of `seed` */
    uint64_t seed;
    const sb_run_name *list; /* NULL: none */
} sb_seed_sequence;
sb_run_name sb_sequence_run(const sb_seed_sequence *sequence, uint64_t index);

typedef struct sb_pool_options {
    const sb_plan *plan;
    const sb_seed_sequence *seeds;
    const sb_universe_options *universe;
    unsigned jobs;
    sb_duration patience;
    uint64_t deadline; /* of sb_host_time; UINT64_MAX: none */
    /* Keep the observations of this share (of a million) of the runs, and of all that mask. */
    uint32_t effect_share;
    /* In the order of seeds; false: enough.  Called in the parent. */
    bool (*consume)(void *context, const sb_seed_result *result);
    /* Now and then: how many seeds are done. */
    void (*tick)(void *context, uint64_t done);
    void *context;
} sb_pool_options;

typedef enum sb_pool_end {
    SB_POOL_DONE,
    SB_POOL_ENOUGH,     /* consume said so */
    SB_POOL_DEADLINE,   /* the seeds in hand were finished */
    SB_POOL_INTERRUPTED /* by SIGINT or SIGTERM; the same */
} sb_pool_end;

sb_pool_end sb_pool_run(const sb_pool_options *options);

/* From now on SIGINT and SIGTERM end a pool, and anything that asks, in good order. */
void sb_interrupts_catch(void);
bool sb_interrupted(void);
unsigned sb_interrupt_count(void);

/* How many processors this process may use. */
unsigned sb_processor_count(void);

#endif
