// SPDX-License-Identifier: MIT
// Implements io/address.h.
#include "io/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool parse_port(uint16_t *port_out, const char *at, const char *end)
{
    uint32_t port = 0;
    if (at == end || end - at > 5) {
        return false;
    }
    for (; at < end; at++) {
        if (*at < '0' || *at > '9') {
            return false;
        }
        port = port * 10 + (uint32_t)(*at - '0');
    }
    *port_out = (uint16_t)port;
    return port <= UINT16_MAX;
}

static bool is_host_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '%';
}

bool address_parse(struct address *address_out, struct span text, int port_default)
{
    const char *at = (const char *)text.data;
    const char *end = at + text.size;
    const char *host_end;
    const char *port;
    if (text.size == 0) {
        return false;
    }
    if (*at == '[') {
        at++;
        host_end = memchr(at, ']', (size_t)(end - at));
        if (host_end == NULL) {
            return false;
        }
        port = host_end + 1;
    } else {
        const char *colon = memchr(at, ':', text.size);
        host_end = colon == NULL ? end : colon;
        port = host_end;
    }
    size_t size = (size_t)(host_end - at);
    if (size == 0 || size >= ADDRESS_HOST_BYTES) {
        return false;
    }
    for (const char *c = at; c < host_end; c++) {
        if (!is_host_char(*c)) {
            return false;
        }
    }
    struct address address = {.port = (uint16_t)(port_default < 0 ? 0 : port_default)};
    if (port == end ? port_default < 0
                    : (*port != ':' || !parse_port(&address.port, port + 1, end))) {
        return false;
    }
    memcpy(address.host, at, size);
    *address_out = address;
    return true;
}

bool address_is_loopback(const struct address *address)
{
    struct in_addr four;
    struct in6_addr six;
    size_t size = strlen(address->host);
    if (strcasecmp(address->host, "localhost") == 0) {
        return true;
    }
    if (size > 10 && strcasecmp(address->host + size - 10, ".localhost") == 0) {
        return true; // RFC 6761
    }
    if (inet_pton(AF_INET, address->host, &four) == 1) {
        return (ntohl(four.s_addr) >> 24) == 127;
    }
    return inet_pton(AF_INET6, address->host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool address_is_numeric(const struct address *address)
{
    struct in6_addr any;
    return inet_pton(AF_INET, address->host, &any) == 1 ||
           inet_pton(AF_INET6, address->host, &any) == 1;
}

void address_format(char *text_out, const struct address *address)
{
    bool six = strchr(address->host, ':') != NULL;
    snprintf(text_out, ADDRESS_TEXT_BYTES, "%s%s%s:%u", six ? "[" : "", address->host,
             six ? "]" : "", address->port);
}

bool address_of_socket(struct address *address_out, int fd)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof(storage);
    struct address address;
    if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0) {
        return false;
    }
    if (storage.ss_family == AF_INET) {
        const struct sockaddr_in *four = (const void *)&storage;
        inet_ntop(AF_INET, &four->sin_addr, address.host, sizeof(address.host));
        address.port = ntohs(four->sin_port);
    } else if (storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const void *)&storage;
        inet_ntop(AF_INET6, &six->sin6_addr, address.host, sizeof(address.host));
        address.port = ntohs(six->sin6_port);
    } else {
        return false;
    }
    *address_out = address;
    return true;
}
