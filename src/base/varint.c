// SPDX-License-Identifier: MIT
// Variable-size integers: the rare long ones.
#include "base/varint.h"

struct varint varint_read_long(const uint8_t *data, size_t size)
{
    struct varint varint = {0, 0};
    size_t size_max = size < VARINT_SIZE_MAX ? size : VARINT_SIZE_MAX;
    for (size_t i = 0; i < size_max; i++) {
        uint8_t byte = data[i];
        if (i == VARINT_SIZE_MAX - 1 && byte > 1)
            return varint; // past 64 bits
        varint.value |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte < 0x80) {
            if (byte != 0 || i == 0) // else it is not the shortest form
                varint.size = i + 1;
            return varint;
        }
    }
    return varint;
}
