/*
 * An ordered map from byte strings to pointers: a B+-tree in this node's heap.
 *
 *                 [ . k7 . k15 . ]            inner nodes own copies of their separators
 *                /       |       \
 *        [k1 k3 k5] → [k7 k9] → [k15 k20]     leaves hold key and value side by side, chained
 *
 * The map borrows: a key's bytes must live, unchanged, as long as the key is in the map (put them
 * into the thing that value points to), and values are the caller's to free.  Order depends on the
 * keys alone.  Separators are copies, so that a removed key leaves nothing behind that points to
 * it.  A node is unlinked when it gets empty and not before; a map that has shrunk keeps sparse
 * leaves, which costs memory only.
 *
 * A cursor is good until the map changes.
 */
#ifndef ENGINE_BASE_ORDERED_MAP_H
#define ENGINE_BASE_ORDERED_MAP_H

#include "engine/base/bytes.h"

typedef struct ordered_map {
    struct ordered_map_node *root; /* NULL while it is empty */
    struct ordered_map_leaf *last; /* the rightmost leaf: where rising keys go without a search */
    uint32_t height;               /* levels of inner nodes above the leaves */
    uint32_t count;                /* keys */
} ordered_map;

typedef struct ordered_map_cursor {
    struct ordered_map_leaf *leaf; /* NULL behind the last key */
    uint32_t slot;
} ordered_map_cursor;

void ordered_map_init(ordered_map *map);
void ordered_map_release(ordered_map *map); /* what the values point to stays the caller's */

/* NULL when there is no such key. */
void *ordered_map_find(const ordered_map *map, slice key);

/* Returns NULL when the key was added, else the value it had and keeps.  value is not NULL. */
void *ordered_map_insert(ordered_map *map, slice key, void *value);

/* The value it had, or NULL. */
void *ordered_map_remove(ordered_map *map, slice key);

/* The value at the cursor, which then stands at the key behind it. */
void *ordered_map_remove_at(ordered_map *map, ordered_map_cursor *at);

/* At the first key, or at the least key >= the one given. */
ordered_map_cursor ordered_map_first(const ordered_map *map);
ordered_map_cursor ordered_map_seek(const ordered_map *map, slice key);
bool ordered_map_valid(const ordered_map_cursor *at);
void ordered_map_next(ordered_map_cursor *at);
slice ordered_map_key(const ordered_map_cursor *at);
void *ordered_map_value(const ordered_map_cursor *at);

/*
 *     for (ordered_map_cursor at = ordered_map_first(&map); ordered_map_valid(&at);
 *          ordered_map_next(&at)) {
 *         thing *of = ordered_map_value(&at);
 */

#endif
