// SPDX-License-Identifier: MIT
// Variable-size integers: the rare long ones.
#include "base/varint.h"

bool varint_take_long(uint64_t *value_out, struct span *input)
{
    uint64_t value = 0;
    size_t size_max = input->size < VARINT_SIZE_MAX ? input->size : VARINT_SIZE_MAX;
    for (size_t i = 0; i < size_max; i++) {
        uint8_t byte = input->data[i];
        if (i == VARINT_SIZE_MAX - 1 && byte > 1)
            return false; // past 64 bits
        value |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte < 0x80) {
            if (byte == 0 && i > 0)
                return false; // not the shortest form
            *value_out = value;
            input->data += i + 1;
            input->size -= i + 1;
            return true;
        }
    }
    return false;
}
