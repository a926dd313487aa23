// SPDX-License-Identifier: MIT
// The hash map u64 -> u32.
#include "base/map.h"

#include <assert.h>

enum { KEPT = 64 }; // entries of which the memory is kept however few there were

// The finalizer of MurmurHash3: every bit of the key reaches the low bits.
static uint32_t home(const struct map *map, uint64_t key)
{
    key ^= key >> 33;
    key *= UINT64_C(0xff51afd7ed558ccd);
    key ^= key >> 33;
    key *= UINT64_C(0xc4ceb9fe1a85ec53);
    key ^= key >> 33;
    return (uint32_t)key & (map->capacity - 1);
}

void map_init(struct map *map, const struct weft_allocator *allocator)
{
    *map = (struct map){.allocator = *allocator};
}

void map_finish(struct map *map)
{
    memory_free(&map->allocator, map->entries, map->capacity * sizeof map->entries[0]);
    map_init(map, &map->allocator);
}

void map_clear(struct map *map)
{
    // What is cleared again and again must not cost what it once held.
    if (map->capacity > KEPT && map->count < map->capacity / 8) {
        map_finish(map);
        return;
    }
    for (uint32_t i = 0; map->count > 0; i++) {
        map->count -= map->entries[i].value != MAP_NONE;
        map->entries[i].value = MAP_NONE;
    }
}

// Index of the entry that holds `key`, or of the free one where it would go.
static uint32_t probe(const struct map *map, uint64_t key)
{
    uint32_t i = home(map, key);
    while (map->entries[i].value != MAP_NONE && map->entries[i].key != key)
        i = (i + 1) & (map->capacity - 1);
    return i;
}

bool map_reserve(struct map *map, uint32_t extra)
{
    uint64_t wanted = (uint64_t)map->count + extra;
    if (wanted * 2 <= map->capacity)
        return true;
    uint64_t capacity = 16;
    while (capacity < wanted * 2)
        capacity *= 2;
    if (capacity > UINT32_MAX / sizeof map->entries[0])
        return false;
    struct map larger = *map;
    larger.capacity = (uint32_t)capacity;
    larger.entries = memory_alloc(&map->allocator, larger.capacity * sizeof map->entries[0]);
    if (larger.entries == NULL)
        return false;
    for (uint32_t i = 0; i < larger.capacity; i++)
        larger.entries[i].value = MAP_NONE;
    for (uint32_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].value != MAP_NONE)
            larger.entries[probe(&larger, map->entries[i].key)] = map->entries[i];
    }
    memory_free(&map->allocator, map->entries, map->capacity * sizeof map->entries[0]);
    *map = larger;
    return true;
}

uint32_t map_find(const struct map *map, uint64_t key)
{
    return map->capacity == 0 ? MAP_NONE : map->entries[probe(map, key)].value;
}

void map_set(struct map *map, uint64_t key, uint32_t value)
{
    assert(value != MAP_NONE && map->count < map->capacity);
    struct map_entry *entry = &map->entries[probe(map, key)];
    if (entry->value == MAP_NONE)
        map->count++;
    *entry = (struct map_entry){.key = key, .value = value};
}

void map_remove(struct map *map, uint64_t key)
{
    if (map->capacity == 0)
        return;
    uint32_t mask = map->capacity - 1;
    uint32_t hole = probe(map, key);
    if (map->entries[hole].value == MAP_NONE)
        return;
    map->count--;
    for (uint32_t i = (hole + 1) & mask; map->entries[i].value != MAP_NONE; i = (i + 1) & mask) {
        // What may be reached from before the hole moves into it.
        if (((i - home(map, map->entries[i].key)) & mask) >= ((i - hole) & mask)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole].value = MAP_NONE;
}
