// SPDX-License-Identifier: MIT
// UTF-8: checking and counting, eight ASCII bytes at a time where there are such.
#include "base/utf8.h"

#include <string.h>

static const uint64_t high_bits = UINT64_C(0x8080808080808080);

static bool eight_ascii(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return (word & high_bits) == 0;
}

bool utf8_is_ascii(struct span text)
{
    size_t i = 0;
    for (; i + 8 <= text.size; i += 8) {
        if (!eight_ascii(text.data + i))
            return false;
    }
    for (; i < text.size; i++) {
        if (text.data[i] >= 0x80)
            return false;
    }
    return true;
}

// Size of the character at `bytes`, of which `size` follow; 0 when it is none.
static size_t character_size(const uint8_t *bytes, size_t size)
{
    uint8_t lead = bytes[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t wanted = utf8_lead_size(lead);
    if (size < wanted)
        return 0;
    uint8_t second_min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t second_max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < second_min || bytes[1] > second_max)
        return 0;
    for (size_t i = 2; i < wanted; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    return wanted;
}

bool utf8_count(struct utf8_counts *counts_out, struct span text)
{
    struct utf8_counts counts = {.bytes = text.size};
    size_t i = 0;
    while (i < text.size) {
        if (i + 8 <= text.size && eight_ascii(text.data + i)) {
            i += 8;
            counts.scalars += 8;
            counts.utf16 += 8;
            continue;
        }
        size_t size = character_size(text.data + i, text.size - i);
        if (size == 0)
            return false;
        i += size;
        counts.scalars += 1;
        counts.utf16 += size == 4 ? 2 : 1;
    }
    *counts_out = counts;
    return true;
}

bool utf8_is_valid(struct span text)
{
    size_t i = 0;
    while (i < text.size) {
        bool ascii = i + 8 <= text.size && eight_ascii(text.data + i);
        size_t size = ascii ? 8 : character_size(text.data + i, text.size - i);
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}

bool utf8_take(uint64_t *size_out, struct span text, uint64_t scalars)
{
    size_t i = 0;
    while (scalars > 0) {
        if (scalars >= 8 && text.size - i >= 8 && eight_ascii(text.data + i)) {
            i += 8;
            scalars -= 8;
            continue;
        }
        size_t size = i < text.size ? character_size(text.data + i, text.size - i) : 0;
        if (size == 0)
            return false;
        i += size;
        scalars--;
    }
    *size_out = i;
    return true;
}

size_t utf8_size(const uint8_t *text, uint64_t scalars)
{
    const uint8_t *at = text;
    while (scalars > 0) {
        if (scalars >= 8 && eight_ascii(at)) {
            at += 8;
            scalars -= 8;
        } else {
            at += utf8_lead_size(*at);
            scalars--;
        }
    }
    return (size_t)(at - text);
}
