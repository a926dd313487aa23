// SPDX-License-Identifier: MIT
// Comparing the chains of a document with a member whose digest differs though nothing is lacking:
// an author's id has two contents (weft/fork.h). Each question carries the cuts that are known
// here, each answer those that are known there. Private to node/. May include: node/state.h.
//
//   all agents, as far as both hold them  ->  which differ
//   those, half way, and half way again   ->  the first atom that differs
//   the lesser heir                       ->  a cut: both rebuild
#ifndef WEFT_NODE_CHAINS_H
#define WEFT_NODE_CHAINS_H

#include "node/state.h"

/// The next question of a FETCH_CHAINS. The room has its document. @return Whether it goes on:
/// WEFT_OK (`question` is filled; its version is node->version), WEFT_NOT_FOUND (all was compared),
/// or what failed.
WEFT_MUST_USE enum weft_status chains_ask(struct node *node, struct fetch *fetch, struct room *room,
                                          struct peer_message *question);
/// Takes an answer. @return WEFT_OK: ask on, or what failed.
WEFT_MUST_USE enum weft_status chains_take(struct node *node, struct fetch *fetch,
                                           struct room *room, const struct peer_message *message);
/// The other side: appends the list to an answer.
void chains_put(struct room *room, struct pack_writer *writer, struct span version);

#endif
