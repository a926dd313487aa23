// SPDX-License-Identifier: MIT
// Digest anti-entropy: heartbeats carry the digests of some documents that changed and then were
// quiet. Where nothing is lacking of any feed, a difference is a fault: it is healed by fetching,
// both ways, and told when that does not help. Private to node/. May include: node/state.h.
#ifndef WEFT_NODE_DIGESTS_H
#define WEFT_NODE_DIGESTS_H

#include "node/state.h"

/// Epoch and digest of a document as it is here. @return WEFT_OK, WEFT_NOT_FOUND (nothing is known
/// of it), WEFT_MALFORMED (quarantined), WEFT_STORAGE or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status digests_of(struct node *node, struct span name,
                                          struct peer_digest *item_out);
bool digests_equal(const struct peer_digest *a, const struct peer_digest *b);
/// Appends the list for a heartbeat.
void digests_put(struct node *node, struct pack_writer *writer);
/// feed->asked says what the member holds: compares the digests that it sent, if neither lacks
/// anything.
void digests_check(struct node *node, struct member *member, struct peer_list digests);
/// A document that differed was fetched.
void digests_fetched(struct node *node, struct span name, const struct weft_digest *digest);

#endif
