// SPDX-License-Identifier: MIT
// Edits: of clients, gathered or applied; of peers, admitted. Private to node/. May include:
// node/state.h.
#ifndef WEFT_NODE_EDIT_H
#define WEFT_NODE_EDIT_H

#include "node/state.h"

/// A DELTA of a client: applied now, or gathered until the group under way is on disk.
void edit_arrived(struct node *node, struct client_id client, const struct wire_message *message);
/// A gathered edit; its room is unpinned.
void edit_gathered(struct node *node, const struct queue_item *item, struct span delta);
/// Of all edits that wait for the group under way.
size_t edit_waiting_bytes(const struct node *node);

enum edit_source {
    EDIT_MADE_HERE, // becomes entries of the own feed, shown when they are on disk
    EDIT_OF_FEED,   // of an entry that the caller stages as it came; shown with this turn
    EDIT_FETCHED,   // journaled as part of no feed; shown with this turn
};
/// Stages and shows what was added to a document since the last time. Without memory the open group
/// fails.
void edit_stage_new(struct node *node, struct room *room, enum edit_source source);
/// Whether a document may grow by so much text; else *code_out is why not.
bool edit_fits(const struct node *node, const struct room *room, size_t more_bytes,
               uint32_t *code_out);

/// Edits of a client that lost its branch: what hangs on nothing that went is applied, the rest is
/// kept apart. @return 0, or the code of why not.
uint32_t edit_orphan(struct node *node, struct room *room, struct client_id client,
                     struct span delta);

/// All that a client's edits in a room are is on disk, in the own feed up to `sequence`.
void edit_durable(struct node *node, struct subscription *subscription, uint64_t sequence);

enum edit_admission {
    EDIT_ADMITTED,
    EDIT_KNOWN,    // was here before
    EDIT_GAP,      // entries before it are missing
    EDIT_STALLED,  // its causes, entries of other feeds, are missing
    EDIT_REFUSED,  // not now: no memory, or the store takes no writes
    EDIT_LEFT_OUT, // never: past the document's limits, or not of this build
};
/// An entry of another node's feed, as it travels.
enum edit_admission edit_admit(struct node *node, const struct peer_feed *declared,
                               struct span value);
/// Operations of a document that a peer sent for a version vector, one delta of them. @return
/// ADMITTED; STALLED: some have no causes here; REFUSED; LEFT_OUT: some, and it was told.
enum edit_admission edit_admit_loose(struct node *node, struct room *room, struct span delta);

/// Some of what a peer has of a document can never be applied here: told once, and nothing waits
/// for it any more.
void edit_incomplete(struct node *node, struct room *room, const char *reason);

#endif
