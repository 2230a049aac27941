/*
 * A finding in words, as it is printed.
 *
 *   finding nil-dereference  engine/reorg.c:104 reorg_is_paused  (12 seeds, smallest 4711)
 *     node server2#3  task ddl-worker-3/poll  step 18233  time 36.490126s  signature 5f3a09c1
 *     read at address 0x10
 *       engine/reorg.c:104        reorg_is_paused
 *       engine/task_wait.c:61     poll_reorg
 *     jobs 1:running tasks 1:running(2/6) owner server2 schema 784 785 784
 *     replay: seedbed replay rolling-restart 4711 --bug tidb-47902
 *
 * A deadlock, a livelock or a stuck job goes on with who waits for whom, what is done in vain, and
 * the stack of every blocked task.
 */
#ifndef SB_VERDICT_REPORT_H
#define SB_VERDICT_REPORT_H

#include <stdio.h>

#include "sim/record/chain.h"
#include "sim/verdict/signature.h"

typedef struct sb_report_options {
    sb_world *world;         /* as it ended */
    const sb_record *record; /* of the whole run, to tell the fate of requests; NULL: none */
    uint64_t seed;           /* the smallest that has it */
    uint64_t seed_count;     /* 0: nothing is said of seeds */
    const char *replay;      /* the command that replays it */
    uint64_t ordinal;        /* of the place that fails in it; 0: none does, it is one of seeds */
} sb_report_options;

void sb_report_finding(FILE *out, const sb_finding_report *finding,
                       const sb_report_options *options);

/* The step from which to look back: of the finding, or, of a world that stands still, where the
 * first chain of who waits for whom ends (a reply that was lost, say).  0: there is no finding. */
sb_step sb_finding_look_from(sb_world *world, const sb_record *record);

/* The blocked tasks of a world, with their stacks, in the order of their lanes. */
typedef struct sb_waiting_list {
    sb_waiting_task *tasks;
    size_t count;
} sb_waiting_list;
void sb_waiting_collect(sb_world *world, sb_waiting_list *list);
void sb_waiting_release(sb_waiting_list *list);
const sb_waiting_task *sb_waiting_in_lane(const sb_waiting_list *list, unsigned lane); /* or NULL */

void sb_report_waiting(FILE *out, sb_world *world, const sb_waiting_list *list);

/* Who holds up what: what the scenario says has not ended, each with the task that should end it
 * and what that waits for; then every other task that waits for somebody without a deadline. */
void sb_chain_build(sb_world *world, const sb_waiting_list *list, const sb_record *record,
                    sb_chain *into);

/* The same of a world that has ended, if it stands still; else *into stays empty and false. */
bool sb_chain_of_world(sb_world *world, const sb_record *record, sb_chain *into);

/* The chain in lines.  The step from which to look back at how it came to be: of its first loss,
 * else of its first exchange, else of the last task of the first chain; 0: there is none. */
void sb_report_chain(FILE *out, const sb_chain *chain);
sb_step sb_chain_step(const sb_chain *chain);

/* What is in a state that it could still leave, and who moved it last.  What was done again and
 * again since the world stands still: moves, and calls that had no answer. */
void sb_report_unended(FILE *out, sb_world *world, const sb_waiting_list *list,
                       const sb_record *record);
void sb_report_repeated(FILE *out, sb_world *world, const sb_record *record);

#endif
