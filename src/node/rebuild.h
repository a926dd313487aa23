// SPDX-License-Identifier: MIT
// Healing a document whose record is damaged: what a peer holds, and what is still readable in the
// own journal, become its new snapshot. Private to node/. May include: node/state.h.
#ifndef WEFT_NODE_REBUILD_H
#define WEFT_NODE_REBUILD_H

#include "node/state.h"

/// Adds what came to fetch->doc. @return Whether all went in that has room; *more_out is false when
/// some had none.
bool rebuild_take(struct node *node, struct fetch *fetch, const struct peer_message *message,
                  bool *more_out);
/// All came: the room is whole again. @return false: the peer had nothing, ask another one.
bool rebuild_install(struct node *node, struct fetch *fetch, struct room *room);

#endif
