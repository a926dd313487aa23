// SPDX-License-Identifier: MIT
// A view of bytes that someone else owns. Includes nothing of weft.
#ifndef WEFT_BASE_BYTES_H
#define WEFT_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

/// Borrowed bytes. `data` may be NULL when `size` is 0.
struct span {
    const uint8_t *data;
    size_t size;
};

#endif
