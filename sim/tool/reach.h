/*
 * What some seed of a sweep must reach: every probe, every allowed move of every state machine, and
 * every failpoint that some seed had enabled must fire.
 *
 * A scenario may declare goals that it cannot reach (sb_unreachable of tool.h).  Those are not
 * missing; but one that a seed reaches all the same refutes the declaration.
 */
#ifndef SB_TOOL_REACH_H
#define SB_TOOL_REACH_H

#include "sim/tool/tally.h"

typedef enum sb_goal_kind {
    SB_GOAL_PROBE,
    SB_GOAL_MOVE,
    SB_GOAL_FAILPOINT,
    SB_GOAL_KIND_COUNT
} sb_goal_kind;

#define SB_GOAL_NAME_MAX 192

typedef struct sb_goal {
    char name[SB_GOAL_NAME_MAX]; /* "a lock is rolled back"; "job: running -> pausing" */
    const char *place;           /* of a probe: file and line; of a move: "" */
    uint64_t seeds;              /* that reached it */
    uint64_t wanted;             /* seeds that could; of a failpoint: that had it enabled */
    const char *excuse;          /* why the scenario cannot reach it; NULL: it can */
} sb_goal;

size_t sb_goal_count(sb_goal_kind kind);

/* In the order of sb_probe_list, and of the machines' tables one after the other. */
void sb_goal_get(const sb_tally *tally, sb_goal_kind kind, size_t index, sb_goal *goal);

/* Wanted, not reached, and no excuse. */
bool sb_goal_is_missing(const sb_goal *goal);

/* "probes", "moves", "failpoints". */
const char *sb_goal_word(sb_goal_kind kind);

typedef struct sb_goal_sum {
    size_t count, reached;
    size_t missing; /* not reached, and no excuse */
    size_t excused; /* not reached, as declared */
    size_t idle;    /* not wanted by any seed */
    size_t refuted; /* reached, against the declaration */
} sb_goal_sum;
sb_goal_sum sb_goals_sum(const sb_tally *tally, sb_goal_kind kind);

/* Whether something is missing, or refuted with no bug switched on: what --strict asks. */
bool sb_goals_missed(const sb_tally *tally);

/* Three sections of a sweep's report.  What is missing is named after SB_NAMED_SEEDS_MIN seeds, or
 * when is_strict; before that it is only counted: a few seeds do not reach what is rare. */
#define SB_NAMED_SEEDS_MIN 1000
void sb_goals_print(FILE *out, const sb_tally *tally, bool is_strict);

#endif
