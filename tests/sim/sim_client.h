// SPDX-License-Identifier: MIT
// A client: a session that speaks docs/wire-protocol.md and holds whole documents.
//
//   session   connect -> HELLO -> rooms -> ... -> break, move or close -> another node, later
//   rooms     sim_room.h: one document each, with all that was promised about it
//   temper    types like a person or edits like a fuzzer; goes offline with edits; ends for good
//
// May include: codec/wire.h, weft/.
#ifndef WEFT_SIM_CLIENT_H
#define WEFT_SIM_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/wire.h"

#include "cluster.h"
#include "sim_room.h"

struct connection;

enum client_state {
    CLIENT_OFFLINE,
    CLIENT_CONNECTING,
    CLIENT_GREETING, // HELLO sent
    CLIENT_ONLINE,
    CLIENT_ENDED, // for good; its documents are gone with it
};

struct sim_client {
    struct cluster *cluster;
    uint32_t index;
    enum client_state state;
    struct connection *connection; // NULL while offline
    uint32_t slot;                 // of the node it is or was connected to
    uint64_t since_us;             // of the state
    uint64_t online_at_us;         // when it wants to connect next
    uint64_t heard_us;             // last frame
    uint64_t spoke_us;
    uint32_t replicas; // replicated:n that it asks for
    uint32_t next_ref;
    bool typist;           // else a fuzzer
    bool scripted;         // does only what a scenario tells it
    bool pinned;           // connects to no other node than that of `slot`
    uint64_t think_us_max; // between two edits
    struct sim_room rooms[SIM_DOCUMENTS_MAX];
    uint32_t room_count;
    struct weft_buffer scratch; // of encoding
};

struct sim_client *sim_client_create(struct cluster *cluster, uint32_t index);
void sim_client_destroy(struct sim_client *client);
/// Begins its life.
void sim_client_start(struct sim_client *client);
/// Goes offline now and comes back at `online_at_us`, perhaps at another node.
void sim_client_go_offline(struct sim_client *client, uint64_t online_at_us);
/// Closes for good.
void sim_client_end(struct sim_client *client);
/// From now on it connects to this node only; it moves there if it is elsewhere.
void sim_client_pin(struct sim_client *client, uint32_t slot);
/// Whether all its documents are joined and nothing is unsent or unacked.
bool sim_client_is_settled(const struct sim_client *client);
/// Sends a message on its connection.
void sim_client_send(struct sim_client *client, const struct wire_message *message);
/// A fresh agent id.
uint64_t sim_client_agent(struct sim_client *client);

// From its connection.
void sim_client_opened(struct sim_client *client, struct connection *connection);
void sim_client_frame(struct sim_client *client, struct connection *connection, struct span bytes,
                      uint64_t sent_us);
/// @param code 0 for a break.
void sim_client_closed(struct sim_client *client, struct connection *connection, uint16_t code);

#endif
