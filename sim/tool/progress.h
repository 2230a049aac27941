/*
 * How far a sweep is, on stderr: one line that is written over on a terminal, elsewhere a plain
 * line now and then.
 */
#ifndef SB_TOOL_PROGRESS_H
#define SB_TOOL_PROGRESS_H

#include "sim/tool/tally.h"

typedef struct sb_progress {
    bool is_terminal, is_shown;
    uint64_t start, next; /* of sb_host_time */
    uint64_t total;       /* seeds; 0: not known */
    bool is_of_places;    /* the total is that of the places of one seed, since `begun` */
    uint64_t seed, begun;
    uint64_t deadline; /* UINT64_MAX: none */
} sb_progress;

void sb_progress_init(sb_progress *progress, uint64_t total, uint64_t deadline);
/* From now on the places of one seed are done, so many of them (--exhaust). */
void sb_progress_expect(sb_progress *progress, uint64_t seed, uint64_t places);
void sb_progress_tick(sb_progress *progress, const sb_tally *tally, uint64_t done);

/* Wipe the line, and say how fast it went. */
void sb_progress_end(sb_progress *progress, const sb_tally *tally);

#endif
