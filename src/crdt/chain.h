// SPDX-License-Identifier: MIT
// Chains: for each agent a hash over its atoms, the same however runs were cut; and the digest of
// the document. docs/delta-format.md, *Chains and the digest*, is the normative text.
//
//   atoms       0 ......... 1023 | 1024 ...... 2047 | 2048 .. next
//   chunk           chunk 0      |     chunk 1      |   the rest
//   chain      c0 = 0   ->  c1 = H(c0, h(chunk 0))  ->  c2  ->  H(c2, h(rest))
//
// Computed when asked for, from the last whole chunk on. May include: base, crdt.
#ifndef WEFT_CRDT_CHAIN_H
#define WEFT_CRDT_CHAIN_H

#include "crdt/rga.h"

enum {
    CHAIN_CHUNK_ATOMS = 1024,
    CHAIN_BLOCK_ATOMS = 128, // whose text is hashed by itself
    CHAIN_BLOCKS = CHAIN_CHUNK_ATOMS / CHAIN_BLOCK_ATOMS,
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

/// The digest of the document. @return false when there is no memory.
bool chain_digest(struct weft_digest *digest_out, struct rga *rga);

#endif
