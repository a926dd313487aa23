// SPDX-License-Identifier: MIT
// Rows of bits in 64-bit words. Includes nothing of weft.
#ifndef WEFT_BASE_BITS_H
#define WEFT_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Bytes of the words of `count` bits, one word at least.
static inline size_t bits_size(uint64_t count)
{
    return ((size_t)(count / 64) + 1) * sizeof(uint64_t);
}

/// Bits [first, end) that lie in one word, from there to where it ends at most. Moves `first` on.
static inline uint64_t bits_take(uint32_t *first, uint32_t end)
{
    uint32_t start = *first % 64;
    uint32_t count = end - *first < 64 - start ? end - *first : 64 - start;
    *first += count;
    return UINT64_MAX >> (64 - count) << start;
}

/// Sets the bits [first, end).
static inline void bits_set(uint64_t *words, uint32_t first, uint32_t end)
{
    while (first < end) {
        uint64_t *word = &words[first / 64];
        *word |= bits_take(&first, end);
    }
}

/// Clears bits [first, end).
static inline void bits_clear(uint64_t *words, uint32_t first, uint32_t end)
{
    while (first < end) {
        uint64_t *word = &words[first / 64];
        *word &= ~bits_take(&first, end);
    }
}

/// Whether the bits [first, end) are all `value`.
static inline bool bits_are(const uint64_t *words, uint32_t first, uint32_t end, bool value)
{
    while (first < end) {
        uint64_t word = words[first / 64];
        uint64_t mask = bits_take(&first, end);
        if ((word & mask) != (value ? mask : 0))
            return false;
    }
    return true;
}

static inline bool bits_at(const uint64_t *words, uint32_t index)
{
    return (words[index / 64] >> index % 64 & 1) != 0;
}

/// How many bits of a word are set.
static inline uint32_t bits_count(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(word * UINT64_C(0x0101010101010101) >> 56);
}

/// How many bits from `first` on are alike, up to `end`, which is greater.
static inline uint32_t bits_alike(const uint64_t *words, uint32_t first, uint32_t end)
{
    uint64_t flip = bits_at(words, first) ? UINT64_MAX : 0;
    uint32_t at = first;
    while (at < end) {
        uint64_t others = (words[at / 64] ^ flip) >> at % 64;
        if (others != 0) {
            at += (uint32_t)__builtin_ctzll(others);
            break;
        }
        at += 64 - at % 64;
    }
    return (at < end ? at : end) - first;
}

#endif
