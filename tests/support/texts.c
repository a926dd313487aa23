// SPDX-License-Identifier: MIT
#include "tests/support/texts.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static size_t put_scalar(uint8_t out[4], uint32_t scalar)
{
    if (scalar < 0x80) {
        out[0] = (uint8_t)scalar;
        return 1;
    }
    size_t size = scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (scalar & 0x3F));
        scalar >>= 6;
    }
    static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (uint8_t)(leads[size] | scalar);
    return size;
}

static uint32_t pick_scalar(struct random *random, enum text_alphabet alphabet)
{
    static const uint32_t edges[] = {0x7F,   0x80,   0x7FF,   0x800,    0xD7FF, 0xE000,
                                     0xFFFD, 0xFFFF, 0x10000, 0x10FFFF, 0,      '\n'};
    switch (alphabet) {
    case TEXT_LATIN:
        return (uint32_t)random_between(random, 0xA0, 0x36F);
    case TEXT_CJK:
        return (uint32_t)random_between(random, 0x4E00, 0x9FFF);
    case TEXT_EMOJI:
        return random_permille(random, 150) ? 0x200D
                                            : (uint32_t)random_between(random, 0x1F300, 0x1FAFF);
    case TEXT_MIXED:
        if (random_permille(random, 30))
            return edges[random_below(random, sizeof(edges) / sizeof(*edges))];
        return pick_scalar(random, (enum text_alphabet)random_below(random, TEXT_MIXED));
    default:
        return (uint32_t)random_between(random, ' ', '~');
    }
}

size_t text_add_character(struct weft_buffer *text, struct random *random,
                          enum text_alphabet alphabet)
{
    uint8_t bytes[4];
    size_t size = put_scalar(bytes, pick_scalar(random, alphabet));
    cr_assert_eq(weft_buffer_append(text, bytes, size), WEFT_OK);
    return size;
}

void text_add_random(struct weft_buffer *text, struct random *random, enum text_alphabet alphabet,
                     uint64_t scalars)
{
    for (; scalars > 0; scalars--)
        text_add_character(text, random, alphabet);
}

uint64_t text_count_scalars(const uint8_t *text, size_t size)
{
    uint64_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += (text[i] & 0xC0) != 0x80;
    return count;
}

size_t text_byte_of(const uint8_t *text, size_t size, uint64_t scalar)
{
    size_t byte = 0;
    for (; scalar > 0 && byte < size; scalar--) {
        do
            byte++;
        while (byte < size && (text[byte] & 0xC0) == 0x80);
    }
    return byte;
}

void text_splice(struct weft_buffer *text, uint64_t index, uint64_t deleted,
                 const uint8_t *inserted, size_t inserted_size)
{
    cr_assert_leq(index + deleted, text_count_scalars(text->data, text->size));
    size_t from = text_byte_of(text->data, text->size, index);
    size_t to = from + text_byte_of(text->data + from, text->size - from, deleted);
    cr_assert_eq(weft_buffer_reserve(text, inserted_size), WEFT_OK);
    if (text->size > to)
        memmove(text->data + from + inserted_size, text->data + to, text->size - to);
    if (inserted_size > 0)
        memcpy(text->data + from, inserted, inserted_size);
    text->size = text->size - (to - from) + inserted_size;
}

struct text_row *text_rows(const uint8_t *text, size_t size, uint64_t *count_out)
{
    struct text_row *rows = malloc((size + 1) * sizeof(*rows));
    cr_assert_not_null(rows);
    struct text_row row = {{0, 0, 0}};
    uint64_t count = 0;
    for (size_t i = 0; i < size;) {
        rows[count++] = row;
        size_t bytes = text[i] < 0x80 ? 1 : text[i] < 0xE0 ? 2 : text[i] < 0xF0 ? 3 : 4;
        row.at[WEFT_SCALARS] += 1;
        row.at[WEFT_UTF16] += bytes == 4 ? 2 : 1;
        row.at[WEFT_UTF8] += bytes;
        i += bytes;
    }
    rows[count] = row;
    *count_out = count;
    return rows;
}
