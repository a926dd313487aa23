// SPDX-License-Identifier: MIT
// Version vectors as bytes, piece by piece; weft/version.h has the layout and the public functions.
// May include: base.
#ifndef WEFT_CODEC_VERSION_H
#define WEFT_CODEC_VERSION_H

#include <weft/version.h>

#include "base/bytes.h"

/// Reads the entries of an encoded vector in ascending order. Untrusted bytes.
struct version_reader {
    struct span rest;
    uint64_t left;  // entries
    uint64_t agent; // of the entry before; 0: none
};

struct version_entry {
    uint64_t agent;
    uint64_t next;
};

/// @return WEFT_OK or WEFT_MALFORMED.
enum weft_status version_reader_init(struct version_reader *reader, struct span bytes);
/// @return WEFT_OK, WEFT_NOT_FOUND after the last, or WEFT_MALFORMED.
enum weft_status version_reader_next(struct version_reader *reader,
                                     struct version_entry *entry_out);
/// Reads to the end. @return WEFT_OK or WEFT_MALFORMED.
enum weft_status version_check(struct span bytes);

enum { VERSION_ENTRY_SIZE_MAX = 18 };

/// Appends the head, and an entry; the caller sees to the order. @return WEFT_OK or WEFT_NO_MEMORY.
enum weft_status version_put_count(struct weft_buffer *out, uint64_t count);
enum weft_status version_put(struct weft_buffer *out, struct version_entry entry);

#endif
