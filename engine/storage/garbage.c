/*
 * What may be forgotten: see garbage.h.
 */
#include "engine/storage/garbage.h"

/* Where the garbage among the values begins: everything from there on is older than what a reader
 * at the safe point sees. */
static version *const *garbage_values(version *const *values, timestamp safe_point)
{
    while (*values != NULL && (*values)->commit > safe_point) {
        values = &(*values)->older;
    }
    if (*values != NULL && (*values)->kind == VERSION_PUT) {
        values = &(*values)->older;
    }
    return values;
}

/* A transaction that begins at the safe point is taken, so its rollback stays. */
static bool mark_is_garbage(const version *mark, timestamp safe_point)
{
    return mark->kind == VERSION_ROLLBACK ? mark->start < safe_point : mark->commit <= safe_point;
}

static bool is_kept_whole(const entry *of, timestamp safe_point)
{
    return of->lock != NULL && of->lock->start < safe_point;
}

/* -------------------------------------------------------------------------------------- finding */

static uint32_t count_values(const version *from)
{
    uint32_t count = 0;
    for (; from != NULL; from = from->older) {
        count++;
    }
    return count;
}

static uint32_t count_marks(const entry *of, timestamp safe_point)
{
    uint32_t count = 0;
    for (const version *mark = of->marks; mark != NULL; mark = mark->older) {
        count += mark_is_garbage(mark, safe_point);
    }
    return count;
}

/* False: the entry has none. */
static bool add_garbage(const entry *of, timestamp safe_point, buffer *into)
{
    const version *values = *garbage_values(&of->values, safe_point);
    const uint32_t value_count = count_values(values), mark_count = count_marks(of, safe_point);
    if (value_count + mark_count == 0 || is_kept_whole(of, safe_point)) {
        return false;
    }
    buffer_add_slice(into, entry_key(of));
    const uint32_t size_at = into->size;
    buffer_add_u32(into, 0);
    buffer_add_u8(into, 0);
    buffer_add_u32(into, value_count);
    buffer_add_u32(into, mark_count);
    for (; values != NULL; values = values->older) {
        version_encode(values, into);
    }
    for (const version *mark = of->marks; mark != NULL; mark = mark->older) {
        if (mark_is_garbage(mark, safe_point)) {
            version_encode(mark, into);
        }
    }
    buffer_set_u32(into, size_at, into->size - size_at - 4);
    return true;
}

bool garbage_find(const mvcc *within, slice start, slice end, timestamp safe_point, uint32_t most,
                  buffer *found, buffer *next)
{
    bool any = false;
    ordered_map_cursor at = ordered_map_seek(&within->entries, start);
    buffer_clear(next);
    for (uint32_t looked = 0; ordered_map_valid(&at); looked++) {
        const slice key = ordered_map_key(&at);
        if (!key_in_range(key, start, end)) {
            break;
        }
        if (looked == most) {
            buffer_add(next, key.data, key.size);
            break;
        }
        any |= add_garbage(ordered_map_value(&at), safe_point, found);
        ordered_map_next(&at);
    }
    return any;
}

/* ------------------------------------------------------------------------------------- dropping */

static void drop_version(mvcc *within, entry *of, version **link)
{
    version *gone = *link;
    *link = gone->older;
    of->size -= version_encoded_size(gone);
    within->size -= version_encoded_size(gone);
    sb_free(gone);
}

static void drop_garbage(mvcc *within, entry *of, timestamp safe_point)
{
    version **values = (version **)(uintptr_t)garbage_values(&of->values, safe_point);
    while (*values != NULL) {
        drop_version(within, of, values);
    }
    for (version **mark = &of->marks; *mark != NULL;) {
        if (mark_is_garbage(*mark, safe_point)) {
            drop_version(within, of, mark);
        } else {
            mark = &(*mark)->older;
        }
    }
}

bool garbage_drop(mvcc *within, slice start, slice end, timestamp safe_point)
{
    bool emptied = false;
    ordered_map_cursor at = ordered_map_seek(&within->entries, start);
    while (ordered_map_valid(&at) && key_in_range(ordered_map_key(&at), start, end)) {
        entry *one = ordered_map_value(&at);
        if (!is_kept_whole(one, safe_point)) {
            drop_garbage(within, one, safe_point);
        }
        if (one->lock == NULL && one->values == NULL && one->marks == NULL) {
            emptied = true;
            mvcc_remove_at(within, &at);
        } else {
            ordered_map_next(&at);
        }
    }
    return emptied;
}
