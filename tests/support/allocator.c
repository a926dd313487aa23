// SPDX-License-Identifier: MIT
#include "tests/support/allocator.h"

#include <assert.h>
#include <stdlib.h>

/// Every block is preceded by its size, so that what the caller says about it can be checked.
union header {
    size_t size;
    max_align_t align;
};

static void *resize(void *context, void *old, size_t old_size, size_t new_size)
{
    struct test_allocator *allocator = context;
    union header *header = old == NULL ? NULL : (union header *)old - 1;
    assert((header == NULL ? 0 : header->size) == old_size);
    if (new_size == 0) {
        allocator->used -= old_size;
        free(header);
        return NULL;
    }
    allocator->calls++;
    if ((allocator->calls >= allocator->fail_from &&
         allocator->calls - allocator->fail_from < allocator->fail_count) ||
        allocator->used - old_size + new_size > allocator->used_max)
        return NULL;
    header = realloc(header, sizeof(*header) + new_size);
    if (header == NULL)
        return NULL;
    header->size = new_size;
    allocator->used += new_size - old_size;
    if (allocator->used > allocator->peak)
        allocator->peak = allocator->used;
    return header + 1;
}

struct test_allocator test_allocator_make(void)
{
    return (struct test_allocator){
        .used_max = SIZE_MAX, .fail_from = UINT64_MAX, .fail_count = UINT64_MAX};
}

struct weft_allocator test_allocator_use(struct test_allocator *allocator)
{
    return (struct weft_allocator){allocator, resize};
}

void test_allocator_reset_peak(struct test_allocator *allocator)
{
    allocator->peak = allocator->used;
}
