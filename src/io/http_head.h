// SPDX-License-Identifier: MIT
// The head of an HTTP/1 request: bytes -> what weft wants to know. RFC 9112, strictly.
//
//   PATCH /v1/docs/a%2Fb?x=1 HTTP/1.1\r\n      method, path and query as they came (still encoded)
//   Host: localhost:9338\r\n                   the fields of enum http_field; others are skipped
//   \r\n
//
// Total: any bytes give a head, "not all here yet", or the status to refuse with. Nothing is
// allocated; spans point into the bytes. What two readers could understand differently (two
// lengths, two hosts, folded lines, bare line ends) is refused. May include: base/.
#ifndef WEFT_IO_HTTP_HEAD_H
#define WEFT_IO_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define HTTP_HEAD_BYTES_MAX 8192U // request line and fields; what nginx and Apache take
#define HTTP_FIELDS_MAX 100U      // lines

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_POST,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER, // a method that weft has no use for
};

enum http_field {
    HTTP_ACCEPT,
    HTTP_CONNECTION,
    HTTP_CONTENT_LENGTH,
    HTTP_CONTENT_TYPE,
    HTTP_EXPECT,
    HTTP_HOST,
    HTTP_IF_MATCH,
    HTTP_IF_NONE_MATCH,
    HTTP_LAST_EVENT_ID,
    HTTP_ORIGIN,
    HTTP_PREFER,
    HTTP_TRANSFER_ENCODING,
    HTTP_UPGRADE,
    HTTP_WEFT_AUTHOR,
    HTTP_WEFT_ID,
    HTTP_WEBSOCKET_KEY,
    HTTP_WEBSOCKET_PROTOCOL,
    HTTP_WEBSOCKET_VERSION,
    HTTP_FIELD_COUNT
};

struct http_head {
    size_t size; // of the head, its blank line included
    enum http_method method;
    bool keep_alive;                      // the connection may carry another request
    bool old;                             // HTTP/1.0: no chunks, no 100 Continue
    bool chunked;                         // the body comes in chunks
    bool expects;                         // 100 Continue is awaited
    bool upgrade;                         // asks for another protocol
    bool websocket;                       // for WebSocket
    uint64_t content_length;              // 0 when chunked
    struct span path;                     // as it came, without the query
    struct span query;                    // without the question mark; may be empty
    struct span fields[HTTP_FIELD_COUNT]; // trimmed; `data` NULL where there is none
};

#define HTTP_HEAD_PARTIAL 0 // more bytes are needed
#define HTTP_HEAD_WHOLE 200 // `head_out` is filled

/// @return HTTP_HEAD_PARTIAL, HTTP_HEAD_WHOLE, or the HTTP status to refuse with: 400, 414, 431,
/// 501 (an unknown transfer coding) or 505. `head_out` may be partly written when refused.
int http_head_parse(struct http_head *head_out, struct span bytes);

/// Whether a comma-separated field names `token`, whatever its case; parameters are ignored.
bool http_field_has(struct span field, const char *token);

/// Undoes percent-encoding. @param out At least `encoded.size` bytes. @return false when a percent
/// sign is not followed by two hex digits.
bool http_percent_decode(uint8_t *out, size_t *size_out, struct span encoded);

/// The still encoded value of a query parameter; `data` NULL where there is none.
struct span http_query_get(struct span query, const char *name);

#endif
