/*
 * Numbers to numbers: see number_map.h.
 */
#include "nodes/oracles/number_map.h"

#define SPREAD 0x9e3779b97f4a7c15u /* 2^64 over the golden ratio: Knuth's multiplicative hash */

void number_map_init(number_map *map, uint32_t room)
{
    uint32_t size = 16;
    while (size < 2 * room) {
        size *= 2;
    }
    map->slots = sb_alloc_zero(size * sizeof(*map->slots));
    map->mask = size - 1;
    map->count = 0;
}

void number_map_release(number_map *map)
{
    sb_free(map->slots);
    map->slots = NULL;
}

static number_slot *find(const number_map *map, uint64_t key)
{
    sb_assert_op(key, !=, 0);
    uint32_t at = (uint32_t)(key * SPREAD >> 32) & map->mask;
    while (map->slots[at].key != 0 && map->slots[at].key != key) {
        at = (at + 1) & map->mask;
    }
    return &map->slots[at];
}

static void grow(number_map *map)
{
    number_map larger;
    number_map_init(&larger, map->mask + 1);
    for (uint32_t i = 0; i <= map->mask; i++) {
        if (map->slots[i].key != 0) {
            *find(&larger, map->slots[i].key) = map->slots[i];
        }
    }
    larger.count = map->count;
    number_map_release(map);
    *map = larger;
}

uint32_t number_map_put(number_map *map, uint64_t key, uint32_t value)
{
    number_slot *slot = find(map, key);
    const uint32_t before = slot->key == 0 ? NUMBER_MAP_NONE : slot->value;
    if (slot->key == 0) {
        if (2 * (map->count + 1) > map->mask) {
            grow(map);
            slot = find(map, key);
        }
        map->count++;
        slot->key = key;
    }
    slot->value = value;
    return before;
}

uint32_t number_map_get(const number_map *map, uint64_t key)
{
    const number_slot *slot = find(map, key);
    return slot->key == 0 ? NUMBER_MAP_NONE : slot->value;
}
