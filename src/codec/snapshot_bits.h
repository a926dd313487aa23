// SPDX-License-Identifier: MIT
// The bits of rows and slots of a snapshot; docs/delta-format.md, *Snapshots*.
#ifndef WEFT_CODEC_SNAPSHOT_BITS_H
#define WEFT_CODEC_SNAPSHOT_BITS_H

enum {
    KEPT_KIND = 0x03,            // KEPT_KIND: another one follows
    KEPT_FLAG = 0x04,            // insert: a left child; delete: targets go down
    KEPT_ONE = 0x08,             // of length 1
    KEPT_AGENT = 0x10,           // not the agent of the row before
    KEPT_LAMPORT = 0x20,         // not the time after the row before
    KEPT_ROOT = 0x40,            // an insert at the root
    KEPT_LIKELY = 0x80,          // the target is at the likeliest end of its row
    KEPT_HEAD_SIZE = 1 + 8 + 16, // version, epoch
};

enum {
    SLOT_DELETED = 0x1,
    SLOT_PART = 0x2, // not all that is left of its row
    SLOT_ROW_SHIFT = 2,
};

#endif
