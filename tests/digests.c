/*
 * Print the digest of each seed of the busy cluster: what the determinism matrix compares.
 *
 *   digests FIRST LAST [base] [fill] [permute]
 *
 * base: the universe's address in hexadecimal (0: the default); fill: what fresh memory holds, in
 * hexadecimal; permute: hand out blocks of memory in another order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/workload.h"

static bool print_digest(sb_universe *universe, uint64_t seed)
{
    workload plan = WORKLOAD_DEFAULT;
    const sb_world_options options = {.seed = seed};
    sb_world *const world = sb_world_reset(universe, &options, workload_run, &plan);
    const sb_outcome outcome = sb_world_run(world);
    printf("%llu %s %llu %016llx\n", (unsigned long long)seed,
           sb_strategy_name(sb_world_strategy(world)), (unsigned long long)sb_world_step(world),
           (unsigned long long)sb_world_digest(world));
    if (outcome == SB_OUTCOME_FINDING) {
        const sb_finding_report *const finding = sb_world_finding(world);
        fprintf(stderr, "digests: seed %llu: %s: %s\n", (unsigned long long)seed, finding->oracle,
                finding->text);
    }
    return outcome == SB_OUTCOME_PASSED;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: digests FIRST LAST [base] [fill] [permute]\n");
        return 129;
    }
    const sb_universe_options options = {
        .base = argc > 3 ? strtoull(argv[3], NULL, 16) : 0,
        .fill = (uint8_t)(argc > 4 ? strtoul(argv[4], NULL, 16) : 0),
        .permute_blocks = argc > 5 && strcmp(argv[5], "permute") == 0,
    };
    sb_universe *const universe = sb_universe_open(&options);
    if (universe == NULL) {
        perror("digests: universe");
        return 128;
    }
    bool passed = true;
    const uint64_t last = strtoull(argv[2], NULL, 0);
    for (uint64_t seed = strtoull(argv[1], NULL, 0); seed <= last; seed++) {
        passed = print_digest(universe, seed) && passed;
    }
    sb_universe_close(universe);
    return passed ? 0 : 1;
}
