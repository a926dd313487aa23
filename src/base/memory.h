// SPDX-License-Identifier: MIT
// Allocation through a given allocator, and an allocator that counts what its owner holds.
// May include: weft/memory.h.
#ifndef WEFT_BASE_MEMORY_H
#define WEFT_BASE_MEMORY_H

#include <stdbool.h>

#include <weft/memory.h>

/// Counts the bytes that are allocated through it. Must not move while memory_allocator() is in
/// use.
struct memory {
    struct weft_allocator parent;
    size_t used; // bytes allocated now
};

/// @param parent Copied; NULL means the C library's.
void memory_init(struct memory *memory, const struct weft_allocator *parent);

/// An allocator that takes from the parent and counts in `memory`.
struct weft_allocator memory_allocator(struct memory *memory);

/// NULL when there is none left; `size` must not be 0.
static inline void *memory_alloc(const struct weft_allocator *allocator, size_t size)
{
    return allocator->resize(allocator->context, NULL, 0, size);
}

/// Takes NULL with a size of 0.
static inline void memory_free(const struct weft_allocator *allocator, void *old, size_t old_size)
{
    if (old != NULL)
        allocator->resize(allocator->context, old, old_size, 0);
}

/// Makes room for at least `count_min` elements in a growing array, doubling it.
/// @return false when there is no memory (or no number) for it; the array is then as it was.
bool memory_grow(const struct weft_allocator *allocator, void **array, uint32_t *capacity,
                 uint64_t count_min, size_t element_size);

#endif
