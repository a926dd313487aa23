// SPDX-License-Identifier: MIT
// Pulling what the bus did not bring: ranges of feeds in the journal order of whoever holds them,
// which is causal. What a journal does not reach back to is fetched document by document
// (compare.h). Private to node/. May include: node/state.h.
#ifndef WEFT_NODE_PULL_H
#define WEFT_NODE_PULL_H

#include "node/state.h"

/// Someone holds more: pulls at the end of the turn.
void pull_soon(struct node *node);
/// Starts pulls and comparisons that are due.
void pull_schedule(struct node *node);
/// Asks a member. @return Whether a pull is under way now.
bool pull_ask(struct node *node, enum pull_kind kind, struct member *member, struct fetch *fetch,
              struct span question);
/// NODE_PULL_REPLY.
void pull_reply(struct node *node, uint64_t ticket, enum weft_status status, struct span bytes);
/// This life was seen ahead of itself: it ends, and another one begins.
void pull_fence(struct node *node);

/// NODE_PULL_ASKED; in pull_answer.c.
void pull_asked(struct node *node, struct answer_id answer, struct span bytes);
/// A question that was put off until a commit.
void pull_deferred(struct node *node, struct answer_id answer, struct span bytes);

#endif
