/*
 * A process of its own for something that may crash or never come back.
 *
 * The child tells in shared memory where it is; the parent watches. A child that uses processor
 * time for longer than the patience without getting to another step is first asked by SIGUSR2,
 * which the kernel turns into a `runaway` finding of the world that runs, and is killed when that
 * does not help.  Waiting costs no processor time, so a stopped or starved process is never taken
 * for a runaway.
 */
#ifndef SB_TOOL_CHILD_H
#define SB_TOOL_CHILD_H

#include <sys/types.h>

#include "sim/tool/run.h"

#define SB_PATIENCE_DEFAULT (10 * SB_SECOND)

/* Where a child is; in shared memory. */
typedef struct sb_watch {
    uint64_t step; /* of the world; the kernel writes it */
    uint64_t index, seed;
    uint32_t busy;    /* a seed is being run */
    uint32_t retired; /* it ends of its own will */
    uint32_t stop;    /* the parent asks it to end after the seed in hand */
} sb_watch;

/* Zeroed memory that a fork shares.  Never NULL: the process ends with one line when there is none.
 */
void *sb_shared_alloc(size_t size);
void sb_shared_free(void *block, size_t size);

/* What the parent knows of a child it watches. */
typedef struct sb_watcher {
    pid_t process;
    const sb_watch *watch;
    uint64_t last_index, last_step;
    uint64_t processor_ns; /* it had used when it was last seen to get on */
    bool asked;            /* SIGUSR2 was sent since */
    bool ever_asked;
    uint64_t asked_index; /* the seed it was sent for */
    bool killed;
} sb_watcher;
void sb_watcher_init(sb_watcher *watcher, pid_t process, const sb_watch *watch);
void sb_watcher_check(sb_watcher *watcher, sb_duration patience);
bool sb_watcher_has_asked(const sb_watcher *watcher,
                          uint64_t index); /* for the seed of this index */

/* fork, with what every child of ours needs: it dies with its parent, and leaves signals of the
 * terminal to it. 0 in the child; the process ends with one line when it cannot fork. */
pid_t sb_fork(void);

typedef struct sb_child_end {
    bool runaway;
    int signal; /* that ended it; 0: it exited */
    int code;
    sb_step step;
} sb_child_end;

/* What such an end is: a runaway, a crash of the process's own doing, or (killed from outside) no
 * finding. */
sb_finding_kind sb_child_end_kind(const sb_child_end *end);

/* Why a run did not come back, in words: "its process is killed by SIGKILL". */
void sb_child_end_text(const sb_child_end *end, char *text, size_t size);

typedef int sb_child_body(void *context, sb_watch *watch);

/* Run body in a child to its end; its result is the exit code. */
void sb_child_run(sb_child_body *body, void *context, sb_duration patience, sb_child_end *end);

/* Run one seed alone in a child.  False when the child did not come back with a result; end says
 * why. */
bool sb_run_alone(const sb_plan *plan, uint64_t seed, const sb_universe_options *universe,
                  sb_duration patience, sb_seed_result *result, sb_child_end *end);

/* A universe, or the end of the process with one line.  With the other one comes another
 * environment: only for processes of their own. */
sb_universe *sb_open_universe(const sb_universe_options *options);

/* "SIGKILL"; "signal 34". */
const char *sb_signal_text(int signal, char *text, size_t size);

#endif
