// SPDX-License-Identifier: MIT
// A view of bytes that someone else owns. May include: weft/.
#ifndef WEFT_BASE_BYTES_H
#define WEFT_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <weft/memory.h>

/// Borrowed bytes. `data` may be NULL when `size` is 0.
struct span {
    const uint8_t *data;
    size_t size;
};

/// The bytes of a string, without its end.
static inline struct span span_of_text(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static inline struct span span_of_buffer(const struct weft_buffer *buffer)
{
    return (struct span){buffer->data, buffer->size};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
