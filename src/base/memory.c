// SPDX-License-Identifier: MIT
// Allocation: the C library's allocator, the counting one, arrays that grow.
#include "base/memory.h"

#include <stdlib.h>

static void *libc_resize(void *context, void *old, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    return realloc(old, new_size);
}

struct weft_allocator weft_allocator_libc(void)
{
    return (struct weft_allocator){.context = NULL, .resize = libc_resize};
}

static void *counting_resize(void *context, void *old, size_t old_size, size_t new_size)
{
    struct memory *memory = context;
    void *result = memory->parent.resize(memory->parent.context, old, old_size, new_size);
    if (result != NULL || new_size == 0)
        memory->used += new_size - old_size;
    return result;
}

void memory_init(struct memory *memory, const struct weft_allocator *parent)
{
    memory->parent = parent != NULL ? *parent : weft_allocator_libc();
    memory->used = 0;
}

struct weft_allocator memory_allocator(struct memory *memory)
{
    return (struct weft_allocator){.context = memory, .resize = counting_resize};
}

bool memory_grow(const struct weft_allocator *allocator, void **array, uint32_t *capacity,
                 uint64_t count_min, size_t element_size)
{
    if (count_min <= *capacity)
        return true;
    uint64_t wanted = *capacity < 4 ? 4 : (uint64_t)*capacity * 2;
    if (wanted < count_min)
        wanted = count_min;
    if (wanted > UINT32_MAX || wanted > SIZE_MAX / element_size)
        return false;
    void *grown = allocator->resize(allocator->context, *array, *capacity * element_size,
                                    (size_t)wanted * element_size);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = (uint32_t)wanted;
    return true;
}
