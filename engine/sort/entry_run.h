/*
 * Entries in memory, on their way to be sorted.
 *
 *   bytes   | u32 key size, u32 value size, key, value | ... |       as they come
 *   items   | word, offset, key size | ... |                         one for each
 *
 * A pair in this layout is an "encoded pair"; run files (run_file.h) hold the same bytes, so an
 * entry is encoded once and then only copied.
 *
 * Sorting moves the items alone.  It is multikey quicksort with cached words: eight bytes of a key,
 * those at the present depth, stand in the item as a number, so most comparisons touch no key.
 *
 * Source: J. Bentley, R. Sedgewick, "Fast Algorithms for Sorting and Searching Strings", SODA 1997;
 * the cached words are from W. Ng, K. Kakehi, "Cache Efficient Radix Sort for String Sorting",
 * IEICE 2007.
 */
#ifndef ENGINE_SORT_ENTRY_RUN_H
#define ENGINE_SORT_ENTRY_RUN_H

#include "engine/base/bytes.h"

#define PAIR_HEADER 8u /* bytes before the key */

/* An encoded pair, taken apart; key and value borrow. */
typedef struct entry_pair {
    slice key, value;
} entry_pair;

static inline uint32_t pair_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline entry_pair pair_of(const unsigned char *encoded)
{
    const uint32_t key_size = pair_u32(encoded), value_size = pair_u32(encoded + 4);
    return (entry_pair){{encoded + PAIR_HEADER, key_size},
                        {encoded + PAIR_HEADER + key_size, value_size}};
}

/* Eight bytes of a key from `depth` on, as a number that orders as they do; zeros behind its end.
 */
static inline uint64_t key_word(const unsigned char *key, uint32_t size, uint32_t depth)
{
    if (depth + 8 <= size) {
        return slice_word(key + depth);
    }
    uint64_t word = 0;
    for (uint32_t at = depth; at < size; at++) {
        word |= (uint64_t)key[at] << (56 - 8 * (at - depth));
    }
    return word;
}

typedef struct run_item {
    uint64_t word;   /* while sorting */
    uint32_t offset; /* of the encoded pair in bytes */
    uint32_t key_size;
} run_item;

typedef struct entry_run {
    buffer bytes;
    run_item *items;
    uint32_t count, room;
    uint64_t charge; /* entry_charge of all of them */
} entry_run;

/* What an entry costs of a memory quota, in bytes. */
static inline uint64_t entry_charge(slice key, slice value)
{
    return (uint64_t)key.size + value.size + PAIR_HEADER + sizeof(run_item);
}

entry_run *entry_run_make(void);
void entry_run_free(entry_run *run);  /* NULL is allowed */
void entry_run_clear(entry_run *run); /* empty again, keeps the memory */
void entry_run_add(entry_run *run, slice key, slice value);

/* By key, entries with one key in the order they came.  All keys have their first `shared` bytes in
 * common. */
void entry_run_sort(entry_run *run, uint32_t shared);

static inline const unsigned char *entry_run_encoded(const entry_run *run, uint32_t at)
{
    return run->bytes.data + run->items[at].offset;
}

static inline entry_pair entry_run_pair(const entry_run *run, uint32_t at)
{
    return pair_of(entry_run_encoded(run, at));
}

#endif
