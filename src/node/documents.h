// SPDX-License-Identifier: MIT
// The documents that a node has something to remember of: a room, or entries in its journal.
// May include: node/state.h.
#ifndef WEFT_NODE_DOCUMENTS_H
#define WEFT_NODE_DOCUMENTS_H

#include "node/state.h"

/// NULL when nothing is remembered.
struct document *documents_find(struct node *node, struct span name);
/// Finds or makes one. NULL when out of memory.
struct document *documents_get(struct node *node, struct span name);
/// Frees a document that has neither a room nor journal entries.
void documents_settle(struct node *node, struct document *document);
/// Frees all of them; their rooms are gone.
void documents_finish(struct node *node);

/// Makes room for one more number.
WEFT_MUST_USE enum weft_status document_reserve(struct node *node, struct document *document);
/// Adds a number greater than all others, for which room was made.
void document_push(struct document *document, uint64_t number);
/// Forgets numbers >= `number`: they were not committed.
void document_pop(struct document *document, uint64_t number);
/// Forgets numbers < `number`: they left the journal.
void document_shift(struct document *document, uint64_t number);
/// Whether it has entries below that number.
static inline bool document_begins_below(const struct document *document, uint64_t number)
{
    return document->tail_count > 0 && document->tail[document->tail_first] < number;
}
static inline const uint64_t *document_numbers(const struct document *document)
{
    return document->tail + document->tail_first;
}

#endif
