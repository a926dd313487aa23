// SPDX-License-Identifier: MIT
// The sequence: building it whole from slots in document order.
#include <assert.h>

#include "crdt/tree_impl.h"

enum { // 26 of 32: the next edits cut nothing
    FILL_LEAF = TREE_LEAF_SLOTS * 13 / 16,
    FILL_NODE = TREE_FANOUT * 13 / 16,
};

bool tree_load_reserve(struct tree *tree, uint64_t slots)
{
    uint64_t leaves = slots / FILL_LEAF + 1;
    uint64_t nodes = 1;
    for (uint64_t below = leaves; below > 1;) {
        below = (below + FILL_NODE - 1) / FILL_NODE;
        nodes += below;
    }
    return pool_reserve(&tree->leaves, leaves) && pool_reserve(&tree->nodes, nodes) &&
           ordmap_reserve_ascending(&tree->ranges, slots);
}

uint32_t tree_load_slot(struct tree *tree, uint32_t op, uint32_t iv, uint32_t length_bits)
{
    if (tree->last == TREE_NONE || tree_leaf(tree, tree->last)->count == FILL_LEAF) {
        uint32_t index = tree_create_leaf(tree);
        struct tree_leaf *leaf = tree_leaf(tree, index);
        leaf->prev = tree->last;
        if (tree->last != TREE_NONE)
            tree_leaf(tree, tree->last)->next = index;
        else
            tree->first = index;
        tree->last = index;
    }
    struct tree_leaf *leaf = tree_leaf(tree, tree->last);
    uint32_t slot = leaf->count++;
    leaf->len[slot] = length_bits;
    leaf->iv[slot] = iv;
    leaf->op[slot] = op;
    tree->slots++;
    return tree->last;
}

void tree_load_leaf(struct tree *tree, uint32_t op, uint32_t iv, uint32_t leaf)
{
    tree_assign_leaf(tree, oplog_at(tree->log, op), iv, leaf);
}

// Appends an entry to the node that is being filled, or to a new one.
static void append_entry(struct tree *tree, uint32_t *filling, uint32_t child, struct weight weight,
                         struct tree_minima minima)
{
    if (*filling == TREE_NONE || tree_node(tree, *filling)->count == FILL_NODE)
        *filling = tree_create_node(tree);
    struct tree_node *node = tree_node(tree, *filling);
    uint32_t slot = node->count++;
    node->child[slot] = child;
    node->right_min[slot] = minima.right;
    node->left_min[slot] = minima.left;
    for (int unit = 0; unit < 3; unit++)
        node->units[unit][slot] = weight.units[unit];
}

void tree_load_finish(struct tree *tree)
{
    if (tree->first == TREE_NONE)
        return;
    uint32_t filling = TREE_NONE;
    uint32_t first = tree->nodes.count;
    bool alone = tree->first == tree->last;
    for (uint32_t i = tree->first; i != TREE_NONE; i = tree_leaf(tree, i)->next) {
        struct tree_leaf *leaf = tree_leaf(tree, i);
        struct weight weight = leaf_weight(tree, leaf, 0, leaf->count);
        for (int unit = 0; unit < 3; unit++)
            tree->total.units[unit] += weight.units[unit];
        if (alone)
            break;
        append_entry(tree, &filling, i, weight, leaf_minima(tree, leaf, 0, leaf->count));
        leaf->parent = filling;
    }
    tree->root = alone ? tree->first : filling;
    tree->height = alone ? 0 : 1;
    // The nodes of one level were made in a row: [first, end).
    uint32_t end = tree->nodes.count;
    while (end - first > 1) {
        filling = TREE_NONE;
        for (uint32_t i = first; i < end; i++) {
            struct tree_node *node = tree_node(tree, i);
            append_entry(tree, &filling, i, node_weight(node), node_minima(tree, node));
            tree_node(tree, i)->parent = filling;
        }
        first = end;
        end = tree->nodes.count;
        tree->root = filling;
        tree->height++;
    }
}
