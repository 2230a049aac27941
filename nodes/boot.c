/*
 * What a machine is told when it boots: see boot.h.
 */
#include "nodes/boot.h"

#include <string.h>

#define FORMAT 1u

void boot_plan_init(boot_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
#define SETTING(type, name, initial) plan->settings.name = initial;
#include "nodes/settings.def"
#undef SETTING
}

uint64_t boot_table_rows(const boot_settings *of, uint64_t table)
{
    sb_assert_op(table, >=, of->table);
    sb_assert_op(table, <, of->table + of->tables);
    return table == of->table ? of->rows : of->other_rows;
}

static slice region_start(const boot_region *of)
{
    return slice_of(of->start, of->start_size);
}

static slice region_end(const boot_region *of)
{
    return slice_of(of->end, of->end_size);
}

void boot_plan_add_region(boot_plan *plan, region_id id, sb_address store, slice end)
{
    sb_assert_op(plan->region_count, <, BOOT_REGIONS_MAX);
    sb_assert_op(end.size, <=, BOOT_KEY_MAX);
    boot_region *added = &plan->regions[plan->region_count];
    added->id = id;
    added->store = store;
    if (plan->region_count > 0) {
        const boot_region *before = &plan->regions[plan->region_count - 1];
        sb_assert_op(before->end_size, >, 0);
        added->start_size = before->end_size;
        memcpy(added->start, before->end, before->end_size);
    }
    added->end_size = end.size;
    if (end.size > 0) {
        memcpy(added->end, end.data, end.size);
    }
    plan->region_count++;
}

void boot_plan_pack_regions(const boot_plan *plan, packing *list)
{
    for (uint32_t i = 0; i < plan->region_count; i++) {
        const boot_region *one = &plan->regions[i];
        pack_region(list, &(region_description){.id = one->id,
                                                .epoch = 1,
                                                .start = region_start(one),
                                                .end = region_end(one),
                                                .leader = one->store});
    }
}

/* ----------------------------------------------------------------------------------- encoding */

static void machines_encode(const boot_machines *of, buffer *into)
{
    buffer_add_u32(into, of->count);
    for (uint32_t i = 0; i < of->count; i++) {
        buffer_add_u16(into, of->addresses[i]);
    }
}

static void machines_decode(boot_machines *of, cursor *from)
{
    of->count = cursor_u32(from);
    if (of->count > BOOT_MACHINES_MAX) {
        from->failed = true;
        of->count = 0;
    }
    for (uint32_t i = 0; i < of->count; i++) {
        of->addresses[i] = cursor_u16(from);
    }
}

void boot_plan_encode(const boot_plan *plan, buffer *into)
{
    buffer_clear(into);
    buffer_add_u32(into, FORMAT);
    machines_encode(&plan->placements, into);
    machines_encode(&plan->stores, into);
    machines_encode(&plan->servers, into);
    buffer_add_u32(into, plan->region_count);
    for (uint32_t i = 0; i < plan->region_count; i++) {
        const boot_region *one = &plan->regions[i];
        buffer_add_u64(into, one->id);
        buffer_add_u16(into, one->store);
        buffer_add_slice(into, region_end(one));
    }
#define SETTING(type, name, initial) buffer_add_u64(into, plan->settings.name);
#include "nodes/settings.def"
#undef SETTING
}

static void regions_decode(boot_plan *plan, cursor *from)
{
    const uint32_t count = cursor_u32(from);
    if (count > BOOT_REGIONS_MAX) {
        from->failed = true;
        return;
    }
    for (uint32_t i = 0; i < count && !from->failed; i++) {
        const region_id id = cursor_u64(from);
        const sb_address store = cursor_u16(from);
        const slice end = cursor_slice(from);
        if (end.size > BOOT_KEY_MAX || (i > 0 && plan->regions[i - 1].end_size == 0)) {
            from->failed = true;
            return;
        }
        boot_plan_add_region(plan, id, store, end);
    }
}

bool boot_plan_decode(boot_plan *plan, slice bytes)
{
    cursor from = cursor_of(bytes);
    boot_plan_init(plan);
    const uint32_t format = cursor_u32(&from);
    machines_decode(&plan->placements, &from);
    machines_decode(&plan->stores, &from);
    machines_decode(&plan->servers, &from);
    regions_decode(plan, &from);
#define SETTING(type, name, initial) plan->settings.name = (type)cursor_u64(&from);
#include "nodes/settings.def"
#undef SETTING
    const uint32_t tables = plan->settings.tables;
    return cursor_finished(&from) && format == FORMAT && tables > 0 && tables <= BOOT_TABLES_MAX;
}
