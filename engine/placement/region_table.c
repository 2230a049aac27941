/*
 * What placement knows of the regions: see region_table.h.
 */
#include "engine/placement/region_table.h"

#include <string.h>

void region_table_init(region_table *of)
{
    *of = (region_table){0};
}

static void free_keys(region_description *of)
{
    sb_free((void *)(uintptr_t)of->start.data);
    sb_free((void *)(uintptr_t)of->end.data);
}

void region_table_release(region_table *of)
{
    for (uint32_t i = 0; i < of->count; i++) {
        free_keys(&of->items[i]);
    }
    sb_free(of->items);
    *of = (region_table){0};
}

/* ----------------------------------------------------------------------------------- learning */

static bool overlap(const region_description *left, const region_description *right)
{
    return (left->end.size == 0 || slice_compare(right->start, left->end) < 0) &&
           (right->end.size == 0 || slice_compare(left->start, right->end) < 0);
}

static bool same_claim(const region_description *left, const region_description *right)
{
    return left->id == right->id && left->epoch == right->epoch;
}

/* Whether somebody told of any of its keys in that epoch already, or in a later one. */
static bool is_outdated(const region_table *of, const region_description *told)
{
    for (uint32_t i = 0; i < of->count; i++) {
        const region_description *known = &of->items[i];
        if ((known->id == told->id || overlap(known, told)) && known->epoch >= told->epoch) {
            return true;
        }
    }
    return false;
}

static void remove_replaced(region_table *of, const region_description *by)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < of->count; i++) {
        if (of->items[i].id == by->id || overlap(&of->items[i], by)) {
            free_keys(&of->items[i]);
        } else {
            of->items[kept++] = of->items[i];
        }
    }
    of->count = kept;
}

static void insert(region_table *of, const region_description *told)
{
    if (of->count == of->room) {
        of->room = of->room == 0 ? 16 : of->room * 2;
        const size_t size = of->room * sizeof(*of->items);
        of->items = of->items == NULL ? sb_alloc(size) : sb_realloc(of->items, size);
    }
    uint32_t at = of->count++;
    for (; at > 0 && slice_compare(of->items[at - 1].start, told->start) > 0; at--) {
        of->items[at] = of->items[at - 1];
    }
    of->items[at] = *told;
    of->items[at].start = slice_copy(told->start);
    of->items[at].end = slice_copy(told->end);
}

bool region_table_learn(region_table *of, const region_description *told)
{
    of->last = told->id > of->last ? told->id : of->last;
    for (uint32_t i = 0; i < of->count; i++) {
        region_description *known = &of->items[i];
        if (same_claim(known, told)) {
            /* Who has left it does not lead it again in this epoch. */
            const bool changed = known->leader != 0 && known->leader != told->leader;
            known->leader = changed ? told->leader : known->leader;
            known->size = told->size;
            return changed;
        }
    }
    if (is_outdated(of, told)) {
        SOMETIMES(true, "placement is told of a region as it was");
        return false;
    }
    remove_replaced(of, told);
    insert(of, told);
    return true;
}

/* ---------------------------------------------------------------------------------- questions */

const region_description *region_table_find(const region_table *of, slice key)
{
    for (uint32_t i = 0; i < of->count; i++) {
        if (key_in_range(key, of->items[i].start, of->items[i].end)) {
            return &of->items[i];
        }
    }
    return NULL;
}

const region_description *region_table_behind(const region_table *of, const region_description *one)
{
    const uint32_t next = (uint32_t)(one - of->items) + 1;
    return next < of->count && slice_equal(of->items[next].start, one->end) ? &of->items[next]
                                                                            : NULL;
}

uint32_t region_table_led_by(const region_table *of, sb_address store)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < of->count; i++) {
        count += of->items[i].leader == store;
    }
    return count;
}

/* Two misfortunes of a real placement that restarts or learns, and that whoever works by a map must
 * survive: a region nobody seems to lead, and a hole (TiDB issue 50895). */
void region_table_pack(const region_table *of, packing *list)
{
    const uint32_t middle = of->count / 2;
    const bool hole = of->count > 0 && failpoint("placement-serves-a-hole");
    const bool leaderless = of->count > 0 && failpoint("placement-serves-a-region-without-leader");
    for (uint32_t i = 0; i < of->count; i++) {
        region_description one = of->items[i];
        if (leaderless && i == middle) {
            one.leader = 0;
        }
        if (!hole || i != middle) {
            pack_region(list, &one);
        }
    }
}

/* ----------------------------------------------------------------------------------- encoding */

void region_table_encode(const region_table *of, buffer *into)
{
    packing list;
    packing_init(&list);
    for (uint32_t i = 0; i < of->count; i++) {
        pack_region(&list, &of->items[i]);
    }
    buffer_add_u64(into, of->last);
    buffer_add_u32(into, list.count);
    buffer_add_slice(into, buffer_slice(&list.bytes));
    packing_release(&list);
}

void region_table_decode(region_table *of, cursor *from)
{
    region_description one;
    of->last = cursor_u64(from);
    const uint32_t count = cursor_u32(from);
    cursor at = cursor_of(cursor_slice(from));
    while (unpack_region(&at, &one)) {
        (void)region_table_learn(of, &one);
    }
    if (of->count != count || !cursor_finished(&at)) {
        from->failed = true;
    }
}
