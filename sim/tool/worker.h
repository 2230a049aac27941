/*
 * The far end of workers.h: what runs in a worker's process, and what goes over its pipes.
 */
#ifndef SB_TOOL_WORKER_H
#define SB_TOOL_WORKER_H

#include "sim/tool/workers.h"

/* Run these indices.  count 0: end. */
typedef struct sb_worker_command {
    uint64_t first;
    uint32_t count;
} sb_worker_command;

void sb_worker_main(const sb_pool_options *options, sb_watch *watch, int command_pipe,
                    int result_pipe) __attribute__((noreturn));

/* Make a result a finding that no world could report itself. */
void sb_worker_finding(sb_seed_result *result, sb_finding_kind kind, const char *text);

#endif
