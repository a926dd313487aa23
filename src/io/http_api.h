// SPDX-License-Identifier: MIT
// The HTTP API of the clients' port: paths and methods -> requests of the node, and its answers
// back.
//
//   GET /                                  the editor
//   GET /v1/docs?prefix=&after=&limit=     GET|PUT|PATCH|DELETE /v1/docs/{id}
//   GET /v1/docs/{id}/digest               GET /v1/docs/{id}/changes       server-sent events
//   GET /v1/recovery                       GET /v1/recovery/{id}?epoch=
//   GET /v1/cluster/members
//
// {id} is one path segment, percent-encoded: a slash within an id is %2F. docs/http-api.md says the
// rest. The API owns its HTTP server; sockets come from whoever listens.
// May include: node/, io/http.h, io/http_origin.h, io/loop.h.
#ifndef WEFT_IO_HTTP_API_H
#define WEFT_IO_HTTP_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/status.h>

#include "io/http.h"
#include "io/http_origin.h"
#include "io/loop.h"
#include "node/ports.h"

struct http_api;

struct http_api_config {
    struct loop *loop;
    struct http_origins origins; // its texts are borrowed
    struct span page;            // the editor as HTML; static storage
    uint32_t connections_max;
    uint32_t name_bytes_max; // of a document's id
    uint64_t body_bytes_max;
    uint64_t held_bytes_max;
};

/// @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status http_api_create(struct http_api **api_out,
                                               const struct http_api_config *config);
/// Takes NULL. No event follows.
void http_api_destroy(struct http_api *api);

void http_api_adopt(struct http_api *api, int fd);
/// Streams end, and connections after their next answer; new requests are refused with 503.
void http_api_drain(struct http_api *api);
struct http_counts http_api_count(const struct http_api *api);

// The requests' part of struct links, see node/ports.h.
void http_api_respond(struct http_api *api, struct request_id request,
                      const struct node_response *response);
bool http_api_stream(struct http_api *api, struct request_id request, struct span piece);
void http_api_stream_end(struct http_api *api, struct request_id request);

#endif
