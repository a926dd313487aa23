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

static size_t page_size(const struct pool *pool)
{
    return (size_t)pool->element_size << pool->shift;
}

// Bytes of a block; the first may hold less than a whole page.
static size_t block_size(const struct pool *pool, const struct pool_block *block)
{
    if (pool->capacity >> pool->shift == 0)
        return (size_t)pool->capacity * pool->element_size;
    return block->pages * page_size(pool);
}

void pool_finish(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->block_count; i++)
        memory_free(&pool->allocator, pool->blocks[i].data, block_size(pool, &pool->blocks[i]));
    memory_free(&pool->allocator, pool->blocks, pool->blocks_capacity * sizeof pool->blocks[0]);
    memory_free(&pool->allocator, pool->pages, pool->pages_capacity * sizeof pool->pages[0]);
    pool_init(pool, &pool->allocator, pool->element_size, pool->shift);
}

// Gives a block that has `old_size` bytes a new size, and its pages their places.
static bool resize_block(struct pool *pool, struct pool_block *block, size_t old_size,
                         size_t new_size)
{
    uint8_t *data =
        pool->allocator.resize(pool->allocator.context, block->data, old_size, new_size);
    if (data == NULL)
        return false;
    block->data = data;
    for (uint32_t i = 0; i < block->pages; i++)
        pool->pages[block->first + i] = data + i * page_size(pool);
    return true;
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
    if (pool->block_count == 0)
        pool->blocks[0] = (struct pool_block){.pages = 1};
    if (!resize_block(pool, &pool->blocks[0], (size_t)pool->capacity * pool->element_size,
                      (size_t)elements * pool->element_size))
        return false;
    pool->block_count = 1;
    pool->page_count = 1;
    pool->capacity = (uint32_t)elements;
    return true;
}

static bool add_block(struct pool *pool, uint32_t pages)
{
    struct pool_block block = {.first = pool->page_count, .pages = pages};
    if (pages > SIZE_MAX / page_size(pool) ||
        !resize_block(pool, &block, 0, pages * page_size(pool)))
        return false;
    pool->blocks[pool->block_count++] = block;
    pool->page_count += pages;
    pool->capacity += pages << pool->shift;
    return true;
}

bool pool_grow(struct pool *pool, uint64_t extra)
{
    uint32_t whole = 1u << pool->shift;
    uint64_t wanted = pool->count + extra;
    if (extra > UINT32_MAX || wanted > UINT32_MAX - whole)
        return false;
    uint64_t pages = (wanted + whole - 1) >> pool->shift;
    // Two more blocks at most: the first page, and the rest.
    if (!memory_grow(&pool->allocator, (void **)&pool->pages, &pool->pages_capacity, pages,
                     sizeof pool->pages[0]) ||
        !memory_grow(&pool->allocator, (void **)&pool->blocks, &pool->blocks_capacity,
                     pool->block_count + UINT64_C(2), sizeof pool->blocks[0]))
        return false;
    if (pool->capacity < whole && !grow_first_page(pool, wanted))
        return false;
    return pool->page_count >= pages || add_block(pool, (uint32_t)pages - pool->page_count);
}

void pool_trim(struct pool *pool)
{
    uint32_t whole = 1u << pool->shift;
    uint32_t pages = (uint32_t)(((uint64_t)pool->count + whole - 1) >> pool->shift) + 1;
    while (pool->page_count > pages) {
        struct pool_block *block = &pool->blocks[pool->block_count - 1];
        uint32_t surplus = pool->page_count - pages;
        size_t size = block_size(pool, block);
        if (surplus >= block->pages) {
            surplus = block->pages;
            memory_free(&pool->allocator, block->data, size);
            pool->block_count--;
        } else {
            block->pages -= surplus;
            if (!resize_block(pool, block, size, block->pages * page_size(pool))) {
                block->pages += surplus;
                return;
            }
        }
        pool->page_count -= surplus;
        pool->capacity -= surplus << pool->shift;
    }
}
