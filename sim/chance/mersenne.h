/*
 * MT19937-64: the 64-bit Mersenne Twister of Nishimura and Matsumoto (2000), with their
 * initialisation from one number.  A draw costs about two nanoseconds; seeding is lazy work of half
 * a microsecond.
 */
#ifndef SB_CHANCE_MERSENNE_H
#define SB_CHANCE_MERSENNE_H

#include <stdint.h>

#define SB_MERSENNE_WORDS 312

typedef struct sb_mersenne {
    uint32_t next; /* index of the next word to hand out; SB_MERSENNE_WORDS: twist first */
    uint64_t words[SB_MERSENNE_WORDS];
} sb_mersenne;

void sb_mersenne_seed(sb_mersenne *mersenne, uint64_t seed);
void sb_mersenne_twist(sb_mersenne *mersenne);

__attribute__((always_inline)) static inline uint64_t sb_mersenne_draw(sb_mersenne *mersenne)
{
    if (__builtin_expect(mersenne->next == SB_MERSENNE_WORDS, 0)) {
        sb_mersenne_twist(mersenne);
    }
    uint64_t word = mersenne->words[mersenne->next++];
    word ^= (word >> 29) & 0x5555555555555555u;
    word ^= (word << 17) & 0x71D67FFFEDA60000u;
    word ^= (word << 37) & 0xFFF7EEE000000000u;
    return word ^ (word >> 43);
}

/* A number in [0, bound) without bias: Lemire, "Fast Random Integer Generation in an Interval"
 * (2019). */
__attribute__((always_inline)) static inline uint64_t sb_mersenne_bounded(sb_mersenne *mersenne,
                                                                          uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)sb_mersenne_draw(mersenne) * bound;
    if (__builtin_expect((uint64_t)product < bound, 0)) {
        const uint64_t threshold = -bound % bound;
        while ((uint64_t)product < threshold) {
            product = (wide)sb_mersenne_draw(mersenne) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

#endif
