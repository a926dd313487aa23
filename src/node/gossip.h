// SPDX-License-Identifier: MIT
// The bus: fresh entries, heartbeats, what is synced. Every message may be lost. Private to node/.
// May include: node/state.h.
#ifndef WEFT_NODE_GOSSIP_H
#define WEFT_NODE_GOSSIP_H

#include "node/state.h"

/// A message of a peer.
void gossip_message(struct node *node, struct pipe_id pipe, struct span bytes);
/// Broadcasts entries of the own feed that are on disk now: u32 size, journal value, ...
void gossip_fresh(struct node *node, const struct weft_buffer *entries);
/// Sends a heartbeat when one is due, or `now`.
void gossip_beat(struct node *node, bool now);
/// Says what is on this disk when someone waits for it.
void gossip_synced(struct node *node);

#endif
