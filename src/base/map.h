// SPDX-License-Identifier: MIT
// A hash map u64 -> u32 with open addressing, linear probing and deletion by shifting back. For
// keys whose number is bounded by a small limit or that no outsider chooses; ordmap.h has no such
// need. May include: base/memory.h.
#ifndef WEFT_BASE_MAP_H
#define WEFT_BASE_MAP_H

#include "base/memory.h"

/// The value that says "none"; it cannot be stored.
#define MAP_NONE UINT32_MAX

struct map_entry {
    uint64_t key;
    uint32_t value; // MAP_NONE: free
};

struct map {
    struct map_entry *entries;
    uint32_t count;
    uint32_t capacity; // 0 or a power of two
    struct weft_allocator allocator;
};

/// Allocates nothing.
void map_init(struct map *map, const struct weft_allocator *allocator);
void map_finish(struct map *map);
/// Removes all entries. Keeps the memory, unless hardly any of it was used. Cost: O(entries).
void map_clear(struct map *map);
/// Makes room for `extra` more entries. @return false, with all as it was, when there is none.
bool map_reserve(struct map *map, uint32_t extra);
/// MAP_NONE when the key is not there.
uint32_t map_find(const struct map *map, uint64_t key);
/// Adds or overwrites. Room must have been reserved.
void map_set(struct map *map, uint64_t key, uint32_t value);
/// Does nothing when the key is not there.
void map_remove(struct map *map, uint64_t key);

#endif
