// SPDX-License-Identifier: MIT
// How many nodes a row of insertions can add to a B+tree at most, so that memory is reserved before
// anything changes. Includes nothing of weft.
//
// A node of fanout F is cut into halves of F/2, or at its end when keys arrive in order. Halves
// take F/2 - 1 insertions before they are cut again. A node that was filled in order took F - 1 and
// may be cut twice: at its end and, full, by one more. So each cut but the first of a node that
// exists costs at least F/2 - 1 insertions; one insertion cuts at most one leaf; each cut is one
// insertion on the level above.
#ifndef WEFT_BASE_SPLITS_H
#define WEFT_BASE_SPLITS_H

#include <stdint.h>

enum { SPLITS_LEVELS_MAX = 12 }; // no tree of 2^32 entries is higher

/// @param edits Places where something is inserted. @param entries Entries inserted at them in all.
/// @param leaves, inner Nodes that exist. @param height Levels above the leaves. @param half F/2
/// - 1.
/// @param leaf_splits_out New leaves at most. @return new inner nodes at most.
static inline uint64_t splits_max(uint64_t *leaf_splits_out, uint64_t edits, uint64_t entries,
                                  uint64_t leaves, uint64_t inner, uint32_t height, uint32_t half)
{
    uint64_t splits = leaves + entries / half + 2;
    if (splits > edits)
        splits = edits;
    uint64_t inner_splits = inner + splits / (half - 1) + SPLITS_LEVELS_MAX;
    if (inner_splits > splits * height)
        inner_splits = splits * height;
    *leaf_splits_out = splits;
    return inner_splits + 2; // a new root, and the first node
}

#endif
