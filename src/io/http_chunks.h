// SPDX-License-Identifier: MIT
// A body in chunks (RFC 9112, 7.1): bytes as they come -> the body's bytes.
//
//   5;ext=1\r\nhello\r\n 0\r\n trailer: x\r\n \r\n        extensions and trailers are skipped
//
// Incremental and total; a few bytes of state. May include: base/.
#ifndef WEFT_IO_HTTP_CHUNKS_H
#define WEFT_IO_HTTP_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define HTTP_CHUNK_LINE_BYTES_MAX 1024U    // a size with its extensions
#define HTTP_CHUNK_TRAILER_BYTES_MAX 8192U // all trailers

enum http_chunks_state {
    HTTP_CHUNKS_SIZE,
    HTTP_CHUNKS_EXTENSION,
    HTTP_CHUNKS_SIZE_END, // the line's LF is due
    HTTP_CHUNKS_DATA,
    HTTP_CHUNKS_DATA_CR,
    HTTP_CHUNKS_DATA_LF,
    HTTP_CHUNKS_TRAILER,      // at the beginning of a line
    HTTP_CHUNKS_TRAILER_TEXT, // within one
    HTTP_CHUNKS_TRAILER_LF,
    HTTP_CHUNKS_LAST_LF,
    HTTP_CHUNKS_DONE,
    HTTP_CHUNKS_BAD,
};

/// All zero is the beginning.
struct http_chunks {
    enum http_chunks_state state;
    uint64_t left; // of the chunk
    uint32_t line; // bytes of the present line, or of the trailers
    bool digits;   // the size has some
};

/// Takes bytes off the front of `bytes` until it has a piece of the body, needs more, is done or
/// finds them bad (`state` tells). @return A piece of the body within `bytes`, possibly empty.
struct span http_chunks_take(struct http_chunks *chunks, struct span *bytes);

#endif
