/*
 * Keeping a run: the choices that its finding needs, and no others, in a file.
 *
 * A seed fills every choice there is, so whatever is drawn anew anywhere in its streams gives
 * another run.  A tape says only what must not be calm: choices that are not on it are 0, also
 * those that the code did not yet make when the tape was kept.
 */
#ifndef SB_TOOL_KEEP_H
#define SB_TOOL_KEEP_H

#include "sim/tool/child.h"
#include "sim/tool/output.h"

#define SB_KEPT_CHOICES_MAX 8192 /* a longer tape is not written */
#define SB_KEEP_RUNS_MAX 4000    /* worlds that are run to shrink one tape */

/* Write a plan, its seed and what is expected of it as key = value lines, without a tape. */
void sb_kept_seed_write(FILE *out, const sb_plan *plan, const sb_seed_result *result);

/* Shrink the tape of a run that ended as `result` says, and write the kept seed, which follows it.
 * A run without a finding, or whose tape stays too long, is kept by its seed alone, and a line on
 * stderr says so.  0, or the exit code after one line on stderr. */
int sb_keep_run(const sb_plan *plan, const sb_seed_result *result, sb_duration patience,
                const char *path);

#endif
