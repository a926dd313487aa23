// SPDX-License-Identifier: MIT
// Snapshots: a whole document in three parts. docs/delta-format.md, *Snapshots*, is the normative
// text.
//
//   structure   u8 version | u64 epoch counter | 16 bytes epoch random | varint size | a delta
//               of all runs with the text of inserts apart | varint slots | per slot in document
//               order: zigzag varint iv - end of the slot before | varint length << 1 | deleted
//   text        UTF-8 of the slots that are not deleted, in document order
//   tombs       UTF-8 of those that are
//
// iv counts the inserted elements in the order of the runs. May include: base, crdt, codec/delta.h.
#ifndef WEFT_CODEC_SNAPSHOT_H
#define WEFT_CODEC_SNAPSHOT_H

#include "codec/delta.h"

enum { SNAPSHOT_VERSION = 0 };

/// Appends the three parts; on failure all three are as before. @param writer Lent for the call.
/// @return WEFT_OK or WEFT_NO_MEMORY.
enum weft_status snapshot_encode(struct weft_buffer *structure, struct weft_buffer *text,
                                 struct weft_buffer *tombs, struct delta_writer *writer,
                                 const struct rga *rga);

/// Reads the epoch. @return WEFT_OK, WEFT_MALFORMED or WEFT_UNSUPPORTED.
enum weft_status snapshot_epoch(struct weft_epoch *epoch_out, const struct weft_snapshot *snapshot);

/// Fills an empty sequence, whose epoch was set. On failure it can only be finished.
/// @return WEFT_OK, WEFT_MALFORMED, WEFT_UNSUPPORTED, WEFT_LIMIT or WEFT_NO_MEMORY.
enum weft_status snapshot_decode(struct rga *rga, const struct weft_snapshot *snapshot);

#endif
