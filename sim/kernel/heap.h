/*
 * Heaps of a world: one for the kernel, one for the disks, one for each node, each in its own range
 * of the mapping.
 *
 * Blocks of a size class come from a free list, else from the end of what is used (the bump).  A
 * block is
 *
 *   | size:32 | class:16 | state:16 | place:64 | bytes ... |
 *
 * so a walk from the start meets every block in an order that no address decides: that is how leaks
 * are listed.  Fresh bytes are filled with the universe's pattern.  A second run of a seed uses
 * another pattern, and with `permute` hands out blocks of a class in another order and overwrites
 * what is freed.
 */
#ifndef SB_KERNEL_HEAP_H
#define SB_KERNEL_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SB_HEAP_CLASSES 160

typedef struct sb_heap_block {
    uint32_t size; /* as asked for */
    uint16_t class;
    uint16_t state; /* SB_BLOCK_LIVE or SB_BLOCK_FREE */
    const char *place;
} sb_heap_block;

#define SB_BLOCK_LIVE 0xA11Cu
#define SB_BLOCK_FREE 0xF4EEu

typedef struct sb_heap {
    unsigned char *start, *bump, *end; /* end: where the range ends */
    uint64_t live_bytes, live_blocks, limit, peak;
    unsigned char *high; /* highest bump of all worlds: what a release must wipe */
    const char *owner;   /* for the finding when it runs over */
    uint8_t fill;
    bool permute;
    struct sb_free_block *free[SB_HEAP_CLASSES];
} sb_heap;

void sb_heap_init(sb_heap *heap, void *start, size_t size, const char *owner, uint8_t fill,
                  bool permute);
void sb_heap_reset(sb_heap *heap); /* everything in it is gone */

/* NULL when it runs over its limit or its range. */
void *sb_heap_alloc(sb_heap *heap, size_t size, const char *place);
/* The same, but its bytes are whatever they were: for those who write every one at once. */
void *sb_heap_alloc_bare(sb_heap *heap, size_t size, const char *place);
/* NULL: there is no room and the block stays, or it is no live block of this heap. */
void *sb_heap_realloc(sb_heap *heap, void *block, size_t size, const char *place);
bool sb_heap_free(sb_heap *heap, void *block); /* false: not a live block of this heap */
bool sb_heap_owns(const sb_heap *heap, const void *block);
bool sb_heap_is_live(const sb_heap *heap, const void *block);

/* The first live block at or after `from` (NULL: the start), for leak reports. */
const sb_heap_block *sb_heap_next_live(const sb_heap *heap, const sb_heap_block *from);

#endif
