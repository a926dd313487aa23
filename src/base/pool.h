// SPDX-License-Identifier: MIT
// A growing array in pages, indexed by u32: elements never move once their page is full-sized, so a
// large array grows without copying, and indexes mean the same on every platform.
//
//     pages ->  [ p0 | p1 | p2 | p3 ]     element i is in page i >> shift
//                 |    |    |    |
//     blocks -> [ b0 ][    b1    ][ b2 ]  what is reserved at once is one allocation, whose unused
//                                         end costs nothing until it is touched; page 0 alone grows
//                                         by halves first, so that small documents stay small
//
// A pointer to an element is valid until the next pool_reserve() or pool_trim().
// May include: base/memory.h.
#ifndef WEFT_BASE_POOL_H
#define WEFT_BASE_POOL_H

#include "base/memory.h"

/// Pages that were allocated together.
struct pool_block {
    uint8_t *data;
    uint32_t first; // page
    uint32_t pages;
};

struct pool {
    uint8_t **pages;
    struct pool_block *blocks;
    uint32_t count;    // elements in use
    uint32_t capacity; // elements that there is room for
    uint32_t page_count;
    uint32_t pages_capacity; // of the array of pages
    uint32_t block_count;
    uint32_t blocks_capacity; // of the array of blocks
    uint32_t element_size;    // bytes
    uint32_t shift;           // a whole page holds 1 << shift elements
    struct weft_allocator allocator;
};

/// Allocates nothing.
void pool_init(struct pool *pool, const struct weft_allocator *allocator, uint32_t element_size,
               uint32_t shift);
void pool_finish(struct pool *pool);

/// pool_reserve() when there is not room enough.
bool pool_grow(struct pool *pool, uint64_t extra);

/// Gives whole pages past the elements in use back, but for one.
void pool_trim(struct pool *pool);

static inline bool pool_has_room(const struct pool *pool, uint64_t extra)
{
    return extra <= pool->capacity - pool->count;
}

/// Makes room for `extra` more elements. @return false, with all as it was, when there is none.
static inline bool pool_reserve(struct pool *pool, uint64_t extra)
{
    return pool_has_room(pool, extra) || pool_grow(pool, extra);
}

/// The element at `index`, with its type and shift known to the compiler: what hot paths use.
#define POOL_AT(pool, type, page_shift, index)                                                     \
    (&((type *)(void *)(pool)                                                                      \
           ->pages[(index) >> (page_shift)])[(index) & ((1u << (page_shift)) - 1)])

static inline void *pool_at(const struct pool *pool, uint32_t index)
{
    return pool->pages[index >> pool->shift] +
           (size_t)(index & ((1u << pool->shift) - 1)) * pool->element_size;
}

#endif
