// SPDX-License-Identifier: MIT
// The sequence: making, finding, counting.
#include "crdt/tree.h"

#include <assert.h>

#include "base/splits.h"
#include "crdt/tree_impl.h"

enum {
    // Slots that a half-full leaf takes before it may be cut again.
    HALF_LEAF = TREE_LEAF_SLOTS / 2 - 2,
    RANGES_PER_SPLIT = TREE_LEAF_SLOTS / 2, // rows that have slots in both halves
};

void tree_init(struct tree *tree, const struct weft_allocator *allocator,
               const struct agents *agents, const struct oplog *log, const struct text *text)
{
    *tree = (struct tree){
        .agents = agents,
        .log = log,
        .text = text,
        .root = TREE_NONE,
        .first = TREE_NONE,
        .last = TREE_NONE,
        .late_leaf = TREE_NONE,
        .cursor = {.leaf = TREE_NONE},
        .recent = {.leaf = TREE_NONE},
        .near = {.leaf = TREE_NONE},
    };
    pool_init(&tree->leaves, allocator, sizeof(struct tree_leaf), TREE_LEAF_PAGE_SHIFT);
    pool_init(&tree->nodes, allocator, sizeof(struct tree_node), TREE_NODE_PAGE_SHIFT);
    ordmap_init(&tree->ranges, allocator);
}

void tree_finish(struct tree *tree)
{
    pool_finish(&tree->leaves);
    pool_finish(&tree->nodes);
    ordmap_finish(&tree->ranges);
}

bool tree_grow(struct tree *tree, uint64_t places, uint64_t slots)
{
    uint64_t leaf_splits;
    uint64_t node_splits = splits_max(&leaf_splits, places, slots, tree->leaves.count,
                                      tree->nodes.count, tree->height + 1, HALF_LEAF);
    if (!pool_reserve(&tree->leaves, leaf_splits + 1) || !pool_reserve(&tree->nodes, node_splits) ||
        !ordmap_reserve(&tree->ranges, leaf_splits * RANGES_PER_SPLIT))
        return false;
    tree->reserved_places = places;
    tree->reserved_slots = slots;
    tree->reserved_count = tree->leaves.count + tree->nodes.count + tree->ranges.nodes.count;
    return true;
}

void tree_trim(struct tree *tree)
{
    pool_trim(&tree->leaves);
    pool_trim(&tree->nodes);
    ordmap_trim(&tree->ranges);
    tree->reserved_slots = 0;
}

uint32_t tree_create_leaf(struct tree *tree)
{
    assert(pool_has_room(&tree->leaves, 1));
    uint32_t index = tree->leaves.count++;
    struct tree_leaf *leaf = tree_leaf(tree, index);
    leaf->count = 0;
    leaf->next = TREE_NONE;
    leaf->prev = TREE_NONE;
    leaf->parent = TREE_NONE;
    return index;
}

uint32_t tree_create_node(struct tree *tree)
{
    assert(pool_has_room(&tree->nodes, 1));
    uint32_t index = tree->nodes.count++;
    struct tree_node *node = tree_node(tree, index);
    node->count = 0;
    node->parent = TREE_NONE;
    return index;
}

uint32_t node_slot(const struct tree_node *node, uint32_t child)
{
    uint32_t slot = 0;
    while (node->child[slot] != child)
        slot++;
    return slot;
}

struct tree_minima leaf_minima(const struct tree *tree, const struct tree_leaf *leaf,
                               uint32_t first, uint32_t end)
{
    struct tree_minima minima = {OP_KEY_MAX, OP_KEY_MAX};
    for (uint32_t i = first; i < end; i++) {
        const struct op *op = oplog_at(tree->log, leaf->op[i]);
        struct op_key right = op_right_key(op, leaf->iv[i] - op->iv);
        minima.right = op_key_least(tree->agents, minima.right, right);
        minima.left = op_key_least(tree->agents, minima.left, op_left_key(op));
    }
    return minima;
}

struct weight leaf_weight(const struct tree *tree, const struct tree_leaf *leaf, uint32_t first,
                          uint32_t end)
{
    struct weight sum = {{0, 0, 0}};
    for (uint32_t i = first; i < end; i++) {
        if (!leaf_visible(leaf, i))
            continue;
        struct weight weight = text_weigh(tree->text, leaf->iv[i], leaf->len[i]);
        for (int unit = 0; unit < 3; unit++)
            sum.units[unit] += weight.units[unit];
    }
    return sum;
}

struct tree_minima node_minima(const struct tree *tree, const struct tree_node *node)
{
    struct tree_minima minima = {OP_KEY_MAX, OP_KEY_MAX};
    for (uint32_t i = 0; i < node->count; i++) {
        minima.right = op_key_least(tree->agents, minima.right, node->right_min[i]);
        minima.left = op_key_least(tree->agents, minima.left, node->left_min[i]);
    }
    return minima;
}

struct weight node_weight(const struct tree_node *node)
{
    struct weight sum = {{0, 0, 0}};
    for (int unit = 0; unit < 3; unit++) {
        for (uint32_t i = 0; i < node->count; i++)
            sum.units[unit] += node->units[unit][i];
    }
    return sum;
}

void tree_flush(struct tree *tree)
{
    if (tree->late_leaf == TREE_NONE)
        return;
    uint32_t child = tree->late_leaf;
    uint32_t parent = tree_leaf(tree, child)->parent;
    while (parent != TREE_NONE) {
        struct tree_node *node = tree_node(tree, parent);
        uint32_t slot = node_slot(node, child);
        for (int unit = 0; unit < 3; unit++)
            node->units[unit][slot] += tree->late.units[unit];
        child = parent;
        parent = node->parent;
    }
    tree->late_leaf = TREE_NONE;
    tree->late = (struct weight){{0, 0, 0}};
}

// Whether a slot, if it is one, holds the element.
static bool slot_holds(const struct tree_leaf *leaf, uint32_t slot, uint32_t iv)
{
    return slot < leaf->count && iv - leaf->iv[slot] < leaf_length(leaf, slot);
}

// The leaf of element `iv` of a row.
static uint32_t leaf_of(const struct tree *tree, const struct op *op, uint32_t iv)
{
    if (op_is_spread(op)) {
        struct ordmap_at range = ordmap_seek(&tree->ranges, iv);
        if (range.node != ORDMAP_NONE && ordmap_key(&tree->ranges, range) > op->iv)
            return ordmap_value(&tree->ranges, range);
    }
    return op->leaf;
}

void tree_assign_leaf(struct tree *tree, struct op *op, uint32_t iv, uint32_t leaf)
{
    if (iv == op->iv) {
        op->leaf = leaf;
        return;
    }
    if (leaf_of(tree, op, iv) == leaf)
        return;
    ordmap_put(&tree->ranges, iv, leaf);
    op->bits |= OP_SPREAD;
}

struct tree_at tree_locate(struct tree *tree, const struct op *op, uint32_t iv)
{
    struct tree_at near = tree->near;
    if (near.leaf != TREE_NONE) {
        // Those who type or delete go on at the slot where they were, or at one beside it.
        const struct tree_leaf *leaf = tree_leaf(tree, near.leaf);
        for (uint32_t slot = near.slot - 1; slot != near.slot + 2; slot++) {
            if (slot_holds(leaf, slot, iv)) {
                tree->near.slot = slot;
                return (struct tree_at){near.leaf, slot, iv - leaf->iv[slot]};
            }
        }
    }
    uint32_t index = leaf_of(tree, op, iv);
    const struct tree_leaf *leaf = tree_leaf(tree, index);
    uint32_t slot = 0;
    while (iv - leaf->iv[slot] >= leaf_length(leaf, slot))
        slot++;
    assert(slot < leaf->count);
    tree->near = (struct tree_at){.leaf = index, .slot = slot};
    return (struct tree_at){.leaf = index, .slot = slot, .offset = iv - leaf->iv[slot]};
}

// Visible units of a slot.
static uint32_t slot_units(const struct tree *tree, const struct tree_leaf *leaf, uint32_t slot,
                           enum weft_unit unit)
{
    if (!leaf_visible(leaf, slot))
        return 0;
    if (unit == WEFT_SCALARS)
        return leaf->len[slot];
    return text_weigh(tree->text, leaf->iv[slot], leaf->len[slot]).units[unit];
}

struct tree_at tree_seek(struct tree *tree, uint32_t *start_out, enum weft_unit unit,
                         uint32_t index)
{
    assert(index < tree->total.units[unit]);
    tree_flush(tree);
    uint32_t start = 0;
    uint32_t below = tree->root;
    for (uint32_t level = tree->height; level > 0; level--) {
        const struct tree_node *node = tree_node(tree, below);
        const uint32_t *units = node->units[unit];
        uint32_t slot = 0;
        while (index - start >= units[slot])
            start += units[slot++];
        below = node->child[slot];
    }
    const struct tree_leaf *leaf = tree_leaf(tree, below);
    uint32_t slot = 0;
    for (;; slot++) {
        assert(slot < leaf->count);
        uint32_t units = slot_units(tree, leaf, slot, unit);
        if (index - start < units)
            break;
        start += units;
    }
    bool exact;
    uint32_t offset =
        text_elements(tree->text, unit, leaf->iv[slot], leaf->len[slot], index - start, &exact);
    *start_out = start;
    return (struct tree_at){.leaf = below, .slot = slot, .offset = offset};
}

uint32_t tree_index(struct tree *tree, enum weft_unit unit, struct tree_at at)
{
    if (at.leaf == TREE_NONE)
        return 0;
    if (tree->late_leaf != at.leaf)
        tree_flush(tree);
    const struct tree_leaf *leaf = tree_leaf(tree, at.leaf);
    uint32_t index = 0;
    for (uint32_t i = 0; i < at.slot; i++)
        index += slot_units(tree, leaf, i, unit);
    if (at.slot < leaf->count && leaf_visible(leaf, at.slot) && at.offset > 0)
        index += unit == WEFT_SCALARS
                     ? at.offset
                     : text_weigh(tree->text, leaf->iv[at.slot], at.offset).units[unit];
    uint32_t child = at.leaf;
    uint32_t parent = leaf->parent;
    while (parent != TREE_NONE) {
        const struct tree_node *node = tree_node(tree, parent);
        for (uint32_t i = 0; node->child[i] != child; i++)
            index += node->units[unit][i];
        child = parent;
        parent = node->parent;
    }
    return index;
}

// Slot next to `from` (exclusive; -1 or the count for all) whose minimum is not greater than `key`;
// -1: none.
static int node_skip(const struct tree *tree, const struct tree_node *node, int from,
                     struct op_key key, bool leftward)
{
    const struct op_key *minima = leftward ? node->left_min : node->right_min;
    int step = leftward ? -1 : 1;
    for (int i = from + step; i >= 0 && i < (int)node->count; i += step) {
        if (!op_key_greater(tree->agents, minima[i], key))
            return i;
    }
    return -1;
}

uint32_t tree_skip(const struct tree *tree, uint32_t leaf, struct op_key key, bool leftward)
{
    uint32_t child = leaf;
    uint32_t parent = tree_leaf(tree, leaf)->parent;
    uint32_t level = 0;
    int slot = -1;
    while (parent != TREE_NONE) {
        const struct tree_node *node = tree_node(tree, parent);
        level++;
        slot = node_skip(tree, node, (int)node_slot(node, child), key, leftward);
        if (slot >= 0)
            break;
        child = parent;
        parent = node->parent;
    }
    if (slot < 0)
        return TREE_NONE;
    uint32_t below = tree_node(tree, parent)->child[slot];
    while (--level > 0) {
        const struct tree_node *node = tree_node(tree, below);
        slot = node_skip(tree, node, leftward ? (int)node->count : -1, key, leftward);
        assert(slot >= 0);
        below = node->child[slot];
    }
    return below;
}
