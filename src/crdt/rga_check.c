// SPDX-License-Identifier: MIT
// The invariants of the sequence. The sentences carry the numbers of docs/crdt.md.
#include <string.h>

#include "crdt/rga_check.h"
#include "crdt/rga_impl.h"
#include "crdt/tree_impl.h"

// What a check walks with. Checks return NULL or the sentence that does not hold.
struct check {
    struct rga *rga;
    uint8_t *seen; // a bit per element
    uint32_t previous_leaf;
    uint64_t slots;
};

// Whether elements [iv, end) of a row are said to lie in `leaf`.
static bool check_ranges(const struct tree *tree, const struct op *op, uint32_t iv, uint32_t end,
                         uint32_t leaf)
{
    struct ordmap_at range = ordmap_seek(&tree->ranges, iv);
    bool first = range.node == ORDMAP_NONE || ordmap_key(&tree->ranges, range) <= op->iv;
    if (first && op->leaf != leaf)
        return false;
    if (first)
        range = range.node == ORDMAP_NONE ? ordmap_first(&tree->ranges)
                                          : ordmap_next(&tree->ranges, range);
    for (; range.node != ORDMAP_NONE && ordmap_key(&tree->ranges, range) < end;
         range = ordmap_next(&tree->ranges, range)) {
        if (!op_is_spread(op) || ordmap_value(&tree->ranges, range) != leaf)
            return false;
    }
    return true;
}

static const char *check_slot(struct check *check, uint32_t leaf_index, uint32_t slot)
{
    const struct rga *rga = check->rga;
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, leaf_index);
    uint32_t iv = leaf->iv[slot];
    uint32_t length = leaf_length(leaf, slot);
    if (length == 0)
        return "T1: no slot is empty";
    if (length > rga->text.length || iv > rga->text.length - length)
        return "T2: slots hold each element once";
    for (uint32_t i = iv; i < iv + length; i++) {
        if ((check->seen[i / 8] & 1u << i % 8) != 0)
            return "T2: slots hold each element once";
        check->seen[i / 8] |= (uint8_t)(1u << i % 8);
    }
    if (leaf->op[slot] >= rga->log.ops.count)
        return "T3: a slot lies in one insert row";
    const struct op *op = oplog_at(&rga->log, leaf->op[slot]);
    if (op_kind(op) != WEFT_RUN_INSERT || iv < op->iv || iv + length > op->iv + op_length(op))
        return "T3: a slot lies in one insert row";
    if (slot > 0 && !leaf_visible(leaf, slot) && !leaf_visible(leaf, slot - 1) &&
        leaf->op[slot - 1] == leaf->op[slot] &&
        leaf->iv[slot - 1] + leaf_length(leaf, slot - 1) == iv)
        return "T4: touching tombstones of one row are one slot";
    if (!check_ranges(&rga->tree, op, iv, iv + length, leaf_index))
        return "T5: a row and its ranges name the leaf of each element";
    return NULL;
}

static const char *check_leaf(struct check *check, uint32_t index)
{
    const struct tree_leaf *leaf = tree_leaf(&check->rga->tree, index);
    if (leaf->prev != check->previous_leaf ||
        (leaf->prev != TREE_NONE && tree_leaf(&check->rga->tree, leaf->prev)->next != index))
        return "T6: leaves are linked in document order";
    check->previous_leaf = index;
    if (leaf->count == 0 || leaf->count > TREE_LEAF_SLOTS)
        return "T1: no slot is empty";
    check->slots += leaf->count;
    for (uint32_t slot = 0; slot < leaf->count; slot++) {
        const char *broken = check_slot(check, index, slot);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

static bool same_key(struct op_key a, struct op_key b)
{
    return a.lamport == b.lamport && a.agent == b.agent;
}

static const char *check_fold(const struct tree_node *node, uint32_t slot, struct weight weight,
                              struct tree_minima minima)
{
    for (int unit = 0; unit < 3; unit++) {
        if (node->units[unit][slot] != weight.units[unit])
            return "T7: a node counts what its children show";
    }
    if (!same_key(node->right_min[slot], minima.right) ||
        !same_key(node->left_min[slot], minima.left))
        return "T8: a node's minima are those of its children";
    return NULL;
}

// Recursion is as deep as the tree is high, at most 8 levels.
static const char *check_subtree(struct check *check, uint32_t index, uint32_t level)
{
    const struct tree *tree = &check->rga->tree;
    if (level == 0)
        return check_leaf(check, index);
    const struct tree_node *node = tree_node(tree, index);
    if (node->count == 0 || node->count > TREE_FANOUT)
        return "T9: parents and children name each other";
    for (uint32_t slot = 0; slot < node->count; slot++) {
        uint32_t child = node->child[slot];
        struct weight weight;
        struct tree_minima minima;
        const char *broken = check_subtree(check, child, level - 1);
        if (broken != NULL)
            return broken;
        uint32_t parent;
        if (level == 1) {
            const struct tree_leaf *leaf = tree_leaf(tree, child);
            weight = leaf_weight(tree, leaf, 0, leaf->count);
            minima = leaf_minima(tree, leaf, 0, leaf->count);
            parent = leaf->parent;
        } else {
            weight = node_weight(tree_node(tree, child));
            minima = node_minima(tree, tree_node(tree, child));
            parent = tree_node(tree, child)->parent;
        }
        if (parent != index)
            return "T9: parents and children name each other";
        broken = check_fold(node, slot, weight, minima);
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

static const char *check_total(struct check *check)
{
    const struct tree *tree = &check->rga->tree;
    struct weight sum = {{0, 0, 0}};
    for (uint32_t i = tree->first; i != TREE_NONE; i = tree_leaf(tree, i)->next) {
        const struct tree_leaf *leaf = tree_leaf(tree, i);
        struct weight weight = leaf_weight(tree, leaf, 0, leaf->count);
        for (int unit = 0; unit < 3; unit++)
            sum.units[unit] += weight.units[unit];
    }
    if (memcmp(&sum, &tree->total, sizeof sum) != 0 || tree->slots != check->slots)
        return "T7: a node counts what its children show";
    if (check->previous_leaf != tree->last)
        return "T6: leaves are linked in document order";
    for (uint32_t i = 0; i < check->rga->text.length; i++) {
        if ((check->seen[i / 8] & 1u << i % 8) == 0)
            return "T2: slots hold each element once";
    }
    return NULL;
}

static const char *check_tree(struct check *check)
{
    struct tree *tree = &check->rga->tree;
    tree_flush(tree);
    if (tree->root == TREE_NONE)
        return check->rga->text.length == 0 ? NULL : "T2: slots hold each element once";
    const char *broken = check_subtree(check, tree->root, tree->height);
    return broken != NULL ? broken : check_total(check);
}

static const char *check_insert_row(struct rga *rga, const struct op *op)
{
    struct op_key inherited = {.lamport = 0, .agent = AGENT_NONE};
    if (op->target_agent != AGENT_NONE) {
        struct weft_id id = {agents_id(&rga->agents, op->target_agent), op->target_seq};
        uint32_t row = rga_find_element(rga, id);
        if (row == OP_NONE)
            return "L3: a row names elements that are here";
        const struct op *parent = oplog_at(&rga->log, row);
        uint32_t offset = op->target_seq - parent->seq;
        if (parent->lamport + offset >= op->lamport)
            return "L4: an atom has a greater Lamport time than what it names";
        inherited = op_flag(op) ? op_right_key(parent, offset) : op_left_key(parent);
    }
    if (inherited.lamport != op->inherited.lamport || inherited.agent != op->inherited.agent)
        return "L5: a row has inherited its parent's key";
    return NULL;
}

static const char *check_undelete_row(struct rga *rga, const struct op *op)
{
    struct rga_named named = rga_named_make(op, 0, op_length(op));
    for (uint32_t iv, length; rga_named_next(rga, &named, &iv, &length);) {
        if (text_lacks(&rga->text, iv, length))
            return "L9: what an undelete names has its text";
    }
    return NULL;
}

static const char *check_row(struct rga *rga, uint32_t row, uint32_t *iv)
{
    const struct op *op = oplog_at(&rga->log, row);
    const struct agent *agent = agents_at(&rga->agents, op->agent);
    if (op_length(op) == 0 || op->agent >= rga->agents.pool.count || op_seq_end(op) > agent->next ||
        oplog_find(&rga->log, op->agent, op->seq) != row ||
        oplog_find(&rga->log, op->agent, op_seq_end(op) - 1) != row)
        return "L1: every atom is found by its id";
    if (op->lamport <= op->seq || op->lamport + op_length(op) - 1 > rga->lamport)
        return "L2: an agent's Lamport times grow with its seqs";
    if (op->seq > 0) {
        const struct op *before =
            oplog_at(&rga->log, oplog_find(&rga->log, op->agent, op->seq - 1));
        if (before->lamport + (op->seq - 1 - before->seq) >= op->lamport)
            return "L2: an agent's Lamport times grow with its seqs";
    }
    if (op_kind(op) == WEFT_RUN_UNDELETE)
        return check_undelete_row(rga, op);
    if (op_kind(op) != WEFT_RUN_INSERT)
        return NULL;
    if (op->iv != *iv)
        return "L6: insert rows hold the text in arrival order";
    *iv += op_length(op);
    return rga_gone_is_hashed(rga, op) ? check_insert_row(rga, op)
                                       : "L8: the hash is kept of a part that lacks text";
}

static const char *check_log(struct rga *rga)
{
    uint32_t iv = 0;
    uint64_t atoms = 0;
    uint64_t next = 0;
    for (uint32_t row = 0; row < rga->log.ops.count; row++) {
        const char *broken = check_row(rga, row, &iv);
        if (broken != NULL)
            return broken;
        atoms += op_length(oplog_at(&rga->log, row));
    }
    for (uint32_t i = 0; i < rga->agents.pool.count; i++)
        next += agents_at(&rga->agents, i)->next;
    if (atoms != next || atoms != rga->log.atoms)
        return "L7: an agent's next seq is the count of its atoms";
    if (iv != rga->text.length)
        return "L6: insert rows hold the text in arrival order";
    return NULL;
}

const char *rga_check(struct rga *rga)
{
    struct check check = {.rga = rga, .previous_leaf = TREE_NONE};
    size_t seen_size = rga->text.length / 8 + 1;
    const char *broken = check_log(rga);
    if (broken != NULL)
        return broken;
    check.seen = memory_alloc(&rga->allocator, seen_size);
    if (check.seen == NULL)
        return "there is no memory to check with";
    memset(check.seen, 0, seen_size);
    broken = check_tree(&check);
    memory_free(&rga->allocator, check.seen, seen_size);
    if (broken == NULL)
        broken = rga_check_order(rga);
    return broken;
}
