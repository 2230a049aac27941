/*
 * Finding the shard; see shard.h.
 */
#include "sim/tool/shard.h"

#include <stdlib.h>
#include <string.h>

#include "sim/tool/contract.h"

/* Pairs of variables that CI systems set.  base: what the first shard is called. */
typedef struct shard_variables {
    const char *index, *count, *base_variable;
    uint64_t base;
} shard_variables;

static const shard_variables variables[] = {
    {"TEST_SHARD_INDEX", "TEST_TOTAL_SHARDS", NULL, 0},   /* Bazel */
    {"GTEST_SHARD_INDEX", "GTEST_TOTAL_SHARDS", NULL, 0}, /* GoogleTest */
    {"CI_NODE_INDEX", "CI_NODE_TOTAL", NULL, 1},          /* GitLab */
    {"CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", NULL, 0},
    {"BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", NULL, 0},
    {"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", 0},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", NULL, 0},
};

static int refuse(const char *variable, const char *value)
{
    return sb_complain(
        SB_EXIT_USAGE,
        "%s: '%s' is no number of a shard; expected one, or --shard I/N on the command line",
        variable, value);
}

static int take_variables(const shard_variables *from, sb_shard *shard)
{
    char problem[SB_PROBLEM_SIZE];
    const char *const index = getenv(from->index), *const count = getenv(from->count);
    const char *const base_text = from->base_variable != NULL ? getenv(from->base_variable) : NULL;
    uint64_t base = from->base;
    if (!sb_parse_number(index, &shard->index, problem)) {
        return refuse(from->index, index);
    }
    if (!sb_parse_number(count, &shard->count, problem)) {
        return refuse(from->count, count);
    }
    if (base_text != NULL && !sb_parse_number(base_text, &base, problem)) {
        return refuse(from->base_variable, base_text);
    }
    if (shard->index < base || shard->index - base >= shard->count) {
        return refuse(from->index, index);
    }
    shard->index = shard->index - base + 1;
    snprintf(shard->source, sizeof shard->source, "%s", from->index);
    return 0;
}

int sb_shard_find(const sb_arguments *arguments, sb_shard *shard)
{
    *shard = (sb_shard){1, 1, ""};
    if (arguments->shard_count != 0) {
        *shard = (sb_shard){arguments->shard_index, arguments->shard_count, "--shard"};
        return 0;
    }
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        if (getenv(variables[i].index) != NULL && getenv(variables[i].count) != NULL) {
            return take_variables(&variables[i], shard);
        }
    }
    return 0;
}

bool sb_shard_seeds(const sb_shard *shard, uint64_t first, uint64_t last,
                    sb_seed_sequence *sequence)
{
    const uint64_t span = last - first; /* seeds after the first */
    if (shard->index - 1 > span) {
        return false;
    }
    *sequence = (sb_seed_sequence){.first = first + (shard->index - 1),
                                   .stride = shard->count,
                                   .last_index = (span - (shard->index - 1)) / shard->count};
    return true;
}
