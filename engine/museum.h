/*
 * Numbers of the museum's switches: BUG(tidb_47902) reads as sb_bug(BUG_tidb_47902).
 */
#ifndef ENGINE_MUSEUM_H
#define ENGINE_MUSEUM_H

#include "sim/node.h"

enum {
#define MUSEUM_BUG(name, outside, issue, kind, text, scenario) BUG_##name,
#include "engine/museum.def"
#undef MUSEUM_BUG
    MUSEUM_BUG_COUNT
};

#endif
