// SPDX-License-Identifier: MIT
// A text with a gap where the last edit was: the plainest editor, to see what a machine can do.
#ifndef WEFT_BENCH_GAP_BUFFER_H
#define WEFT_BENCH_GAP_BUFFER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct gap_buffer {
    uint32_t *scalars; // [0, start) and [end, capacity)
    size_t start, end, capacity;
};

static inline void gap_buffer_move(struct gap_buffer *gap, size_t index)
{
    if (index < gap->start) {
        size_t count = gap->start - index;
        memmove(gap->scalars + gap->end - count, gap->scalars + index, count * sizeof(uint32_t));
        gap->start -= count;
        gap->end -= count;
    } else if (index > gap->start) {
        size_t count = index - gap->start;
        memmove(gap->scalars + gap->start, gap->scalars + gap->end, count * sizeof(uint32_t));
        gap->start += count;
        gap->end += count;
    }
}

/// @return false without memory.
static inline int gap_buffer_edit(struct gap_buffer *gap, size_t index, size_t deleted,
                                  const uint8_t *text, size_t size)
{
    if (gap->end - gap->start < size) {
        size_t capacity = 2 * gap->capacity + size + 1024;
        uint32_t *grown = realloc(gap->scalars, capacity * sizeof(uint32_t));
        if (grown == NULL)
            return 0;
        size_t tail = gap->capacity - gap->end;
        memmove(grown + capacity - tail, grown + gap->end, tail * sizeof(uint32_t));
        gap->scalars = grown;
        gap->end = capacity - tail;
        gap->capacity = capacity;
    }
    gap_buffer_move(gap, index);
    gap->end += deleted;
    for (size_t i = 0; i < size;) {
        uint32_t scalar = text[i++];
        if (scalar >= 0x80) {
            scalar &= scalar < 0xE0 ? 0x1F : scalar < 0xF0 ? 0x0F : 0x07;
            while (i < size && (text[i] & 0xC0) == 0x80)
                scalar = scalar << 6 | (text[i++] & 0x3F);
        }
        gap->scalars[gap->start++] = scalar;
    }
    return 1;
}

#endif
