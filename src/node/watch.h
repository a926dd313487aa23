// SPDX-License-Identifier: MIT
// Event streams (server-sent events) of what changes in a document's text. Private to node/.
//
//   id: TOKEN            (node incarnation, journal number, digest) in hex
//   event: text          data: {"document","epoch","digest","length","text"}
//                        at first, when changes were missed, and when the document was deleted;
//                        "text" is null when it is too long, or the asker's token current
//   event: change        data: {"digest","patches":[[position,deleted,"inserted"],...]}
//                        in scalars; empty when only the digest changed
//
// May include: node/state.h.
#ifndef WEFT_NODE_WATCH_H
#define WEFT_NODE_WATCH_H

#include "node/state.h"

/// Begins a stream on a clean room. With `ask->after`, a token, the text is left out if it is
/// current.
void watch_begin(struct node *node, struct request_id id, const struct node_ask *ask,
                 struct room *room);
/// The asker is gone, or the node ends.
void watch_end(struct node *node, struct request *request);
void watch_writable(struct node *node, struct request_id id);
/// A room's document was loaded: its changes are collected if someone watches.
void watch_attach(struct node *node, struct room *room);
/// Tells the watchers what changed, once all of it is on disk.
void watch_flush(struct node *node, struct room *room);

#endif
