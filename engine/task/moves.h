/*
 * Moves of state machines that a transaction under way will make true: noted while it is built,
 * recorded once it is committed.  After an unknown outcome they are dropped; whoever reads the row
 * next sees where it is.
 */
#ifndef ENGINE_TASK_MOVES_H
#define ENGINE_TASK_MOVES_H

#include "sim/node.h"

typedef struct noted_move {
    const sb_machine *machine;
    uint64_t id;
    uint32_t from, to;
} noted_move;

typedef struct noted_moves {
    noted_move *items;
    uint32_t count, room;
} noted_moves;

void moves_init(noted_moves *of);
void moves_release(noted_moves *of);
void moves_note(noted_moves *of, const sb_machine *machine, uint64_t id, uint32_t from,
                uint32_t to);
void moves_record(const noted_moves *of);

#endif
