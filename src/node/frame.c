// SPDX-License-Identifier: MIT
// A message for many receivers: one allocation, a plain count.
#include "node/frame.h"

#include <assert.h>

static size_t frame_allocation(uint32_t size)
{
    return sizeof(struct frame) + FRAME_HEADROOM + size;
}

struct frame *frame_create(const struct weft_allocator *allocator, uint32_t size)
{
    struct frame *frame = allocator->resize(allocator->context, NULL, 0, frame_allocation(size));
    if (!frame) {
        return NULL;
    }
    frame->allocator = *allocator;
    frame->references = 1;
    frame->size = size;
    frame->header_size = 0;
    return frame;
}

struct frame *frame_retain(struct frame *frame)
{
    assert(frame->references > 0 && frame->references < UINT32_MAX);
    frame->references++;
    return frame;
}

void frame_release(struct frame *frame)
{
    if (!frame) {
        return;
    }
    assert(frame->references > 0);
    if (--frame->references == 0) {
        struct weft_allocator allocator = frame->allocator;
        allocator.resize(allocator.context, frame, frame_allocation(frame->size), 0);
    }
}
