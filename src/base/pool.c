// SPDX-License-Identifier: MIT
// Paged arrays.
#include "base/pool.h"

void pool_init(struct pool *pool, const struct weft_allocator *allocator, uint32_t element_size,
               uint32_t shift)
{
    *pool = (struct pool){
        .element_size = element_size,
        .shift = shift,
        .allocator = *allocator,
    };
}

// Elements that page `index` has room for.
static uint32_t page_elements(const struct pool *pool, uint32_t index)
{
    uint32_t whole = 1u << pool->shift;
    return index == 0 && pool->capacity < whole ? pool->capacity : whole;
}

void pool_finish(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->page_count; i++)
        memory_free(&pool->allocator, pool->pages[i],
                    (size_t)page_elements(pool, i) * pool->element_size);
    memory_free(&pool->allocator, pool->pages, pool->pages_capacity * sizeof pool->pages[0]);
    pool_init(pool, &pool->allocator, pool->element_size, pool->shift);
}

// Page 0 holds less than a whole page: lets it grow to `wanted` elements at least.
static bool grow_first_page(struct pool *pool, uint64_t wanted)
{
    uint32_t whole = 1u << pool->shift;
    uint64_t elements = (uint64_t)pool->capacity + pool->capacity / 2;
    if (elements < wanted)
        elements = wanted;
    if (elements > whole)
        elements = whole;
    uint8_t *page = pool->allocator.resize(
        pool->allocator.context, pool->page_count > 0 ? pool->pages[0] : NULL,
        (size_t)pool->capacity * pool->element_size, (size_t)elements * pool->element_size);
    if (page == NULL)
        return false;
    pool->pages[0] = page;
    pool->page_count = 1;
    pool->capacity = (uint32_t)elements;
    return true;
}

bool pool_reserve(struct pool *pool, uint64_t extra)
{
    if (pool_has_room(pool, extra))
        return true;
    uint32_t whole = 1u << pool->shift;
    uint64_t wanted = pool->count + extra;
    if (wanted > UINT32_MAX - whole)
        return false;
    uint64_t pages = (wanted + whole - 1) >> pool->shift;
    if (!memory_grow(&pool->allocator, (void **)&pool->pages, &pool->pages_capacity, pages,
                     sizeof pool->pages[0]))
        return false;
    if (pool->capacity < whole && !grow_first_page(pool, wanted))
        return false;
    while (pool->capacity < wanted) {
        uint8_t *page = memory_alloc(&pool->allocator, (size_t)whole * pool->element_size);
        if (page == NULL)
            return false;
        pool->pages[pool->page_count++] = page;
        pool->capacity += whole;
    }
    return true;
}

void pool_trim(struct pool *pool)
{
    uint32_t whole = 1u << pool->shift;
    uint32_t pages = (uint32_t)(((uint64_t)pool->count + whole - 1) >> pool->shift) + 1;
    while (pool->page_count > pages) {
        memory_free(&pool->allocator, pool->pages[--pool->page_count],
                    (size_t)whole * pool->element_size);
        pool->capacity -= whole;
    }
}
