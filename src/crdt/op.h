// SPDX-License-Identifier: MIT
// One row of the operation log: a run of atoms of one kind by one agent, with consecutive seqs and
// Lamport times. May include: base, crdt/agents.h, weft/doc.h.
#ifndef WEFT_CRDT_OP_H
#define WEFT_CRDT_OP_H

#include <weft/doc.h>

#include "crdt/agents.h"

enum {
    OP_KIND_MASK = 0xf,
    OP_FLAG = 0x10,   // insert: the first element is a left child; delete: targets go down
    OP_SPREAD = 0x20, // insert: the elements lie in more than one leaf
    OP_LENGTH_SHIFT = 6,
};

/// Greatest length of a run, in atoms: what a row can hold, and what a delta may say.
#define OP_LENGTH_MAX (1u << 24)

/// Greatest Lamport time. A greater one is invalid everywhere.
#define OP_LAMPORT_MAX (UINT32_MAX - 16)

/// (lamport, agent): the id that elements are ordered by. Lamport 0 is less than every element.
struct op_key {
    uint32_t lamport;
    uint32_t agent; // local index; AGENT_NONE when lamport is 0
};

struct op {
    uint32_t agent;        // local index
    uint32_t seq;          // of the first atom
    uint32_t lamport;      // of the first atom
    uint32_t bits;         // kind, OP_FLAG, OP_SPREAD, length << OP_LENGTH_SHIFT
    uint32_t iv;           // insert: first element in the text store; unknown kinds: payload number
    uint32_t leaf;         // insert: where the first element is, kept by the tree (tree.h)
    uint32_t target_agent; // insert: of the parent, AGENT_NONE is the root; else of the targets:
    uint32_t target_seq;   // the first one; of a delete elements, of an undelete delete atoms
    struct op_key inherited; // insert: the key that the first element has from its parent (rga.h)
};

static inline uint32_t op_kind(const struct op *op)
{
    return op->bits & OP_KIND_MASK;
}

/// Whether runs of a kind name atoms and may be cut anywhere; the others have a payload.
static inline bool op_kind_names(uint32_t kind)
{
    return kind <= WEFT_RUN_UNDELETE;
}

static inline bool op_flag(const struct op *op)
{
    return (op->bits & OP_FLAG) != 0;
}

static inline bool op_is_spread(const struct op *op)
{
    return (op->bits & OP_SPREAD) != 0;
}

static inline uint32_t op_length(const struct op *op)
{
    return op->bits >> OP_LENGTH_SHIFT;
}

static inline uint32_t op_bits(uint32_t kind, bool flag, uint32_t length)
{
    return kind | (flag ? OP_FLAG : 0u) | length << OP_LENGTH_SHIFT;
}

/// The greatest lamport and seq ends: one past the last atom.
static inline uint32_t op_seq_end(const struct op *op)
{
    return op->seq + op_length(op);
}

/// Whether the atom is of this row.
static inline bool op_holds(const struct op *op, uint32_t agent, uint32_t seq)
{
    return op->agent == agent && seq - op->seq < op_length(op);
}

/// Id of the nearest ancestor-or-self that is a right child, for the element at `offset` of the
/// run.
static inline struct op_key op_right_key(const struct op *op, uint32_t offset)
{
    if (offset > 0 || !op_flag(op))
        return (struct op_key){.lamport = op->lamport + offset, .agent = op->agent};
    return op->inherited;
}

/// Id of the nearest ancestor-or-self that is a left child: one for the whole run.
static inline struct op_key op_left_key(const struct op *op)
{
    if (op_flag(op))
        return (struct op_key){.lamport = op->lamport, .agent = op->agent};
    return op->inherited;
}

/// Greater than the key of any element.
#define OP_KEY_MAX ((struct op_key){.lamport = UINT32_MAX, .agent = AGENT_NONE})

/// a > b.
static inline bool op_key_greater(const struct agents *agents, struct op_key a, struct op_key b)
{
    if (a.lamport != b.lamport)
        return a.lamport > b.lamport;
    return a.agent != b.agent && agents_id(agents, a.agent) > agents_id(agents, b.agent);
}

static inline struct op_key op_key_least(const struct agents *agents, struct op_key a,
                                         struct op_key b)
{
    return op_key_greater(agents, a, b) ? b : a;
}

#endif
