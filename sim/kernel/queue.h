/*
 * The event queue: a bottom-up binary heap of 16-byte keys.
 *
 * A key is (time, sequence, what): the high word is the instant, the low word holds the sequence
 * number above the place of what is due (its offset in the kernel's range, in units of 16 bytes).
 * Sequence numbers never repeat in a world, so the order is total and no address decides it.
 *
 *   time:64 | sequence:36 | offset:28
 *
 * Pop walks the hole from the root to a leaf, always towards the smaller child and without a branch
 * that could be mispredicted, then sifts the last key up from there (Wegener 1993).
 */
#ifndef SB_KERNEL_QUEUE_H
#define SB_KERNEL_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define SB_KEY_OFFSET_BITS 28

typedef struct sb_key {
    uint64_t low, time; /* in this order: one 128-bit number on little-endian machines */
} sb_key;

typedef struct sb_queue {
    sb_key *keys;
    uint32_t count, capacity;
} sb_queue;

static inline bool sb_key_less(const sb_key *left, const sb_key *right)
{
    __extension__ typedef unsigned __int128 wide;
    const wide a = ((wide)left->time << 64) | left->low;
    const wide b = ((wide)right->time << 64) | right->low;
    return a < b;
}

/* Through two plain registers: a vector load of a key that was just stored in halves would stall.
 */
static inline void sb_key_copy(sb_key *to, const sb_key *from)
{
    uint64_t low = from->low, time = from->time;
    __asm__("" : "+r"(low), "+r"(time));
    to->low = low;
    to->time = time;
}

static inline void sb_queue_push_at(sb_queue *queue, uint32_t hole, sb_key key)
{
    sb_key *const keys = queue->keys;
    while (hole > 0) {
        const uint32_t parent = (hole - 1) / 2;
        if (!sb_key_less(&key, &keys[parent])) {
            break;
        }
        sb_key_copy(&keys[hole], &keys[parent]);
        hole = parent;
    }
    sb_key_copy(&keys[hole], &key);
}

/* There is room for one more (sb_queue_reserve). */
static inline void sb_queue_push(sb_queue *queue, sb_key key)
{
    sb_queue_push_at(queue, queue->count++, key);
}

/* Not empty. */
static inline sb_key sb_queue_pop(sb_queue *queue)
{
    sb_key *const keys = queue->keys;
    const sb_key top = keys[0];
    const uint32_t count = --queue->count;
    uint32_t hole = 0;
    uint32_t child = 1;
    while (child + 1 < count) {
        child += sb_key_less(&keys[child + 1], &keys[child]);
        sb_key_copy(&keys[hole], &keys[child]);
        hole = child;
        child = 2 * hole + 1;
    }
    if (child < count) {
        sb_key_copy(&keys[hole], &keys[child]);
        hole = child;
    }
    sb_queue_push_at(queue, hole, keys[count]);
    return top;
}

#endif
