// SPDX-License-Identifier: MIT
// An ordered map u64 -> u32: a B+tree in one pool of nodes. O(log n) whatever the keys are, so that
// they may come from outside; iteration ascends.
//
//              [ 0 | 70 | 300 ]                 inner: key = least of the child (the first is
//              -inf), /     |       \                         value = index of the child
//     [0 5 9 60]->[70 80 90]->[300 ...]         leaves are linked; node 0 is the leftmost for ever
//
// There is no deletion but ordmap_drop() inside of a node: nodes never become empty.
// May include: base/pool.h, base/splits.h.
#ifndef WEFT_BASE_ORDMAP_H
#define WEFT_BASE_ORDMAP_H

#include "base/pool.h"

/// The value that says "none"; it cannot be stored.
#define ORDMAP_NONE UINT32_MAX

enum {
#ifdef WEFT_SMALL_NODES // for tests: deep trees of few entries
    ORDMAP_FANOUT = 8,
#else
    ORDMAP_FANOUT = 32,
#endif
    ORDMAP_PAGE_SHIFT = 4,
    ORDMAP_HEIGHT_MAX = 17, // 4^16 = 2^32
};

struct ordmap_node {
    uint64_t key[ORDMAP_FANOUT];
    uint32_t value[ORDMAP_FANOUT];
    uint32_t count;
    uint32_t next; // leaf: the one to the right, or ORDMAP_NONE
};

struct ordmap {
    struct pool nodes;
    uint32_t root;
    uint32_t last;   // the rightmost leaf
    uint32_t height; // levels above the leaves
    uint32_t inner;  // nodes that are no leaves
    // Room for so many puts is there as long as the map has so many nodes.
    uint64_t reserved_puts;
    uint32_t reserved_nodes;
};

/// Where an entry stands. Valid until the next ordmap_put() or ordmap_drop().
struct ordmap_at {
    uint32_t node; // ORDMAP_NONE: nowhere
    uint32_t slot;
};

/// Allocates nothing.
void ordmap_init(struct ordmap *map, const struct weft_allocator *allocator);
void ordmap_finish(struct ordmap *map);

/// ordmap_reserve() when it is not known that there is room.
bool ordmap_grow(struct ordmap *map, uint64_t puts);

/// Makes room for `puts` calls of ordmap_put(). @return false, with all as it was, when there is
/// none.
static inline bool ordmap_reserve(struct ordmap *map, uint64_t puts)
{
    return (puts <= map->reserved_puts && map->nodes.count == map->reserved_nodes) ||
           ordmap_grow(map, puts);
}

/// Gives back what large reservations left over.
void ordmap_trim(struct ordmap *map);

/// The entry of the greatest key that is at most `key`; nowhere when there is none.
struct ordmap_at ordmap_seek(const struct ordmap *map, uint64_t key);
/// The entry of the least key; nowhere when the map is empty.
struct ordmap_at ordmap_first(const struct ordmap *map);
/// The entry after `at`, or nowhere.
struct ordmap_at ordmap_next(const struct ordmap *map, struct ordmap_at at);

/// Value of exactly `key`, or ORDMAP_NONE.
uint32_t ordmap_find(const struct ordmap *map, uint64_t key);

/// Adds or overwrites. Room must have been reserved. Cost: O(log n).
void ordmap_put(struct ordmap *map, uint64_t key, uint32_t value);
/// Removes the entry at `at` if others stay in its node. Cost: O(1).
void ordmap_drop(struct ordmap *map, struct ordmap_at at);

static inline struct ordmap_node *ordmap_node(const struct ordmap *map, uint32_t index)
{
    return POOL_AT(&map->nodes, struct ordmap_node, ORDMAP_PAGE_SHIFT, index);
}

static inline uint64_t ordmap_key(const struct ordmap *map, struct ordmap_at at)
{
    return ordmap_node(map, at.node)->key[at.slot];
}

static inline uint32_t ordmap_value(const struct ordmap *map, struct ordmap_at at)
{
    return ordmap_node(map, at.node)->value[at.slot];
}

/// Makes an empty map hold `count` entries, which are all set next, in any order, by their places
/// in the ascending order of keys; then ordmap_load_finish(). @return false, with all as it was,
/// when there is no memory.
bool ordmap_load(struct ordmap *map, uint32_t count);
static inline void ordmap_load_entry(struct ordmap *map, uint32_t place, uint64_t key,
                                     uint32_t value)
{
    struct ordmap_node *node = ordmap_node(map, place / ORDMAP_FANOUT);
    node->key[place % ORDMAP_FANOUT] = key;
    node->value[place % ORDMAP_FANOUT] = value;
}
void ordmap_load_finish(struct ordmap *map);

#endif
