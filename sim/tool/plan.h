/*
 * What is to be run: a scenario of the product, its settings, the bugs that are switched on, a
 * strategy.
 *
 * A plan is resolved once from words (command line, kept seed), every word checked against the
 * product's tables, and is only read from then on. It can be written as words again: that is the
 * replay command.
 */
#ifndef SB_TOOL_PLAN_H
#define SB_TOOL_PLAN_H

#include "sim/tool.h"
#include "sim/tool/parse.h"

#define SB_SETTING_MAX 64
#define SB_WORD_MAX 64

/* Words as given, not yet checked. */
typedef struct sb_plan_words {
    const char *scenario; /* NULL: the default */
    const char *strategy; /* NULL: portfolio */
    const char *exhaust;  /* the kind; NULL: none */
    const char *place;    /* the number of the one that fails; NULL: not given */
    const char *bugs[SB_WORD_MAX];
    unsigned bug_count;
    const char *failpoints[SB_WORD_MAX]; /* GLOB=RATE; the same */
    unsigned failpoint_count;
    const char *settings[SB_WORD_MAX]; /* NAME=VALUE; a later one outweighs an earlier one */
    unsigned setting_count;
    const char *masks[SB_WORD_MAX]; /* kinds of faults */
    unsigned mask_count;
} sb_plan_words;

/* Failpoints that are on, whatever the scenario does not set itself. */
#define SB_PLAN_FAILPOINT_MAX 16
#define SB_GLOB_SIZE 96
typedef struct sb_failpoint_rate {
    char glob[SB_GLOB_SIZE];
    uint32_t rate; /* of a million */
} sb_failpoint_rate;

typedef struct sb_plan {
    const sb_product *product;
    const sb_scenario *scenario;
    uint64_t values[SB_SETTING_MAX];
    bool given[SB_SETTING_MAX]; /* whether a value was given, even if it is the fallback */
    sb_settings settings;       /* over values */
    uint64_t bugs;
    uint64_t masked; /* bits 1 << fault that are drawn and not done */
    sb_strategy strategy;
    sb_exhaust exhaust; /* ordinal 0: no place fails */
    sb_failpoint_rate failpoints[SB_PLAN_FAILPOINT_MAX];
    unsigned failpoint_count;
    const sb_tape *tape; /* to follow instead of drawing from the seed; NULL: none */
    const char *path;    /* of the kept seed that holds the tape */
    const char *beside;  /* options that were given with that file; NULL: none */
} sb_plan;

/* False with one whole line in `problem` ("--bug: 'x' is no bug; expected ..."). */
bool sb_plan_resolve(const sb_product *product, const sb_plan_words *words, sb_plan *plan,
                     char *problem);

const sb_scenario *sb_find_scenario(const sb_product *product, const char *name);

/* The same plan with another place that fails. */
sb_plan sb_plan_at(const sb_plan *plan, uint64_t ordinal);

/* "disk"; static. */
const char *sb_exhaust_word(sb_exhaust_kind kind);

/* Room for the options of any plan, and for its replay command. */
#define SB_PLAN_TEXT_SIZE ((size_t)16 << 10)

/* " --bug tidb-47902 --strategy pct2 --set rows=100", with a blank before each; "" when there is
 * nothing to say. */
void sb_plan_options(const sb_plan *plan, char *text, size_t size);

/* The same of words that are not resolved yet. */
void sb_plan_words_text(const sb_plan_words *words, char *text, size_t size);

/* "seedbed replay rolling-restart 4711 --bug tidb-47902"; of a run that follows a tape, the kept
 * seed and the options beside it. */
void sb_plan_replay(const sb_plan *plan, uint64_t seed, char *text, size_t size);

/* The kind of finding that the switched-on bugs must lead to; NONE when there is no bug, or they
 * disagree. */
sb_finding_kind sb_plan_expected_kind(const sb_plan *plan);

/* NONE when there is no such word. */
sb_finding_kind sb_finding_kind_of(const char *word);

#endif
