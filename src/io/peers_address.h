// SPDX-License-Identifier: MIT
// Addresses between nodes: tcp://HOST:PORT, HOST a name, an IPv4 address or an IPv6 one in
// brackets.
#ifndef WEFT_IO_PEERS_ADDRESS_H
#define WEFT_IO_PEERS_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include <nng/nng.h>

#include "base/bytes.h"

#define PEERS_ADDRESS_BYTES_MAX 272 // with "tcp://", the port and the end of the string

struct peers_address {
    char text[PEERS_ADDRESS_BYTES_MAX]; // tcp://HOST:PORT
    uint8_t host_size;
    uint16_t port;
};

/// @return false when the text is anything but tcp://HOST:PORT.
bool peers_address_parse(struct peers_address *address_out, struct span text);
/// The same host with another port.
struct peers_address peers_address_with_port(const struct peers_address *address, uint16_t port);
/// Whether only this machine can reach it: 127.0.0.0/8, [::1] or localhost.
bool peers_address_is_loopback(const struct peers_address *address);
/// Whether it stands for all addresses of a machine, which nobody can dial.
bool peers_address_is_wildcard(const struct peers_address *address);
/// The port of a socket's address; 0 when it has none.
uint16_t peers_address_port(const nng_sockaddr *address);

#endif
