// SPDX-License-Identifier: MIT
// Unsigned integers of variable size: LEB128, seven bits a byte, least significant first, in its
// shortest form only, so that one value has one encoding. Zigzag maps signed differences onto them:
// 0, -1, 1, -2, ... become 0, 1, 2, 3, ...; differences are taken modulo 2^64.
// May include: base/bytes.h.
#ifndef WEFT_BASE_VARINT_H
#define WEFT_BASE_VARINT_H

#include <stdbool.h>

#include "base/bytes.h"

enum { VARINT_SIZE_MAX = 10 };

/// What was read. Passed in registers, so that what is read from can stay in registers too.
struct varint {
    uint64_t value;
    size_t size; // bytes; 0: malformed
};

/// Reads what does not fit in three bytes; use varint_take().
struct varint varint_read_long(const uint8_t *data, size_t size);

/// Takes one integer off the front of `input`. @return false, with nothing taken, when there is no
/// whole one, it passes 64 bits or is not in the shortest form.
static inline bool varint_take(uint64_t *value_out, struct span *input)
{
    if (input->size > 0 && input->data[0] < 0x80) {
        *value_out = *input->data++;
        input->size--;
        return true;
    }
    struct varint varint;
    // A last byte of 0 would not be the shortest form.
    if (input->size > 1 && (uint8_t)(input->data[1] - 1) < 0x7f)
        varint = (struct varint){(input->data[0] & 0x7fu) | (uint64_t)input->data[1] << 7, 2};
    else if (input->size > 2 && input->data[1] >= 0x80 && (uint8_t)(input->data[2] - 1) < 0x7f)
        varint = (struct varint){(input->data[0] & 0x7fu) | (input->data[1] & 0x7fu) << 7 |
                                     (uint64_t)input->data[2] << 14,
                                 3};
    else
        varint = varint_read_long(input->data, input->size);
    if (varint.size == 0)
        return false;
    *value_out = varint.value;
    input->data += varint.size;
    input->size -= varint.size;
    return true;
}

/// Writes `value`, at most VARINT_SIZE_MAX bytes. @return the bytes written.
static inline size_t varint_put(uint8_t *out, uint64_t value)
{
    size_t size = 0;
    while (value >= 0x80) {
        out[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (uint8_t)value;
    return size;
}

/// The code of `value - predicted`.
static inline uint64_t zigzag_encode(uint64_t value, uint64_t predicted)
{
    uint64_t difference = value - predicted;
    return difference << 1 ^ (0 - (difference >> 63));
}

/// The value whose code is `code`.
static inline uint64_t zigzag_decode(uint64_t code, uint64_t predicted)
{
    return predicted + (code >> 1 ^ (0 - (code & 1)));
}

#endif
