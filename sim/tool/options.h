/*
 * The command line as tables.
 *
 * Each command has one table of options; parsing, --help, the man page and completion all come from
 * it.
 */
#ifndef SB_TOOL_OPTIONS_H
#define SB_TOOL_OPTIONS_H

#include <stdio.h>

#include "sim/tool/plan.h"

#define SB_POSITIONAL_MAX 64

/* What a command line has said. */
typedef struct sb_arguments {
    const sb_product *product;
    char *const *command_line; /* the whole, with the program's name; NULL ends it */
    const char *positionals[SB_POSITIONAL_MAX];
    unsigned positional_count;
    sb_plan_words plan;
    bool seeds_given;
    uint64_t first_seed, last_seed;
    sb_duration duration;              /* 0: none */
    unsigned jobs;                     /* 0: every processor */
    uint64_t shard_index, shard_count; /* 0: not given */
    uint64_t stop_after;               /* 0: never */
    uint32_t twice_share;              /* of a million */
    uint32_t effect_share;             /* of a million */
    bool effect_given;
    bool twice;
    bool strict, log, all;
    uint64_t every; /* with --exhaust; 0: not given */
    const char *json, *out, *keep;
    uint64_t break_at;
    uint64_t slice_length; /* 0: the default */
    sb_duration patience;
    const char *format;
    bool around_given, around_finding;
    uint64_t around_step;
    const char *output;
    uint64_t starts, limit;
    bool help;
} sb_arguments;

typedef struct sb_option {
    const char *name;     /* without the dashes */
    char letter;          /* short form; 0: none */
    const char *argument; /* name of its value in the help; NULL: it takes none */
    const char *help;
    /* False with how the quoted value is wrong.  value is NULL for an option without one. */
    bool (*parse)(sb_arguments *arguments, const char *value, char *problem);
} sb_option;

typedef struct sb_command {
    const char *name;
    const char *operands; /* "[SCENARIO]" */
    unsigned operand_max;
    const char *summary; /* one line */
    const char *text;    /* paragraphs for the man page and the help, separated by \n */
    const sb_option *options;
    size_t option_count;
    int (*run)(const sb_arguments *arguments);
} sb_command;

extern const sb_command sb_commands[];
extern const size_t sb_command_count;

/* 0, or the exit code after one line on stderr. */
int sb_arguments_parse(const sb_command *command, const sb_product *product, int count,
                       char **words, sb_arguments *arguments);

/* Help of one command, of all, and the man page, from the tables. */
void sb_help_command(FILE *out, const sb_product *product, const sb_command *command);
void sb_help_all(FILE *out, const sb_product *product);
void sb_manual_write(FILE *out, const sb_product *product);

/* The commands. */
int sb_command_sweep(const sb_arguments *arguments);
int sb_command_replay(const sb_arguments *arguments);
int sb_command_trace(const sb_arguments *arguments);
int sb_command_museum(const sb_arguments *arguments);
int sb_command_list(const sb_arguments *arguments);

/* The plan of the arguments: scenario from `scenario` (NULL: default).  0, or the exit code after
 * one line on stderr. */
int sb_arguments_plan(const sb_arguments *arguments, const char *scenario, sb_plan *plan);

#endif
