/*
 * Kept seeds: small files of `key = value` lines.
 *
 *   scenario = rolling-restart
 *   seed     = 4711
 *   strategy = pct2                 may be missing: portfolio
 *   bug      = tidb-47902           any number of times
 *   set      = rows=200             any number of times
 *   mask     = loss                 any number of times: --mask
 *   failpoint = upload-*=100000     any number of times: --failpoint
 *   exhaust  = disk 17              the place that fails (--exhaust, --at)
 *   expect   = nil-dereference 5f3a09c1     a kind and perhaps a signature, or `passed`
 *   build    = 4f2c1ab              where it was found
 *   note     = anything
 *   tape     = server2/latency 17:3401 18:22     the choices that are not 0, by stream, as
 *                                   ordinal:value; any number of times; none: all are 0
 *
 * Only `seed` must be there.  Without a tape the choices are drawn from the seed; with one, only
 * what is on it is not 0, also in places that the code has got since.
 * Empty lines and lines that begin with # are passed over.
 */
#ifndef SB_TOOL_SEEDS_H
#define SB_TOOL_SEEDS_H

#include "sim/tool/plan.h"

typedef struct sb_kept_seed {
    char *words; /* holds all texts below */
    sb_plan_words plan;
    uint64_t seed;
    const char *expect; /* NULL: nothing is expected */
    const char *build;  /* NULL: not known */
    bool has_tape;
    sb_tape tape;
} sb_kept_seed;

/* Whether an argument names a file rather than a seed or a scenario. */
bool sb_is_seed_file(const char *word);

/* 0, or the exit code after one line on stderr. */
int sb_kept_seed_read(sb_kept_seed *kept, const char *path);
void sb_kept_seed_release(sb_kept_seed *kept);

/* Whether this is what the file expects: outcome passed (finding NONE), or the kind and perhaps the
 * signature. */
bool sb_kept_seed_agrees(const sb_kept_seed *kept, bool passed, sb_finding_kind kind,
                         uint32_t signature);

#endif
