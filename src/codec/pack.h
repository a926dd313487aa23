// SPDX-License-Identifier: MIT
// msgpack as weft uses it: a bounded cursor for reading, a writer that appends to a buffer.
//
// Reading walks the bytes by hand: it allocates nothing, and no count or size is believed before
// the bytes for it are there. Integers must be unsigned; any width is read. Writing uses msgpack-c.
// May include: base/, weft/, msgpack.
#ifndef WEFT_CODEC_PACK_H
#define WEFT_CODEC_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/memory.h>
#include <weft/status.h>

#include "base/bytes.h"

#define PACK_DEPTH_MAX 16 // nesting that pack_skip() follows

/// A place in bytes. After a failed read it stays where it was and `failed` is set; further reads
/// fail too, so that a row of reads needs one check at its end.
struct pack_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct pack_reader pack_reader_of(struct span bytes)
{
    return (struct pack_reader){bytes.data, bytes.data ? bytes.data + bytes.size : NULL, false};
}
static inline size_t pack_left(const struct pack_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/// Elements of an array; 0 on failure. A count greater than the bytes left is a failure.
uint32_t pack_read_array(struct pack_reader *reader);
/// Pairs of a map; 0 on failure. Likewise bounded.
uint32_t pack_read_map(struct pack_reader *reader);
uint64_t pack_read_u64(struct pack_reader *reader);
/// Fails past 32 bits.
uint32_t pack_read_u32(struct pack_reader *reader);
bool pack_read_bool(struct pack_reader *reader);
/// Borrows. Fails on what is not UTF-8.
struct span pack_read_str(struct pack_reader *reader);
/// Borrows.
struct span pack_read_bin(struct pack_reader *reader);
/// A bin of exactly `size` bytes; NULL on failure.
const uint8_t *pack_read_fixed(struct pack_reader *reader, size_t size);
/// Takes a nil if one is next. @return whether it was.
bool pack_take_nil(struct pack_reader *reader);
/// A nil is `data` NULL.
struct span pack_read_bin_or_nil(struct pack_reader *reader);
/// The next element if it is of that type; else it is passed over, and 0 or nothing.
uint64_t pack_take_u64(struct pack_reader *reader);
struct span pack_take_bin(struct pack_reader *reader);
/// A nil is `nil`.
uint32_t pack_read_u32_or_nil(struct pack_reader *reader, uint32_t nil);
/// Passes over `count` values of any kind. Cost: O(bytes).
void pack_skip(struct pack_reader *reader, uint32_t count);

/// Appends to a buffer; an error sticks until pack_writer_end().
struct pack_writer {
    struct weft_buffer *out;
    size_t start; // size of `out` at the beginning, restored on failure
    bool failed;
};

struct pack_writer pack_writer_begin(struct weft_buffer *out);
/// @return WEFT_OK, or WEFT_NO_MEMORY: the buffer is as it was at the beginning.
WEFT_MUST_USE enum weft_status pack_writer_end(struct pack_writer *writer);

void pack_array(struct pack_writer *writer, uint32_t count);
void pack_map(struct pack_writer *writer, uint32_t count);
void pack_u64(struct pack_writer *writer, uint64_t value);
void pack_bool(struct pack_writer *writer, bool value);
void pack_nil(struct pack_writer *writer);
void pack_str(struct pack_writer *writer, struct span text);
void pack_literal(struct pack_writer *writer, const char *text);
void pack_bin(struct pack_writer *writer, struct span bytes);
/// `data` NULL is a nil.
void pack_bin_or_nil(struct pack_writer *writer, struct span bytes);
/// `nil` is a nil.
void pack_u32_or_nil(struct pack_writer *writer, uint32_t value, uint32_t nil);

#endif
