// SPDX-License-Identifier: MIT
// Subscriptions: one client in one room, from JOIN to LEAVE. Private to node/.
//
//   JOINING --reader is through--> LIVE --its cursor fell off the ring--> LOST --SYNC--> JOINING
//
// May include: node/state.h.
#ifndef WEFT_NODE_SUBSCRIPTION_H
#define WEFT_NODE_SUBSCRIPTION_H

#include "node/state.h"

/// NULL when out of memory. It begins LIVE at the ring's end; see subscription_sync().
struct subscription *subscription_create(struct node *node, uint32_t slot, struct room *room);
/// Takes it off its client, its room and all lists.
void subscription_destroy(struct node *node, struct subscription *subscription);
struct subscription *subscription_find(struct node *node, const struct client *client,
                                       uint32_t room_number);
struct client_id subscription_client(const struct node *node,
                                     const struct subscription *subscription);

/// Begins to send what `version` lacks, then a POINT. @return WEFT_OK, WEFT_MALFORMED or
/// WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status
subscription_sync(struct node *node, struct subscription *subscription, struct span version);
/// The room's document goes away: what was being read has to be asked for again.
void subscription_stop_reader(struct subscription *subscription);
/// It fell off the ring or may hold what is not on disk: RESYNC.
void subscription_lose(struct node *node, struct subscription *subscription);
/// Sends what is due, as far as the client takes it: RESYNC, acks, catching up, frames, POINT.
void subscription_flush(struct node *node, struct subscription *subscription);
/// Acks are due: they leave at the end of the turn.
void subscription_ack(struct node *node, struct subscription *subscription);
/// Sends the acks of this turn.
void subscription_flush_acks(struct node *node);
/// Goes on with clients that had more to read than fits in one go.
void subscription_pump_all(struct node *node);

#endif
