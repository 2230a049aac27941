/*
 * Seeds, run twice: the second time in another program (elsewhere.h), so that code and statics lie
 * elsewhere too, at another base, over another fill, with blocks handed out in another order, and
 * in another environment.
 */
#ifndef SB_TOOL_TWICE_H
#define SB_TOOL_TWICE_H

#include "sim/tool/options.h"
#include "sim/tool/recorded.h"
#include "sim/tool/workers.h"

typedef enum sb_twice_end {
    SB_TWICE_SAME,
    SB_TWICE_DIFFERENT, /* where and how is written to out */
    SB_TWICE_LOST       /* a run did not come back; why is written to out */
} sb_twice_end;

/* One seed of a plan that these arguments led to.  result: of the first run.  seed_count: how many
 * seeds are known to differ, for the headline. */
sb_twice_end sb_run_twice(FILE *out, const sb_arguments *arguments, const sb_plan *plan,
                          uint64_t seed, uint64_t seed_count, sb_seed_result *result);

/* Only the second run, of many; in the order given. */
typedef struct sb_second_run {
    sb_run_name name;
    uint64_t digest; /* of a run that came back */
    bool came_back;
} sb_second_run;
typedef struct sb_second_pass {
    unsigned jobs;
    uint64_t deadline; /* of sb_host_time; UINT64_MAX: none */
    sb_pool_end end;   /* what came of it */
} sb_second_pass;
void sb_run_again(const sb_arguments *arguments, sb_second_pass *pass, sb_second_run *runs,
                  size_t count);

/* Whether this process was started for second runs; if so they have been done when it returns, and
 * it has nothing else to do.  To be asked as soon as there is a plan. */
bool sb_twice_serve(const sb_arguments *arguments, const sb_plan *plan);

#endif
