// SPDX-License-Identifier: MIT
// Implements io/http_origin.h.
#include "io/http_origin.h"

#include <string.h>
#include <strings.h>

#include "io/address.h"

#define PORT_HTTP 80
#define PORT_HTTPS 443

/// Splits SCHEME://HOST[:PORT]. @return false: it is none, as the origin `null` of a sandboxed
/// page.
static bool parse_origin(struct address *address_out, struct span text)
{
    static const char plain[] = "http://";
    static const char secure[] = "https://";
    int port = PORT_HTTP;
    size_t skip = sizeof(plain) - 1;
    if (text.size > sizeof(secure) - 1 &&
        strncasecmp((const char *)text.data, secure, sizeof(secure) - 1) == 0) {
        skip = sizeof(secure) - 1;
        port = PORT_HTTPS;
    } else if (text.size <= skip || strncasecmp((const char *)text.data, plain, skip) != 0) {
        return false;
    }
    return address_parse(address_out, (struct span){text.data + skip, text.size - skip}, port);
}

bool http_origin_is_valid(const char *text)
{
    struct address address;
    return strcmp(text, "*") == 0 || parse_origin(&address, span_of_text(text));
}

bool http_host_allowed(const struct http_origins *origins, const struct http_head *head)
{
    struct address host;
    struct span field = head->fields[HTTP_HOST];
    if (!origins->loopback || field.data == NULL) {
        return true;
    }
    if (!address_parse(&host, field, PORT_HTTP)) {
        return false;
    }
    if (address_is_numeric(&host) || address_is_loopback(&host)) {
        return true;
    }
    for (size_t i = 0; i < origins->count; i++) {
        struct address allowed;
        if (strcmp(origins->allowed[i], "*") == 0 ||
            (parse_origin(&allowed, span_of_text(origins->allowed[i])) &&
             strcasecmp(allowed.host, host.host) == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_listed(const struct http_origins *origins, struct span origin)
{
    for (size_t i = 0; i < origins->count; i++) {
        const char *allowed = origins->allowed[i];
        if (strcmp(allowed, "*") == 0 ||
            (strlen(allowed) == origin.size &&
             strncasecmp(allowed, (const char *)origin.data, origin.size) == 0)) {
            return true;
        }
    }
    return false;
}

bool http_origin_allowed(const struct http_origins *origins, const struct http_head *head)
{
    struct address origin;
    struct address host;
    struct span field = head->fields[HTTP_ORIGIN];
    if (field.data == NULL || is_listed(origins, field)) {
        return true;
    }
    if (!parse_origin(&origin, field)) {
        return false;
    }
    // A host without a port has the one of the page's scheme: behind a proxy we only see the name.
    bool secure = (field.data[4] | 0x20) == 's';
    if (!address_parse(&host, head->fields[HTTP_HOST], secure ? PORT_HTTPS : PORT_HTTP)) {
        return false;
    }
    if (address_is_loopback(&origin) && address_is_loopback(&host)) {
        return true;
    }
    return origin.port == host.port && strcasecmp(origin.host, host.host) == 0;
}
