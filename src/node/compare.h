// SPDX-License-Identifier: MIT
// Comparing documents with another node: pages of (document, epoch, digest); what differs is
// fetched; at the end the feed prefixes are adopted that the other held at the beginning. Private
// to node/.
//
//   first time    pages by name, all documents
//   later         pages by its journal numbers, from the checkpoint of the last comparison
//
// May include: node/state.h.
#ifndef WEFT_NODE_COMPARE_H
#define WEFT_NODE_COMPARE_H

#include "node/state.h"

void compare_begin(struct node *node, struct member *member);
/// Asks for the next page when there is room, ends the comparison when all is fetched.
void compare_run(struct node *node);
void compare_page(struct node *node, const struct peer_message *message);
void compare_failed(struct node *node);
/// One of its documents was fetched, or given up.
void compare_fetched(struct node *node, uint64_t incarnation, bool done);
/// Its member went away.
void compare_abort(struct node *node);

/// The other side: a page into node->scratch. @param cursor_out Of the next page; empty at the end.
/// @param dirty_out A document has edits that are not on disk: ask again after the commit.
WEFT_MUST_USE enum weft_status compare_collect(struct node *node, const struct peer_message *asked,
                                               uint32_t *count_out, struct weft_buffer *cursor_out,
                                               bool *dirty_out);
/// Reads one item of a page. @return Where the next one begins.
size_t compare_next_collected(const struct weft_buffer *page, size_t at,
                              struct peer_digest *item_out);

#endif
