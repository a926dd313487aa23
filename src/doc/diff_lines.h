// SPDX-License-Identifier: MIT
// Divides two texts at the lines that each of them has once, for a difference that is too large to
// be found scalar by scalar.
//
//        old ->                       A line that is unique in both texts is an anchor (the
//        "patience
//   new  +---+------+                 diff" of B. Cohen). Of all anchors the heaviest chain that
//    |   |gap|      |                 ascends in both texts is kept, by scalars and not by lines;
//    v   +---\      |                 what lies between two of its lines is a gap.
//        |    \-----+
//        |    | gap |                 Lines are grouped by sorting their hashes. Unequal lines of
//        one
//        +----+-----+                 hash cost their anchors and no time.
//
// May include: base, weft/memory.h.
#ifndef WEFT_DOC_DIFF_LINES_H
#define WEFT_DOC_DIFF_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/memory.h>

/// A part of the edit graph: old scalars [old_start, old_end) against new ones.
struct diff_box {
    int32_t old_start, old_end;
    int32_t new_start, new_end;
};

/// Two texts in scalars of `width` bytes each: 1, or 4 in the machine's order. Borrowed.
struct diff_pair {
    const uint8_t *old_scalars;
    const uint8_t *new_scalars;
    size_t width;
};

/// The gaps that are still to be told. All zero is none.
struct diff_lines {
    void *memory; // all that follows
    size_t memory_size;
    const int32_t *old_starts; // of each line, and the end of the last
    const int32_t *new_starts;
    const int32_t *partner;  // new line that is equal to an old one, or -1
    const int32_t *previous; // old line before this one in the chain, or -1
    int32_t anchor;          // old line before the gap that comes next, or -1
    struct diff_box rest;    // what is before the last gap that was told
    int64_t gap_scalars;     // of both texts in all gaps
    int64_t work;            // what they take of the whole work: 1 is about 1 ns
};

/// Finds the gaps of a box. None are there when no line is an anchor, or there are too many lines.
/// @param lines All zero; to be finished.
/// @return false, with `lines` as it was, when there is no memory. Cost: O(size + lines log lines).
bool diff_lines_find(struct diff_lines *lines, const struct weft_allocator *allocator,
                     struct diff_pair texts, struct diff_box box);
void diff_lines_finish(struct diff_lines *lines, const struct weft_allocator *allocator);

/// Gives the gaps from the end to the start; they may be empty. @return false when none is left.
bool diff_lines_next(struct diff_lines *lines, struct diff_box *gap_out);

#endif
