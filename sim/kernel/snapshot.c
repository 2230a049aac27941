/*
 * Snapshots: a copy of all that a world uses of its mapping.
 *
 * Used are: the world and its tables up to their counts, both kernel heaps and the nodes' heaps up
 * to their bumps, and the live stacks from their saved stack pointers (less a red zone) to their
 * tops. Because the mapping has a fixed place, writing the copy back brings back every task where
 * it stood.
 *
 * Under the address sanitizer the shadow of each piece is copied with it.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/universe.h"

#define RED_ZONE 256
#define PIECE_MAX (SB_TASK_MAX + SB_NODE_COUNT_MAX + 16)

typedef struct piece {
    unsigned char *at;
    size_t size;
} piece;

struct sb_snapshot {
    size_t piece_count, size;
    sb_step step;
    size_t tape_count; /* choices noted so far */
    unsigned char *bytes;
    piece pieces[PIECE_MAX];
};

static void note(sb_snapshot *snapshot, const void *at, size_t size)
{
    if (size != 0) {
        snapshot->pieces[snapshot->piece_count++] = (piece){(unsigned char *)(uintptr_t)at, size};
        snapshot->size += size;
    }
}

static void note_heap(sb_snapshot *snapshot, const sb_heap *heap)
{
    note(snapshot, heap->start, (size_t)(heap->bump - heap->start));
}

static void note_stacks(sb_snapshot *snapshot, const sb_world *world)
{
    for (uint32_t i = 0; i < world->task_high; i++) {
        const sb_task *const task = &world->tasks[i];
        if (task->live) {
            const sb_stack_bounds bounds = sb_stack_of(world->universe, task);
            unsigned char *const from = (unsigned char *)task->stack_pointer - RED_ZONE;
            note(snapshot, from, (size_t)((unsigned char *)bounds.low + bounds.size - from));
        }
    }
}

static void note_all(sb_snapshot *snapshot, const sb_world *world)
{
    note(snapshot, world, sizeof(*world));
    note(snapshot, world->digest, sizeof(*world->digest));
    note(snapshot, world->batch, world->batch_count * sizeof(sb_event));
    note(snapshot, world->free_lanes, world->free_lane_count * sizeof(uint16_t));
    note(snapshot, world->tasks, world->task_high * sizeof(sb_task));
    note(snapshot, world->ready, (world->ready_first + world->ready_count) * sizeof(sb_due *));
    note(snapshot, world->queue.keys, world->queue.count * sizeof(sb_key));
    note(snapshot, world->marks, world->mark_count * sizeof(uint64_t));
    note_heap(snapshot, &world->kernel_heap);
    note_heap(snapshot, &world->disk_heap);
    for (unsigned i = 0; i < world->node_count; i++) {
        note_heap(snapshot, &world->nodes[i]->heap);
    }
    note_stacks(snapshot, world);
}

/* Byte by byte where a sanitizer would object to what is poisoned. */
SB_NO_SANITIZE static void copy(unsigned char *to, const unsigned char *from, size_t size)
{
#if defined(SB_ASAN)
    for (volatile size_t i = 0; i < size; i++) {
        to[i] = from[i];
    }
#else
    memcpy(to, from, size);
#endif
}

#if defined(SB_ASAN)
#define SHADOW(at) ((unsigned char *)(((uintptr_t)(at) >> 3) + 0x7fff8000u))
#define SHADOW_SIZE(size) (((size) >> 3) + 2)
#else
#define SHADOW(at) ((unsigned char *)(at))
#define SHADOW_SIZE(size) ((size_t)0)
#endif

sb_snapshot *sb_world_snapshot(sb_world *world)
{
    sb_events_flush(world);
    sb_snapshot *const snapshot = malloc(sizeof(*snapshot));
    if (snapshot == NULL) {
        return NULL;
    }
    snapshot->piece_count = 0;
    snapshot->size = 0;
    snapshot->step = world->step;
    snapshot->tape_count = world->tape_out != NULL ? world->tape_out->count : 0;
    note_all(snapshot, world);
    size_t total = 0;
    for (size_t i = 0; i < snapshot->piece_count; i++) {
        total += snapshot->pieces[i].size + SHADOW_SIZE(snapshot->pieces[i].size);
    }
    snapshot->bytes = malloc(total);
    if (snapshot->bytes == NULL) {
        free(snapshot);
        return NULL;
    }
    unsigned char *to = snapshot->bytes;
    for (size_t i = 0; i < snapshot->piece_count; i++) {
        const piece *const part = &snapshot->pieces[i];
        copy(to, part->at, part->size);
        to += part->size;
        copy(to, SHADOW(part->at), SHADOW_SIZE(part->size));
        to += SHADOW_SIZE(part->size);
    }
    return snapshot;
}

void sb_world_restore(sb_world *world, const sb_snapshot *snapshot)
{
    const unsigned char *from = snapshot->bytes;
    uint64_t *const progress = world->progress;
    sb_record *const record = world->record;
    const uint32_t dirty = world->universe->stacks_dirty;
    for (size_t i = 0; i < snapshot->piece_count; i++) {
        const piece *const part = &snapshot->pieces[i];
        copy(part->at, from, part->size);
        from += part->size;
        copy(SHADOW(part->at), from, SHADOW_SIZE(part->size));
        from += SHADOW_SIZE(part->size);
    }
    world->progress = progress;
    world->record = record;
    world->universe->stacks_dirty = dirty;
    if (record != NULL) {
        sb_record_truncate(record, snapshot->step);
    }
    if (world->tape_out != NULL && world->tape_out->count > snapshot->tape_count) {
        world->tape_out->count = snapshot->tape_count;
    }
}

size_t sb_snapshot_size(const sb_snapshot *snapshot)
{
    return snapshot->size;
}

void sb_snapshot_free(sb_snapshot *snapshot)
{
    if (snapshot != NULL) {
        free(snapshot->bytes);
        free(snapshot);
    }
}
