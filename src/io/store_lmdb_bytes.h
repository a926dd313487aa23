// SPDX-License-Identifier: MIT
// Little-endian numbers at any address of LMDB's data file. Includes nothing of weft.
#ifndef WEFT_IO_STORE_LMDB_BYTES_H
#define WEFT_IO_STORE_LMDB_BYTES_H

#include <stdint.h>

static inline uint16_t load_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t load_u32(const uint8_t *at)
{
    return load_u16(at) | (uint32_t)load_u16(at + 2) << 16;
}

static inline uint64_t load_u64(const uint8_t *at)
{
    return load_u32(at) | (uint64_t)load_u32(at + 4) << 32;
}

#endif
