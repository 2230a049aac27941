/*
 * Files that are there whole or not at all: written beside the final name, then renamed over it.
 */
#ifndef SB_TOOL_OUTPUT_H
#define SB_TOOL_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#define SB_PATH_MAX 4096

typedef struct sb_output {
    FILE *stream;
    bool is_standard; /* stdout */
    bool in_place;    /* a device or a pipe: there is nothing to rename */
    char path[SB_PATH_MAX], temporary[SB_PATH_MAX];
} sb_output;

/* path NULL or "-": standard output.  False after one line on stderr. */
bool sb_output_open(sb_output *output, const char *path);

/* Finish and give it its name.  False after one line on stderr; nothing is left behind then. */
bool sb_output_commit(sb_output *output);

/* Leave nothing. */
void sb_output_abandon(sb_output *output);

#endif
