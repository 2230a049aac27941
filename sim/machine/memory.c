/*
 * Door 1's memory: the heap of the node whose task runs, or the director's while an observer looks
 * on.
 */
#include <string.h>

#include "sim/kernel/kernel.h"

static sb_heap *heap_here(void)
{
    const sb_world *const world = sb_current;
    return SB_UNLIKELY(world->observing) ? &world->nodes[0]->heap : &world->running->node->heap;
}

static void runs_over(size_t size, const char *place) __attribute__((noreturn, cold));
static void runs_over(size_t size, const char *place)
{
    const sb_node_state *const node = sb_current->running->node;
    sb_misuse(sb_current, SB_FINDING_RUNAWAY, "memory",
              "%s has %llu bytes of at most %llu and wants %zu more at %s", node->name,
              (unsigned long long)node->heap.live_bytes, (unsigned long long)node->heap.limit, size,
              place);
}

static void no_such_block(const char *function) __attribute__((noreturn, cold));
static void no_such_block(const char *function)
{
    sb_misuse(sb_current, SB_FINDING_ASSERTION, function, "not a live block of this machine");
}

void *sb_alloc_at(size_t size, const char *place)
{
    void *const block = sb_heap_alloc(heap_here(), size, place);
    if (SB_UNLIKELY(block == NULL)) {
        runs_over(size, place);
    }
    return block;
}

void *sb_alloc_zero_at(size_t size, const char *place)
{
    return memset(sb_alloc_at(size, place), 0, size);
}

void *sb_realloc_at(void *block, size_t size, const char *place)
{
    sb_heap *const heap = heap_here();
    void *const moved = sb_heap_realloc(heap, block, size, place);
    if (SB_UNLIKELY(moved == NULL)) {
        if (block != NULL && !sb_heap_is_live(heap, block)) {
            no_such_block("sb_realloc");
        }
        runs_over(size, place);
    }
    return moved;
}

void sb_free(void *block)
{
    if (block != NULL && SB_UNLIKELY(!sb_heap_free(heap_here(), block))) {
        no_such_block("sb_free");
    }
}
