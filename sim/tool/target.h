/*
 * The one run that `replay` and `trace` are about: a seed, or a kept seed with what it expects.
 */
#ifndef SB_TOOL_TARGET_H
#define SB_TOOL_TARGET_H

#include "sim/tool/options.h"
#include "sim/tool/seeds.h"

typedef struct sb_target {
    sb_plan plan;
    uint64_t seed;
    bool is_kept;
    const char *path;
    sb_kept_seed kept;
    char beside[SB_PLAN_TEXT_SIZE]; /* the options that stood beside the file */
} sb_target;

/* 0, or the exit code after one line on stderr; nothing is left to release then. */
int sb_target_find(const sb_arguments *arguments, sb_target *target);
void sb_target_release(sb_target *target);

#endif
