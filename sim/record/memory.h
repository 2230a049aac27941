/*
 * Memory of the host, for what lives outside of any world.  It never comes back NULL: a tool that
 * cannot have a few megabytes has nothing better to do than to say so and stop.
 */
#ifndef SB_RECORD_MEMORY_H
#define SB_RECORD_MEMORY_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static inline void *sb_host_grow(void *block, size_t count, size_t size)
{
    void *const grown = reallocarray(block, count, size);
    if (grown == NULL && count != 0 && size != 0) {
        fprintf(stderr, "seedbed: out of memory: %zu times %zu bytes\n", count, size);
        _Exit(128);
    }
    return grown;
}

/* Zeroed. */
static inline void *sb_host_alloc(size_t count, size_t size)
{
    void *const block = calloc(count, size);
    if (block == NULL) {
        fprintf(stderr, "seedbed: out of memory: %zu times %zu bytes\n", count, size);
        _Exit(128);
    }
    return block;
}

#endif
