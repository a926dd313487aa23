// SPDX-License-Identifier: MIT
// Epochs: the lives of a document name, and what is kept of those that ended. Private to node/.
// May include: node/state.h.
#ifndef WEFT_NODE_EPOCH_H
#define WEFT_NODE_EPOCH_H

#include "node/state.h"

/// Begins an epoch greater than the room's: what the document held goes to a recovery copy, its
/// subscribers are told, and it is empty. With `own` an entry of the own feed is staged and all
/// this is shown when it is on disk; else it is told at the end of the turn.
WEFT_MUST_USE enum weft_status epoch_begin(struct node *node, struct room *room,
                                           const struct weft_epoch *epoch, bool own);
/// The epoch after a room's present one.
struct weft_epoch epoch_next(struct node *node, const struct room *room);
/// Keeps edits of an epoch that ended in its recovery copy; the same edits twice are kept once.
void epoch_keep_apart(struct node *node, struct room *room, const struct weft_epoch *epoch,
                      struct span delta);
/// Keeps edits as a late part of a copy; the same edits twice are kept once.
void epoch_keep_part(struct node *node, struct room *room, const struct archive_copy *copy,
                     struct span delta);
/// ORPHANS of a client: edits of an epoch that lost.
void epoch_orphans(struct node *node, struct client_id client, const struct wire_message *message);

/// Lower-case hex of the 24 bytes, and a terminating NUL.
void epoch_hex(char hex_out[2 * WIRE_EPOCH_SIZE + 1], const struct weft_epoch *epoch);
bool epoch_from_hex(struct weft_epoch *epoch_out, struct span hex);

#endif
