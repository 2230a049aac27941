/*
 * Door 3: turn scenarios into a command line.
 *
 *   int main(int argc, char **argv) { return sb_tool_main(&product, argc, argv); }
 *
 * gives `sweep`, `replay`, `trace`, `museum`, `list`, `--help` and `--version` over the scenarios
 * of the product. All tables are static and outlive the call.  Returns the exit code of the
 * contract (docs/TOOL.md).
 */
#ifndef SB_TOOL_H
#define SB_TOOL_H

#include "sim/world.h"

/* A setting of a scenario (--set NAME=VALUE).  The fallback is written as a user would write it. */
typedef enum sb_setting_kind {
    SB_SETTING_NUMBER,
    SB_SETTING_DURATION, /* 250us, 20ms, 1.5s, 2m -> nanoseconds */
    SB_SETTING_SIZE,     /* 64KiB, 8MiB -> bytes */
    SB_SETTING_SWITCH    /* on, off -> 1, 0 */
} sb_setting_kind;

typedef struct sb_setting {
    const char *name;
    sb_setting_kind kind;
    const char *fallback;
    uint64_t min, max; /* in the kind's unit */
    const char *help;
} sb_setting;

/* What a scenario's run function gets as its context: the values, in the order of its table. */
typedef struct sb_settings {
    const uint64_t *values;
    size_t count;
} sb_settings;

/* Useful work of one seed (law 10): at least `least` of the counter; less is a vacuous seed, and
 * the sweep says so. */
typedef struct sb_floor {
    uint32_t counter;
    uint64_t least;
    uint32_t share; /* of a million seeds that must reach it; 1000000: every one */
} sb_floor;

/* What no seed of a scenario can reach, and why: probes by their names or places
 * ("engine/storage/writes.c:*"), moves of state machines as "job: running -> pausing".  A sweep
 * does not miss these, and says so when one is reached. */
typedef struct sb_unreachable {
    const char *glob; /* * is any run of characters, ? any one */
    const char *why;
} sb_unreachable;

typedef struct sb_scenario {
    const char *name;
    const char *summary; /* one line */
    const sb_setting *settings;
    size_t setting_count;
    uint64_t faults; /* bits 1 << SB_FAULT_x: what it declares */
    const sb_floor *floors;
    size_t floor_count;
    sb_director *run; /* context: const sb_settings * */
    /* Whether these settings go together and promise nothing that the scenario's faults break;
     * asked before the first seed.  Else the problem is said in one line.  NULL: every setting
     * goes. */
    bool (*check)(const sb_settings *settings, char *problem, size_t size);
    bool internal; /* not listed, not swept by default: for tests */
    const sb_unreachable *unreachable;
    size_t unreachable_count;
    /* A glob: failpoints that no retry heals, which are left out of --exhaust failpoint; NULL. */
    const char *permanent;
} sb_scenario;

/* A historical bug of the museum; its number is its place in the table and the argument of sb_bug.
 */
typedef struct sb_museum_bug {
    const char *name; /* "tidb-47902" */
    uint32_t issue;
    const char *summary;  /* one line */
    const char *kind;     /* the finding it must lead to: "nil-dereference" */
    const char *scenario; /* where it is found */
} sb_museum_bug;

typedef struct sb_counter {
    const char *name;
    const char *text;
} sb_counter;

typedef struct sb_product {
    const char *name;    /* of the command */
    const char *version; /* build id: commit, "-dirty" when it was */
    const char *summary;
    const sb_scenario *const *scenarios; /* the first is the default */
    size_t scenario_count;
    const sb_museum_bug *bugs;
    size_t bug_count;
    const sb_counter *counters; /* numbered as sb_count takes them */
    size_t counter_count;
} sb_product;

int sb_tool_main(const sb_product *product, int argc, char **argv);

#endif
