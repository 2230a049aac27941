/*
 * Numbers of all counters, the engine's included: include this one or engine/counters.h, not both.
 */
#ifndef NODES_COUNTERS_H
#define NODES_COUNTERS_H
#define ENGINE_COUNTERS_H

enum {
#define COUNTER(name, text) COUNTER_##name,
#include "nodes/counters.def"
#undef COUNTER
    COUNTER_COUNT
};

#endif
