// SPDX-License-Identifier: MIT
// An HTTP/1.1 server for a few thousand connections: requests with bounded bodies in, answers now
// or later, event streams. Which paths there are is its owner's business (http_api.h, admin.h).
//
//   socket -> head -> began() -> body -> asked() ... http_respond() -> next request
//                       |                                | stream
//                       `-> http_respond(): refused      `-> http_stream()* http_stream_end()
//
// Requests of one connection are handled one after the other; what was sent ahead waits in the
// kernel. Bounds: connections, bytes of a body, bytes of all bodies and answers together; time for
// a head, a body, and for reading an answer. Why not libwebsockets: docs/decisions/0005.
//
// One thread, that of the loop. Responding is allowed from inside of the callbacks and of the
// node's port calls; no callback comes from inside of a call to this module.
// May include: io/loop.h, io/http_head.h, libuv.
#ifndef WEFT_IO_HTTP_H
#define WEFT_IO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/status.h>

#include "base/bytes.h"
#include "io/http_head.h"
#include "io/loop.h"

#define HTTP_HEAD_MS 10000U              // from the first byte of a head to its last
#define HTTP_IDLE_MS 75000U              // between requests
#define HTTP_BODY_MS 20000U              // for any body, and
#define HTTP_BODY_BYTES_PER_MS 8U        // for a long one this much more: 8 kB/s
#define HTTP_STALL_MS 30000U             // an answer of which nothing is read
#define HTTP_LINGER_MS 2000U             // after the last answer, for the asker to close
#define HTTP_COMMENT_MS 15000U           // a quiet stream shows that it lives
#define HTTP_AHEAD_BYTES_MAX (64U << 10) // of the next requests that were read already
#define HTTP_FIELDS_BYTES_MAX 768U       // of http_response.fields

struct http;
struct http_connection;

struct http_config {
    struct loop *loop;
    uint32_t connections_max;
    uint64_t body_bytes_max; // of one request
    uint64_t held_bytes_max; // bodies, and answers that wait for their readers, of all together
    /// A head is whole. To refuse it, respond; its body is then not read and the connection ends.
    /// Spans point into the connection and live until the request was responded to.
    void (*began)(void *context, struct http_connection *connection, const struct http_head *head);
    /// The request is whole; must be responded to, at once or later. `body` lives until then.
    void (*asked)(void *context, struct http_connection *connection, const struct http_head *head,
                  struct span body);
    /// The asker left before the answer, or before the end of its stream: forget the connection.
    void (*left)(void *context, struct http_connection *connection);
    /// A stream has room again. NULL when there are no streams.
    void (*writable)(void *context, struct http_connection *connection);
    void *context;
};

struct http_response {
    uint16_t status;
    const char *content_type; // NULL: there is no body
    struct span body;         // borrowed for the call; left out for HEAD, 204 and 304
    const char *fields;       // further header lines, each with its CR LF, or NULL
    bool stream;              // `body` is the beginning; pieces follow
    bool close;               // the connection ends after this
};

struct http_counts {
    uint32_t connections; // now
    uint64_t held_bytes;  // now
    uint64_t requests;
    uint64_t refused;  // heads that were no HTTP, or too large, or late
    uint64_t timeouts; // connections that were closed for being slow
};

/// @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status http_create(struct http **http_out,
                                           const struct http_config *config);
/// Closes all connections; no callback follows. Takes NULL. Its memory goes in the loop's next
/// iterations.
void http_destroy(struct http *http);

/// Takes a connected, non-blocking socket. Past connections_max the one that idles longest makes
/// room; when all are busy the socket is closed.
void http_adopt(struct http *http, int fd);

/// Ends connections that wait for a request, and all others after their answer; streams end now.
void http_drain(struct http *http);

void http_respond(struct http_connection *connection, const struct http_response *response);
/// Adds to a streamed body. @return whether there is room for more; after false writable() follows.
bool http_stream(struct http_connection *connection, struct span piece);
void http_stream_end(struct http_connection *connection);

/// The owner's own number for this connection's request; 0 at first.
void http_set_tag(struct http_connection *connection, uint64_t tag);
uint64_t http_tag(const struct http_connection *connection);

struct http_counts http_count(const struct http *http);

#endif
