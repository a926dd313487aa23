// SPDX-License-Identifier: MIT
// The JSON of a PATCH, as the node takes it: [[pos, del, "ins"], ...] -> the same in msgpack.
//
// Positions count Unicode scalars; each change is applied to what the one before left.
// May include: base/, weft/, codec/pack.h, jansson.
#ifndef WEFT_IO_HTTP_PATCH_H
#define WEFT_IO_HTTP_PATCH_H

#include <weft/memory.h>
#include <weft/status.h>

#include "base/bytes.h"

#define HTTP_PATCH_BYTES_MAX (1U << 20) // jansson makes some forty times as much memory of it

/// Appends. @param why_out On WEFT_MALFORMED and WEFT_LIMIT, one phrase; static storage.
/// @return WEFT_OK, WEFT_MALFORMED, WEFT_LIMIT (past HTTP_PATCH_BYTES_MAX) or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status http_patch_encode(struct weft_buffer *out, struct span json,
                                                 const char **why_out);

#endif
