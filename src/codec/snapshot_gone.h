// SPDX-License-Identifier: MIT
// Of a snapshot, what text was collected. It is told in front of the tombs, where some was:
//
//   tombs   ff | varint agents | per agent: u64 id | varint parts | per part, ascending: varint
//           code - code before | 32 bytes hash       code = block << 1 | chunk, as in crdt/gaps.h
//           varint pairs | per pair: varint kept | varint gone     of the slots that are deleted,
//           in document order: elements that have text, and then that have none; the rest has
//           varint ranges | per range: varint iv - end before | varint length       elements
//           without text that no delete names: they stand in slots as if they were deleted UTF-8 of
//           those that have text
//
// docs/delta-format.md, *Snapshots*, is the normative text. The rest of a snapshot is read as if
// each element without text had a character, which is then dropped. May include: base, crdt, codec.
#ifndef WEFT_CODEC_SNAPSHOT_GONE_H
#define WEFT_CODEC_SNAPSHOT_GONE_H

#include "codec/snapshot.h"

/// Appends what stands in front of the tombs: nothing when all text is here.
/// @return WEFT_OK or WEFT_NO_MEMORY: nothing was appended.
enum weft_status snapshot_put_gone(struct weft_buffer *tombs, struct rga *rga);

/// What a snapshot says of it.
struct snapshot_gone {
    struct weft_snapshot snapshot; // to be read instead
    struct span sums;              // of all agents
    uint64_t agents;
    uint64_t sums_count;
    struct span pairs;
    struct weft_buffer lacking; // struct rga_load_range each
    struct weft_buffer tombs;   // with a character for each element
};

/// Reads it. @param snapshot Borrowed. @return WEFT_OK; WEFT_MALFORMED or WEFT_NO_MEMORY: there is
/// nothing to finish.
enum weft_status snapshot_gone_open(struct snapshot_gone *gone,
                                    const struct weft_snapshot *snapshot, struct rga *rga);
/// Drops what has no text, after the snapshot was read. @return WEFT_OK, WEFT_MALFORMED or
/// WEFT_NO_MEMORY: the sequence can only be finished.
enum weft_status snapshot_gone_drop(const struct snapshot_gone *gone, struct rga *rga);
void snapshot_gone_finish(struct snapshot_gone *gone, struct rga *rga);

#endif
