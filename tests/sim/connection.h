// SPDX-License-Identifier: MIT
// A client's link to a node: two ordered streams that may break at any moment.
//
//      client --- up ---> node         a break cuts each stream somewhere in what is in flight;
//      client <-- down -- node         each side hears of it in its own time, or after a while
//
// The node's side follows links.send(): when the window is full it says so, and failing to listen
// to that is a broken contract. May include: node/.
#ifndef WEFT_SIM_CONNECTION_H
#define WEFT_SIM_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "node/node.h"

struct cluster;
struct connection;
struct sim_client;
struct sim_network;
struct sim_node;

/// Begins to connect; sim_client_opened() or sim_client_closed() follows.
/// @return borrowed; lives as long as the cluster.
struct connection *connection_open(struct sim_client *client, struct sim_node *node);
/// The client sends one frame; nothing happens after a close.
void connection_send(struct connection *connection, struct span bytes);
/// The client closes in good order: what it sent arrives before. It hears nothing more.
void connection_close(struct connection *connection);
/// The wire breaks.
void connection_break(struct connection *connection);
/// The slot of the node at the other end.
uint32_t connection_slot(const struct connection *connection);

// The node's side.
bool connection_node_send(struct sim_node *node, struct client_id id, struct frame *frame);
void connection_node_close(struct sim_node *node, struct client_id id, uint16_t code,
                           const char *reason);
/// The process is gone: all its connections break.
void connection_crash_all(struct sim_node *node);
/// Slow readers read quickly from now on, what is in flight included.
void connection_hurry_all(struct sim_network *network);
void connection_finish_all(struct sim_network *network);

#endif
