// SPDX-License-Identifier: MIT
// The clients' port with a stand-in for the node, on a thread of its own: what tests talk to.
//
// To a client it sends back what it gets, after "echo:"; some messages are orders (see
// fake_node.c). A request is answered with one line that says how it was understood; a watch
// streams.
#ifndef WEFT_TESTS_UNIT_IO_FAKE_NODE_H
#define WEFT_TESTS_UNIT_IO_FAKE_NODE_H

#include <stdbool.h>
#include <stdint.h>

struct fake_node;

struct fake_node_counts {
    uint64_t opened;
    uint64_t closed;
    uint64_t frames;
    uint64_t writable;
    uint64_t requests;
    uint64_t requests_closed;
    uint64_t requests_writable;
    uint64_t turns;
    uint64_t ticks;
};

/// Starts the thread; ends the process when it cannot.
struct fake_node *fake_node_start(void);
uint16_t fake_node_port(const struct fake_node *fake);
uint16_t fake_node_admin_port(const struct fake_node *fake);
/// As of the last turn.
struct fake_node_counts fake_node_count(struct fake_node *fake);
/// Begins to drain the ports, as a node that is told to stop.
void fake_node_drain(struct fake_node *fake);
/// Ends the thread and frees everything.
void fake_node_stop(struct fake_node *fake);

// ------------------------------------------------------------------------------- a blocking client

/// Connects to 127.0.0.1. @return A socket with a receive time-out of 10 s.
int fake_connect(uint16_t port);
void fake_send(int fd, const void *bytes, uint64_t size);
void fake_send_text(int fd, const char *text);
/// Reads until `until` was seen, the end, or `capacity` - 1 bytes. NUL-terminated. @return bytes.
uint64_t fake_read_until(int fd, char *out, uint64_t capacity, const char *until);
/// Reads to the end of the connection. @return bytes; the connection ended when `*ended_out`.
uint64_t fake_read_all(int fd, char *out, uint64_t capacity, bool *ended_out);
/// Whether the peer ends the connection within its time.
bool fake_ends(int fd);

/// Opens a WebSocket. @return A socket.
int fake_websocket(uint16_t port);
/// Sends one frame, masked. @param first The first byte: FIN, RSV, opcode.
void fake_websocket_send(int fd, uint8_t first, const void *bytes, uint64_t size);
/// Reads one frame. @return The first byte, or -1 when the connection ended.
int fake_websocket_read(int fd, char *out, uint64_t capacity, uint64_t *size_out);
/// Waits for the close frame, passing over others. @return Its code; 0 when it ended without one.
int fake_websocket_close_code(int fd);

#endif
