// SPDX-License-Identifier: MIT
// Version vectors: for each agent, the seq that it will use next. docs/delta-format.md.
//
// Encoded form (what every function here takes and gives):
//   varint count | count x ( u64 little-endian agent | varint next )
// agents strictly ascending, next >= 1. The empty vector is the single byte 00; a size of 0 is read
// as the empty vector too.
#ifndef WEFT_VERSION_VECTOR_H
#define WEFT_VERSION_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/memory.h>
#include <weft/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/// How two version vectors relate.
enum weft_order {
    WEFT_ORDER_EQUAL,
    WEFT_ORDER_BEFORE, // the first lacks something of the second, and nothing the other way round
    WEFT_ORDER_AFTER,
    WEFT_ORDER_CONCURRENT, // each lacks something
};

/// Compares two encoded vectors. Untrusted bytes. @return WEFT_OK or WEFT_MALFORMED. O(agents).
WEFT_API WEFT_MUST_USE enum weft_status weft_version_compare(enum weft_order *order_out,
                                                             const uint8_t *a, size_t a_size,
                                                             const uint8_t *b, size_t b_size);

/// Appends the least vector that covers both. Untrusted bytes; neither lies in `out`.
/// @return WEFT_OK, WEFT_MALFORMED or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_version_merge(struct weft_buffer *out,
                                                           const uint8_t *a, size_t a_size,
                                                           const uint8_t *b, size_t b_size);

/// Calls `visit` for each agent, ascending, until it returns false. Checks the whole vector first.
/// @return WEFT_OK or WEFT_MALFORMED.
WEFT_API WEFT_MUST_USE enum weft_status
weft_version_visit(const uint8_t *version, size_t size,
                   bool (*visit)(void *context, uint64_t agent, uint64_t next), void *context);

#ifdef __cplusplus
}
#endif

#endif
