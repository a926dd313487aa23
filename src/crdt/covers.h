// SPDX-License-Identifier: MIT
// How many deletes stand against each element, and which delete atoms are cancelled. Kept from the
// first undelete on only: before it, what is deleted is what the tree says, and nothing is stored.
//
//   deletes     (agent, seq) of elements     -> count of the deletes that are not cancelled
//   cancelled   (agent, seq) of delete atoms -> 1, or 0
//
// Both are step functions: an entry's value holds up to the next entry. Steps are never joined, so
// that a run adds two to each at most. May include: base/ordmap.h.
#ifndef WEFT_CRDT_COVERS_H
#define WEFT_CRDT_COVERS_H

#include "base/ordmap.h"

struct covers {
    struct ordmap deletes;
    struct ordmap cancelled;
    bool kept;
};

/// Allocates nothing.
void covers_init(struct covers *covers, const struct weft_allocator *allocator);
void covers_finish(struct covers *covers);
/// Makes room for `runs` deletes or undeletes. @return false when there is none.
bool covers_reserve(struct covers *covers, uint64_t runs);
void covers_trim(struct covers *covers);

/// Atoms [first, end) of one agent.
struct covers_range {
    uint32_t agent;
    uint32_t first;
    uint32_t end;
};
/// Makes sure that steps begin at both ends. Room must have been reserved.
void covers_cut(struct ordmap *steps, struct covers_range range);
/// The part of a range that the step at `first` holds for, and where its value is kept.
/// @param end_out At most the end of the range, which is not empty and begins a step.
uint32_t *covers_step(const struct ordmap *steps, struct covers_range range, uint32_t *end_out);

/// The value at the start of a range that is not empty, wherever steps begin.
/// @param end_out How far it holds, at most to the end of the range.
uint32_t covers_value(const struct ordmap *steps, struct covers_range range, uint32_t *end_out);

/// One more delete of each element of the range.
void covers_add(struct covers *covers, struct covers_range range);

#endif
