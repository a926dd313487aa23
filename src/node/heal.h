// SPDX-License-Identifier: MIT
// Forks, healed: what the cuts of a document take out of it, and the copies that keep that readable
// (weft/fork.h). A document's cuts stand in its epoch record, are merged whenever two nodes compare
// chains (chains.h), and end with the epoch. Private to node/. May include: node/state.h.
#ifndef WEFT_NODE_HEAL_H
#define WEFT_NODE_HEAL_H

#include "node/state.h"

/// Merges cuts into the room's, and rebuilds its document when it has what they take out: whoever
/// is here joins anew. The room has its document. @return WEFT_OK; WEFT_BEHIND: not now, some of it
/// is not on disk; WEFT_LIMIT, WEFT_NO_MEMORY: the room is as it was, or its group fails.
WEFT_MUST_USE enum weft_status heal_learn(struct node *node, struct room *room, struct span cuts);

/// Whether what a peer brought is of this document's branches; when it is not, both are cut, and
/// this document rebuilt. @return WEFT_OK: go on; WEFT_BEHIND: not now; WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status heal_compare(struct node *node, struct room *room,
                                            struct span delta);

/// weft_doc_apply_within() what a peer brought, and takes note of what that cuts.
WEFT_MUST_USE enum weft_status heal_apply(struct node *node, struct room *room,
                                          struct weft_apply_result *result_out,
                                          uint32_t *runs_cut_out, struct span delta);

/// Keeps a delta of a branch that went: in the copy of this process, which has all of the document.
void heal_keep_late(struct node *node, struct room *room, struct span delta);
/// Keeps what a client hands in of another branch: all that one hands in is one copy. @param part
/// It is not its whole replica: the copy has the document too.
void heal_keep_orphan(struct node *node, struct room *room, struct client_id client,
                      struct span delta, bool part);
/// Keeps a delta of a client that is of another branch from `at` on. @param copy_out Takes what
/// else it sends.
void heal_keep_branch(struct node *node, struct room *room, struct weft_id at, struct span delta,
                      struct weft_epoch *copy_out);
/// Keeps more of such a branch.
void heal_keep_more(struct node *node, struct room *room, const struct weft_epoch *copy,
                    struct span delta);

/// Whether an agent's edits are nobody's from some point on: it may make no more.
bool heal_is_cut(const struct room *room, uint64_t agent);

#endif
