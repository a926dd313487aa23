// SPDX-License-Identifier: MIT
// Hexadecimal digits, two a byte, in either case. Includes nothing of weft.
#ifndef WEFT_BASE_HEX_H
#define WEFT_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The value of a digit, or -1.
static inline int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/// Reads `size` bytes from twice as many characters. @return false when some is no digit.
static inline bool hex_decode(uint8_t *bytes_out, const void *digits, size_t size)
{
    const uint8_t *at = digits;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(at[2 * i]);
        int low = hex_digit(at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes_out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

#endif
