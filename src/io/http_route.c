// SPDX-License-Identifier: MIT
// Implements io/http_route.h.
#include "io/http_route.h"

#include <string.h>

#define BIT(method) (1U << (method))
#define READ (BIT(HTTP_GET) | BIT(HTTP_HEAD))

static const struct {
    unsigned methods;
    const char *allow;
} resources[] = {
    [HTTP_ROUTE_NONE] = {0, ""},
    [HTTP_ROUTE_PAGE] = {READ, "GET, HEAD"},
    [HTTP_ROUTE_DOCUMENTS] = {READ, "GET, HEAD"},
    [HTTP_ROUTE_DOCUMENT] = {READ | BIT(HTTP_PUT) | BIT(HTTP_PATCH) | BIT(HTTP_DELETE),
                             "GET, HEAD, PUT, PATCH, DELETE"},
    [HTTP_ROUTE_DIGEST] = {READ, "GET, HEAD"},
    [HTTP_ROUTE_CHANGES] = {BIT(HTTP_GET), "GET"},
    [HTTP_ROUTE_TIMES] = {READ, "GET, HEAD"},
    [HTTP_ROUTE_VERSIONS] = {READ | BIT(HTTP_POST) | BIT(HTTP_DELETE), "GET, HEAD, POST, DELETE"},
    [HTTP_ROUTE_RECOVERIES] = {READ, "GET, HEAD"},
    [HTTP_ROUTE_RECOVERY] = {READ, "GET, HEAD"},
    [HTTP_ROUTE_MEMBERS] = {READ, "GET, HEAD"},
};

static bool is(struct span path, const char *text)
{
    return path.size == strlen(text) && memcmp(path.data, text, path.size) == 0;
}

/// Takes `prefix` off the front. @return whether it was there.
static bool take_prefix(struct span *path, const char *prefix)
{
    size_t size = strlen(prefix);
    if (path->size < size || memcmp(path->data, prefix, size) != 0) {
        return false;
    }
    path->data += size;
    path->size -= size;
    return true;
}

static struct http_route find_document(struct span rest)
{
    const uint8_t *slash = rest.size == 0 ? NULL : memchr(rest.data, '/', rest.size);
    struct http_route route = {.kind = HTTP_ROUTE_DOCUMENT, .id = rest};
    if (slash != NULL) {
        route.id.size = (size_t)(slash - rest.data);
        struct span below = {slash + 1, rest.size - route.id.size - 1};
        route.kind = is(below, "digest")     ? HTTP_ROUTE_DIGEST
                     : is(below, "changes")  ? HTTP_ROUTE_CHANGES
                     : is(below, "versions") ? HTTP_ROUTE_VERSIONS
                     : is(below, "times")    ? HTTP_ROUTE_TIMES
                                             : HTTP_ROUTE_NONE;
    }
    if (route.id.size == 0) {
        route.kind = HTTP_ROUTE_NONE;
    }
    return route;
}

struct http_route http_route_find(struct span path)
{
    struct http_route route = {.kind = HTTP_ROUTE_NONE};
    if (is(path, "/") || is(path, "/index.html")) {
        route.kind = HTTP_ROUTE_PAGE;
    } else if (is(path, "/v1/docs")) {
        route.kind = HTTP_ROUTE_DOCUMENTS;
    } else if (is(path, "/v1/recovery")) {
        route.kind = HTTP_ROUTE_RECOVERIES;
    } else if (is(path, "/v1/cluster/members")) {
        route.kind = HTTP_ROUTE_MEMBERS;
    } else if (take_prefix(&path, "/v1/docs/")) {
        route = find_document(path);
    } else if (take_prefix(&path, "/v1/recovery/") && path.size > 0 &&
               memchr(path.data, '/', path.size) == NULL) {
        route.kind = HTTP_ROUTE_RECOVERY;
        route.id = path;
    }
    return route;
}

const char *http_route_allow(enum http_route_kind kind)
{
    return resources[kind].allow;
}

bool http_route_has(enum http_route_kind kind, enum http_method method)
{
    return (resources[kind].methods & BIT(method)) != 0;
}
