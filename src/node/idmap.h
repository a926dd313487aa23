// SPDX-License-Identifier: MIT
// A map from 64-bit ids to pointers: open addressing, linear probing, deletion by shifting back.
//
//   slots   | id 7 | -- | id 23 | id 39 | -- | ...      at most three quarters full
//
// Its order is never walked, so nothing depends on it. May include: base/, weft/.
#ifndef WEFT_NODE_IDMAP_H
#define WEFT_NODE_IDMAP_H

#include <stdint.h>

#include <weft/memory.h>
#include <weft/status.h>

struct idmap_slot {
    uint64_t id;
    void *value; // NULL: empty
};

struct idmap {
    struct weft_allocator allocator;
    struct idmap_slot *slots; // NULL while capacity is 0
    uint32_t capacity;        // a power of two
    uint32_t count;
};

void idmap_init(struct idmap *map, const struct weft_allocator *allocator);
void idmap_finish(struct idmap *map);
/// The value of an id, or NULL.
void *idmap_find(const struct idmap *map, uint64_t id);
/// Sets the value (not NULL) of an id. @return WEFT_OK or WEFT_NO_MEMORY (nothing changed).
WEFT_MUST_USE enum weft_status idmap_set(struct idmap *map, uint64_t id, void *value);
/// Removes an id; one that is not there is no error.
void idmap_remove(struct idmap *map, uint64_t id);

#endif
