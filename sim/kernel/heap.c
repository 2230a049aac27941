#include "sim/kernel/heap.h"

#include <string.h>

#include "sim/kernel/sanitizer.h"

typedef struct sb_free_block {
    struct sb_free_block *next;
} sb_free_block;

/* Up to 1,024 bytes in steps of 16, then four classes for each doubling. */
static inline unsigned class_of(size_t size)
{
    if (__builtin_expect(size <= 1024, 1)) {
        return size == 0 ? 0 : (unsigned)((size - 1) >> 4);
    }
    const unsigned log = 63u - (unsigned)__builtin_clzll(size - 1); /* 10 for 1,025 .. 2,048 */
    return 64 + (log - 10) * 4 + (unsigned)(((size - 1) >> (log - 2)) & 3);
}

static inline size_t class_size(unsigned class)
{
    if (class < 64) {
        return ((size_t) class + 1) << 4;
    }
    const unsigned log = 10 + (class - 64) / 4;
    return ((size_t)1 << log) + (((size_t)(class - 64) % 4 + 1) << (log - 2));
}

void sb_heap_init(sb_heap *heap, void *start, size_t size, const char *owner, uint8_t fill,
                  bool permute)
{
    heap->start = start;
    heap->high = start;
    heap->end = heap->start + size;
    heap->owner = owner;
    heap->fill = fill;
    heap->permute = permute;
    heap->limit = size;
    heap->bump = heap->start;
    sb_heap_reset(heap);
}

void sb_heap_reset(sb_heap *heap)
{
    SB_POISON(heap->start, (size_t)(heap->bump - heap->start));
    if (heap->bump > heap->high) {
        heap->high = heap->bump;
    }
    heap->bump = heap->start;
    heap->live_bytes = 0;
    heap->live_blocks = 0;
    heap->peak = 0;
    memset(heap->free, 0, sizeof(heap->free));
}

/* A spare of a larger block would cost more than its order tells. */
#define PERMUTED_MAX ((size_t)1 << 20)

/* A block from the end of what is used; with permute, the second of a fresh pair comes first. */
SB_NO_SANITIZE static sb_heap_block *carve(sb_heap *heap, unsigned class)
{
    const size_t stride = sizeof(sb_heap_block) + class_size(class);
    const bool permute = heap->permute && stride <= PERMUTED_MAX;
    const size_t wanted = permute ? 2 * stride : stride;
    if ((size_t)(heap->end - heap->bump) < wanted) {
        return NULL;
    }
    unsigned char *at = heap->bump;
    heap->bump += wanted;
    SB_UNPOISON(at, wanted);
    if (permute) {
        sb_heap_block *const spare = (sb_heap_block *)at;
        *spare = (sb_heap_block){0, (uint16_t) class, SB_BLOCK_FREE, NULL};
        sb_free_block *const link = (sb_free_block *)(spare + 1);
        link->next = heap->free[class];
        heap->free[class] = link;
        SB_POISON(spare, stride);
        at += stride;
    }
    return (sb_heap_block *)at;
}

SB_NO_SANITIZE static SB_INLINE void *take(sb_heap *heap, size_t size, const char *place)
{
    const unsigned class = class_of(size);
    if (size > UINT32_MAX || heap->live_bytes + size > heap->limit) {
        return NULL;
    }
    sb_free_block *const link = heap->free[class];
    sb_heap_block *block;
    if (link != NULL) {
        block = (sb_heap_block *)link - 1;
        SB_UNPOISON(block, sizeof(sb_heap_block) + class_size(class));
        heap->free[class] = link->next;
    } else {
        block = carve(heap, class);
        if (block == NULL) {
            return NULL;
        }
    }
    block->size = (uint32_t)size;
    block->class = (uint16_t) class;
    block->state = SB_BLOCK_LIVE;
    block->place = place;
    heap->live_bytes += size;
    heap->live_blocks++;
    if (heap->live_bytes > heap->peak) {
        heap->peak = heap->live_bytes;
    }
    SB_POISON((unsigned char *)(block + 1) + size, class_size(class) - size);
    SB_UNDEFINED(block + 1, size);
    return block + 1;
}

void *sb_heap_alloc_bare(sb_heap *heap, size_t size, const char *place)
{
    return take(heap, size, place);
}

void *sb_heap_alloc(sb_heap *heap, size_t size, const char *place)
{
    void *const bytes = take(heap, size, place);
    if (bytes != NULL) {
        memset(bytes, heap->fill, size);
        SB_UNDEFINED(bytes, size);
    }
    return bytes;
}

bool sb_heap_owns(const sb_heap *heap, const void *bytes)
{
    const unsigned char *const at = bytes;
    return at > heap->start && at < heap->bump;
}

SB_NO_SANITIZE bool sb_heap_is_live(const sb_heap *heap, const void *bytes)
{
    return sb_heap_owns(heap, bytes) && ((const sb_heap_block *)bytes - 1)->state == SB_BLOCK_LIVE;
}

SB_NO_SANITIZE bool sb_heap_free(sb_heap *heap, void *bytes)
{
    sb_heap_block *const block = (sb_heap_block *)bytes - 1;
    if (!sb_heap_is_live(heap, bytes)) {
        return false;
    }
    heap->live_bytes -= block->size;
    heap->live_blocks--;
    if (heap->permute) {
        memset(bytes, (uint8_t)~heap->fill, block->size);
    }
    SB_UNPOISON(bytes, sizeof(sb_free_block));
    sb_free_block *const link = bytes;
    link->next = heap->free[block->class];
    heap->free[block->class] = link;
    block->state = SB_BLOCK_FREE;
    SB_POISON(bytes, class_size(block->class));
    return true;
}

SB_NO_SANITIZE static uint32_t block_size(const void *bytes)
{
    return ((const sb_heap_block *)bytes - 1)->size;
}

void *sb_heap_realloc(sb_heap *heap, void *bytes, size_t size, const char *place)
{
    if (bytes == NULL) {
        return sb_heap_alloc(heap, size, place);
    }
    if (!sb_heap_is_live(heap, bytes)) {
        return NULL;
    }
    unsigned char *const fresh = take(heap, size, place);
    if (fresh == NULL) {
        return NULL;
    }
    const size_t old = block_size(bytes), kept = old < size ? old : size;
    memcpy(fresh, bytes, kept);
    memset(fresh + kept, heap->fill, size - kept);
    SB_UNDEFINED(fresh + kept, size - kept);
    (void)sb_heap_free(heap, bytes);
    return fresh;
}

SB_NO_SANITIZE const sb_heap_block *sb_heap_next_live(const sb_heap *heap,
                                                      const sb_heap_block *from)
{
    const unsigned char *at = heap->start;
    if (from != NULL) {
        at = (const unsigned char *)(from + 1) + class_size(from->class);
    }
    while (at < heap->bump) {
        const sb_heap_block *const block = (const sb_heap_block *)at;
        if (block->state == SB_BLOCK_LIVE) {
            return block;
        }
        at = (const unsigned char *)(block + 1) + class_size(block->class);
    }
    return NULL;
}
