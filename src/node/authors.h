// SPDX-License-Identifier: MIT
// Who edits over HTTP: an agent for each name that was given, and what is said of it in a document
// with its first edit there. Private to node/. May include: node/state.h.
#ifndef WEFT_NODE_AUTHORS_H
#define WEFT_NODE_AUTHORS_H

#include "node/state.h"

/// The agent of those who edit under a name here: the node's own when it is empty, or without
/// memory. It never outlives the process.
uint64_t authors_agent(struct node *node, struct span name);
/// Other agents from now on: what these wrote must not be written otherwise.
void authors_forget(struct node *node);
void authors_finish(struct node *node);

/// Says in a document who an agent is, as an operation of `maker`; with no name, that it is whoever
/// edits over HTTP at this node. Without memory nothing is said.
void authors_introduce(struct node *node, struct room *room, uint64_t agent, uint64_t maker,
                       struct span name);

#endif
