/*
 * The recurrence of MT19937-64: word k+312 from words k, k+1 and k+156.  The loops are cut where
 * the index wraps, so that none of them needs a remainder.
 */
#include "sim/chance/mersenne.h"

#define MIDDLE 156
#define UPPER_MASK 0xFFFFFFFF80000000u
#define LOWER_MASK 0x7FFFFFFFu
#define MATRIX 0xB5026F5AA96619E9u

void sb_mersenne_seed(sb_mersenne *mersenne, uint64_t seed)
{
    uint64_t word = seed;
    mersenne->words[0] = word;
    for (uint64_t i = 1; i < SB_MERSENNE_WORDS; i++) {
        word = 6364136223846793005u * (word ^ (word >> 62)) + i;
        mersenne->words[i] = word;
    }
    mersenne->next = SB_MERSENNE_WORDS;
}

static inline uint64_t mix(uint64_t upper, uint64_t lower)
{
    const uint64_t joined = (upper & UPPER_MASK) | (lower & LOWER_MASK);
    return (joined >> 1) ^ (-(lower & 1) & MATRIX);
}

void sb_mersenne_twist(sb_mersenne *mersenne)
{
    uint64_t *const words = mersenne->words;
    int i = 0;
    for (; i < SB_MERSENNE_WORDS - MIDDLE; i++) {
        words[i] = words[i + MIDDLE] ^ mix(words[i], words[i + 1]);
    }
    for (; i < SB_MERSENNE_WORDS - 1; i++) {
        words[i] = words[i + MIDDLE - SB_MERSENNE_WORDS] ^ mix(words[i], words[i + 1]);
    }
    words[i] = words[MIDDLE - 1] ^ mix(words[i], words[0]);
    mersenne->next = 0;
}
