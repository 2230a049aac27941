/*
 * The regions of a store: see region.h.
 */
#include "engine/storage/region.h"

static const char *const phase_texts[] = {
#define REGION_PHASE(name, text) [REGION_##name] = text,
#include "engine/storage/region_phases.def"
#undef REGION_PHASE
};

static const sb_move phase_moves[] = {
    {REGION_UNKNOWN, REGION_SERVING}, /* split off, or moved here */
    {REGION_UNKNOWN, REGION_REFUSED},
    {REGION_SERVING, REGION_LEAVING},
    {REGION_SERVING, REGION_GONE}, /* merged */
    {REGION_LEAVING, REGION_GONE},
    {REGION_LEAVING, REGION_SERVING}, /* the other store has refused it */
    {REGION_GONE, REGION_SERVING},
    {REGION_GONE, REGION_REFUSED},
    {REGION_REFUSED, REGION_SERVING},
    {REGION_REFUSED, REGION_REFUSED}, /* in a later epoch */
};

SB_MACHINE(region_machine, "region", phase_texts, phase_moves, .initial = REGION_UNKNOWN,
           .finals = SB_STATE(REGION_SERVING) | SB_STATE(REGION_GONE) | SB_STATE(REGION_REFUSED),
           .source = "one copy: serving on one store, gone or refused on the others");

/* ------------------------------------------------------------------------- making and freeing */

void region_set_init(region_set *of)
{
    *of = (region_set){0};
}

static void free_bounds(region *of)
{
    sb_free((void *)(uintptr_t)of->start.data);
    sb_free((void *)(uintptr_t)of->end.data);
    of->start = of->end = (slice){0};
}

void region_set_release(region_set *of)
{
    for (uint32_t i = 0; i < of->count; i++) {
        free_bounds(&of->items[i]);
    }
    sb_free(of->items);
    *of = (region_set){0};
}

static region *add(region_set *of, region_id id)
{
    of->items = list_with_room(of->items, of->count, sizeof(*of->items));
    of->items[of->count] = (region){.id = id};
    return &of->items[of->count++];
}

/* ---------------------------------------------------------------------------------- questions */

region *region_set_find(const region_set *of, region_id id)
{
    for (uint32_t i = 0; i < of->count; i++) {
        if (of->items[i].id == id) {
            return &of->items[i];
        }
    }
    return NULL;
}

bool region_is_held(const region *of)
{
    return of->phase == REGION_SERVING || of->phase == REGION_LEAVING;
}

static bool ranges_overlap(slice start, slice end, slice other_start, slice other_end)
{
    const bool before = end.size > 0 && slice_compare(end, other_start) <= 0;
    const bool behind = other_end.size > 0 && slice_compare(other_end, start) <= 0;
    return !before && !behind;
}

const region *region_set_overlapping(const region_set *of, slice start, slice end, region_id but)
{
    for (uint32_t i = 0; i < of->count; i++) {
        const region *one = &of->items[i];
        if (one->id != but && region_is_held(one) &&
            ranges_overlap(start, end, one->start, one->end)) {
            return one;
        }
    }
    return NULL;
}

const region *region_set_behind(const region_set *of, const region *one)
{
    for (uint32_t i = 0; i < of->count; i++) {
        const region *next = &of->items[i];
        if (next->phase == REGION_SERVING && one->end.size > 0 &&
            slice_equal(next->start, one->end)) {
            return next;
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------ changes */

static void mark(region_set *of, region *one, region_phase phase, region_epoch epoch,
                 log_sequence sequence)
{
    one->phase = phase;
    one->epoch = epoch;
    one->sequence = sequence;
    of->changed = sequence;
}

static region *in_phase(const region_set *of, region_id id, region_phase phase)
{
    region *found = region_set_find(of, id);
    return found != NULL && found->phase == phase ? found : NULL;
}

bool region_set_serve(region_set *of, const region_description *what, log_sequence sequence)
{
    region *one = region_set_find(of, what->id);
    if (what->id == 0 || (one != NULL && (region_is_held(one) || one->epoch >= what->epoch)) ||
        region_set_overlapping(of, what->start, what->end, what->id) != NULL) {
        return false;
    }
    one = one != NULL ? one : add(of, what->id);
    one->to = 0;
    one->start = slice_copy(what->start);
    one->end = slice_copy(what->end);
    mark(of, one, REGION_SERVING, what->epoch, sequence);
    return true;
}

bool region_set_split(region_set *of, region_id id, slice key, region_id fresh,
                      log_sequence sequence)
{
    region *one = in_phase(of, id, REGION_SERVING);
    if (one == NULL || fresh == 0 || region_set_find(of, fresh) != NULL ||
        slice_compare(key, one->start) <= 0 || !key_in_range(key, one->start, one->end)) {
        return false;
    }
    const slice end = one->end;
    one->end = slice_copy(key);
    mark(of, one, REGION_SERVING, one->epoch + 1, sequence);
    const region_description right = {.id = fresh, .epoch = one->epoch, .start = key, .end = end};
    const bool served = region_set_serve(of, &right, sequence);
    sb_free((void *)(uintptr_t)end.data);
    return served;
}

bool region_set_merge(region_set *of, region_id left, region_id right, log_sequence sequence)
{
    region *one = in_phase(of, left, REGION_SERVING), *two = in_phase(of, right, REGION_SERVING);
    if (one == NULL || two == NULL || one->end.size == 0 || !slice_equal(one->end, two->start)) {
        return false;
    }
    const region_epoch epoch = (one->epoch > two->epoch ? one->epoch : two->epoch) + 1;
    sb_free((void *)(uintptr_t)one->end.data);
    one->end = two->end;
    two->end = (slice){0};
    free_bounds(two);
    two->to = 0;
    mark(of, one, REGION_SERVING, epoch, sequence);
    mark(of, two, REGION_GONE, epoch, sequence);
    return true;
}

bool region_set_leave(region_set *of, region_id id, sb_address to, log_sequence sequence)
{
    region *one = in_phase(of, id, REGION_SERVING);
    if (one == NULL || to == 0) {
        return false;
    }
    one->to = to;
    mark(of, one, REGION_LEAVING, one->epoch, sequence);
    return true;
}

bool region_set_return(region_set *of, region_id id, log_sequence sequence)
{
    region *one = in_phase(of, id, REGION_LEAVING);
    if (one == NULL) {
        return false;
    }
    one->to = 0;
    mark(of, one, REGION_SERVING, one->epoch + 2, sequence);
    return true;
}

bool region_set_forget(region_set *of, region_id id, log_sequence sequence)
{
    region *one = in_phase(of, id, REGION_LEAVING);
    if (one == NULL) {
        return false;
    }
    free_bounds(one);
    mark(of, one, REGION_GONE, one->epoch + 1, sequence);
    return true;
}

bool region_set_refuse(region_set *of, region_id id, region_epoch epoch, log_sequence sequence)
{
    region *one = region_set_find(of, id);
    if (id == 0 || (one != NULL && (region_is_held(one) || one->epoch >= epoch))) {
        return false;
    }
    one = one != NULL ? one : add(of, id);
    one->to = 0;
    mark(of, one, REGION_REFUSED, epoch, sequence);
    return true;
}

/* ------------------------------------------------------------------------------ in a checkpoint */

void region_set_encode(const region_set *of, buffer *into)
{
    buffer_add_u32(into, of->count);
    for (uint32_t i = 0; i < of->count; i++) {
        const region *one = &of->items[i];
        buffer_add_u64(into, one->id);
        buffer_add_u64(into, one->epoch);
        buffer_add_u8(into, (uint8_t)one->phase);
        buffer_add_u16(into, one->to);
        buffer_add_slice(into, one->start);
        buffer_add_slice(into, one->end);
    }
}

bool region_set_decode(region_set *of, cursor *from, log_sequence sequence)
{
    const uint32_t count = cursor_u32(from);
    for (uint32_t i = 0; i < count && !from->failed; i++) {
        const region_id id = cursor_u64(from);
        const region_epoch epoch = cursor_u64(from);
        const uint8_t phase = cursor_u8(from);
        const sb_address to = cursor_u16(from);
        const slice start = cursor_slice(from), end = cursor_slice(from);
        if (from->failed || id == 0 || phase == REGION_UNKNOWN || phase >= REGION_PHASE_COUNT ||
            region_set_find(of, id) != NULL) {
            return false;
        }
        region *one = add(of, id);
        one->to = to;
        mark(of, one, (region_phase)phase, epoch, sequence);
        if (region_is_held(one)) {
            one->start = slice_copy(start);
            one->end = slice_copy(end);
        }
    }
    return !from->failed;
}
