// SPDX-License-Identifier: MIT
// A user of the HTTP API: reads texts, replaces them with what it read plus its own changes,
// patches, creates, deletes, lists and watches, each time at another node. May include: node/,
// codec/pack.h.
#ifndef WEFT_SIM_USER_H
#define WEFT_SIM_USER_H

#include "base/bytes.h"
#include "node/node.h"

struct cluster;
struct sim_node;

/// Begins its life, which ends when the cluster is quiet.
void sim_user_start(struct cluster *cluster);

/// One request whose promise goes to the ledger; for scenarios. Its answer is noted when it comes.
/// @param node Where. @param wait_level As in node_ask.
void sim_user_create_document(struct cluster *cluster, struct sim_node *node, uint32_t document);
void sim_user_delete_document(struct cluster *cluster, struct sim_node *node, uint32_t document);
/// Inserts `count` new markers at `position`, clipped by nobody: past the end is refused.
void sim_user_insert(struct cluster *cluster, struct sim_node *node, uint32_t document,
                     uint64_t position, uint32_t count, uint32_t wait_level);

#endif
