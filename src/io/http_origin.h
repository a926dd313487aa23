// SPDX-License-Identifier: MIT
// Which pages in browsers may act on this node: the check of Host and Origin.
//
// A page of another site must neither edit through HTTP nor open a WebSocket, and no name that
// an attacker points at 127.0.0.1 may pass for this node (DNS rebinding). Programs without an
// Origin are not browsers and pass. May include: io/address.h, io/http_head.h.
#ifndef WEFT_IO_HTTP_ORIGIN_H
#define WEFT_IO_HTTP_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "io/http_head.h"

/// Borrowed texts of the form SCHEME://HOST[:PORT]; "*" stands for all.
struct http_origins {
    const char *const *allowed;
    size_t count;
    bool loopback; // the port is reachable from this machine only
};

/// Whether `text` may stand in http_origins.allowed.
bool http_origin_is_valid(const char *text);

/// Whether the host that was asked for can be this node: any, unless the port is a loopback one;
/// then a number, a loopback name or the host of an allowed origin.
bool http_host_allowed(const struct http_origins *origins, const struct http_head *head);

/// Whether the page that asks may act: there is none, it is this node's own, it is allowed, or both
/// it and this node are on this machine.
bool http_origin_allowed(const struct http_origins *origins, const struct http_head *head);

#endif
