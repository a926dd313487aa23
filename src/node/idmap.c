// SPDX-License-Identifier: MIT
// A map from 64-bit ids to pointers.
#include "node/idmap.h"

#include <assert.h>
#include <stddef.h>

/// Spreads ids that count up or share low bits (splitmix64's last steps).
static uint64_t mix(uint64_t id)
{
    id = (id ^ (id >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    id = (id ^ (id >> 27)) * UINT64_C(0x94d049bb133111eb);
    return id ^ (id >> 31);
}

static uint32_t home_of(const struct idmap *map, uint64_t id)
{
    return (uint32_t)mix(id) & (map->capacity - 1);
}

/// The slot of an id, or the empty one where it would go.
static uint32_t probe(const struct idmap *map, uint64_t id)
{
    uint32_t at = home_of(map, id);
    while (map->slots[at].value && map->slots[at].id != id) {
        at = (at + 1) & (map->capacity - 1);
    }
    return at;
}

void idmap_init(struct idmap *map, const struct weft_allocator *allocator)
{
    *map = (struct idmap){.allocator = *allocator};
}

void idmap_finish(struct idmap *map)
{
    if (map->slots) {
        map->allocator.resize(map->allocator.context, map->slots,
                              map->capacity * sizeof *map->slots, 0);
    }
    map->slots = NULL;
    map->capacity = 0;
    map->count = 0;
}

void *idmap_find(const struct idmap *map, uint64_t id)
{
    return map->capacity ? map->slots[probe(map, id)].value : NULL;
}

static enum weft_status grow(struct idmap *map)
{
    struct idmap larger = *map;
    larger.capacity = map->capacity ? map->capacity * 2 : 16;
    larger.slots = map->allocator.resize(map->allocator.context, NULL, 0,
                                         larger.capacity * sizeof *larger.slots);
    if (!larger.slots) {
        return WEFT_NO_MEMORY;
    }
    for (uint32_t i = 0; i < larger.capacity; i++) {
        larger.slots[i] = (struct idmap_slot){0};
    }
    for (uint32_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].value) {
            larger.slots[probe(&larger, map->slots[i].id)] = map->slots[i];
        }
    }
    uint32_t count = map->count;
    idmap_finish(map);
    *map = larger;
    map->count = count;
    return WEFT_OK;
}

enum weft_status idmap_set(struct idmap *map, uint64_t id, void *value)
{
    assert(value);
    if (map->capacity) {
        uint32_t at = probe(map, id);
        if (map->slots[at].value) {
            map->slots[at].value = value;
            return WEFT_OK;
        }
    }
    if (map->count + 1 > map->capacity / 4 * 3 && grow(map)) {
        return WEFT_NO_MEMORY;
    }
    map->slots[probe(map, id)] = (struct idmap_slot){id, value};
    map->count++;
    return WEFT_OK;
}

void idmap_remove(struct idmap *map, uint64_t id)
{
    if (!map->capacity) {
        return;
    }
    uint32_t hole = probe(map, id);
    if (!map->slots[hole].value) {
        return;
    }
    const uint32_t mask = map->capacity - 1;
    map->count--;
    // Whoever probed past the hole moves into it, until a slot ends the row.
    for (uint32_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        uint32_t home = home_of(map, map->slots[at].id);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct idmap_slot){0};
}
