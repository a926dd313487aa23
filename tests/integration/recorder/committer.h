// SPDX-License-Identifier: MIT
// What committer.c writes, for those who look for it.
#ifndef WEFT_INTEGRATION_COMMITTER_H
#define WEFT_INTEGRATION_COMMITTER_H

#include <stddef.h>
#include <stdint.h>

/// Records that stay; older ones are removed as newer ones come.
#define COMMITTER_KEPT 40
#define COMMITTER_VALUE_BYTES_MAX 20000

/// The value of a record; every seventh is a long one. @return its size.
static inline size_t committer_value(uint8_t value[COMMITTER_VALUE_BYTES_MAX], uint64_t number)
{
    size_t size = number % 7 == 0 ? COMMITTER_VALUE_BYTES_MAX - number % 1000 : 60 + number % 100;
    for (size_t i = 0; i < size; i++)
        value[i] = (uint8_t)(number * 31 + i);
    return size;
}

#endif
