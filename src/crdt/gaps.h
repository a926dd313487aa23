// SPDX-License-Identifier: MIT
// Text of which some was collected, as it travels (docs/delta-format.md, *Gaps*):
//
//   text with gaps = characters | ff varint n                      n elements without text
//                               | fe varint (block << 1 | chunk), 32 bytes
//
// The last is the hash of all the text that was inserted in a part of the agent's atoms: block
// number `block`, or the chunk that begins there. ff and fe are no bytes of UTF-8. May include:
// base, crdt/sums.h.
#ifndef WEFT_CRDT_GAPS_H
#define WEFT_CRDT_GAPS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/varint.h"
#include "crdt/sums.h"

enum {
    GAPS_GONE = 0xff,
    GAPS_SUM = 0xfe,
    GAPS_GONE_SIZE_MAX = 1 + VARINT_SIZE_MAX,
    GAPS_SUM_SIZE_MAX = 1 + VARINT_SIZE_MAX + HASH_SIZE,
};

/// Greatest seq of a part.
#define GAPS_SEQ_MAX (UINT64_C(1) << 48)

/// False in a build without all that is for collected text; there is none in it then.
extern const bool gaps_are_read;

/// Reads the text of a run. Untrusted bytes.
struct gaps_reader {
    struct span rest;
    uint64_t seq;  // of the next element
    uint64_t end;  // one past the last
    uint64_t gone; // elements of a gap that were not taken yet
};

/// Elements that have text, or that have none, or a hash.
struct gaps_token {
    uint8_t kind;      // 0: text, GAPS_GONE or GAPS_SUM
    uint32_t length;   // elements
    struct span text;  // of them
    uint64_t first;    // of the part: seq
    uint64_t part_end; // likewise
    const uint8_t *hash;
};

static inline struct gaps_reader gaps_reader_make(struct span text, uint64_t seq, uint64_t length)
{
    return (struct gaps_reader){.rest = text, .seq = seq, .end = seq + length};
}

/// Takes a token, of at most `length` elements. All of them are taken when seq == end.
/// @return false for what is none; not to be called at the end.
bool gaps_take(struct gaps_reader *reader, uint32_t length, struct gaps_token *token_out);

/// Writes the hash of a part. @return the bytes written.
size_t gaps_put_sum(uint8_t out[GAPS_SUM_SIZE_MAX], uint64_t first, bool chunk,
                    const uint8_t hash[HASH_SIZE]);

/// Appends elements [first, end), counted from the reader's, of what is valid, with the hash that
/// gaps of them rely on. @return WEFT_OK or WEFT_NO_MEMORY.
enum weft_status gaps_slice(struct weft_buffer *out, struct gaps_reader reader, uint32_t first,
                            uint32_t end);

/// What valid text with gaps holds.
struct gaps_totals {
    uint64_t bytes; // of characters
    uint64_t gaps;
    uint64_t gone; // elements in them
    uint64_t sums; // hashes
};
struct gaps_totals gaps_count(struct gaps_reader reader);

/// Passes elements of what is valid, and the hashes before and among them. Hashes are told.
/// @param sum May be NULL.
void gaps_skip(struct gaps_reader *reader, uint32_t length,
               void (*sum)(void *context, const struct gaps_token *token), void *context);

#endif
