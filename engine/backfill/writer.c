/*
 * Writers: entries are buffered as they come, and handed to the engine when the buffer is full, or
 * when the machine's quota is.
 */
#include "engine/backfill/pipeline.h"

void entry_writer_open(entry_writer *of, local_engine *engine, memory_quota *memory, uint32_t size)
{
    *of = (entry_writer){.engine = engine, .memory = memory, .size = size, .open = true};
}

engine_status entry_writer_flush(entry_writer *of, sb_scope *scope)
{
    entry_run *run = of->run;
    if (run == NULL) {
        return ENGINE_OK;
    }
    of->run = NULL;
    return local_engine_send(of->engine, run, scope) == SB_OK ? ENGINE_OK
                                                              : engine_scope_status(scope);
}

static engine_status take_room(entry_writer *of, uint64_t charge, sb_scope *scope)
{
    if (memory_quota_try(of->memory, charge)) {
        return ENGINE_OK;
    }
    SOMETIMES(of->run != NULL, "writer-flushes-because-the-quota-is-used-up");
    const engine_status status = entry_writer_flush(of, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    return memory_quota_acquire(of->memory, charge, scope) == SB_OK ? ENGINE_OK
                                                                    : engine_scope_status(scope);
}

engine_status entry_writer_add(entry_writer *of, slice key, slice value, sb_scope *scope)
{
    sb_assert(of->open);
    if (of->engine->trouble != SORTER_OK) {
        return ENGINE_CONFLICT; /* what was sent before is lost */
    }
    const engine_status status = take_room(of, entry_charge(key, value), scope);
    if (status != ENGINE_OK) {
        return status;
    }
    if (of->run == NULL) {
        of->run = entry_run_make();
    }
    entry_run_add(of->run, key, value);
    return of->run->bytes.size >= of->size ? entry_writer_flush(of, scope) : ENGINE_OK;
}

void entry_writer_close(entry_writer *of)
{
    sb_assert(of->open);
    SOMETIMES(of->run != NULL && of->engine->discarding, "writer-closed-with-rows-nobody-wants");
    (void)entry_writer_flush(of, NULL);
    of->open = false;
}
