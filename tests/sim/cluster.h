// SPDX-License-Identifier: MIT
// One simulation: the world, its network, its nodes and clients, and what was promised.
//
//      world      time, chance                      sim_network   who reaches whom, how badly
//      sim_node   one directory and its process     sim_client    a session with its documents
//      ledger     what was acked                    faults        what goes wrong, and when
//
// May include: node/, codec/wire.h, weft/.
#ifndef WEFT_SIM_CLUSTER_H
#define WEFT_SIM_CLUSTER_H

#include "faults.h"
#include "ledger.h"
#include "sim_network.h"
#include "world.h"

#define SIM_NODES_MAX SIM_STORES_MAX
#define SIM_CLIENTS_MAX 32 // all that ever were, sessions that ended included

struct sim_client;
struct sim_node;

struct cluster {
    struct world world;
    struct fault_plan plan;
    struct ledger ledger;
    struct sim_network network;
    struct sim_node *nodes[SIM_NODES_MAX]; // by slot, which is also the store's number
    uint32_t node_count;
    struct sim_client *clients[SIM_CLIENTS_MAX];
    uint32_t client_count;
    uint32_t document_count;
    struct marker_list shared_texts[SIM_DOCUMENTS_MAX]; // what CREATE writes, the same everywhere
    uint64_t next_request;
    uint64_t request_count;
    uint32_t writes_under_way; // requests: they may change what is read meanwhile
    uint64_t acks;             // that clients got, any level from durable on
    uint64_t synced;           // moments at which a client might show it
    bool quiet;                // nobody edits any more
};

/// The nodes and clients that the plan asks for; nothing has started.
void cluster_init(struct cluster *cluster, uint64_t seed, bool verbose,
                  const struct fault_plan *plan);
void cluster_finish(struct cluster *cluster);

/// A node with an empty directory. @return borrowed.
struct sim_node *cluster_add_node(struct cluster *cluster);
struct sim_client *cluster_add_client(struct cluster *cluster);
/// A node that is up, by chance; NULL when there is none.
struct sim_node *cluster_pick_node(struct cluster *cluster);

/// The name of a document, in static storage.
struct span cluster_document_name(uint32_t document);
/// The document of a name; SIM_DOCUMENTS_MAX when there is none.
uint32_t cluster_find_document(const struct cluster *cluster, struct span name);
/// Appends the text that every CREATE of this document writes.
void cluster_shared_text(struct cluster *cluster, uint32_t document, struct weft_buffer *out);

#endif
