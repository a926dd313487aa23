// SPDX-License-Identifier: MIT
// Chains: for each agent a hash over its atoms, the same however runs were cut; and the digest of
// the document. docs/delta-format.md, *Chains and the digest*, is the normative text.
//
//   atoms       0 ......... 1023 | 1024 ...... 2047 | 2048 .. next
//   chunk           chunk 0      |     chunk 1      |   the rest
//   chain      c0 = 0   ->  c1 = H(c0, h(chunk 0))  ->  c2  ->  H(c2, h(rest))
//
// Computed when asked for, from the last whole chunk on.
//
// Where text was collected, crdt/sums.h has what its hash was. Where that is not known either, each
// element that lacks its text goes in as a byte ff, which is in no text: then the chain is nobody
// else's, so that what is not known is not taken for equal. May include: base, crdt.
#ifndef WEFT_CRDT_CHAIN_H
#define WEFT_CRDT_CHAIN_H

#include "crdt/rga.h"

enum {
    CHAIN_CHUNK_ATOMS = SUMS_CHUNK_ATOMS,
    CHAIN_BLOCK_ATOMS = SUMS_BLOCK_ATOMS,
    CHAIN_BLOCKS = SUMS_BLOCKS,
};

/// What was computed for one agent.
struct chain {
    uint8_t whole[HASH_SIZE]; // over `chunks` whole chunks
    uint8_t value[HASH_SIZE]; // over `next` atoms
    uint32_t chunks;
    uint32_t next;
};

/// The chain over all atoms of an agent, borrowed until the next call; NULL when there is no
/// memory.
const struct chain *chain_update(struct rga *rga, uint32_t agent);

/// The chain over the agent's first `next` atoms, which are here. Cost: O(next).
void chain_over(struct rga *rga, uint32_t agent, uint32_t next, uint8_t chain_out[HASH_SIZE]);

/// Forgets what was computed for an agent: the hashes of its text are others now.
void chain_forget(struct rga *rga, uint32_t agent);

/// Computes the hash of all text that was inserted in a part, whose atoms are all here.
/// @return false when that is not known.
bool chain_text(uint8_t out[HASH_SIZE], struct rga *rga, struct sums_part part);

/// The digest of the document. As long as an element is there that no delete names and whose text
/// is not here, it is nobody else's. @return false when there is no memory.
bool chain_digest(struct weft_digest *digest_out, struct rga *rga);

#endif
