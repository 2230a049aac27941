/*
 * An ordered map from byte strings to pointers: see ordered_map.h.
 *
 * Inner node i of level h > 0 has `count` children and count - 1 separators; separator s is a copy
 * of a key with child s < separator <= child s + 1, made when the right child was split off.  An
 * insert or a remove goes down once, noting the way; a full node is split on the way back up.
 */
#include "engine/base/ordered_map.h"

#include <string.h>

#define LEAF_SLOTS 32u
#define INNER_SLOTS 32u
#define HEIGHT_MAX 12u

typedef struct ordered_map_leaf {
    struct ordered_map_leaf *next, *previous;
    uint32_t count;
    slice keys[LEAF_SLOTS];
    void *values[LEAF_SLOTS];
} ordered_map_leaf;

/* Children are leaves on level 1 and inner nodes above. */
typedef struct ordered_map_node {
    uint32_t count;
    slice separators[INNER_SLOTS - 1]; /* owned */
    void *children[INNER_SLOTS];
} ordered_map_node;

/* The way from the root to a leaf: way[h] is the node on level h and the child taken there. */
typedef struct descent {
    ordered_map_node *nodes[HEIGHT_MAX + 1];
    uint32_t children[HEIGHT_MAX + 1];
    ordered_map_leaf *leaf;
    uint32_t slot; /* of the least key >= the one sought; may be leaf->count */
    bool found;
} descent;

/* ---------------------------------------------------------------------------------- searching */

static uint32_t child_for(const ordered_map_node *node, slice key)
{
    uint32_t low = 0, high = node->count - 1;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (slice_compare(node->separators[middle], key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint32_t leaf_slot_for(const ordered_map_leaf *leaf, slice key, bool *found)
{
    uint32_t low = 0, high = leaf->count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        const int order = slice_compare(leaf->keys[middle], key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = false;
    return low;
}

static ordered_map_leaf *leaf_for(const ordered_map *map, slice key, uint32_t *slot, bool *found)
{
    void *at = map->root;
    for (uint32_t level = map->height; level > 0; level--) {
        const ordered_map_node *node = at;
        at = node->children[child_for(node, key)];
    }
    *slot = leaf_slot_for(at, key, found);
    return at;
}

static void descend(const ordered_map *map, slice key, descent *way)
{
    void *at = map->root;
    for (uint32_t level = map->height; level > 0; level--) {
        ordered_map_node *node = at;
        way->nodes[level] = node;
        way->children[level] = child_for(node, key);
        at = node->children[way->children[level]];
    }
    way->leaf = at;
    way->slot = leaf_slot_for(way->leaf, key, &way->found);
}

void *ordered_map_find(const ordered_map *map, slice key)
{
    if (map->root == NULL) {
        return NULL;
    }
    uint32_t slot = 0;
    bool found = false;
    const ordered_map_leaf *leaf = leaf_for(map, key, &slot, &found);
    return found ? leaf->values[slot] : NULL;
}

/* ---------------------------------------------------------------------------------- inserting */

static void leaf_insert_at(ordered_map_leaf *leaf, uint32_t slot, slice key, void *value)
{
    sb_assert_op(leaf->count, <, LEAF_SLOTS);
    const size_t behind = leaf->count - slot;
    memmove(&leaf->keys[slot + 1], &leaf->keys[slot], behind * sizeof(leaf->keys[0]));
    memmove(&leaf->values[slot + 1], &leaf->values[slot], behind * sizeof(leaf->values[0]));
    leaf->keys[slot] = key;
    leaf->values[slot] = value;
    leaf->count++;
}

/* The right half as a new leaf.  At the end of the last leaf nothing moves: rising keys fill leaves
 * whole. */
static ordered_map_leaf *leaf_split(ordered_map *map, ordered_map_leaf *leaf, uint32_t slot)
{
    const bool at_end = leaf->next == NULL && slot == leaf->count;
    const uint32_t stay = at_end ? leaf->count : leaf->count / 2;
    ordered_map_leaf *right = sb_alloc(sizeof(*right));
    right->count = leaf->count - stay;
    memcpy(right->keys, &leaf->keys[stay], right->count * sizeof(right->keys[0]));
    memcpy(right->values, &leaf->values[stay], right->count * sizeof(right->values[0]));
    leaf->count = stay;
    right->next = leaf->next;
    right->previous = leaf;
    if (right->next != NULL) {
        right->next->previous = right;
    } else {
        map->last = right;
    }
    leaf->next = right;
    return right;
}

static void node_insert_at(ordered_map_node *node, uint32_t child, slice separator, void *right)
{
    sb_assert_op(node->count, <, INNER_SLOTS);
    const size_t behind = node->count - child - 1;
    memmove(&node->separators[child + 1], &node->separators[child],
            behind * sizeof(node->separators[0]));
    memmove(&node->children[child + 2], &node->children[child + 1],
            behind * sizeof(node->children[0]));
    node->separators[child] = separator;
    node->children[child + 1] = right;
    node->count++;
}

/* Split a full node in two; the separator between them goes up. */
static ordered_map_node *node_split(ordered_map_node *node, slice *separator)
{
    const uint32_t stay = node->count / 2;
    ordered_map_node *right = sb_alloc(sizeof(*right));
    right->count = node->count - stay;
    memcpy(right->children, &node->children[stay], right->count * sizeof(right->children[0]));
    memcpy(right->separators, &node->separators[stay],
           (right->count - 1) * sizeof(right->separators[0]));
    *separator = node->separators[stay - 1];
    node->count = stay;
    return right;
}

static void grow_root(ordered_map *map, slice separator, void *right)
{
    sb_assert_op(map->height, <, HEIGHT_MAX);
    ordered_map_node *root = sb_alloc(sizeof(*root));
    root->count = 2;
    root->children[0] = map->root;
    root->children[1] = right;
    root->separators[0] = separator;
    map->root = root;
    map->height++;
}

/* Hang `right`, a new right neighbour of the child taken on level `level`, into the nodes above. */
static void hang(ordered_map *map, descent *way, slice separator, void *right)
{
    for (uint32_t level = 1; level <= map->height; level++) {
        ordered_map_node *node = way->nodes[level];
        uint32_t child = way->children[level];
        if (node->count < INNER_SLOTS) {
            node_insert_at(node, child, separator, right);
            return;
        }
        slice up = {0};
        ordered_map_node *right_node = node_split(node, &up);
        if (child >= node->count) {
            node_insert_at(right_node, child - node->count, separator, right);
        } else {
            node_insert_at(node, child, separator, right);
        }
        separator = up;
        right = right_node;
    }
    grow_root(map, separator, right);
}

static void insert_first(ordered_map *map, slice key, void *value)
{
    ordered_map_leaf *leaf = sb_alloc(sizeof(*leaf));
    leaf->next = leaf->previous = NULL;
    leaf->count = 0;
    leaf_insert_at(leaf, 0, key, value);
    map->root = (void *)leaf;
    map->last = leaf;
    map->height = 0;
    map->count = 1;
}

/* Room in the last leaf, and behind its last key: whole states are loaded like that. */
static bool goes_last(const ordered_map *map, slice key)
{
    const ordered_map_leaf *last = map->last;
    return last->count < LEAF_SLOTS && slice_compare(last->keys[last->count - 1], key) < 0;
}

void *ordered_map_insert(ordered_map *map, slice key, void *value)
{
    sb_assert(value != NULL);
    if (map->root == NULL) {
        insert_first(map, key, value);
        return NULL;
    }
    if (goes_last(map, key)) {
        leaf_insert_at(map->last, map->last->count, key, value);
        map->count++;
        return NULL;
    }
    descent way;
    descend(map, key, &way);
    if (way.found) {
        return way.leaf->values[way.slot];
    }
    map->count++;
    if (way.leaf->count < LEAF_SLOTS) {
        leaf_insert_at(way.leaf, way.slot, key, value);
        return NULL;
    }
    ordered_map_leaf *right = leaf_split(map, way.leaf, way.slot);
    if (way.slot > way.leaf->count || right->count == 0) {
        leaf_insert_at(right, way.slot - way.leaf->count, key, value);
    } else {
        leaf_insert_at(way.leaf, way.slot, key, value);
    }
    hang(map, &way, slice_copy(right->keys[0]), right);
    return NULL;
}

/* ----------------------------------------------------------------------------------- removing */

static void free_separator(slice separator)
{
    sb_free((void *)separator.data);
}

/* Take child number `child` and one separator beside it out of the node. */
static void node_remove_at(ordered_map_node *node, uint32_t child)
{
    const uint32_t separator = child > 0 ? child - 1 : 0;
    if (node->count > 1) {
        free_separator(node->separators[separator]);
        memmove(&node->separators[separator], &node->separators[separator + 1],
                (node->count - 2 - separator) * sizeof(node->separators[0]));
    }
    memmove(&node->children[child], &node->children[child + 1],
            (node->count - 1 - child) * sizeof(node->children[0]));
    node->count--;
}

/* A root with one child is no level; a root with none is no tree. */
static void shrink_root(ordered_map *map)
{
    while (map->height > 0 && map->root->count == 1) {
        ordered_map_node *root = map->root;
        map->root = root->children[0];
        map->height--;
        sb_free(root);
    }
}

static void unlink_leaf(ordered_map *map, const descent *way)
{
    ordered_map_leaf *leaf = way->leaf;
    if (leaf->previous != NULL) {
        leaf->previous->next = leaf->next;
    }
    if (leaf->next != NULL) {
        leaf->next->previous = leaf->previous;
    } else {
        map->last = leaf->previous;
    }
    sb_free(leaf);
    for (uint32_t level = 1; level <= map->height; level++) {
        ordered_map_node *node = way->nodes[level];
        node_remove_at(node, way->children[level]);
        if (node->count > 0) {
            shrink_root(map);
            return;
        }
        sb_free(node);
    }
    ordered_map_init(map);
}

static void *leaf_remove_at(ordered_map *map, ordered_map_leaf *leaf, uint32_t slot)
{
    void *value = leaf->values[slot];
    const size_t behind = leaf->count - slot - 1;
    memmove(&leaf->keys[slot], &leaf->keys[slot + 1], behind * sizeof(leaf->keys[0]));
    memmove(&leaf->values[slot], &leaf->values[slot + 1], behind * sizeof(leaf->values[0]));
    leaf->count--;
    map->count--;
    return value;
}

void *ordered_map_remove(ordered_map *map, slice key)
{
    if (map->root == NULL) {
        return NULL;
    }
    descent way;
    descend(map, key, &way);
    if (!way.found) {
        return NULL;
    }
    void *value = leaf_remove_at(map, way.leaf, way.slot);
    if (way.leaf->count == 0) {
        unlink_leaf(map, &way);
    }
    return value;
}

/* ---------------------------------------------------------------------------------- the whole */

void ordered_map_init(ordered_map *map)
{
    *map = (ordered_map){0};
}

static void release_below(void *at, uint32_t level)
{
    if (level > 0) {
        ordered_map_node *node = at;
        for (uint32_t child = 0; child < node->count; child++) {
            release_below(node->children[child], level - 1);
        }
        for (uint32_t separator = 0; separator + 1 < node->count; separator++) {
            free_separator(node->separators[separator]);
        }
    }
    sb_free(at);
}

void ordered_map_release(ordered_map *map)
{
    if (map->root != NULL) {
        release_below(map->root, map->height);
    }
    ordered_map_init(map);
}

/* ------------------------------------------------------------------------------------ cursors */

static ordered_map_cursor cursor_at(ordered_map_leaf *leaf, uint32_t slot)
{
    if (leaf != NULL && slot == leaf->count) {
        leaf = leaf->next;
        slot = 0;
    }
    return (ordered_map_cursor){.leaf = leaf, .slot = slot};
}

ordered_map_cursor ordered_map_first(const ordered_map *map)
{
    void *at = map->root;
    for (uint32_t level = map->height; level > 0; level--) {
        at = ((ordered_map_node *)at)->children[0];
    }
    return cursor_at(at, 0);
}

ordered_map_cursor ordered_map_seek(const ordered_map *map, slice key)
{
    if (map->root == NULL) {
        return cursor_at(NULL, 0);
    }
    uint32_t slot = 0;
    bool found = false;
    ordered_map_leaf *leaf = leaf_for(map, key, &slot, &found);
    return cursor_at(leaf, slot);
}

bool ordered_map_valid(const ordered_map_cursor *at)
{
    return at->leaf != NULL;
}

void ordered_map_next(ordered_map_cursor *at)
{
    sb_assert(at->leaf != NULL);
    *at = cursor_at(at->leaf, at->slot + 1);
}

/* A search is needed only where the leaf goes too. */
void *ordered_map_remove_at(ordered_map *map, ordered_map_cursor *at)
{
    ordered_map_leaf *leaf = at->leaf;
    sb_assert(leaf != NULL);
    if (leaf->count > 1) {
        void *value = leaf_remove_at(map, leaf, at->slot);
        *at = cursor_at(leaf, at->slot);
        return value;
    }
    ordered_map_leaf *behind = leaf->next;
    void *value = ordered_map_remove(map, leaf->keys[0]);
    *at = cursor_at(behind, 0);
    return value;
}

slice ordered_map_key(const ordered_map_cursor *at)
{
    sb_assert(at->leaf != NULL);
    return at->leaf->keys[at->slot];
}

void *ordered_map_value(const ordered_map_cursor *at)
{
    sb_assert(at->leaf != NULL);
    return at->leaf->values[at->slot];
}
