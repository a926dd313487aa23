// SPDX-License-Identifier: MIT
// malloc, realloc and free of the module: wasi-libc's, without which the rest of it does as well,
// is a fifth of the module.
//
//   heap_start                                                            heap_end = memory's end
//   [ block | block | block | ... ]      the memory is blocks, one after the other; two that are
//     |                                  free never touch
//     [ before | size, used | payload ]  before: the size of the block before it, 0 for the first
//                next, prev              of a free one, in the bin of its size's highest bit
//
// Boundary tags (Knuth, The Art of Computer Programming 1, 2.5): all is O(1) but for the walk
// through one bin, which has an end. What documents give back, others use; the memory itself never
// shrinks, WebAssembly has no way to.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_SIZE = 8,
    GRAIN = 16, // every size is a multiple: a header, and the links of a free block
    PAGE_SIZE = 65536,
    GROW_MIN = 4 * PAGE_SIZE,
    WALK_MAX = 16, // blocks of the bin that may be too small
    USED = 1,
};

struct block {
    uint32_t before;
    uint32_t size_used;
    struct block *next; // from here on only while it is free
    struct block *prev;
};
_Static_assert(sizeof(struct block) == GRAIN, "a free block has room for its links");

extern uint8_t __heap_base; // by the linker

static struct block *bins[32];
static uint32_t bins_used; // bit i: bins[i] has blocks
static uint8_t *heap_end;  // NULL before the first use
static uint32_t last_size; // of the block before heap_end

static uint32_t size_of(const struct block *block)
{
    return block->size_used & ~(uint32_t)USED;
}

static struct block *after(struct block *block)
{
    return (struct block *)(void *)((uint8_t *)block + size_of(block));
}

static unsigned bin_of(uint32_t size)
{
    return 31 - (unsigned)__builtin_clz(size);
}

static void unlink_block(struct block *block)
{
    unsigned bin = bin_of(size_of(block));
    if (block->next != NULL)
        block->next->prev = block->prev;
    if (block->prev != NULL)
        block->prev->next = block->next;
    else if ((bins[bin] = block->next) == NULL)
        bins_used &= ~(UINT32_C(1) << bin);
}

// Writes a block's size where it is to be found: in itself and in the one after it.
static void set_size(struct block *block, uint32_t size, uint32_t used)
{
    block->size_used = size | used;
    if ((uint8_t *)after(block) == heap_end)
        last_size = size;
    else
        after(block)->before = size;
}

// Makes [block, block + size) free, with the free ones around it.
static void give(struct block *block, uint32_t size)
{
    struct block *next = (struct block *)(void *)((uint8_t *)block + size);
    if ((uint8_t *)next != heap_end && (next->size_used & USED) == 0) {
        unlink_block(next);
        size += size_of(next);
    }
    struct block *prev = (struct block *)(void *)((uint8_t *)block - block->before);
    if (prev != block && (prev->size_used & USED) == 0) {
        unlink_block(prev);
        size += size_of(prev);
        block = prev;
    }
    set_size(block, size, 0);
    unsigned bin = bin_of(size);
    block->prev = NULL;
    block->next = bins[bin];
    if (block->next != NULL)
        block->next->prev = block;
    bins[bin] = block;
    bins_used |= UINT32_C(1) << bin;
}

// Lets a used block of size `has` be one of `size`, and gives back the rest.
static void cut(struct block *block, uint32_t has, uint32_t size)
{
    set_size(block, size, USED);
    if (has == size)
        return;
    struct block *rest = after(block);
    rest->before = size;
    give(rest, has - size);
}

// Takes more memory. @return false when there is none.
static int grow(uint32_t size)
{
    uint32_t bytes = ((size > GROW_MIN ? size : GROW_MIN) + PAGE_SIZE - 1) & -(uint32_t)PAGE_SIZE;
    size_t pages = __builtin_wasm_memory_grow(0, bytes / PAGE_SIZE);
    if (bytes < size || pages == SIZE_MAX)
        return 0;
    struct block *block = (struct block *)(pages * PAGE_SIZE);
    uint8_t *end = (uint8_t *)block + bytes;
    if (heap_end == NULL) { // from the linker's end of data on
        block = (struct block *)(void *)(((uintptr_t)&__heap_base + GRAIN - 1) & -(uint32_t)GRAIN);
        last_size = 0;
    }
    block->before = last_size;
    heap_end = end;
    give(block, (uint32_t)(end - (uint8_t *)block));
    return 1;
}

// A free block of at least `size`, or NULL.
static struct block *find(uint32_t size)
{
    unsigned bin = bin_of(size);
    struct block *block = bins[bin];
    for (unsigned i = 0; block != NULL && i < WALK_MAX; i++, block = block->next)
        if (size_of(block) >= size)
            return block;
    uint32_t greater = bins_used & ~(UINT32_MAX >> (31 - bin));
    return greater != 0 ? bins[__builtin_ctz(greater)] : NULL;
}

// The size of a block with so much payload; 0: there is no such one.
static uint32_t block_size(size_t payload)
{
    return payload > UINT32_MAX / 2
               ? 0
               : ((uint32_t)payload + HEADER_SIZE + GRAIN - 1) & -(uint32_t)GRAIN;
}

void *malloc(size_t size)
{
    uint32_t wanted = block_size(size);
    struct block *block = NULL;
    if (wanted != 0)
        while ((block = find(wanted)) == NULL && grow(wanted)) {
        }
    if (block == NULL)
        return NULL;
    unlink_block(block);
    cut(block, size_of(block), wanted);
    return (uint8_t *)block + HEADER_SIZE;
}

static struct block *block_of(void *payload)
{
    struct block *block = (struct block *)(void *)((uint8_t *)payload - HEADER_SIZE);
    assert((block->size_used & USED) != 0);
    return block;
}

void free(void *payload)
{
    if (payload != NULL)
        give(block_of(payload), size_of(block_of(payload)));
}

void *realloc(void *old, size_t size)
{
    if (old == NULL)
        return malloc(size);
    uint32_t wanted = block_size(size);
    struct block *block = block_of(old);
    uint32_t has = size_of(block);
    struct block *next = after(block);
    if (wanted == 0)
        return NULL;
    if (wanted > has && (uint8_t *)next != heap_end && (next->size_used & USED) == 0 &&
        has + size_of(next) >= wanted) {
        unlink_block(next);
        has += size_of(next);
    }
    if (wanted <= has) {
        cut(block, has, wanted);
        return old;
    }
    void *moved = malloc(size);
    if (moved != NULL) {
        memcpy(moved, old, has - HEADER_SIZE);
        free(old);
    }
    return moved;
}
