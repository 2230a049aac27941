/*
 * Counting by strategy; see strategies.h.
 */
#include "sim/tool/strategies.h"

#include <assert.h>
#include <inttypes.h>

void sb_strategies_add(sb_strategy_count *counts, const sb_seed_result *result, bool is_hit)
{
    assert(result->strategy < SB_STRATEGY_COUNT);
    sb_strategy_count *const count = &counts[result->strategy];
    count->runs++;
    count->hits += is_hit;
    count->steps += result->steps;
    count->real_ns += result->real_ns;
}

void sb_strategies_sum(sb_strategy_count *counts, const sb_strategy_count *more)
{
    for (unsigned i = 0; i < SB_STRATEGY_COUNT; i++) {
        counts[i].runs += more[i].runs;
        counts[i].hits += more[i].hits;
        counts[i].steps += more[i].steps;
        counts[i].real_ns += more[i].real_ns;
    }
}

static uint64_t all_hits(const sb_strategy_count *counts)
{
    uint64_t hits = 0;
    for (unsigned i = 0; i < SB_STRATEGY_COUNT; i++) {
        hits += counts[i].hits;
    }
    return hits;
}

static void print_row(FILE *out, sb_strategy strategy, const sb_strategy_count *count)
{
    const uint64_t tenths =
        (uint64_t)((unsigned __int128)count->hits * 10000u / count->runs); /* of a hit in 1,000 */
    fprintf(out, "  %-12s %9" PRIu64 " %9" PRIu64 " %7" PRIu64 ".%" PRIu64,
            sb_strategy_name(strategy), count->runs, count->hits, tenths / 10, tenths % 10);
    if (count->hits != 0) {
        fprintf(out, " %14" PRIu64 "\n", count->steps / count->hits);
    } else {
        fprintf(out, " %14s\n", "-");
    }
}

void sb_strategies_print(FILE *out, const sb_strategy_count *counts, const char *what)
{
    const bool is_table = all_hits(counts) != 0;
    if (is_table) {
        fprintf(out, "%-14s %9s %9s %9s %14s\n", "strategies", what, "hits", "per 1,000",
                "steps a hit");
    } else {
        fputs("strategies", out);
    }
    for (unsigned i = SB_STRATEGY_PORTFOLIO + 1; i < SB_STRATEGY_COUNT; i++) {
        if (counts[i].runs != 0 && is_table) {
            print_row(out, (sb_strategy)i, &counts[i]);
        } else if (counts[i].runs != 0) {
            fprintf(out, " %s %" PRIu64, sb_strategy_name((sb_strategy)i), counts[i].runs);
        }
    }
    fputs(is_table ? "" : "\n", out);
}

void sb_strategies_print_time(FILE *out, const sb_strategy_count *counts)
{
    const char *separator = "real time a hit: ";
    for (unsigned i = SB_STRATEGY_PORTFOLIO + 1; i < SB_STRATEGY_COUNT; i++) {
        if (counts[i].hits != 0) {
            const uint64_t each = counts[i].real_ns / counts[i].hits;
            fprintf(out, "%s%s %" PRIu64 ".%03" PRIu64 "s", separator,
                    sb_strategy_name((sb_strategy)i), each / SB_SECOND,
                    each / SB_MILLISECOND % 1000);
            separator = ", ";
        }
    }
    if (all_hits(counts) != 0) {
        fputc('\n', out);
    }
}

void sb_strategies_write_json(FILE *out, const sb_strategy_count *counts)
{
    const char *separator = "{";
    for (unsigned i = SB_STRATEGY_PORTFOLIO + 1; i < SB_STRATEGY_COUNT; i++) {
        if (counts[i].runs != 0) {
            fprintf(out,
                    "%s\n\"%s\":{\"seeds\":\"%" PRIu64 "\",\"hits\":\"%" PRIu64
                    "\",\"steps\":\"%" PRIu64 "\"}",
                    separator, sb_strategy_name((sb_strategy)i), counts[i].runs, counts[i].hits,
                    counts[i].steps);
            separator = ",";
        }
    }
    fputs(*separator == '{' ? "{}" : "}", out);
}
