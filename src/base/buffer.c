// SPDX-License-Identifier: MIT
// The growable buffer of weft/memory.h.
#include <string.h>

#include <weft/memory.h>

enum { BUFFER_CAPACITY_MIN = 64 };

void weft_buffer_init(struct weft_buffer *buffer, const struct weft_allocator *allocator)
{
    *buffer = (struct weft_buffer){
        .allocator = allocator != NULL ? *allocator : weft_allocator_libc(),
    };
}

void weft_buffer_finish(struct weft_buffer *buffer)
{
    if (buffer->data != NULL)
        buffer->allocator.resize(buffer->allocator.context, buffer->data, buffer->capacity, 0);
    buffer->data = NULL;
    buffer->size = 0;
    buffer->capacity = 0;
}

enum weft_status weft_buffer_reserve(struct weft_buffer *buffer, size_t extra)
{
    if (extra <= buffer->capacity - buffer->size)
        return WEFT_OK;
    if (extra > SIZE_MAX / 2 - buffer->size)
        return WEFT_NO_MEMORY;
    size_t wanted = buffer->size + extra;
    size_t doubled = buffer->capacity > SIZE_MAX / 2 ? wanted : buffer->capacity * 2;
    if (wanted < doubled)
        wanted = doubled;
    if (wanted < BUFFER_CAPACITY_MIN)
        wanted = BUFFER_CAPACITY_MIN;
    uint8_t *data =
        buffer->allocator.resize(buffer->allocator.context, buffer->data, buffer->capacity, wanted);
    if (data == NULL)
        return WEFT_NO_MEMORY;
    buffer->data = data;
    buffer->capacity = wanted;
    return WEFT_OK;
}

enum weft_status weft_buffer_append(struct weft_buffer *buffer, const void *bytes, size_t size)
{
    enum weft_status status = weft_buffer_reserve(buffer, size);
    if (status == WEFT_OK && size > 0) {
        memcpy(buffer->data + buffer->size, bytes, size);
        buffer->size += size;
    }
    return status;
}
