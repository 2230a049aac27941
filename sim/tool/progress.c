/*
 * Progress; see progress.h.
 */
#include "sim/tool/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/tool/reach.h"

#define TERMINAL_INTERVAL (200 * SB_MILLISECOND)
#define PLAIN_INTERVAL (10 * SB_SECOND)
#define LINE_MAX_SIZE 512

void sb_progress_init(sb_progress *progress, uint64_t total, uint64_t deadline)
{
    *progress = (sb_progress){.is_terminal = isatty(STDERR_FILENO) != 0,
                              .start = sb_host_time(),
                              .total = total,
                              .deadline = deadline};
    progress->begun = progress->start;
    progress->next = progress->start + (progress->is_terminal ? TERMINAL_INTERVAL : PLAIN_INTERVAL);
}

void sb_progress_expect(sb_progress *progress, uint64_t seed, uint64_t places)
{
    progress->is_of_places = true;
    progress->seed = seed;
    progress->total = places;
    progress->begun = sb_host_time();
}

static void add(char *line, const char *text)
{
    const size_t used = strlen(line);
    snprintf(line + used, LINE_MAX_SIZE - used, "%s", text);
}

static void add_number(char *line, const char *before, uint64_t number, const char *after)
{
    char text[96];
    snprintf(text, sizeof text, "%s%" PRIu64 "%s", before, number, after);
    add(line, text);
}

static void add_findings(char *line, const sb_tally *tally)
{
    if (tally->findings == 0) {
        add(line, ", no findings");
        return;
    }
    for (unsigned kind = 1; kind < SB_FINDING_KIND_COUNT; kind++) {
        if (tally->kinds[kind] != 0) {
            add_number(line, ", ", tally->kinds[kind], " ");
            add(line, sb_finding_word(kind));
        }
    }
}

/* Per second, without going through fractions of seconds. */
static uint64_t rate(uint64_t count, uint64_t elapsed)
{
    const uint64_t microseconds = elapsed / 1000;
    return microseconds == 0 ? 0 : (uint64_t)((unsigned __int128)count * 1000000u / microseconds);
}

static void add_time_left(char *line, const sb_progress *progress, uint64_t now, uint64_t done)
{
    const uint64_t elapsed = now - progress->begun;
    uint64_t left = UINT64_MAX;
    if (progress->total != 0 && done != 0 && progress->total >= done) {
        left = (uint64_t)((unsigned __int128)elapsed * (progress->total - done) / done);
    }
    if (progress->deadline != UINT64_MAX) {
        const uint64_t until = progress->deadline > now ? progress->deadline - now : 0;
        left = until < left ? until : left;
    }
    if (left != UINT64_MAX) {
        add_number(line, ", ", left / SB_SECOND, "s left");
    }
}

void sb_progress_tick(sb_progress *progress, const sb_tally *tally, uint64_t done)
{
    const uint64_t now = sb_host_time();
    if (now < progress->next) {
        return;
    }
    const size_t probes = sb_goals_sum(tally, SB_GOAL_PROBE).missing;
    const size_t moves = sb_goals_sum(tally, SB_GOAL_MOVE).missing;
    char line[LINE_MAX_SIZE] = "";
    if (progress->is_of_places) {
        add_number(line, "seed ", progress->seed, ": ");
    }
    add_number(line, "", done, "");
    if (progress->total != 0) {
        add_number(line, " of ", progress->total, "");
    }
    add_number(line, progress->is_of_places ? " places, " : " seeds, ",
               rate(done, now - progress->begun), progress->is_of_places ? " runs/s" : " seeds/s");
    add_findings(line, tally);
    if (probes + moves != 0) {
        add_number(line, ", missing ", probes, " probes");
        add_number(line, " and ", moves, " moves");
    }
    add_time_left(line, progress, now, done);
    if (progress->is_terminal) {
        fprintf(stderr, "\r\033[K%s", line);
    } else {
        fprintf(stderr, "%s\n", line);
    }
    fflush(stderr);
    progress->is_shown = true;
    progress->next = now + (progress->is_terminal ? TERMINAL_INTERVAL : PLAIN_INTERVAL);
}

void sb_progress_end(sb_progress *progress, const sb_tally *tally)
{
    const uint64_t elapsed = sb_host_time() - progress->start;
    if (progress->is_terminal && progress->is_shown) {
        fputs("\r\033[K", stderr);
    }
    const uint64_t ratio = tally->real_ns == 0 ? 0 : tally->simulated_ns / tally->real_ns;
    const char *const unit = progress->is_of_places ? "runs" : "seeds";
    fprintf(stderr,
            "%" PRIu64 " %s in %" PRIu64 ".%03" PRIu64 "s: %" PRIu64 " %s/s, %" PRIu64
            " %s/s a core, %" PRIu64 " steps/s a core, simulated : real time %" PRIu64 " : 1\n",
            tally->seeds, unit, elapsed / SB_SECOND, elapsed / SB_MILLISECOND % 1000,
            rate(tally->seeds, elapsed), unit, rate(tally->seeds, tally->real_ns), unit,
            rate(tally->steps, tally->real_ns), ratio);
    sb_strategies_print_time(stderr, tally->strategies);
    fflush(stderr);
}
