// SPDX-License-Identifier: MIT
// One WebSocket to one node at a time, on libwebsockets' client with its poll loop inside.
// Private to client. May include: base/, libwebsockets.
#ifndef WEFT_PROGRAMS_CLIENT_SOCKET_H
#define WEFT_PROGRAMS_CLIENT_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/memory.h>

#include "base/bytes.h"

#define SOCKET_REASON_BYTES 160

struct socket;

/// All are called from inside of socket_wait() only.
struct socket_handlers {
    void (*opened)(void *context);
    void (*message)(void *context, struct span bytes); // one whole binary message
    void (*writable)(void *context);                   // after socket_ask_write(): send one message
    /// The connection is gone or never was. @param code The peer's close code, or 1006.
    void (*closed)(void *context, uint16_t code, const char *reason);
};

/// @return NULL when the system refuses or memory is short. The caller owns it.
struct socket *socket_create(const struct socket_handlers *handlers, void *context);
void socket_destroy(struct socket *socket);

/// Begins to connect; closed() may come at once from the next socket_wait(). Nothing may be open.
void socket_connect(struct socket *socket, const char *host, uint16_t port, uint32_t message_max);
/// Lets go of the connection; no more of its events come. It ends with the next socket_connect() or
/// socket_destroy() at the latest. Closing one that is none is allowed.
void socket_close(struct socket *socket);

void socket_ask_write(struct socket *socket);
/// An empty buffer that a message can be appended to and sent from. Valid in writable().
struct weft_buffer *socket_outgoing(struct socket *socket);
/// Sends what is in socket_outgoing(). @return false: the connection is broken; closed() follows.
bool socket_send(struct socket *socket);

/// Runs the loop until a handler was called, at most so long.
void socket_wait(struct socket *socket, uint32_t timeout_ms);

#endif
