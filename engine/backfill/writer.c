/*
 * Writers and their runs: entries are buffered as they come, sorted once, and handed to the engine.
 */
#include "engine/backfill/pipeline.h"

#include <string.h>

/* --------------------------------------------------------------------------------------- runs */

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
    sb_free(run->entries);
    sb_free(run);
}

void entry_run_add(entry_run *run, slice key, slice value)
{
    if (run->count == run->room) {
        run->room = run->room == 0 ? 64 : run->room * 2;
        const size_t size = run->room * sizeof(*run->entries);
        run->entries = run->entries == NULL ? sb_alloc(size) : sb_realloc(run->entries, size);
    }
    run->entries[run->count++] = (run_entry){run->bytes.size, key.size, value.size};
    buffer_add(&run->bytes, key.data, key.size);
    buffer_add(&run->bytes, value.data, value.size);
}

slice entry_run_key(const entry_run *run, uint32_t at)
{
    const run_entry *entry = &run->entries[at];
    return (slice){run->bytes.data + entry->offset, entry->key_size};
}

slice entry_run_value(const entry_run *run, uint32_t at)
{
    const run_entry *entry = &run->entries[at];
    return (slice){run->bytes.data + entry->offset + entry->key_size, entry->value_size};
}

/* By key; entries with one key stay in the order they came. */
static void merge_halves(const entry_run *run, const run_entry *from, run_entry *into, uint32_t low,
                         uint32_t middle, uint32_t high)
{
    uint32_t left = low, right = middle;
    for (uint32_t at = low; at < high; at++) {
        bool take_left = right == high;
        if (left < middle && right < high) {
            const slice left_key = {run->bytes.data + from[left].offset, from[left].key_size};
            const slice right_key = {run->bytes.data + from[right].offset, from[right].key_size};
            take_left = slice_compare(left_key, right_key) <= 0;
        }
        into[at] = take_left ? from[left++] : from[right++];
    }
}

void entry_run_sort(entry_run *run)
{
    run_entry *spare = sb_alloc((run->count + 1) * sizeof(*spare));
    for (uint32_t width = 1; width < run->count; width *= 2) {
        for (uint32_t low = 0; low < run->count; low += 2 * width) {
            const uint32_t middle = low + width < run->count ? low + width : run->count;
            const uint32_t high = middle + width < run->count ? middle + width : run->count;
            merge_halves(run, run->entries, spare, low, middle, high);
        }
        memcpy(run->entries, spare, run->count * sizeof(*spare));
    }
    sb_free(spare);
}

/* ------------------------------------------------------------------------------------ writers */

void entry_writer_open(entry_writer *of, local_engine *engine, uint32_t quota)
{
    *of = (entry_writer){.engine = engine, .quota = quota, .open = true};
}

engine_status entry_writer_flush(entry_writer *of, sb_scope *scope)
{
    entry_run *run = of->run;
    if (run == NULL) {
        return ENGINE_OK;
    }
    of->run = NULL;
    entry_run_sort(run);
    return local_engine_send(of->engine, run, scope) == SB_OK ? ENGINE_OK
                                                              : engine_scope_status(scope);
}

engine_status entry_writer_add(entry_writer *of, slice key, slice value, sb_scope *scope)
{
    sb_assert(of->open);
    if (of->run == NULL) {
        of->run = entry_run_make();
    }
    entry_run_add(of->run, key, value);
    return of->run->bytes.size >= of->quota ? entry_writer_flush(of, scope) : ENGINE_OK;
}

void entry_writer_close(entry_writer *of)
{
    sb_assert(of->open);
    SOMETIMES(of->run != NULL && of->engine->discarding, "writer-closed-with-rows-nobody-wants");
    (void)entry_writer_flush(of, NULL);
    of->open = false;
}
