// SPDX-License-Identifier: MIT
// What the files of the document share. May include: base, crdt, codec.
#ifndef WEFT_DOC_IMPL_H
#define WEFT_DOC_IMPL_H

#include <weft/doc.h>

#include "base/memory.h"
#include "codec/delta.h"
#include "crdt/rga.h"

/// A document. The parts that reading may bring up to date (late counts, caches) are behind
/// pointers, so that reading takes a const document.
struct weft_doc {
    struct rga *unsettled;       // only edits look at it like this; see doc_rga()
    struct delta_writer *writer; // scratch of all that encodes
    struct memory *memory;       // counts what the document holds
};

/// Its sequence, with every edit counted in: what all but the edits themselves look into.
static inline struct rga *doc_rga(const struct weft_doc *doc)
{
    rga_settle(doc->unsettled);
    return doc->unsettled;
}

/// Scalars [*first_out, *end_out) of visible units [index, index + length).
/// @return false when that is not within the text, or ends inside of a character.
bool doc_find_range(struct rga *rga, enum weft_unit unit, uint64_t index, uint64_t length,
                    uint64_t *first_out, uint64_t *end_out);

/// doc_unpark() when any is ready.
void doc_unpark_ready(struct weft_doc *doc, struct weft_apply_result *result);
/// Applies what is ready of the runs kept aside, and what that makes ready.
/// @param result Gets what is applied or left out added to it.
static inline void doc_unpark(struct weft_doc *doc, struct weft_apply_result *result)
{
    if (doc->unsettled->parking.ready != PARKED_NONE)
        doc_unpark_ready(doc, result);
}

#endif
