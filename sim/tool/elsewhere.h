/*
 * This program once more, elsewhere in memory.
 *
 * A fork keeps every address: code, statics and libraries lie where they lay.  What a run must not
 * notice is therefore tried in a second program, which is this one started again with the same
 * words; they lead it to the same plan, and there it finds that it has an errand instead of the
 * command.
 *
 *     first program                        second program
 *     sb_elsewhere_alloc
 *     writes what is asked
 *     sb_elsewhere_run  --- the words --->  the same plan
 *                                           sb_elsewhere_errand
 *                                           writes what became of it
 *     reads that        <---- exit 0 -----
 *
 * The errand is one block of shared memory; an open file may go with it.
 */
#ifndef SB_TOOL_ELSEWHERE_H
#define SB_TOOL_ELSEWHERE_H

#include <stddef.h>

#include "sim/tool/options.h"

/* Zeroed memory that the second program will share.  Never NULL: the process ends with one line
 * when there is none. */
void *sb_elsewhere_alloc(size_t size, int *file);
void sb_elsewhere_free(void *block, size_t size, int file);

/* Start the second program and wait for its end; an interrupt is handed on to it.  False when it
 * was lost (killed from outside).  Where it has ended with a line of its own, or cannot be started,
 * so does this process.  file: of the errand; other_file: goes with it (-1: none), under the same
 * number. */
bool sb_elsewhere_run(const sb_arguments *arguments, int file, int other_file);

/* In the second program the errand, as it was allocated: at least so large, or it is not ours and
 * the process ends with one line.  NULL in the first program. */
void *sb_elsewhere_errand(size_t least);

#endif
