// SPDX-License-Identifier: MIT
// base/varint.h, base/utf8.h, base/endian.h, base/hash.h, base/bits.h: every border of their forms.
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/bits.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "base/varint.h"

Test(varint, each_value_has_one_form_and_comes_back)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int off = -1; off <= 1; off++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)off;
            uint8_t bytes[VARINT_SIZE_MAX];
            uint64_t read = ~value;
            size_t size = varint_put(bytes, value);
            struct span input = {bytes, size};
            cr_assert(varint_take(&read, &input));
            cr_assert_eq(read, value);
            cr_assert_eq(input.size, 0);
            for (size_t cut = 0; cut < size; cut++) { // and is not read when it is cut
                input = (struct span){bytes, cut};
                cr_assert_not(varint_take(&read, &input));
                cr_assert_eq(input.size, cut);
            }
        }
    }
}

Test(varint, longer_forms_and_more_than_64_bits_are_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\x80\x00", 2},                                  // 0 in two bytes
        {"\xff\x00", 2},                                  // 127 in two
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, // 65 bits
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t value;
        struct span input = {(const uint8_t *)bad[i].bytes, bad[i].size};
        cr_expect_not(varint_take(&value, &input), "%zu", i);
        cr_expect_eq(input.size, bad[i].size);
    }
    uint64_t value;
    struct span greatest = {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10};
    cr_assert(varint_take(&value, &greatest));
    cr_assert_eq(value, UINT64_MAX);
}

Test(varint, differences_come_back_and_small_ones_are_small)
{
    static const uint64_t values[] = {0, 1, 63, 64, UINT64_C(1) << 47, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < 7; i++)
        for (size_t k = 0; k < 7; k++)
            cr_assert_eq(zigzag_decode(zigzag_encode(values[i], values[k]), values[k]), values[i]);
    cr_assert_eq(zigzag_encode(5, 5), 0);
    cr_assert_eq(zigzag_encode(4, 5), 1);
    cr_assert_eq(zigzag_encode(6, 5), 2);
    cr_assert_eq(zigzag_encode(0, UINT64_MAX), 2); // modulo 2^64
}

/// In a block of its own size, so that a sanitizer sees a read past the end.
static bool is_utf8(struct utf8_counts *counts, const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    memcpy(copy, bytes, size);
    bool valid = utf8_count(counts, (struct span){copy, size});
    uint64_t taken = 0;
    bool whole = utf8_take(&taken, (struct span){copy, size}, valid ? counts->scalars : 1);
    cr_assert(!valid || (whole && taken == size));
    cr_assert_eq(utf8_is_valid((struct span){copy, size}), valid);
    free(copy);
    return valid;
}

/// The bytes of a scalar in so many, right or overlong.
static void spell(uint8_t *bytes, uint32_t scalar, unsigned size)
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (unsigned i = size - 1; i > 0; i--, scalar >>= 6)
        bytes[i] = (uint8_t)(0x80 | (scalar & 0x3f));
    bytes[0] = (uint8_t)(leads[size] | scalar);
}

Test(utf8, every_scalar_is_valid_in_its_shortest_form_only)
{
    static const uint32_t first[] = {0, 0, 0x80, 0x800, 0x10000, 0x110000};
    for (uint32_t scalar = 0; scalar < 0x110000 + 64; scalar += scalar < 0x11000 ? 1 : 61) {
        for (unsigned size = 1; size <= 4; size++) {
            uint8_t bytes[4];
            struct utf8_counts counts;
            if (scalar >= first[size + 1] && size < 4)
                continue; // does not fit
            bool surrogate = scalar >= 0xd800 && scalar < 0xe000;
            bool right = scalar >= first[size] && scalar < 0x110000 && !surrogate;
            spell(bytes, scalar, size);
            cr_assert_eq(is_utf8(&counts, bytes, size), right, "U+%X in %u", scalar, size);
            if (right) {
                cr_assert_eq(counts.scalars, 1);
                cr_assert_eq(counts.utf16, scalar > 0xffff ? 2 : 1);
                cr_assert_eq(utf8_lead_size(bytes[0]), size);
            }
            for (unsigned cut = 1; cut < size; cut++)
                cr_assert_not(is_utf8(&counts, bytes, cut));
        }
    }
}

Test(utf8, a_fault_is_found_at_every_place_of_a_long_text)
{
    static const char *const faults[] = {"\x80", "\xff", "\xc3", "\xe2\x82", "\xed\xa0\x80"};
    uint8_t text[100];
    struct utf8_counts counts;
    for (size_t f = 0; f < 5; f++) {
        for (size_t at = 0; at + 3 < sizeof text; at++) {
            memset(text, 'a', sizeof text);
            memcpy(text + at, faults[f], strlen(faults[f]));
            cr_assert_not(is_utf8(&counts, text, sizeof text), "%zu at %zu", f, at);
            cr_assert_not(utf8_is_ascii((struct span){text, sizeof text}));
        }
    }
    memset(text, 'a', sizeof text);
    cr_assert(is_utf8(&counts, text, sizeof text));
    cr_assert(utf8_is_ascii((struct span){text, sizeof text}));
    cr_assert_eq(utf8_size((const uint8_t *)"a\xc3\xa9\xf0\x9f\x98\x80z", 3), 7);
}

Test(endian, is_little_and_at_any_place)
{
    uint8_t bytes[9] = {0};
    endian_put_u64(bytes + 1, UINT64_C(0x0102030405060708));
    cr_assert_eq(bytes[1], 8);
    cr_assert_eq(bytes[8], 1);
    cr_assert_eq(endian_get_u64(bytes + 1), UINT64_C(0x0102030405060708));
    cr_assert_eq(endian_get_u32(bytes + 1), 0x05060708);
    cr_assert_eq(endian_get_u16(bytes + 1), 0x0708);
    cr_assert_eq(endian_get_be64(bytes + 1), UINT64_C(0x0807060504030201));
    endian_put_be64(bytes, UINT64_C(0x0102030405060708));
    cr_assert_eq(bytes[0], 1);
    cr_assert_eq(endian_get_be64(bytes), UINT64_C(0x0102030405060708));
}

Test(hash, is_blake2b_however_it_is_fed)
{
    // RFC 7693, appendix A, has "abc" at 64 bytes; these are its first ones.
    static const uint8_t abc[] = {0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d};
    uint8_t out[64];
    for (int pieces = 0; pieces < 2; pieces++) {
        struct hash hash;
        hash_init(&hash, sizeof out);
        for (int i = 0; i < 3 && pieces; i++)
            hash_update(&hash, &"abc"[i], 1);
        if (!pieces)
            hash_update(&hash, "abc", 3);
        hash_finish(&hash, out, sizeof out);
        cr_assert_eq(memcmp(out, abc, sizeof abc), 0);
    }
}

Test(bits, ranges_are_set_and_told_apart_wherever_they_end)
{
    enum { COUNT = 200 };
    for (uint32_t first = 0; first < COUNT; first += 7) {
        for (uint32_t end = first + 1; end <= COUNT; end++) {
            uint64_t words[4] = {0};
            cr_assert_leq(bits_size(COUNT), sizeof(words));
            bits_set(words, first, end);
            for (uint32_t i = 0; i < COUNT; i++)
                cr_assert_eq(bits_at(words, i), i >= first && i < end);
            cr_assert(bits_are(words, first, end, true));
            cr_assert(bits_are(words, 0, first, false) && bits_are(words, end, COUNT, false));
            cr_assert(first == 0 || !bits_are(words, first - 1, end, true));
            cr_assert_eq(bits_alike(words, first, COUNT), end - first);
            cr_assert_eq(bits_alike(words, first, end), end - first);
            cr_assert_eq(bits_alike(words, first, first + 1), 1);
            cr_assert(first == 0 || bits_alike(words, 0, COUNT) == first);
            cr_assert(end == COUNT || bits_alike(words, end, COUNT) == COUNT - end);
        }
    }
    cr_assert_geq(bits_size(0), sizeof(uint64_t));
    cr_assert_geq(bits_size(64), sizeof(uint64_t));
    cr_assert_geq(bits_size(65), 2 * sizeof(uint64_t));
}
