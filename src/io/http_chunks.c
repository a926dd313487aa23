// SPDX-License-Identifier: MIT
// Implements io/http_chunks.h.
#include "io/http_chunks.h"

#include <string.h>

static enum http_chunks_state end_of_size(struct http_chunks *chunks)
{
    chunks->line = 0;
    return chunks->left == 0 ? HTTP_CHUNKS_TRAILER : HTTP_CHUNKS_DATA;
}

static enum http_chunks_state take_size(struct http_chunks *chunks, uint8_t c)
{
    unsigned digit;
    if (c >= '0' && c <= '9') {
        digit = (unsigned)(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
        digit = (unsigned)((c | 0x20) - 'a' + 10);
    } else if (!chunks->digits) {
        return HTTP_CHUNKS_BAD;
    } else if (c == '\r') {
        return HTTP_CHUNKS_SIZE_END;
    } else {
        return c == ';' || c == ' ' || c == '\t' ? HTTP_CHUNKS_EXTENSION : HTTP_CHUNKS_BAD;
    }
    if (chunks->left >> 56 != 0) {
        return HTTP_CHUNKS_BAD; // no body is that large
    }
    chunks->digits = true;
    chunks->left = chunks->left << 4 | digit;
    return HTTP_CHUNKS_SIZE;
}

/// Takes one byte that is not of the body.
static enum http_chunks_state take_byte(struct http_chunks *chunks, uint8_t c)
{
    uint32_t line_max = chunks->state >= HTTP_CHUNKS_TRAILER ? HTTP_CHUNK_TRAILER_BYTES_MAX
                                                             : HTTP_CHUNK_LINE_BYTES_MAX;
    if (++chunks->line > line_max) {
        return HTTP_CHUNKS_BAD;
    }
    switch (chunks->state) {
    case HTTP_CHUNKS_SIZE:
        return take_size(chunks, c);
    case HTTP_CHUNKS_EXTENSION:
        if (c == '\r') {
            return HTTP_CHUNKS_SIZE_END;
        }
        return c == '\n' ? HTTP_CHUNKS_BAD : HTTP_CHUNKS_EXTENSION;
    case HTTP_CHUNKS_SIZE_END:
        return c == '\n' ? end_of_size(chunks) : HTTP_CHUNKS_BAD;
    case HTTP_CHUNKS_DATA_CR:
        return c == '\r' ? HTTP_CHUNKS_DATA_LF : HTTP_CHUNKS_BAD;
    case HTTP_CHUNKS_DATA_LF:
        chunks->line = 0;
        chunks->digits = false;
        return c == '\n' ? HTTP_CHUNKS_SIZE : HTTP_CHUNKS_BAD;
    case HTTP_CHUNKS_TRAILER:
        if (c == '\r') {
            return HTTP_CHUNKS_LAST_LF;
        }
        return c == '\n' ? HTTP_CHUNKS_BAD : HTTP_CHUNKS_TRAILER_TEXT;
    case HTTP_CHUNKS_TRAILER_TEXT:
        if (c == '\r') {
            return HTTP_CHUNKS_TRAILER_LF;
        }
        return c == '\n' ? HTTP_CHUNKS_BAD : HTTP_CHUNKS_TRAILER_TEXT;
    case HTTP_CHUNKS_TRAILER_LF:
        return c == '\n' ? HTTP_CHUNKS_TRAILER : HTTP_CHUNKS_BAD;
    case HTTP_CHUNKS_LAST_LF:
        return c == '\n' ? HTTP_CHUNKS_DONE : HTTP_CHUNKS_BAD;
    default:
        return HTTP_CHUNKS_BAD;
    }
}

struct span http_chunks_take(struct http_chunks *chunks, struct span *bytes)
{
    while (bytes->size > 0 && chunks->state != HTTP_CHUNKS_DONE &&
           chunks->state != HTTP_CHUNKS_BAD) {
        if (chunks->state == HTTP_CHUNKS_DATA) {
            struct span piece = {bytes->data, bytes->size};
            if (piece.size > chunks->left) {
                piece.size = (size_t)chunks->left;
            }
            chunks->left -= piece.size;
            if (chunks->left == 0) {
                chunks->state = HTTP_CHUNKS_DATA_CR;
            }
            bytes->data += piece.size;
            bytes->size -= piece.size;
            return piece;
        }
        chunks->state = take_byte(chunks, bytes->data[0]);
        bytes->data++;
        bytes->size--;
    }
    return (struct span){NULL, 0};
}
