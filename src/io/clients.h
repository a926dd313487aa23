// SPDX-License-Identifier: MIT
// The clients' port: who connects is looked at, and becomes a WebSocket client or an HTTP asker.
//
//   listener --> front: peeks at the head without taking it
//                  |  GET with Upgrade: websocket, subprotocol weft.v1, right origin
//                  |--> libwebsockets (adopted socket) --> NODE_CLIENT_* events, links.send/close
//                  `--> http_api                       --> NODE_REQUEST events
//
// libwebsockets runs on the loop (its libuv plugin, a foreign loop) and does the WebSocket framing
// of what comes in. What goes out was framed once, in the headroom of the shared frame, and is
// written as it is (LWS_WRITE_RAW) straight from the turn; only when the kernel takes no more does
// lws keep the rest of that one frame, and nothing else is handed to it until that is gone.
//
// A connection costs 80 bytes here besides what lws and the kernel keep. No timers per connection:
// those that must end soon stand in one queue, since all have the same time.
// May include: node/, io/address.h, io/http_api.h, io/http_origin.h, io/loop.h.
#ifndef WEFT_IO_CLIENTS_H
#define WEFT_IO_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/status.h>

#include "io/address.h"
#include "io/http_api.h"
#include "io/http_origin.h"
#include "io/loop.h"
#include "node/frame.h"
#include "node/ports.h"

#define CLIENTS_PEEK_MS 10000U                // for a connection to say what it wants
#define CLIENTS_LINGER_MS 3000U               // from our close frame to the end of the connection
#define CLIENTS_PARTIAL_BYTES_MAX (64U << 20) // of messages that arrived in part, of all clients

struct clients;

struct clients_config {
    struct loop *loop;
    const char *listen;          // HOST:PORT; port 0 takes a free one
    struct http_api *http;       // borrowed; gets what is not WebSocket
    struct http_origins origins; // its texts are borrowed; `loopback` is found out here
    uint32_t connections_max;    // of all kinds, on this port
    uint32_t frame_bytes_max;    // of a message from a client
    /// As node_config.log; may be NULL.
    void (*log)(void *context, int level, const char *event, const char *details);
    void *log_context;
};

struct clients_counts {
    uint32_t clients;  // WebSocket connections now
    uint32_t visitors; // that have not said yet what they want
    uint64_t accepted;
    uint64_t refused_messages; // text, too large, or too many in part
    uint64_t blocked;          // how often the kernel took no more
    uint64_t partial_bytes;    // now
};

/// Binds the port, but accepts nothing before clients_start().
/// @param error Receives one line that says what failed.
/// @return as listener_open().
WEFT_MUST_USE enum weft_status clients_open(struct clients **clients_out,
                                            const struct clients_config *config, char *error,
                                            size_t error_size);
void clients_start(struct clients *clients);
/// New connections are answered by HTTP alone from now on.
void clients_drain(struct clients *clients);
/// Drops all connections; no event follows. Takes NULL. Its memory goes in the loop's next
/// iterations.
void clients_close(struct clients *clients);

const struct address *clients_address(const struct clients *clients);
struct clients_counts clients_count(const struct clients *clients);

// The clients' part of struct links, see node/ports.h.
bool clients_send(struct clients *clients, struct client_id client, struct frame *frame);
void clients_hang_up(struct clients *clients, struct client_id client, uint16_t code,
                     const char *reason);

#endif
