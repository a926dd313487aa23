// SPDX-License-Identifier: MIT
// msgpack: reading by cursor, writing by msgpack-c. Marker bytes are those of the msgpack
// specification.
#include "codec/pack.h"

#include <string.h>

#include <msgpack/pack.h>

#include "base/utf8.h"

enum marker {
    MARKER_FIXMAP = 0x80,
    MARKER_FIXARRAY = 0x90,
    MARKER_FIXSTR = 0xa0,
    MARKER_NIL = 0xc0,
    MARKER_UNUSED = 0xc1,
    MARKER_FALSE = 0xc2,
    MARKER_TRUE = 0xc3,
    MARKER_BIN8 = 0xc4,
    MARKER_EXT8 = 0xc7,
    MARKER_FLOAT32 = 0xca,
    MARKER_FLOAT64 = 0xcb,
    MARKER_U8 = 0xcc,
    MARKER_I8 = 0xd0,
    MARKER_FIXEXT1 = 0xd4,
    MARKER_STR8 = 0xd9,
    MARKER_ARRAY16 = 0xdc,
    MARKER_ARRAY32 = 0xdd,
    MARKER_MAP16 = 0xde,
    MARKER_MAP32 = 0xdf,
    MARKER_NEGATIVE = 0xe0,
};

// --------------------------------------------------------------------------------------- reading

static uint64_t fail(struct pack_reader *reader)
{
    reader->failed = true;
    return 0;
}

/// A big-endian integer of `size` bytes at `from`, which may lie past the end.
static bool load_uint(uint64_t *value_out, const struct pack_reader *reader, size_t from,
                      size_t size)
{
    if (reader->failed || pack_left(reader) < from + size) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | reader->at[from + i];
    }
    *value_out = value;
    return true;
}

/// A count with its marker: fix form in `fix_mask`, else 16 or 32 bits behind marker16 and the
/// next.
static uint32_t read_count(struct pack_reader *reader, uint8_t fix, uint8_t marker16,
                           size_t bytes_each)
{
    if (reader->failed || pack_left(reader) < 1) {
        return (uint32_t)fail(reader);
    }
    uint8_t marker = reader->at[0];
    uint64_t count = 0;
    size_t head = 1;
    if ((marker & 0xf0) == fix) {
        count = marker & 0x0f;
    } else if (marker == marker16 || marker == marker16 + 1) {
        size_t size = marker == marker16 ? 2 : 4;
        if (!load_uint(&count, reader, 1, size)) {
            return (uint32_t)fail(reader);
        }
        head += size;
    } else {
        return (uint32_t)fail(reader);
    }
    if (count * bytes_each > pack_left(reader) - head) {
        return (uint32_t)fail(reader);
    }
    reader->at += head;
    return (uint32_t)count;
}

uint32_t pack_read_array(struct pack_reader *reader)
{
    return read_count(reader, MARKER_FIXARRAY, MARKER_ARRAY16, 1);
}

uint32_t pack_read_map(struct pack_reader *reader)
{
    return read_count(reader, MARKER_FIXMAP, MARKER_MAP16, 2);
}

uint64_t pack_read_u64(struct pack_reader *reader)
{
    if (reader->failed || pack_left(reader) < 1) {
        return fail(reader);
    }
    uint8_t marker = reader->at[0];
    if (marker < 0x80) {
        reader->at++;
        return marker;
    }
    if (marker < MARKER_U8 || marker > MARKER_U8 + 3) {
        return fail(reader);
    }
    size_t size = (size_t)1 << (marker - MARKER_U8);
    uint64_t value;
    if (!load_uint(&value, reader, 1, size)) {
        return fail(reader);
    }
    reader->at += 1 + size;
    return value;
}

uint32_t pack_read_u32(struct pack_reader *reader)
{
    const uint8_t *before = reader->at;
    uint64_t value = pack_read_u64(reader);
    if (value > UINT32_MAX) {
        reader->at = before;
        return (uint32_t)fail(reader);
    }
    return (uint32_t)value;
}

bool pack_read_bool(struct pack_reader *reader)
{
    if (reader->failed || pack_left(reader) < 1 || (reader->at[0] & 0xfe) != MARKER_FALSE) {
        return fail(reader);
    }
    return *reader->at++ == MARKER_TRUE;
}

/// Bytes behind a size of 1, 2 or 4 bytes whose marker is `marker8`, +1 or +2.
static struct span read_sized(struct pack_reader *reader, uint8_t marker8)
{
    uint8_t marker = reader->at[0];
    uint64_t size;
    if (marker < marker8 || marker > marker8 + 2) {
        fail(reader);
        return (struct span){0};
    }
    size_t width = (size_t)1 << (marker - marker8);
    if (!load_uint(&size, reader, 1, width) || size > pack_left(reader) - 1 - width) {
        fail(reader);
        return (struct span){0};
    }
    struct span bytes = {reader->at + 1 + width, (size_t)size};
    reader->at = bytes.data + bytes.size;
    return bytes;
}

struct span pack_read_str(struct pack_reader *reader)
{
    if (reader->failed || pack_left(reader) < 1) {
        fail(reader);
        return (struct span){0};
    }
    const uint8_t *before = reader->at;
    struct span text;
    if ((reader->at[0] & 0xe0) == MARKER_FIXSTR) {
        text = (struct span){reader->at + 1, reader->at[0] & 0x1f};
        if (text.size > pack_left(reader) - 1) {
            fail(reader);
            return (struct span){0};
        }
        reader->at = text.data + text.size;
    } else {
        text = read_sized(reader, MARKER_STR8);
    }
    if (!reader->failed && !utf8_is_valid(text)) {
        reader->at = before;
        fail(reader);
    }
    return reader->failed ? (struct span){0} : text;
}

struct span pack_read_bin(struct pack_reader *reader)
{
    if (reader->failed || pack_left(reader) < 1) {
        fail(reader);
        return (struct span){0};
    }
    return read_sized(reader, MARKER_BIN8);
}

const uint8_t *pack_read_fixed(struct pack_reader *reader, size_t size)
{
    const uint8_t *before = reader->at;
    struct span bytes = pack_read_bin(reader);
    if (reader->failed || bytes.size != size) {
        reader->at = before;
        fail(reader);
        return NULL;
    }
    return bytes.data;
}

bool pack_take_nil(struct pack_reader *reader)
{
    if (reader->failed || pack_left(reader) < 1 || reader->at[0] != MARKER_NIL) {
        return false;
    }
    reader->at++;
    return true;
}

uint64_t pack_take_u64(struct pack_reader *reader)
{
    struct pack_reader before = *reader;
    uint64_t value = pack_read_u64(reader);
    if (reader->failed && !before.failed) {
        *reader = before;
        pack_skip(reader, 1);
        return 0;
    }
    return value;
}

struct span pack_take_bin(struct pack_reader *reader)
{
    struct pack_reader before = *reader;
    struct span value = pack_read_bin(reader);
    if (reader->failed && !before.failed) {
        *reader = before;
        pack_skip(reader, 1);
        return (struct span){0};
    }
    return value;
}

struct span pack_read_bin_or_nil(struct pack_reader *reader)
{
    return pack_take_nil(reader) ? (struct span){0} : pack_read_bin(reader);
}

uint32_t pack_read_u32_or_nil(struct pack_reader *reader, uint32_t nil)
{
    return pack_take_nil(reader) ? nil : pack_read_u32(reader);
}

/// Passes over one value's head and its bytes; values inside of it are added to `*inside`.
static void skip_one(struct pack_reader *reader, uint32_t *inside)
{
    static const uint8_t fixed_sizes[] = {
        [MARKER_NIL - 0xc0] = 1,          [MARKER_FALSE - 0xc0] = 1,
        [MARKER_TRUE - 0xc0] = 1,         [MARKER_FLOAT32 - 0xc0] = 5,
        [MARKER_FLOAT64 - 0xc0] = 9,      [MARKER_U8 - 0xc0] = 2,
        [MARKER_U8 + 1 - 0xc0] = 3,       [MARKER_U8 + 2 - 0xc0] = 5,
        [MARKER_U8 + 3 - 0xc0] = 9,       [MARKER_I8 - 0xc0] = 2,
        [MARKER_I8 + 1 - 0xc0] = 3,       [MARKER_I8 + 2 - 0xc0] = 5,
        [MARKER_I8 + 3 - 0xc0] = 9,       [MARKER_FIXEXT1 - 0xc0] = 3,
        [MARKER_FIXEXT1 + 1 - 0xc0] = 4,  [MARKER_FIXEXT1 + 2 - 0xc0] = 6,
        [MARKER_FIXEXT1 + 3 - 0xc0] = 10, [MARKER_FIXEXT1 + 4 - 0xc0] = 18,
    };
    uint8_t marker = reader->at[0];
    if (marker < 0x80 || marker >= MARKER_NEGATIVE) {
        reader->at++;
    } else if ((marker & 0xf0) == MARKER_FIXARRAY || marker == MARKER_ARRAY16 ||
               marker == MARKER_ARRAY32) {
        *inside = pack_read_array(reader);
    } else if ((marker & 0xf0) == MARKER_FIXMAP || marker == MARKER_MAP16 ||
               marker == MARKER_MAP32) {
        *inside = 2 * pack_read_map(reader);
    } else if ((marker & 0xe0) == MARKER_FIXSTR ||
               (marker >= MARKER_STR8 && marker <= MARKER_STR8 + 2)) {
        pack_read_str(reader);
    } else if (marker >= MARKER_BIN8 && marker <= MARKER_BIN8 + 2) {
        pack_read_bin(reader);
    } else if (marker >= MARKER_EXT8 && marker <= MARKER_EXT8 + 2) {
        read_sized(reader, MARKER_EXT8);
        if (!reader->failed && pack_left(reader) < 1) {
            fail(reader);
        } else if (!reader->failed) {
            reader->at++; // the type byte, which stands between size and data
        }
    } else if (marker - 0xc0u < sizeof fixed_sizes && fixed_sizes[marker - 0xc0] &&
               fixed_sizes[marker - 0xc0] <= pack_left(reader)) {
        reader->at += fixed_sizes[marker - 0xc0];
    } else {
        fail(reader);
    }
}

void pack_skip(struct pack_reader *reader, uint32_t count)
{
    uint32_t left[PACK_DEPTH_MAX] = {count};
    unsigned depth = 0;
    for (;;) {
        while (left[depth] == 0) {
            if (depth-- == 0) {
                return;
            }
        }
        left[depth]--;
        uint32_t inside = 0;
        if (reader->failed || pack_left(reader) < 1) {
            fail(reader);
            return;
        }
        skip_one(reader, &inside);
        if (reader->failed) {
            return;
        }
        if (inside > 0 && ++depth == PACK_DEPTH_MAX) {
            fail(reader);
            return;
        }
        if (inside > 0) {
            left[depth] = inside;
        }
    }
}

// --------------------------------------------------------------------------------------- writing

static int append(void *context, const char *bytes, size_t size)
{
    struct pack_writer *writer = context;
    if (!writer->failed && weft_buffer_append(writer->out, bytes, size)) {
        writer->failed = true;
    }
    return 0;
}

static msgpack_packer packer_of(struct pack_writer *writer)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, writer, append);
    return packer;
}

struct pack_writer pack_writer_begin(struct weft_buffer *out)
{
    return (struct pack_writer){out, out->size, false};
}

enum weft_status pack_writer_end(struct pack_writer *writer)
{
    if (writer->failed) {
        writer->out->size = writer->start;
        return WEFT_NO_MEMORY;
    }
    return WEFT_OK;
}

void pack_array(struct pack_writer *writer, uint32_t count)
{
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_array(&packer, count);
}

void pack_map(struct pack_writer *writer, uint32_t count)
{
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_map(&packer, count);
}

void pack_u64(struct pack_writer *writer, uint64_t value)
{
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_uint64(&packer, value);
}

void pack_bool(struct pack_writer *writer, bool value)
{
    msgpack_packer packer = packer_of(writer);
    if (value) {
        msgpack_pack_true(&packer);
    } else {
        msgpack_pack_false(&packer);
    }
}

void pack_nil(struct pack_writer *writer)
{
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_nil(&packer);
}

void pack_str(struct pack_writer *writer, struct span text)
{
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_str(&packer, text.size);
    if (text.size) {
        msgpack_pack_str_body(&packer, text.data, text.size);
    }
}

void pack_literal(struct pack_writer *writer, const char *text)
{
    pack_str(writer, (struct span){(const uint8_t *)text, strlen(text)});
}

void pack_bin(struct pack_writer *writer, struct span bytes)
{
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_bin(&packer, bytes.size);
    if (bytes.size) {
        msgpack_pack_bin_body(&packer, bytes.data, bytes.size);
    }
}

void pack_bin_or_nil(struct pack_writer *writer, struct span bytes)
{
    if (bytes.data) {
        pack_bin(writer, bytes);
    } else {
        pack_nil(writer);
    }
}

void pack_u32_or_nil(struct pack_writer *writer, uint32_t value, uint32_t nil)
{
    if (value == nil) {
        pack_nil(writer);
    } else {
        pack_u64(writer, value);
    }
}
