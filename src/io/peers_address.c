// SPDX-License-Identifier: MIT
// Implements io/peers_address.h.
#include "io/peers_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SCHEME "tcp://"
#define SCHEME_SIZE (sizeof SCHEME - 1)
#define HOST_BYTES_MAX 255

static bool host_is(const struct peers_address *address, const char *host)
{
    return address->host_size == strlen(host) &&
           strncasecmp(address->text + SCHEME_SIZE, host, address->host_size) == 0;
}

/// Letters, digits and what else names and numeric addresses are made of; brackets only around
/// IPv6.
static bool host_is_sane(const char *host, size_t size)
{
    if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
        char inner[INET6_ADDRSTRLEN];
        struct in6_addr parsed;
        if (size - 2 >= sizeof inner) {
            return false;
        }
        memcpy(inner, host + 1, size - 2);
        inner[size - 2] = '\0';
        return inet_pton(AF_INET6, inner, &parsed) == 1;
    }
    for (size_t i = 0; i < size; i++) {
        char c = host[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '.' && c != '-' && c != '_' && !(c == '*' && size == 1)) {
            return false;
        }
    }
    return size > 0;
}

bool peers_address_parse(struct peers_address *address_out, struct span text)
{
    const char *chars = (const char *)text.data;
    if (text.size <= SCHEME_SIZE || memcmp(chars, SCHEME, SCHEME_SIZE) != 0) {
        return false;
    }
    size_t colon = text.size;
    while (colon > SCHEME_SIZE && chars[colon - 1] != ':') {
        colon--;
    }
    if (colon == SCHEME_SIZE) {
        return false;
    }
    size_t host_size = colon - 1 - SCHEME_SIZE;
    size_t digits = text.size - colon;
    if (host_size > HOST_BYTES_MAX || digits == 0 || digits > 5 ||
        !host_is_sane(chars + SCHEME_SIZE, host_size)) {
        return false;
    }
    uint32_t port = 0;
    for (size_t i = colon; i < text.size; i++) {
        if (chars[i] < '0' || chars[i] > '9') {
            return false;
        }
        port = port * 10 + (uint32_t)(chars[i] - '0');
    }
    if (port > UINT16_MAX) {
        return false;
    }
    struct peers_address address = {.host_size = (uint8_t)host_size};
    memcpy(address.text, chars, SCHEME_SIZE + host_size);
    *address_out = peers_address_with_port(&address, (uint16_t)port);
    return true;
}

struct peers_address peers_address_with_port(const struct peers_address *address, uint16_t port)
{
    struct peers_address other = *address;
    size_t host_end = SCHEME_SIZE + address->host_size;
    snprintf(other.text + host_end, sizeof other.text - host_end, ":%u", port);
    other.port = port;
    return other;
}

bool peers_address_is_loopback(const struct peers_address *address)
{
    struct in_addr parsed;
    char host[INET_ADDRSTRLEN];
    if (host_is(address, "localhost") || host_is(address, "[::1]")) {
        return true;
    }
    if (address->host_size >= sizeof host) {
        return false;
    }
    memcpy(host, address->text + SCHEME_SIZE, address->host_size);
    host[address->host_size] = '\0';
    return inet_pton(AF_INET, host, &parsed) == 1 && ntohl(parsed.s_addr) >> 24 == 127;
}

bool peers_address_is_wildcard(const struct peers_address *address)
{
    return host_is(address, "*") || host_is(address, "0.0.0.0") || host_is(address, "[::]");
}

uint16_t peers_address_port(const nng_sockaddr *address)
{
    if (address->s_family == NNG_AF_INET) {
        return ntohs(address->s_in.sa_port);
    }
    return address->s_family == NNG_AF_INET6 ? ntohs(address->s_in6.sa_port) : 0;
}
