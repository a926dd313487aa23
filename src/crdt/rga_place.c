// SPDX-License-Identifier: MIT
// Where a new element goes. Two keys are inherited along the tree of elements:
//
//   right key = id of the nearest ancestor-or-self that is a right child
//   left key  = id of the nearest ancestor-or-self that is a left child
//
// One of them is the element's own id, the other its parent's, so a run stores one. Then
//
//   insert e as right child of p:  go right from p, over every x whose right key is greater than e
//   insert e as left child of n:   go left from n, over every x whose left key is greater than e
//
// passes exactly the greater siblings with all that hangs on them. The elements of a run come in
// ascending order of right key and share one left key, so a slot is passed whole or not at all, and
// the minima in the tree let whole subtrees be passed.
#include <assert.h>

#include "crdt/rga_impl.h"

static struct op_key slot_right_key(const struct rga *rga, const struct tree_leaf *leaf,
                                    uint32_t slot)
{
    const struct op *op = oplog_at(&rga->log, leaf->op[slot]);
    return op_right_key(op, leaf->iv[slot] - op->iv);
}

static struct op_key slot_left_key(const struct rga *rga, const struct tree_leaf *leaf,
                                   uint32_t slot)
{
    return op_left_key(oplog_at(&rga->log, leaf->op[slot]));
}

// From slot `slot` of `leaf` rightward: the place before the first slot whose right key is not
// greater.
static struct tree_at skip_right(const struct rga *rga, uint32_t leaf, uint32_t slot,
                                 struct op_key key)
{
    for (;;) {
        const struct tree_leaf *slots = tree_leaf(&rga->tree, leaf);
        for (; slot < slots->count; slot++) {
            if (!op_key_greater(&rga->agents, slot_right_key(rga, slots, slot), key))
                return (struct tree_at){.leaf = leaf, .slot = slot};
        }
        uint32_t next = tree_skip(&rga->tree, leaf, key, false);
        if (next == TREE_NONE) {
            // the end of the document
            leaf = rga->tree.last;
            return (struct tree_at){.leaf = leaf, .slot = tree_leaf(&rga->tree, leaf)->count};
        }
        leaf = next;
        slot = 0;
    }
}

// From before slot `slot` of `leaf` leftward: the place after the first slot whose left key is not
// greater.
static struct tree_at skip_left(const struct rga *rga, uint32_t leaf, uint32_t slot,
                                struct op_key key)
{
    for (;;) {
        const struct tree_leaf *slots = tree_leaf(&rga->tree, leaf);
        for (; slot > 0; slot--) {
            if (!op_key_greater(&rga->agents, slot_left_key(rga, slots, slot - 1), key))
                return (struct tree_at){.leaf = leaf, .slot = slot};
        }
        uint32_t next = tree_skip(&rga->tree, leaf, key, true);
        if (next == TREE_NONE)
            return (struct tree_at){.leaf = rga->tree.first, .slot = 0};
        leaf = next;
        slot = tree_leaf(&rga->tree, leaf)->count;
    }
}

static struct tree_at place_right(const struct rga *rga, struct tree_at parent, struct op_key key)
{
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, parent.leaf);
    const struct op *op = oplog_at(&rga->log, leaf->op[parent.slot]);
    uint32_t next = parent.offset + 1;
    if (next < leaf_length(leaf, parent.slot)) {
        // the parent's successor is in the same slot
        struct op_key successor = op_right_key(op, leaf->iv[parent.slot] + next - op->iv);
        if (!op_key_greater(&rga->agents, successor, key))
            return (struct tree_at){parent.leaf, parent.slot, next};
    }
    return skip_right(rga, parent.leaf, parent.slot + 1, key);
}

static struct tree_at place_left(const struct rga *rga, struct tree_at parent, struct op_key key)
{
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, parent.leaf);
    if (parent.offset > 0 &&
        !op_key_greater(&rga->agents, slot_left_key(rga, leaf, parent.slot), key))
        return parent;
    return skip_left(rga, parent.leaf, parent.slot, key);
}

struct rga_place rga_place_child(struct rga *rga, uint32_t row, uint32_t seq, bool left,
                                 struct op_key key)
{
    if (row == OP_NONE) {
        assert(!left);
        struct rga_place place = {
            .parent_agent = AGENT_NONE,
            .inherited = {.lamport = 0, .agent = AGENT_NONE},
            .at = {.leaf = TREE_NONE},
        };
        if (rga->tree.root != TREE_NONE)
            place.at = skip_right(rga, rga->tree.first, 0, key);
        return place;
    }
    const struct op *op = oplog_at(&rga->log, row);
    struct tree_at parent = rga_locate(rga, row, seq);
    return (struct rga_place){
        .at = left ? place_left(rga, parent, key) : place_right(rga, parent, key),
        .parent_agent = op->agent,
        .parent_seq = seq,
        .left = left,
        .inherited = left ? op_right_key(op, seq - op->seq) : op_left_key(op),
    };
}

static struct op_key own_key(const struct op *op, uint32_t offset)
{
    return (struct op_key){.lamport = op->lamport + offset, .agent = op->agent};
}

// The slot after the place, if any.
static bool successor(const struct rga *rga, struct tree_at at, struct tree_at *next_out)
{
    if (at.leaf == TREE_NONE) {
        *next_out = (struct tree_at){.leaf = rga->tree.first};
        return rga->tree.first != TREE_NONE;
    }
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
    *next_out = at;
    if (at.offset < leaf_length(leaf, at.slot))
        return true;
    *next_out = (struct tree_at){.leaf = at.leaf, .slot = at.slot + 1};
    if (next_out->slot == leaf->count)
        *next_out = (struct tree_at){.leaf = leaf->next};
    return next_out->leaf != TREE_NONE;
}

struct rga_place rga_place_after(struct rga *rga, struct tree_at at)
{
    // The element `a` before the place; the root when there is none.
    struct rga_place place = {.at = at, .parent_agent = AGENT_NONE};
    struct op_key a_key = {.lamport = 0, .agent = AGENT_NONE};
    place.inherited = a_key;
    if (at.leaf != TREE_NONE) {
        const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
        const struct op *op = oplog_at(&rga->log, leaf->op[at.slot]);
        uint32_t offset = leaf->iv[at.slot] + at.offset - 1 - op->iv;
        a_key = own_key(op, offset);
        place.parent_agent = op->agent;
        place.parent_seq = op->seq + offset;
        place.inherited = op_left_key(op);
    }
    struct tree_at next;
    if (!successor(rga, at, &next))
        return place;
    if (at.leaf == TREE_NONE)
        place.at = next;
    if (rga->policy == WEFT_POLICY_CLASSIC)
        return place;
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, next.leaf);
    const struct op *op = oplog_at(&rga->log, leaf->op[next.slot]);
    uint32_t offset = leaf->iv[next.slot] + next.offset - op->iv;
    struct op_key right = op_right_key(op, offset);
    if (!op_key_greater(&rga->agents, right, a_key))
        return place;
    // `a` has a right child already: hang on its successor, on the left.
    place.parent_agent = op->agent;
    place.parent_seq = op->seq + offset;
    place.left = true;
    place.inherited = right;
    return place;
}
