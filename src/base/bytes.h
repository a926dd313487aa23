// SPDX-License-Identifier: MIT
// A view of bytes that someone else owns. Includes nothing of weft.
#ifndef WEFT_BASE_BYTES_H
#define WEFT_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

#endif
