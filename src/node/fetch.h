// SPDX-License-Identifier: MIT
// Fetching single documents from peers: their version vector goes out, exactly the missing
// operations come back. Private to node/. May include: node/state.h.
//
//   COMPARE   a comparison found that it differs
//   DIGEST    a heartbeat said that it differs, though nothing is lacking of any feed
//   BEHIND    a client knows a newer epoch
//   DAMAGED   a record of it is bad here: it is rebuilt from what a peer holds
//   CHAINS    after one of the first two it still differs: do its authors' histories? (chains.h)
#ifndef WEFT_NODE_FETCH_H
#define WEFT_NODE_FETCH_H

#include "node/state.h"

enum fetch_outcome { FETCH_ADDED, FETCH_THERE, FETCH_FULL };

/// @param incarnation Of the member to ask; 0: anyone. @param digest That it has, or NULL.
enum fetch_outcome fetch_add(struct node *node, enum fetch_reason reason, uint64_t incarnation,
                             struct span name, const struct weft_digest *digest);
void fetch_behind(struct node *node, struct span name);
void fetch_damaged(struct node *node, struct room *room);
/// Starts those that are due.
void fetch_run(struct node *node);
/// @param fetch NULL when it was cancelled.
void fetch_reply(struct node *node, struct fetch *fetch, const struct peer_message *message);
void fetch_failed(struct node *node, struct fetch *fetch);
/// Forgets those of a comparison with that member.
void fetch_cancel(struct node *node, uint64_t incarnation);
void fetch_finish_all(struct node *node);

#endif
