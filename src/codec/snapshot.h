// SPDX-License-Identifier: MIT
// Snapshots: a whole document in three parts. docs/delta-format.md, *Snapshots*, is the normative
// text.
//
//   structure   u8 version | u64 epoch counter | 16 bytes epoch random | varint flags
//               varint agents | u64 ids | varint rows | varint their size | varint slots
//               rows of the log, in arrival order: u8 head | what it says
//               slots in document order: varint row - row before, deleted, part | length of a part
//   text        UTF-8 of the slots that are not deleted, in document order
//   tombs       UTF-8 of those that are
//
// Rows name rows, and slots too, so that nothing has to be looked for.
// May include: base, crdt, codec/delta.h.
#ifndef WEFT_CODEC_SNAPSHOT_H
#define WEFT_CODEC_SNAPSHOT_H

#include "codec/delta.h"

enum { SNAPSHOT_VERSION_0, SNAPSHOT_VERSION };

/// Appends the three parts; on failure all three are as before.
/// @return WEFT_OK or WEFT_NO_MEMORY.
enum weft_status snapshot_encode(struct weft_buffer *structure, struct weft_buffer *text,
                                 struct weft_buffer *tombs, struct rga *rga);

/// Reads the epoch. @return WEFT_OK, WEFT_MALFORMED or WEFT_UNSUPPORTED.
enum weft_status snapshot_epoch(struct weft_epoch *epoch_out, const struct weft_snapshot *snapshot);

/// Fills an empty sequence, whose epoch was set. On failure it can only be finished.
/// @return WEFT_OK, WEFT_MALFORMED, WEFT_UNSUPPORTED, WEFT_LIMIT or WEFT_NO_MEMORY.
enum weft_status snapshot_decode(struct rga *rga, const struct weft_snapshot *snapshot);

/// snapshot_decode() of version 0, which is not written any more.
enum weft_status snapshot_decode_0(struct rga *rga, const struct weft_snapshot *snapshot);

#endif
