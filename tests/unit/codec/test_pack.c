// SPDX-License-Identifier: MIT
// codec/pack.h: what is not believed, what sticks, and what a writer leaves behind.
#include <string.h>

#include <criterion/criterion.h>

#include "codec/pack.h"
#include "tests/support/allocator.h"

#define READER(bytes) pack_reader_of((struct span){(const uint8_t *)(bytes), sizeof(bytes) - 1})

Test(pack, integers_of_any_width_are_read_and_signed_ones_are_not)
{
    static const struct {
        const char *bytes;
        size_t size;
        uint64_t value;
    } good[] = {
        {"\x7f", 1, 127},
        {"\xcc\x05", 2, 5},
        {"\xcd\x00\x05", 3, 5},
        {"\xce\x00\x00\x01\x00", 5, 256},
        {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct span bytes = {(const uint8_t *)good[i].bytes, good[i].size};
        struct pack_reader reader = pack_reader_of(bytes);
        cr_expect_eq(pack_read_u64(&reader), good[i].value);
        cr_expect(!reader.failed && pack_left(&reader) == 0);
        reader = pack_reader_of((struct span){bytes.data, bytes.size - 1});
        (void)pack_read_u64(&reader);
        cr_expect(reader.failed);
    }
    static const uint8_t others[] = {0xff, 0xe0, 0xd0, 0xd3, 0xc0, 0xc2, 0xa1, 0x91, 0x81, 0xca};
    for (size_t i = 0; i < sizeof others; i++) {
        const uint8_t bytes[9] = {others[i]};
        struct pack_reader reader = pack_reader_of((struct span){bytes, sizeof bytes});
        (void)pack_read_u64(&reader);
        cr_expect(reader.failed, "%02x", others[i]);
    }
    struct pack_reader reader = READER("\xcf\x00\x00\x00\x01\x00\x00\x00\x00");
    (void)pack_read_u32(&reader);
    cr_expect(reader.failed); // past 32 bits
}

Test(pack, no_count_or_size_is_believed_before_its_bytes_are_there)
{
    struct pack_reader reader = READER("\xdd\x04\x00\x00\x00zz");
    cr_expect_eq(pack_read_array(&reader), 0);
    cr_expect(reader.failed);
    reader = READER("\xdf\x00\x00\x00\x02zzz"); // two pairs need four bytes
    cr_expect_eq(pack_read_map(&reader), 0);
    cr_expect(reader.failed);
    reader = READER("\xc6\xff\xff\xff\xffzzzz");
    cr_expect_null(pack_read_bin(&reader).data);
    cr_expect(reader.failed);
    reader = READER("\xdb\x00\x00\x00\x05zzzz");
    (void)pack_read_str(&reader);
    cr_expect(reader.failed);
    reader = READER("\xc4\x03zzz");
    cr_expect_null(pack_read_fixed(&reader, 4));
    cr_expect(reader.failed);
    reader = READER("\x92\x01\x02");
    cr_expect_eq(pack_read_array(&reader), 2);
    cr_expect_not(reader.failed);
}

Test(pack, text_must_be_utf8_and_bytes_need_not)
{
    struct pack_reader reader = READER("\xa2\xc3\xa9\xa1\xff\x01");
    cr_expect_eq(pack_read_str(&reader).size, 2);
    (void)pack_read_str(&reader);
    cr_expect(reader.failed);
    cr_expect_eq(pack_read_u64(&reader), 0); // and stays failed
    cr_expect(reader.failed);
    reader = READER("\xc4\x01\xff");
    cr_expect_eq(pack_read_bin(&reader).size, 1);
    cr_expect_not(reader.failed);
}

Test(pack, nil_is_told_from_nothing)
{
    struct pack_reader reader = READER("\xc0\xc4\x00\xc0\x07\xc0");
    cr_expect_null(pack_read_bin_or_nil(&reader).data);
    cr_expect_not_null(pack_read_bin_or_nil(&reader).data);
    cr_expect_eq(pack_read_u32_or_nil(&reader, 99), 99);
    cr_expect_eq(pack_read_u32_or_nil(&reader, 99), 7);
    cr_expect(pack_take_nil(&reader) && !pack_take_nil(&reader) && !reader.failed);
}

Test(pack, skipping_ends_at_a_depth_and_at_the_end_of_the_bytes)
{
    for (size_t depth = 1; depth < 200; depth++) {
        uint8_t bytes[201];
        memset(bytes, 0x91, depth);
        bytes[depth] = 0x01;
        struct pack_reader reader = pack_reader_of((struct span){bytes, depth + 1});
        pack_skip(&reader, 1);
        cr_expect_eq(reader.failed, depth >= PACK_DEPTH_MAX, "%zu", depth);
        reader = pack_reader_of((struct span){bytes, depth}); // its innermost is missing
        pack_skip(&reader, 1);
        cr_expect(reader.failed);
    }
    // Every kind of value, all of them skipped.
    static const uint8_t all[] = {0xc0, 0xc2, 0xc3, 0xca, 1, 2, 3, 4, 0xd1, 1, 2,    0xe5,
                                  0xd4, 1,    2,    0xc7, 2, 9, 1, 2, 0x82, 1, 0xa0, 2,
                                  0x90, 0xcb, 1,    2,    3, 4, 5, 6, 7,    8};
    struct pack_reader reader = pack_reader_of((struct span){all, sizeof all});
    pack_skip(&reader, 10);
    cr_expect(!reader.failed && pack_left(&reader) == 0, "%zu left", pack_left(&reader));
}

Test(pack, a_writer_without_memory_leaves_the_buffer_as_it_was)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    static const uint8_t big[5000];
    struct weft_buffer out;
    weft_buffer_init(&out, &allocator);
    cr_assert_eq(weft_buffer_append(&out, "before", 6), WEFT_OK);
    counted.fail_from = counted.calls;
    struct pack_writer writer = pack_writer_begin(&out);
    pack_array(&writer, 2);
    pack_bin(&writer, (struct span){big, sizeof big});
    pack_u64(&writer, 1);
    cr_expect_eq(pack_writer_end(&writer), WEFT_NO_MEMORY);
    cr_expect_eq(out.size, 6);
    cr_expect_eq(memcmp(out.data, "before", 6), 0);
    weft_buffer_finish(&out);
    cr_expect_eq(counted.used, 0);
}
