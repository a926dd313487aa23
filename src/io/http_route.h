// SPDX-License-Identifier: MIT
// Which resource a path means, and which methods it has. May include: io/http_head.h.
#ifndef WEFT_IO_HTTP_ROUTE_H
#define WEFT_IO_HTTP_ROUTE_H

#include "io/http_head.h"

enum http_route_kind {
    HTTP_ROUTE_NONE,
    HTTP_ROUTE_PAGE,
    HTTP_ROUTE_DOCUMENTS,
    HTTP_ROUTE_DOCUMENT,
    HTTP_ROUTE_DIGEST,
    HTTP_ROUTE_CHANGES,
    HTTP_ROUTE_VERSIONS,
    HTTP_ROUTE_TIMES,
    HTTP_ROUTE_RECOVERIES,
    HTTP_ROUTE_RECOVERY,
    HTTP_ROUTE_MEMBERS,
};

struct http_route {
    enum http_route_kind kind;
    struct span id; // still encoded; of a document or recovery copy
};

struct http_route http_route_find(struct span path);
/// The resource's methods as the Allow header lists them. Static.
const char *http_route_allow(enum http_route_kind kind);
bool http_route_has(enum http_route_kind kind, enum http_method method);

#endif
