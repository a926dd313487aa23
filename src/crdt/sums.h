// SPDX-License-Identifier: MIT
// Hashes of text that was collected: for each part of an agent's atoms where some text is gone, the
// hash of all the text inserted there (crdt/chain.h), so that chains stay what they were and can be
// told to others.
//
//   part    a chunk, 1,024 atoms, or a block, 128: [first, first + atoms) by seq
//   sums    (agent, first, whether a chunk) -> 32 bytes
//
// A part gets one from its text when that is here, else the first one that is told, and keeps it.
// It counts only while some text of the part is gone. May include: base.
#ifndef WEFT_CRDT_SUMS_H
#define WEFT_CRDT_SUMS_H

#include "base/hash.h"
#include "base/ordmap.h"

enum {
    SUMS_BLOCK_ATOMS = 128, // whose text is hashed by itself
    SUMS_CHUNK_ATOMS = 1024,
    SUMS_BLOCKS = SUMS_CHUNK_ATOMS / SUMS_BLOCK_ATOMS,
};

/// Atoms [first, first + SUMS_CHUNK_ATOMS) of an agent, or SUMS_BLOCK_ATOMS.
struct sums_part {
    uint32_t agent; // local index
    uint32_t first; // seq
    bool chunk;
};

static inline uint32_t sums_end(struct sums_part part)
{
    return part.first + (part.chunk ? SUMS_CHUNK_ATOMS : SUMS_BLOCK_ATOMS);
}

struct sums {
    struct ordmap parts; // agent << 32 | first | chunk -> number
    struct pool hashes;  // HASH_SIZE bytes each
};

/// Allocates nothing.
void sums_init(struct sums *sums, const struct weft_allocator *allocator);
void sums_finish(struct sums *sums);
bool sums_reserve(struct sums *sums, uint64_t count);
void sums_trim(struct sums *sums);
/// The hash of a part, borrowed until the next sums_reserve(); NULL: it has none.
const uint8_t *sums_find(const struct sums *sums, struct sums_part part);
/// Gives a part its hash, unless it has one. Room must have been reserved.
void sums_put(struct sums *sums, struct sums_part part, const uint8_t hash[HASH_SIZE]);
/// Gives a part its hash, whether it has one or not.
void sums_set(struct sums *sums, struct sums_part part, const uint8_t hash[HASH_SIZE]);
/// The part of an entry of `parts`.
struct sums_part sums_part_at(const struct sums *sums, struct ordmap_at at);
/// The part of a seq that has a hash, the chunk before the block. @return false: there is none.
bool sums_find_part(const struct sums *sums, uint32_t agent, uint32_t seq,
                    struct sums_part *part_out);

#endif
