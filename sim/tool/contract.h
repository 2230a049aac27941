/*
 * Exit codes (docs/TOOL.md) and the one line on stderr that goes with an error.
 */
#ifndef SB_TOOL_CONTRACT_H
#define SB_TOOL_CONTRACT_H

enum {
    SB_EXIT_PASSED = 0,
    SB_EXIT_FINDINGS = 1,
    SB_EXIT_INCONCLUSIVE = 2,   /* of a sweep */
    SB_EXIT_NONDETERMINISM = 3, /* of a sweep */
    SB_EXIT_CANNOT_JUDGE = 125, /* of a replay: what `git bisect run` takes for "skip" */
    SB_EXIT_IO = 128,
    SB_EXIT_USAGE = 129
};

/* "seedbed: " and the line, on stderr.  Returns the code, so that a caller can end with it. */
int sb_complain(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, and the process ends. */
void sb_die(int code, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

#endif
