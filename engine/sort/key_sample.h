/*
 * A bounded, even sample of keys: enough to cut what was sorted into parts of equal size before it
 * has been merged.
 *
 * Every stride-th key is kept; when there are too many, every other one is dropped and the stride
 * doubles.  So it depends on the keys and their order of arrival alone.
 */
#ifndef ENGINE_SORT_KEY_SAMPLE_H
#define ENGINE_SORT_KEY_SAMPLE_H

#include "engine/base/bytes.h"

#define KEY_SAMPLE_MAX 512u

typedef struct key_sample {
    buffer keys; /* as slices, one after the other */
    uint32_t count;
    uint32_t stride, left; /* left: keys that pass before the next is kept */
} key_sample;

void key_sample_init(key_sample *of);
void key_sample_release(key_sample *of);
void key_sample_keep(key_sample *of, slice key);

/* Each key, as it comes. */
static inline void key_sample_add(key_sample *of, slice key)
{
    if (--of->left == 0) {
        key_sample_keep(of, key);
    }
}

/* Keys that cut what was added into so many parts, rising, appended to `into` as slices; returns
 * how many: fewer than parts - 1 when the sample is too small. */
uint32_t key_sample_cuts(const key_sample *of, uint32_t parts, buffer *into);

#endif
