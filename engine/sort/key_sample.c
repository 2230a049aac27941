/*
 * A sample of keys: see key_sample.h.
 */
#include "engine/sort/key_sample.h"

#include "engine/sort/entry_run.h"

#define STRIDE_MIN 8u

void key_sample_init(key_sample *of)
{
    *of = (key_sample){.stride = STRIDE_MIN, .left = STRIDE_MIN};
}

void key_sample_release(key_sample *of)
{
    buffer_release(&of->keys);
}

/* Every other key goes. */
static void thin(key_sample *of)
{
    buffer kept;
    buffer_init(&kept);
    cursor at = cursor_of(buffer_slice(&of->keys));
    for (uint32_t i = 0; i < of->count; i++) {
        const slice key = cursor_slice(&at);
        if (i % 2 == 1) {
            buffer_add_slice(&kept, key);
        }
    }
    buffer_release(&of->keys);
    of->keys = kept;
    of->count /= 2;
    of->stride *= 2;
}

void key_sample_keep(key_sample *of, slice key)
{
    buffer_add_slice(&of->keys, key);
    if (++of->count == KEY_SAMPLE_MAX) {
        thin(of);
    }
    of->left = of->stride;
}

uint32_t key_sample_cuts(const key_sample *of, uint32_t parts, buffer *into)
{
    entry_run *sorted = entry_run_make();
    cursor at = cursor_of(buffer_slice(&of->keys));
    for (uint32_t i = 0; i < of->count; i++) {
        entry_run_add(sorted, cursor_slice(&at), (slice){0});
    }
    entry_run_sort(sorted, 0);
    uint32_t cuts = 0;
    slice last = {0};
    for (uint32_t part = 1; part < parts && of->count > 0; part++) {
        const uint32_t place = (uint32_t)((uint64_t)part * of->count / parts);
        const slice key = entry_run_pair(sorted, place).key;
        if (place > 0 && slice_compare(last, key) < 0) {
            buffer_add_slice(into, key);
            last = key;
            cuts++;
        }
    }
    entry_run_free(sorted);
    return cuts;
}
