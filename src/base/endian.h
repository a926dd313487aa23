// SPDX-License-Identifier: MIT
// Fixed-width little-endian integers in byte strings, whatever the machine. Includes nothing of
// weft.
#ifndef WEFT_BASE_ENDIAN_H
#define WEFT_BASE_ENDIAN_H

#include <stdint.h>

/// Reads 8 bytes.
static inline uint64_t endian_get_u64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/// Writes 8 bytes.
static inline void endian_put_u64(uint8_t *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

/// Writes 4 bytes.
static inline void endian_put_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

#endif
