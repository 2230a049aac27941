/*
 * A map from numbers to numbers, asked more often than filled: open addressing, never more than
 * half full. Zero is no key.
 */
#ifndef NODES_ORACLES_NUMBER_MAP_H
#define NODES_ORACLES_NUMBER_MAP_H

#include <stdint.h>

#include "sim/node.h"

#define NUMBER_MAP_NONE UINT32_MAX

typedef struct number_slot {
    uint64_t key; /* 0: free */
    uint32_t value;
} number_slot;

typedef struct number_map {
    number_slot *slots;
    uint32_t mask, count;
} number_map;

/* Room for so many keys; it grows when there are more. */
void number_map_init(number_map *map, uint32_t room);
void number_map_release(number_map *map);

/* Sets the key's value; returns the one it had, or NUMBER_MAP_NONE. */
uint32_t number_map_put(number_map *map, uint64_t key, uint32_t value);

/* NUMBER_MAP_NONE when there is no such key. */
uint32_t number_map_get(const number_map *map, uint64_t key);

#endif
