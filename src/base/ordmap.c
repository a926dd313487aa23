// SPDX-License-Identifier: MIT
// The ordered map u64 -> u32.
#include "base/ordmap.h"

#include <assert.h>
#include <string.h>

#include "base/splits.h"

static const struct ordmap_at nowhere = {.node = ORDMAP_NONE, .slot = 0};

void ordmap_init(struct ordmap *map, const struct weft_allocator *allocator)
{
    *map = (struct ordmap){.root = ORDMAP_NONE, .last = ORDMAP_NONE};
    pool_init(&map->nodes, allocator, sizeof(struct ordmap_node), ORDMAP_PAGE_SHIFT);
}

void ordmap_finish(struct ordmap *map)
{
    struct weft_allocator allocator = map->nodes.allocator;
    pool_finish(&map->nodes);
    ordmap_init(map, &allocator);
}

bool ordmap_grow(struct ordmap *map, uint64_t puts)
{
    uint64_t leaf_splits;
    uint64_t inner_splits = splits_max(&leaf_splits, puts, puts, map->nodes.count - map->inner,
                                       map->inner, map->height + 1, ORDMAP_FANOUT / 2 - 1);
    if (!pool_reserve(&map->nodes, leaf_splits + inner_splits))
        return false;
    map->reserved_puts = puts;
    map->reserved_nodes = map->nodes.count;
    return true;
}

void ordmap_trim(struct ordmap *map)
{
    pool_trim(&map->nodes);
    map->reserved_puts = 0;
}

// Slot of the greatest key that is at most `key`; -1 when there is none.
static int node_floor(const struct ordmap_node *node, uint64_t key)
{
    // Without a branch that depends on the keys: they come in no order that could be foretold.
    const uint64_t *low = node->key;
    uint32_t count = node->count;
    while (count > 1) {
        uint32_t half = count / 2;
        low = low[half] <= key ? low + half : low;
        count -= half;
    }
    return count == 1 && *low <= key ? (int)(low - node->key) : -1;
}

struct ordmap_at ordmap_seek(const struct ordmap *map, uint64_t key)
{
    uint32_t index = map->root;
    if (index == ORDMAP_NONE)
        return nowhere;
    for (uint32_t level = map->height; level > 0; level--) {
        const struct ordmap_node *node = ordmap_node(map, index);
        int slot = node_floor(node, key);
        index = node->value[slot < 0 ? 0 : slot];
    }
    int slot = node_floor(ordmap_node(map, index), key);
    return slot < 0 ? nowhere : (struct ordmap_at){.node = index, .slot = (uint32_t)slot};
}

struct ordmap_at ordmap_first(const struct ordmap *map)
{
    return map->root == ORDMAP_NONE ? nowhere : (struct ordmap_at){.node = 0, .slot = 0};
}

struct ordmap_at ordmap_next(const struct ordmap *map, struct ordmap_at at)
{
    const struct ordmap_node *node = ordmap_node(map, at.node);
    if (at.slot + 1 < node->count)
        return (struct ordmap_at){.node = at.node, .slot = at.slot + 1};
    return (struct ordmap_at){.node = node->next, .slot = 0};
}

uint32_t ordmap_find(const struct ordmap *map, uint64_t key)
{
    struct ordmap_at at = ordmap_seek(map, key);
    if (at.node == ORDMAP_NONE || ordmap_key(map, at) != key)
        return ORDMAP_NONE;
    return ordmap_value(map, at);
}

static uint32_t node_create(struct ordmap *map)
{
    assert(pool_has_room(&map->nodes, 1));
    uint32_t index = map->nodes.count++;
    struct ordmap_node *node = ordmap_node(map, index);
    node->count = 0;
    node->next = ORDMAP_NONE;
    return index;
}

static void node_insert(struct ordmap_node *node, uint32_t slot, uint64_t key, uint32_t value)
{
    uint32_t moved = node->count - slot;
    memmove(&node->key[slot + 1], &node->key[slot], moved * sizeof node->key[0]);
    memmove(&node->value[slot + 1], &node->value[slot], moved * sizeof node->value[0]);
    node->key[slot] = key;
    node->value[slot] = value;
    node->count++;
}

// Inserts into a full node: the upper half goes to a new one, or, when the entry comes last of all,
// nothing but the entry. Returns the new node.
static uint32_t node_split_insert(struct ordmap *map, uint32_t index, uint32_t slot, uint64_t key,
                                  uint32_t value)
{
    uint32_t right_index = node_create(map);
    struct ordmap_node *left = ordmap_node(map, index);
    struct ordmap_node *right = ordmap_node(map, right_index);
    right->next = left->next;
    left->next = right_index;
    if (map->last == index)
        map->last = right_index;
    uint32_t kept =
        slot == ORDMAP_FANOUT && right->next == ORDMAP_NONE ? ORDMAP_FANOUT : ORDMAP_FANOUT / 2;
    right->count = left->count - kept;
    memcpy(right->key, &left->key[kept], right->count * sizeof left->key[0]);
    memcpy(right->value, &left->value[kept], right->count * sizeof left->value[0]);
    left->count = kept;
    if (slot <= kept && kept < ORDMAP_FANOUT)
        node_insert(left, slot, key, value);
    else
        node_insert(right, slot - kept, key, value);
    return right_index;
}

static void grow_root(struct ordmap *map, uint32_t right)
{
    uint32_t index = node_create(map);
    struct ordmap_node *root = ordmap_node(map, index);
    assert(map->height + 1 < ORDMAP_HEIGHT_MAX);
    node_insert(root, 0, ordmap_node(map, map->root)->key[0], map->root);
    node_insert(root, 1, ordmap_node(map, right)->key[0], right);
    map->root = index;
    map->height++;
    map->inner++;
}

// A key greater than all, where there is room for it.
static bool append(struct ordmap *map, uint64_t key, uint32_t value)
{
    if (map->last == ORDMAP_NONE)
        return false;
    struct ordmap_node *node = ordmap_node(map, map->last);
    if (node->count == ORDMAP_FANOUT || key <= node->key[node->count - 1])
        return false;
    node->key[node->count] = key;
    node->value[node->count++] = value;
    return true;
}

void ordmap_put(struct ordmap *map, uint64_t key, uint32_t value)
{
    uint32_t path[ORDMAP_HEIGHT_MAX];
    uint32_t slots[ORDMAP_HEIGHT_MAX];
    if (append(map, key, value))
        return;
    if (map->root == ORDMAP_NONE) {
        map->root = node_create(map);
        map->last = map->root;
    }
    uint32_t index = map->root;
    for (uint32_t level = map->height; level > 0; level--) {
        struct ordmap_node *node = ordmap_node(map, index);
        int floor = node_floor(node, key);
        // A least key of all; were it not noted, a later split would put a lesser key behind it.
        if (floor < 0)
            node->key[0] = key;
        path[level] = index;
        slots[level] = floor < 0 ? 1 : (uint32_t)floor + 1;
        index = node->value[slots[level] - 1];
    }
    int floor = node_floor(ordmap_node(map, index), key);
    if (floor >= 0 && ordmap_node(map, index)->key[floor] == key) {
        ordmap_node(map, index)->value[floor] = value;
        return;
    }
    uint32_t slot = (uint32_t)(floor + 1);
    for (uint32_t level = 0;; level++) {
        struct ordmap_node *node = ordmap_node(map, index);
        if (node->count < ORDMAP_FANOUT) {
            node_insert(node, slot, key, value);
            return;
        }
        uint32_t right = node_split_insert(map, index, slot, key, value);
        if (level > 0)
            map->inner++;
        if (level == map->height) {
            grow_root(map, right);
            return;
        }
        key = ordmap_node(map, right)->key[0];
        value = right;
        index = path[level + 1];
        slot = slots[level + 1];
    }
}

bool ordmap_load(struct ordmap *map, uint32_t count)
{
    assert(map->root == ORDMAP_NONE);
    if (count == 0)
        return true;
    uint64_t nodes = 0;
    uint64_t below = count;
    do {
        below = (below + ORDMAP_FANOUT - 1) / ORDMAP_FANOUT;
        nodes += below;
    } while (below > 1);
    if (!pool_reserve(&map->nodes, nodes))
        return false;
    for (uint32_t left = count; left > 0;) {
        struct ordmap_node *node = ordmap_node(map, node_create(map));
        node->count = left < ORDMAP_FANOUT ? left : ORDMAP_FANOUT;
        left -= node->count;
        node->next = left > 0 ? map->nodes.count : ORDMAP_NONE;
    }
    map->last = map->nodes.count - 1;
    return true;
}

void ordmap_load_finish(struct ordmap *map)
{
    uint32_t first = 0;
    uint32_t end = map->nodes.count;
    if (end == 0)
        return;
    // The nodes of one level were made in a row: [first, end).
    while (end - first > 1) {
        for (uint32_t i = first; i < end; i++) {
            if ((i - first) % ORDMAP_FANOUT == 0)
                node_create(map);
            struct ordmap_node *node = ordmap_node(map, map->nodes.count - 1);
            node_insert(node, node->count, ordmap_node(map, i)->key[0], i);
        }
        first = end;
        end = map->nodes.count;
        map->height++;
    }
    map->root = first;
    map->inner = map->nodes.count - (map->last + 1);
}

void ordmap_drop(struct ordmap *map, struct ordmap_at at)
{
    struct ordmap_node *node = ordmap_node(map, at.node);
    if (at.slot == 0 || node->count < 2)
        return;
    uint32_t moved = node->count - at.slot - 1;
    memmove(&node->key[at.slot], &node->key[at.slot + 1], moved * sizeof node->key[0]);
    memmove(&node->value[at.slot], &node->value[at.slot + 1], moved * sizeof node->value[0]);
    node->count--;
}
