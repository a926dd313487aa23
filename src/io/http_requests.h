// SPDX-License-Identifier: MIT
// Requests over HTTP that the node has: which connection waits for which request_id.
//
// The HTTP API and the admin port have such a table each; a mark in the ids tells whose they are.
// May include: node/, io/http.h, io/loop.h.
#ifndef WEFT_IO_HTTP_REQUESTS_H
#define WEFT_IO_HTTP_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/status.h>

#include "io/http.h"
#include "io/loop.h"
#include "node/node.h"
#include "node/ports.h"

#define HTTP_REQUESTS_DIGEST_DIGITS 32
#define HTTP_REQUESTS_EPOCH_DIGITS 48
#define HTTP_REQUESTS_MARK_ADMIN (UINT64_C(1) << 63)

/// One request under way.
struct http_requests_slot {
    struct http_connection *connection; // NULL: free
    uint32_t generation;                // 31 bits of it are in the id
    uint32_t next_free;                 // slot number, or the count
    bool conditional;                   // 304 instead of what the asker has already
    char if_none_match[HTTP_REQUESTS_DIGEST_DIGITS];
};

struct http_requests {
    struct loop *loop;
    struct http_requests_slot *slots;
    uint32_t count;
    uint32_t first_free;
    uint64_t mark;
};

/// @param count As many as connections. @param mark 0 or HTTP_REQUESTS_MARK_ADMIN.
WEFT_MUST_USE bool http_requests_init(struct http_requests *requests, struct loop *loop,
                                      uint32_t count, uint64_t mark);
void http_requests_finish(struct http_requests *requests);

/// Steps NODE_REQUEST. @param if_none_match Digest of what the asker has, or empty.
void http_requests_ask(struct http_requests *requests, struct http_connection *connection,
                       const struct node_ask *ask, struct span if_none_match);

// For http_config.left and .writable.
void http_requests_left(struct http_requests *requests, struct http_connection *connection);
void http_requests_writable(struct http_requests *requests, struct http_connection *connection);

// The requests' part of struct links, for ids with this table's mark.
void http_requests_respond(struct http_requests *requests, struct request_id id,
                           const struct node_response *response);
bool http_requests_stream(struct http_requests *requests, struct request_id id, struct span piece);
void http_requests_stream_end(struct http_requests *requests, struct request_id id);

#endif
