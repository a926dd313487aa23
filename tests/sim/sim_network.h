// SPDX-License-Identifier: MIT
// What the wires do: who reaches whom, and how long, how often, in which order.
//
//   client links   ordered, may break at any moment with data in flight both ways, may be slow
//   bus pipes      a hint channel: loss, doubling, delay, reordering, and a burst limit as nng's
//   pull           question and reply, each delayed; time-out, lost reply, question asked twice
//
// A one-way cut swallows what is sent; both ways must be open to connect. May include:
// node/ports.h.
#ifndef WEFT_SIM_NETWORK_H
#define WEFT_SIM_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"
#include "node/ports.h"
#include "world.h"

#define NETWORK_PULL_TIMEOUT_US 5000000
#define NETWORK_BURST_MAX 16 // bus messages a pipe holds; the next one is dropped (nng 1.5)
#define NETWORK_DRAIN_US 50  // in which a pipe takes one of them

struct cluster;
struct sim_node;
struct connection;
struct bus_pipe;
struct dialing;
struct pull;

/// How the wires are now. Faults change it; healing clears it.
struct network_weather {
    uint32_t loss_per_mille;       // of bus messages
    uint32_t doubling_per_mille;   // of bus messages and pull questions
    uint32_t reply_loss_per_mille; // of pull replies
    bool reordering;               // of bus messages within a pipe
    uint64_t delay_us_max;         // of anything between nodes
};

struct sim_network {
    struct cluster *cluster;
    struct network_weather weather;
    bool cut[SIM_STORES_MAX][SIM_STORES_MAX]; // [from][to]: nothing arrives
    struct bus_pipe *pipes;                   // all that ever were, newest first
    struct dialing *dialings;
    struct pull *pulls;
    struct connection *connections;
    uint64_t next_pipe;
    uint64_t next_answer;
    uint64_t bus_messages;
    uint64_t bus_lost;
};

void sim_network_init(struct sim_network *network, struct cluster *cluster);
void sim_network_finish(struct sim_network *network);
/// Clears all cuts; `weather` goes back to a calm day.
void sim_network_heal(struct sim_network *network);
/// Whether bytes from one slot arrive at another.
bool sim_network_reaches(const struct sim_network *network, uint32_t from, uint32_t to);
/// A delay between nodes.
uint64_t sim_network_delay(struct sim_network *network);

// The parts of the links port; `node` is who calls.
void sim_bus_broadcast(struct sim_node *node, struct span message);
void sim_bus_dial(struct sim_node *node, struct span address);
void sim_bus_hang_up(struct sim_node *node, struct span address);
void sim_bus_drop(struct sim_node *node, struct pipe_id pipe);
/// The process is gone: its pipes break, its dialings end.
void sim_bus_crash(struct sim_node *node);
void sim_bus_finish(struct sim_network *network);

void sim_pull_ask(struct sim_node *node, uint64_t ticket, struct span address,
                  struct span question);
void sim_pull_answer(struct sim_node *node, struct answer_id answer, struct span reply);
void sim_pull_finish(struct sim_network *network);

#endif
