// SPDX-License-Identifier: MIT
// Rooms: documents in memory, loaded when someone needs them, evicted when nobody does, and the
// ring of frames through which their subscribers follow them. Private to node/. May include:
// node/state.h.
#ifndef WEFT_NODE_ROOM_H
#define WEFT_NODE_ROOM_H

#include "node/state.h"

/// The room of a document, loaded. @return WEFT_OK; WEFT_MALFORMED: it is quarantined (*room_out is
/// set all the same, without a document); WEFT_STORAGE; WEFT_LIMIT; WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status room_open(struct node *node, struct span name,
                                         struct room **room_out);
/// Loads a room's document if a failed commit or damage took it away. @return as room_open().
WEFT_MUST_USE enum weft_status room_load(struct node *node, struct room *room);
/// Drops the document from memory: what it held is not on disk. Loaded again when needed.
void room_unload(struct node *node, struct room *room);
/// An empty document in the epoch of room->head.
WEFT_MUST_USE enum weft_status room_renew(struct node *node, struct room *room);
/// Takes a document (which is destroyed on failure) as the room's, when it has none.
WEFT_MUST_USE enum weft_status room_adopt(struct node *node, struct room *room,
                                          struct weft_doc *doc);
void room_destroy(struct node *node, struct room *room);

void room_pin(struct node *node, struct room *room);
void room_unpin(struct node *node, struct room *room);
/// Puts a room that nobody uses on the list of those that may be evicted, or takes it off.
void room_settle(struct node *node, struct room *room);
/// Evicts rooms that nobody uses while documents take more memory than they may.
void room_evict(struct node *node);
/// Evicts what can be evicted and finishes the rest: at the end of the node.
void room_finish_all(struct node *node);

/// The document changed: its POINT is stale, and quiet begins anew.
void room_changed(struct node *node, struct room *room);
/// Remembers that a document changed, for the digests of heartbeats once it is quiet.
void room_remember(struct node *node, struct room *room);
/// Rooms that were quiet for a while: tells their subscribers where they stand.
void room_tell_quiet(struct node *node);

/// Takes note of a delta to show at the end of the turn (`now`; behind what waits for a group: then
/// with it), or when the open group is on disk.
void room_show(struct node *node, struct room *room, struct span delta, bool now);
/// Builds frames of what is to be shown and sends them.
void room_flush(struct node *node, struct room *room, struct weft_buffer *deltas);
/// Shows what peers brought during this turn.
void room_flush_turn(struct node *node);
/// Appends a frame (taken) to the ring and sends it to everyone who is at its end.
void room_push(struct node *node, struct room *room, struct frame *frame);
/// The POINT of the present state, borrowed. NULL when out of memory. The room must be clean.
struct frame *room_point(struct node *node, struct room *room);
/// Tells the subscribers of the epoch before that it ended, and lets go of them.
void room_notice_epoch(struct node *node, struct room *room);
/// Tells the subscribers that their room is closed, and lets go of them: they join anew.
void room_close(struct node *node, struct room *room);
/// Everyone has to be resynced: what they hold may be ahead of the disk, or a frame could not be
/// made.
void room_resync_all(struct node *node, struct room *room);

/// A document's token: (incarnation, journal number, digest).
#define TOKEN_BYTES 32
void room_token(struct node *node, const struct room *room, const struct weft_digest *digest,
                uint8_t bytes_out[TOKEN_BYTES]);

/// A message as a frame of its own (owned by the caller). NULL when out of memory.
struct frame *frame_of(struct node *node, const struct wire_message *message);

#endif
