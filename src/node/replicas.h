// SPDX-License-Identifier: MIT
// replicated:n - on how many disks an edit is, this one included. Private to node/.
//
// An edit is on a member's disk when that member reported a synced prefix of this node's feed that
// covers its entry. An edit that was known before (a resend) came by some other feed: its ack waits
// for a barrier, a list of all that was held here at that moment. May include: node/state.h.
#ifndef WEFT_NODE_REPLICAS_H
#define WEFT_NODE_REPLICAS_H

#include "node/state.h"

/// The client's edits up to subscription->durable are on this disk, as entries of the own feed up
/// to `sequence`: an ack is due when they are on enough others, if the client asked for that.
void replicas_expect(struct node *node, struct subscription *subscription, uint64_t sequence);
void replicas_drop(struct node *node, struct subscription *subscription);
/// A barrier of this turn. 0 when it could not be made.
uint64_t replicas_barrier(struct node *node);
/// Replaces a barrier that made room for later ones by one of now.
void replicas_keep(struct node *node, uint64_t *barrier);
/// On how many disks entries of the own feed up to `sequence` are, and all that `barrier` (0: none)
/// names. Two members of which one continues the other are one disk.
uint32_t replicas_count(const struct node *node, uint64_t sequence, uint64_t barrier);
/// feed->asked says what a member has on its disk: which barriers does it cover?
void replicas_note(struct node *node, const struct member *member);
/// Members reported something: acks what is on enough disks now.
void replicas_check(struct node *node);
/// The own feed ended: what waits for it waits for a barrier.
void replicas_refeed(struct node *node);
/// Feeds are let go: what waits for a barrier that may name them waits for a later one.
void replicas_renew(struct node *node);
void replicas_finish(struct node *node);

#endif
