// SPDX-License-Identifier: MIT
// crdt/text.h: counting and finding across pages and samples, beside counting one by one.
#include <string.h>

#include <criterion/criterion.h>

#include "base/bits.h"
#include "crdt/text.h"

enum { ELEMENTS = 3 * TEXT_PAGE_ELEMENTS + 500 };

/// Page 0 is ASCII, page 1 turns from ASCII at its 100th element, later ones mix all sizes.
static const char *character(uint32_t iv)
{
    static const char *const sizes[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    return iv < TEXT_PAGE_ELEMENTS + 100 ? "b" : sizes[(iv * 7 + iv / 13) % 4];
}

static void fill(struct text *text)
{
    struct weft_allocator allocator = weft_allocator_libc();
    text_init(text, &allocator);
    for (uint32_t iv = 0, step = 1; iv < ELEMENTS; step = step % 97 + 1) {
        uint8_t bytes[4 * 97];
        uint32_t count = step < text_room(text) ? step : text_room(text);
        size_t size = 0;
        count = count < ELEMENTS - iv ? count : ELEMENTS - iv;
        for (uint32_t i = 0; i < count; i++) {
            size_t one = strlen(character(iv + i));
            memcpy(bytes + size, character(iv + i), one);
            size += one;
        }
        cr_assert(text_reserve(text, count, size));
        text_append(text, (struct span){bytes, size}, count);
        iv += count;
    }
}

/// What a character counts in a unit.
static uint32_t units_of(const char *one, enum weft_unit unit)
{
    return unit == WEFT_SCALARS ? 1 : unit == WEFT_UTF16 ? 1 + (strlen(one) == 4) : strlen(one);
}

static void check(const struct text *text, uint32_t iv, uint32_t length)
{
    struct span view = text_view(text, iv, length);
    struct weight weight = text_weigh(text, iv, length);
    for (enum weft_unit unit = 0; unit < 3; unit++) {
        uint32_t units = 0;
        for (uint32_t i = 0; i < length; i++) {
            uint32_t own = units_of(character(iv + i), unit);
            bool exact;
            cr_assert_eq(text_elements(text, unit, iv, length, units, &exact), i);
            cr_assert(exact || i == 0);
            if (own > 1) { // in the middle of a character: what ends before counts
                cr_assert_eq(text_elements(text, unit, iv, length, units + 1, &exact), i);
                cr_assert_not(exact);
            }
            units += own;
        }
        cr_assert_eq(weight.units[unit], units, "unit %d of %u + %u", (int)unit, iv, length);
    }
    for (uint32_t i = 0; i < length; i++) {
        size_t size = strlen(character(iv + i));
        cr_assert(size <= view.size && memcmp(view.data, character(iv + i), size) == 0);
        view = (struct span){view.data + size, view.size - size};
    }
    cr_assert_eq(view.size, 0);
}

Test(text, counts_and_finds_in_every_unit_within_and_across_samples)
{
    struct text text;
    fill(&text);
    cr_assert_eq(text.length, ELEMENTS);
    static const uint32_t lengths[] = {1, 2, 63, 64, 65, 129, 1000};
    for (uint32_t page = 0; page < 4; page++) {
        static const uint32_t offsets[] = {0, 1, 63, 64, 98, 99, 100, 101, 127, 250};
        for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++) {
            for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
                uint32_t iv = page * TEXT_PAGE_ELEMENTS + offsets[o];
                if (iv + lengths[l] <= ELEMENTS)
                    check(&text, iv, lengths[l]);
            }
        }
    }
    check(&text, TEXT_PAGE_ELEMENTS - 1, 1);
    check(&text, 2 * TEXT_PAGE_ELEMENTS - 70, 70);
    text_finish(&text);
}

// -------------------------------------------------------------------------------- text that goes

/// Whether an element's text is taken: runs of 1 to 90 elements.
static bool is_gone(uint32_t iv)
{
    return iv / 37 % 3 == 1 || iv % 90 > 70;
}

/// Views and weighs pieces beside going one by one.
static void check_gone(const struct text *text, uint32_t iv, uint32_t length,
                       bool (*gone)(uint32_t iv))
{
    struct span view = text_view(text, iv, length);
    struct weight weight = text_weigh(text, iv, length);
    uint32_t units[3] = {0};
    bool lacks = false;
    for (uint32_t i = iv; i < iv + length; i++) {
        bool first;
        cr_assert_eq(text_alike(text, i, 1, &first), 1);
        cr_assert_eq(first, gone(i), "%u", i);
        lacks = lacks || gone(i);
        units[WEFT_SCALARS]++;
        if (gone(i))
            continue;
        size_t size = strlen(character(i));
        cr_assert(size <= view.size && memcmp(view.data, character(i), size) == 0, "%u", i);
        view = (struct span){view.data + size, view.size - size};
        units[WEFT_UTF8] += units_of(character(i), WEFT_UTF8);
        units[WEFT_UTF16] += units_of(character(i), WEFT_UTF16);
    }
    cr_assert_eq(view.size, 0);
    cr_assert_eq(text_lacks(text, iv, length), lacks);
    for (int unit = 0; unit < 3; unit++)
        cr_assert_eq(weight.units[unit], units[unit], "unit %d of %u + %u", unit, iv, length);
}

static void check_all(const struct text *text, bool (*gone)(uint32_t iv))
{
    uint32_t step = 1;
    for (uint32_t iv = 0; iv < ELEMENTS; iv += step) {
        uint32_t left = (iv | (TEXT_PAGE_ELEMENTS - 1)) + 1 - iv;
        step = step % 211 + 7;
        check_gone(text, iv, step < left ? step < ELEMENTS - iv ? step : ELEMENTS - iv : left,
                   gone);
    }
}

static bool is_gone_still(uint32_t iv)
{
    return is_gone(iv) && iv % 5 != 0;
}

static bool none_is_gone(uint32_t iv)
{
    (void)iv;
    return false;
}

Test(text, loses_any_elements_text_keeps_their_places_and_takes_it_back)
{
    struct text text;
    static uint64_t bits[ELEMENTS / 64 + 1];
    uint32_t count = 0;
    fill(&text);
    uint32_t bytes = text.bytes;
    for (uint32_t iv = 0; iv < ELEMENTS; iv++) {
        if (is_gone(iv)) {
            bits_set(bits, iv, iv + 1);
            count++;
        }
    }
    cr_assert(text_drop(&text, bits));
    cr_assert_eq(text.gone, count);
    cr_assert_eq(text.length, ELEMENTS);
    check_all(&text, is_gone);
    // What comes behind it, with text and without.
    cr_assert(text_reserve(&text, 20, 30) && text_reserve_gone(&text, 20));
    text_append(&text, (struct span){(const uint8_t *)"\xc3\xa9", 2}, 1);
    text_append_gone(&text, 9);
    text_append(&text, (struct span){(const uint8_t *)"xy", 2}, 2);
    cr_assert_eq(text_weigh(&text, ELEMENTS, 12).units[WEFT_UTF8], 4);
    cr_assert_eq(text_weigh(&text, ELEMENTS, 12).units[WEFT_UTF16], 3);
    check_all(&text, is_gone);
    // A fifth comes back, one by one; then the rest, in pieces of one page.
    cr_assert(text_reserve_fill(&text, 4 * ELEMENTS, 0));
    for (uint32_t iv = 0; iv < ELEMENTS; iv++) {
        const char *one = character(iv);
        if (is_gone(iv) && iv % 5 == 0)
            text_fill(&text, iv, 1, (struct span){(const uint8_t *)one, strlen(one)});
    }
    check_all(&text, is_gone_still);
    for (uint32_t iv = 0; iv < ELEMENTS; iv++) {
        uint8_t piece[4 * 16];
        uint32_t length = 0;
        size_t size = 0;
        while (length < 16 && iv + length < ELEMENTS && is_gone_still(iv + length) &&
               (iv + length) >> TEXT_PAGE_SHIFT == iv >> TEXT_PAGE_SHIFT) {
            const char *one = character(iv + length++);
            memcpy(piece + size, one, strlen(one));
            size += strlen(one);
        }
        if (length > 0) {
            text_fill(&text, iv, length, (struct span){piece, size});
            iv += length - 1;
        }
    }
    check_all(&text, none_is_gone);
    cr_assert_eq(text.gone, 9);
    cr_assert_eq(text.bytes, bytes + 4 + 9);
    text_trim(&text);
    check_all(&text, none_is_gone);
    text_finish(&text);
}
