// SPDX-License-Identifier: MIT
// Addresses of ports that clients reach: HOST:PORT, as options and headers write them.
// May include: base/, POSIX.
#ifndef WEFT_IO_ADDRESS_H
#define WEFT_IO_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#include "base/bytes.h"

#define ADDRESS_HOST_BYTES 254 // a DNS name and its NUL
#define ADDRESS_TEXT_BYTES (ADDRESS_HOST_BYTES + 8)

/// HOST:PORT, [IPV6]:PORT; the brackets are not part of `host`.
struct address {
    char host[ADDRESS_HOST_BYTES];
    uint16_t port;
};

/// @param port_default Used when there is none; negative: one must be there. @return false: not an
/// address.
bool address_parse(struct address *address_out, struct span text, int port_default);
/// Whether the host is this machine's loopback, by name or number, without asking a resolver.
bool address_is_loopback(const struct address *address);
/// Whether the host is a number rather than a name.
bool address_is_numeric(const struct address *address);
/// HOST:PORT with brackets where they belong. @param text_out ADDRESS_TEXT_BYTES.
void address_format(char *text_out, const struct address *address);
/// What a socket is bound to. @return false when it is not bound to an internet address.
bool address_of_socket(struct address *address_out, int fd);

#endif
