// SPDX-License-Identifier: MIT
// The journal: entries in arrival order, staged in groups, committed one group at a time.
//
//   low                                                   next
//    | merged | merged | D's, not merged | ... | open group |
//    ^ pruned from here, contiguously; a document that pins the low end is merged first, and one
//      that is damaged leaves its entries behind, where they stand
//
// While a group is under way, own edits wait in node->gather and reads of its documents in
// node->deferred; peers' entries are staged into the open group. docs/architecture.md.
// Private to node/. May include: node/state.h.
#ifndef WEFT_NODE_JOURNAL_H
#define WEFT_NODE_JOURNAL_H

#include "node/state.h"

void journal_init(struct node *node);
void journal_finish(struct node *node);
/// Reads feeds and journal at start. @return WEFT_OK, WEFT_STORAGE or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status journal_load(struct node *node);
/// Mints an incarnation that continues the present own feed, if any; it goes to disk with the next
/// group.
WEFT_MUST_USE enum weft_status journal_mint(struct node *node);
/// Stages the incarnation while it is not on disk.
void journal_stage_incarnation(struct node *node);

/// Whether edits may be applied now: no group is under way and the store takes writes.
bool journal_accepts(const struct node *node);
/// Whether the store takes writes; else *code_out is the wire code that says why.
bool journal_writable(const struct node *node, uint32_t *code_out);

/// The number of the last entry that is on disk.
uint64_t journal_synced(const struct node *node);
/// Where the journal begins in the view that the store gives now: node->journal_low is ahead of it
/// while a group that prunes is under way.
WEFT_MUST_USE enum weft_status journal_read_low(struct node *node, uint64_t *low_out);

/// Stages an entry of the own feed; it will be shown, acked and broadcast when its group is on
/// disk.
WEFT_MUST_USE enum weft_status journal_stage_own(struct node *node, struct room *room,
                                                 enum record_entry_kind kind, struct span delta);
/// Stages another feed's next entry as it came. @param room Of its document; pinned by the group.
WEFT_MUST_USE enum weft_status journal_stage_foreign(struct node *node, struct room *room,
                                                     struct feed *feed, struct span value);
/// Stages what is part of no feed.
WEFT_MUST_USE enum weft_status journal_stage_loose(struct node *node, struct room *room,
                                                   enum record_entry_kind kind, struct span delta);

/// Makes place in both groups for one more room beside `count`. Called for every room that is made,
/// one by one, so that listing a room cannot fail: one whose edits failed must be taken back.
WEFT_MUST_USE enum weft_status journal_reserve_rooms(struct node *node, uint32_t count);
/// Lists things in the open group, to be dealt with when it is on disk. Without memory (rooms and
/// requests need none) the group fails.
void journal_add_room(struct node *node, struct room *room);
void journal_add_subscription(struct node *node, struct subscription *subscription);
/// Makes place in the open group for one more request, so that listing it cannot fail: who edited
/// must be answered.
WEFT_MUST_USE enum weft_status journal_reserve_request(struct node *node);
void journal_add_request(struct node *node, struct request *request);
void journal_add_orphan(struct node *node, struct client_id client, uint32_t ref);
/// Takes a subscription that goes away off the lists.
void journal_drop_subscription(struct node *node, struct subscription *subscription);

/// Closes the open group and begins to make it durable, when there is one and none is under way.
void journal_commit(struct node *node);
/// A group is on disk, or not: shows, acks, answers, or takes back.
void journal_committed(struct node *node, uint64_t number, enum weft_status status);
/// Merges a document into its snapshot when it is due, or always with `now`; it must be clean.
void journal_merge(struct node *node, struct room *room, bool now);
/// Removes merged entries from the low end while the journal is larger than it may be.
void journal_prune(struct node *node);
/// Removes of a document's entries that were kept below the journal's beginning those that its
/// snapshot has, which is on disk or staged.
void journal_drop_kept(struct node *node, struct room *room);
/// Removes damaged entries below the journal's beginning, which nothing else removes: whatever they
/// were was asked for.
void journal_drop_damaged(struct node *node);
/// Stages a number among the node's own records.
WEFT_MUST_USE enum weft_status journal_put_meta(struct node *node, const char *key, uint64_t value);
/// Writes a few bytes now and then while the store is full, to see whether there is space again.
void journal_probe(struct node *node);

#endif
