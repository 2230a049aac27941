/*
 * Numbers of the counters that the engine adds to: sb_count(COUNTER_rows_indexed, 64).
 */
#ifndef ENGINE_COUNTERS_H
#define ENGINE_COUNTERS_H

enum {
#define COUNTER(name, text) COUNTER_##name,
#include "engine/counters.def"
#undef COUNTER
    ENGINE_COUNTER_COUNT
};

#endif
