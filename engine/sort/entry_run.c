/*
 * Entries in memory and how they are sorted: see entry_run.h.
 */
#include "engine/sort/entry_run.h"

#include <string.h>

#define ROOM_MIN 64u
#define FEW 16u                  /* so many are sorted by insertion */
#define MANY 256u                /* from here on the pivot is the median of nine */
#define SETTLED (UINT32_MAX - 8) /* a depth at which no two words are equal */

/* ------------------------------------------------------------------------------------ filling */

entry_run *entry_run_make(void)
{
    return sb_alloc_zero(sizeof(entry_run));
}

void entry_run_free(entry_run *run)
{
    if (run == NULL) {
        return;
    }
    buffer_release(&run->bytes);
    sb_free(run->items);
    sb_free(run);
}

void entry_run_clear(entry_run *run)
{
    buffer_clear(&run->bytes);
    run->count = 0;
    run->charge = 0;
}

void entry_run_add(entry_run *run, slice key, slice value)
{
    if (run->count == run->room) {
        run->room = run->room == 0 ? ROOM_MIN : run->room * 2;
        const size_t size = run->room * sizeof(*run->items);
        run->items = run->items == NULL ? sb_alloc(size) : sb_realloc(run->items, size);
    }
    run->items[run->count++] = (run_item){0, run->bytes.size, key.size};
    run->charge += entry_charge(key, value);
    unsigned char *at =
        buffer_extend(&run->bytes, PAIR_HEADER + (size_t)key.size + (size_t)value.size);
    store_u32(at, key.size);
    store_u32(at + 4, value.size);
    memcpy(at + PAIR_HEADER, key.data, key.size);
    if (value.size > 0) {
        memcpy(at + PAIR_HEADER + key.size, value.data, value.size);
    }
}

/* ------------------------------------------------------------------------------------ sorting */

/* Does one stand before the other?  Their words are those at depth, and before it they are equal.
 */
static bool is_before(const unsigned char *bytes, const run_item *one, const run_item *other,
                      uint32_t depth)
{
    if (one->word != other->word) {
        return one->word < other->word;
    }
    const uint32_t known = depth + 8; /* bytes that are equal, where both are so long */
    int order = 0;
    if (one->key_size > known && other->key_size > known) {
        const unsigned char *left = bytes + one->offset + PAIR_HEADER + known;
        const unsigned char *right = bytes + other->offset + PAIR_HEADER + known;
        order = slice_compare((slice){left, one->key_size - known},
                              (slice){right, other->key_size - known});
    } else {
        order = (one->key_size > other->key_size) - (one->key_size < other->key_size);
    }
    return order != 0 ? order < 0 : one->offset < other->offset;
}

static void insertion_sort(const unsigned char *bytes, run_item *items, uint32_t count,
                           uint32_t depth)
{
    for (uint32_t i = 1; i < count; i++) {
        const run_item moving = items[i];
        uint32_t at = i;
        while (at > 0 && is_before(bytes, &moving, &items[at - 1], depth)) {
            items[at] = items[at - 1];
            at--;
        }
        items[at] = moving;
    }
}

static inline uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

static uint64_t pivot_of(const run_item *items, uint32_t count)
{
    const uint32_t last = count - 1, middle = count / 2;
    if (count < MANY) {
        return median(items[0].word, items[middle].word, items[last].word);
    }
    const uint32_t step = count / 8;
    return median(median(items[0].word, items[step].word, items[2 * step].word),
                  median(items[middle - step].word, items[middle].word, items[middle + step].word),
                  median(items[last - 2 * step].word, items[last - step].word, items[last].word));
}

static inline void swap(run_item *one, run_item *other)
{
    const run_item kept = *one;
    *one = *other;
    *other = kept;
}

/* [0, *less) are below the pivot, [*less, *more) equal to it, the rest above. */
static void partition(run_item *items, uint32_t count, uint64_t pivot, uint32_t *less,
                      uint32_t *more)
{
    uint32_t low = 0, at = 0, high = count;
    while (at < high) {
        if (items[at].word < pivot) {
            swap(&items[low++], &items[at++]);
        } else if (items[at].word > pivot) {
            swap(&items[at], &items[--high]);
        } else {
            at++;
        }
    }
    *less = low;
    *more = high;
}

static void sort_items(const unsigned char *bytes, run_item *items, uint32_t count, uint32_t depth);

/* All have the same word at depth.  Those whose key ends within it come first, the shortest first;
 * the others are told apart by the next word. */
static void sort_equal(const unsigned char *bytes, run_item *items, uint32_t count, uint32_t depth)
{
    const uint32_t next = depth + 8;
    uint32_t ended = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].key_size <= next) {
            items[i].word = (uint64_t)items[i].key_size << 32 | items[i].offset;
            swap(&items[i], &items[ended++]);
        }
    }
    for (uint32_t i = ended; i < count; i++) {
        const unsigned char *key = bytes + items[i].offset + PAIR_HEADER;
        items[i].word = key_word(key, items[i].key_size, next);
    }
    sort_items(bytes, items, ended, SETTLED);
    sort_items(bytes, items + ended, count - ended, next);
}

/* The largest of the three parts is gone on with here, so the stack stays logarithmic. */
static void sort_items(const unsigned char *bytes, run_item *items, uint32_t count, uint32_t depth)
{
    while (count > FEW) {
        uint32_t less, more;
        partition(items, count, pivot_of(items, count), &less, &more);
        if (more - less > 1) {
            if (depth == SETTLED) {
                sb_fail("two entries of a run have one place");
            }
            sort_equal(bytes, items + less, more - less, depth);
        }
        const bool left_is_larger = less > count - more;
        sort_items(bytes, left_is_larger ? items + more : items,
                   left_is_larger ? count - more : less, depth);
        items = left_is_larger ? items : items + more;
        count = left_is_larger ? less : count - more;
    }
    insertion_sort(bytes, items, count, depth);
}

void entry_run_sort(entry_run *run, uint32_t shared)
{
    for (uint32_t i = 0; i < run->count; i++) {
        const unsigned char *key = run->bytes.data + run->items[i].offset + PAIR_HEADER;
        sb_assert_op(run->items[i].key_size, >=, shared);
        run->items[i].word = key_word(key, run->items[i].key_size, shared);
    }
    sort_items(run->bytes.data, run->items, run->count, shared);
}
