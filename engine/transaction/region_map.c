/*
 * Region maps: made from placement's answer, checked, searched by halving.
 */
#include "engine/transaction/region_map.h"

#include <string.h>

/* The regions must tile the whole key space: one hole and a plan made from the map loses rows. */
static bool map_covers_all_keys(const region_map *map)
{
    if (map->count == 0 || map->regions[0].start.size != 0) {
        return false;
    }
    for (uint32_t i = 0; i < map->count; i++) {
        const region_description *region = &map->regions[i];
        const bool last = i + 1 == map->count;
        if (region->id == 0 || (region->end.size == 0) != last) {
            return false;
        }
        if (!last && (!slice_equal(region->end, region[1].start) ||
                      slice_compare(region->start, region->end) >= 0)) {
            return false;
        }
    }
    return true;
}

region_map *region_map_make(packed_regions regions)
{
    region_map *map = sb_alloc(sizeof(*map));
    map->users = 1;
    map->count = 0;
    map->regions = sb_alloc(sizeof(*map->regions) * (regions.count + 1));
    map->bytes = sb_alloc(regions.bytes.size + 1);
    if (regions.bytes.size > 0) {
        memcpy(map->bytes, regions.bytes.data, regions.bytes.size);
    }

    const packed own = {regions.count, {map->bytes, regions.bytes.size}};
    region_description one;
    for (cursor at = packed_cursor(own); unpack_region(&at, &one);) {
        sb_assert_op(map->count, <, regions.count);
        map->regions[map->count++] = one;
    }
    if (!map_covers_all_keys(map)) {
        region_map_release(map);
        return NULL;
    }
    return map;
}

region_map *region_map_moved(const region_map *map, const region_description *one,
                             sb_address leader, region_epoch epoch)
{
    packing list;
    packing_init(&list);
    for (uint32_t i = 0; i < map->count; i++) {
        region_description region = map->regions[i];
        if (&map->regions[i] == one) {
            region.leader = leader;
            region.epoch = epoch;
        }
        pack_region(&list, &region);
    }
    region_map *moved = region_map_make(packing_list(&list));
    sb_assert(moved != NULL);
    packing_release(&list);
    return moved;
}

const region_map *region_map_acquire(const region_map *map)
{
    ((region_map *)map)->users++;
    return map;
}

void region_map_release(const region_map *map)
{
    region_map *own = (region_map *)map;
    if (own == NULL || --own->users > 0) {
        return;
    }
    sb_free(own->bytes);
    sb_free(own->regions);
    sb_free(own);
}

const region_description *region_map_find(const region_map *map, slice key)
{
    uint32_t low = 0, high = map->count; /* regions[low].start <= key < regions[high].start */
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (slice_compare(map->regions[middle].start, key) <= 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &map->regions[low];
}
