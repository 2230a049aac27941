/*
 * Noted moves: a growing array.
 */
#include "engine/task/moves.h"

void moves_init(noted_moves *of)
{
    *of = (noted_moves){0};
}

void moves_release(noted_moves *of)
{
    sb_free(of->items);
    *of = (noted_moves){0};
}

void moves_note(noted_moves *of, const sb_machine *machine, uint64_t id, uint32_t from, uint32_t to)
{
    sb_assert_op(from, !=, to);
    if (of->count == of->room) {
        of->room = of->room == 0 ? 4 : of->room * 2;
        const size_t size = of->room * sizeof(*of->items);
        of->items = of->items == NULL ? sb_alloc(size) : sb_realloc(of->items, size);
    }
    of->items[of->count++] = (noted_move){machine, id, from, to};
}

void moves_record(const noted_moves *of)
{
    for (uint32_t i = 0; i < of->count; i++) {
        sb_machine_move(of->items[i].machine, of->items[i].id, of->items[i].from, of->items[i].to);
    }
}
