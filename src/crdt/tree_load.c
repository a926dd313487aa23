// SPDX-License-Identifier: MIT
// The sequence: building it whole from slots in document order.
#include <assert.h>

#include "crdt/tree_impl.h"

bool tree_load_reserve(struct tree *tree, uint64_t slots)
{
    uint64_t leaves = (slots + TREE_LOAD_SLOTS - 1) / TREE_LOAD_SLOTS;
    uint64_t nodes = 1;
    for (uint64_t below = leaves; below > 1;) {
        below = (below + TREE_LOAD_CHILDREN - 1) / TREE_LOAD_CHILDREN;
        nodes += below;
    }
    return pool_reserve(&tree->leaves, leaves) && pool_reserve(&tree->nodes, nodes);
}

uint32_t tree_load_leaf(struct tree *tree, uint32_t count)
{
    if (!ordmap_reserve(&tree->ranges, count))
        return TREE_NONE;
    uint32_t index = tree_create_leaf(tree);
    struct tree_leaf *leaf = tree_leaf(tree, index);
    leaf->prev = tree->last;
    if (tree->last != TREE_NONE)
        tree_leaf(tree, tree->last)->next = index;
    else
        tree->first = index;
    tree->last = index;
    leaf->count = count;
    tree->slots += count;
    return index;
}

// Adds a child to the node that is being filled, or to a new one; what it shows is not counted yet.
static void append_child(struct tree *tree, uint32_t *filling, uint32_t child,
                         struct tree_minima minima)
{
    if (*filling == TREE_NONE || tree_node(tree, *filling)->count == TREE_LOAD_CHILDREN)
        *filling = tree_create_node(tree);
    struct tree_node *node = tree_node(tree, *filling);
    uint32_t slot = node->count++;
    node->child[slot] = child;
    node->right_min[slot] = minima.right;
    node->left_min[slot] = minima.left;
}

void tree_load_minima(struct tree *tree, struct tree_minima minima)
{
    uint32_t filling = tree->nodes.count > 0 ? tree->nodes.count - 1 : TREE_NONE;
    append_child(tree, &filling, tree->last, minima);
    tree_leaf(tree, tree->last)->parent = filling;
}

static void set_units(struct tree_node *node, uint32_t slot, struct weight weight)
{
    for (int unit = 0; unit < 3; unit++)
        node->units[unit][slot] = weight.units[unit];
}

void tree_load_finish(struct tree *tree)
{
    uint32_t first = 0;
    uint32_t end = tree->nodes.count;
    // The nodes of one level were made in a row: [first, end).
    for (uint32_t i = tree->first; i != TREE_NONE; i = tree_leaf(tree, i)->next) {
        const struct tree_leaf *leaf = tree_leaf(tree, i);
        struct weight weight = leaf_weight(tree, leaf, 0, leaf->count);
        set_units(tree_node(tree, leaf->parent), i % TREE_LOAD_CHILDREN, weight);
        for (int unit = 0; unit < 3; unit++)
            tree->total.units[unit] += weight.units[unit];
    }
    tree->root = first;
    tree->height = 1;
    while (end - first > 1) {
        uint32_t filling = TREE_NONE;
        for (uint32_t i = first; i < end; i++) {
            struct tree_node *node = tree_node(tree, i);
            append_child(tree, &filling, i, node_minima(tree, node));
            set_units(tree_node(tree, filling), (i - first) % TREE_LOAD_CHILDREN,
                      node_weight(node));
            tree_node(tree, i)->parent = filling;
        }
        first = end;
        end = tree->nodes.count;
        tree->root = filling;
        tree->height++;
    }
    if (tree->first == tree->last) { // a leaf that is alone needs no node
        tree->nodes.count = 0;
        tree->root = tree->first;
        tree->height = 0;
        tree_leaf(tree, tree->first)->parent = TREE_NONE;
    }
}
