// SPDX-License-Identifier: MIT
// Bits of a delta, shared by the two files that write and read them: docs/delta-format.md.
#ifndef WEFT_CODEC_DELTA_BITS_H
#define WEFT_CODEC_DELTA_BITS_H

enum delta_flags {
    DELTA_SINGLE = 1,     // one row, no sizes
    DELTA_TEXT_APART = 2, // the text of inserts is not here (snapshots only)
    DELTA_FLAGS = 3,      // all that this version knows
};

/// The first integer of a row in F.
enum delta_row_bits {
    ROW_KIND = 0xf,
    ROW_FLAG = 1 << 4,         // insert: left; delete: backward
    ROW_ONE = 1 << 5,          // length 1
    ROW_TARGET_AGENT = 1 << 6, // number of the target's agent follows; else the row's own
    ROW_AGENT = 1 << 7,        // number of the agent follows; else that of the row before
    ROW_SEQ = 1 << 8,          // difference to the predicted seq follows
    ROW_LAMPORT = 1 << 9,      // difference to the predicted Lamport time follows
    ROW_ROOT = 1 << 10,        // insert: the parent is the root, nothing in P
    ROW_GAPS = 1 << 11,        // insert: some of its text was collected (crdt/gaps.h)
    ROW_BITS = (1 << 12) - 1,
};

#endif
