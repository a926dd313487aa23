// SPDX-License-Identifier: MIT
// What the files of io/clients share. Private to them.
#ifndef WEFT_IO_CLIENTS_IMPL_H
#define WEFT_IO_CLIENTS_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include <libwebsockets.h>
#include <uv.h>

#include "io/clients.h"
#include "io/listener.h"

#define CLIENTS_NO_SLOT UINT32_MAX

/// One WebSocket connection; lws owns it (per-session data), and zeroes it at first.
struct session {
    struct lws *wsi;
    uint8_t *partial; // the beginning of a message that is not whole yet
    uint32_t partial_size;
    uint32_t partial_capacity;
    uint32_t slot;               // CLIENTS_NO_SLOT: the node does not know it
    bool open;                   // ESTABLISHED was seen, CLOSED was not
    bool ending;                 // a close frame was sent or received: nothing more goes either way
    bool shut;                   // our side of the connection is closed
    bool blocked;                // the node was told that there is no room
    uint64_t end_ms;             // when an ending connection is cut
    struct session *ending_next; // in clients->ending, by end_ms
    struct session *ending_previous;
};

/// What a client_id names.
struct client_slot {
    struct session *session; // NULL: free
    uint32_t generation;
    uint32_t next_free;
};

/// A connection that has not said yet what it wants.
struct visitor {
    uv_poll_t poll;
    struct clients *clients;
    struct visitor *next; // by arrival
    struct visitor *previous;
    int fd;
    int seen; // bytes at the last look
    uint64_t end_ms;
};

struct clients {
    struct clients_config config;
    struct listener *listener;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct client_slot *slots;
    uint32_t slot_count;
    uint32_t first_free;
    struct session *ending_first;
    struct session *ending_last;
    struct visitor *visitor_first;
    struct visitor *visitor_last;
    struct clients_counts counts;
    uint32_t wsis; // that lws has, closing ones included
    uv_timer_t scan;
    int handles;
    bool draining;
    bool closed;
};

// clients_socket.c
bool clients_socket_open(struct clients *clients);
/// Begins to close all sockets.
void clients_socket_close(struct clients *clients);
/// Frees the context once it has nothing in the loop any more. @return whether it did.
bool clients_socket_finish(struct clients *clients);
/// Takes the socket of a checked upgrade.
void clients_socket_adopt(struct clients *clients, int fd);
/// Cuts those whose time is over.
void clients_socket_scan(struct clients *clients, uint64_t now_ms);

// clients_front.c
/// Takes a fresh socket.
void clients_front_accept(struct clients *clients, int fd);
void clients_front_scan(struct clients *clients, uint64_t now_ms);
void clients_front_close(struct clients *clients);

/// A handle or a visitor is gone; the last one frees.
void clients_handle_closed(struct clients *clients);

#endif
