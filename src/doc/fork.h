// SPDX-License-Identifier: MIT
// What rebuilding and applying within cuts share: runs in pieces, each wholly on one side of a cut.
// May include: doc/doc_impl.h.
#ifndef WEFT_DOC_FORK_H
#define WEFT_DOC_FORK_H

#include <weft/fork.h>

#include "doc/doc_impl.h"

/// Whether runs of a kind name atoms and may be cut anywhere.
static inline bool fork_can_cut(uint32_t kind)
{
    return op_kind_names(kind) || kind == WEFT_RUN_COLLECTED;
}

/// Atoms [first, end) of a run that may be cut anywhere. @param text Where the text of one with
/// gaps goes: the piece borrows it. @return WEFT_OK or WEFT_NO_MEMORY.
enum weft_status fork_slice(struct weft_run *piece_out, struct weft_buffer *text,
                            const struct weft_run *run, uint32_t first, uint32_t end);

/// What the first atom of a run names.
struct weft_id fork_named(const struct weft_run *run);

/// How many atoms from `first` on are on the same side of `seq`, which divides the atoms of
/// `agent`: both the run's own and those that they name.
uint32_t fork_side(const struct weft_run *run, uint32_t first, uint64_t agent, uint64_t seq);

#endif
