// SPDX-License-Identifier: MIT
// UTF-8 as of Unicode 15, section 3.9, table 3-7: no surrogates, no overlong forms, at most
// U+10FFFF. May include: base/bytes.h.
#ifndef WEFT_BASE_UTF8_H
#define WEFT_BASE_UTF8_H

#include <stdbool.h>

#include "base/bytes.h"

/// What a text holds, in the three units of the API.
struct utf8_counts {
    uint64_t scalars;
    uint64_t bytes;
    uint64_t utf16; // code units
};

/// Checks `text` and counts it. @return false when it is not UTF-8.
bool utf8_count(struct utf8_counts *counts_out, struct span text);

/// Checks `text` alone.
bool utf8_is_valid(struct span text);

/// Sizes the first `scalars` characters of bytes that may not be UTF-8.
/// @return false when they are not, or not so many.
bool utf8_take(uint64_t *size_out, struct span text, uint64_t scalars);

/// Size of the first `scalars` characters of valid UTF-8 that has at least so many.
size_t utf8_size(const uint8_t *text, uint64_t scalars);

/// True when all bytes are below 0x80.
bool utf8_is_ascii(struct span text);

/// Size of the character that begins with `lead` in valid UTF-8.
static inline uint32_t utf8_lead_size(uint8_t lead)
{
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

#endif
