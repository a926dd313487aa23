// SPDX-License-Identifier: MIT
// Sessions: connected clients, what they say, what they are told. Private to node/.
// May include: node/state.h.
#ifndef WEFT_NODE_SESSION_H
#define WEFT_NODE_SESSION_H

#include "node/state.h"

/// An ERROR message. Names that do not apply are WIRE_NONE.
struct session_error {
    uint32_t room;
    uint32_t ref;
    uint32_t number;
    uint32_t code;
    const char *detail; // NULL: none
};

void session_opened(struct node *node, struct client_id client);
void session_closed(struct node *node, struct client_id client);
void session_writable(struct node *node, struct client_id client);
void session_frame(struct node *node, struct client_id client, struct span bytes);
/// A message that was put off until a commit. Its client may be gone.
void session_deferred(struct node *node, struct client_id client, struct span bytes);

/// NULL when the connection is closed or another one took the slot.
struct client *session_find(struct node *node, struct client_id client);
/// Sends a message, or keeps it until the client is writable.
void session_send(struct node *node, struct client_id client, const struct wire_message *message);
/// As session_send(); the frame stays the caller's.
void session_send_frame(struct node *node, struct client_id client, struct frame *frame);
/// Sends a frame to a client that is not blocked, and takes note when it is from now on.
void session_push(struct node *node, uint32_t slot, struct frame *frame);
void session_error(struct node *node, struct client_id client, const struct session_error *error);
void session_close(struct node *node, struct client_id client, uint32_t code);

/// Time-outs of greetings, silence and blocked clients. Cost: O(those that are due).
void session_tick(struct node *node);
/// Tells everyone to move to another node.
void session_move_all(struct node *node);
void session_finish_all(struct node *node);

#endif
