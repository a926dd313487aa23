// SPDX-License-Identifier: MIT
// A message for many receivers: encoded once, shared by reference count, never copied.
//
//   | headroom 10 | payload ... |
//        ^ io writes the WebSocket header right before the payload, once; it is the same for all.
//
// One thread owns all frames of a node, so the count is a plain integer.
#ifndef WEFT_NODE_FRAME_H
#define WEFT_NODE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/memory.h>
#include <weft/status.h>

#define FRAME_HEADROOM 10 // bytes: the longest header a server sends (RFC 6455, 5.2)

struct frame {
    struct weft_allocator allocator;
    uint32_t references;
    uint32_t size;       // payload bytes
    uint8_t header_size; // bytes of header that stand before the payload; 0 until io framed it
    uint8_t bytes[];     // FRAME_HEADROOM, then the payload
};

/// A frame with one reference and `size` bytes of payload to fill in. NULL when out of memory.
struct frame *frame_create(const struct weft_allocator *allocator, uint32_t size);
/// Takes one more reference; gives the frame back for chaining.
struct frame *frame_retain(struct frame *frame);
/// Gives one reference back; frees with the last. Takes NULL.
void frame_release(struct frame *frame);
static inline uint8_t *frame_payload(struct frame *frame)
{
    return frame->bytes + FRAME_HEADROOM;
}

#endif
