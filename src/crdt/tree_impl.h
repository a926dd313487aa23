// SPDX-License-Identifier: MIT
// What the files of the tree share: node upkeep. May include: crdt/tree.h.
#ifndef WEFT_CRDT_TREE_IMPL_H
#define WEFT_CRDT_TREE_IMPL_H

#include "crdt/tree.h"

/// The minima of a leaf's slots [first, end).
struct tree_minima leaf_minima(const struct tree *tree, const struct tree_leaf *leaf,
                               uint32_t first, uint32_t end);
/// What a leaf's slots [first, end) show.
struct weight leaf_weight(const struct tree *tree, const struct tree_leaf *leaf, uint32_t first,
                          uint32_t end);
/// The minima and the sum over all children of a node.
struct tree_minima node_minima(const struct tree *tree, const struct tree_node *node);
struct weight node_weight(const struct tree_node *node);

/// Slot of a child in its parent.
uint32_t node_slot(const struct tree_node *node, uint32_t child);

/// Moves the upper half of a leaf to a new one. @return the new one.
uint32_t tree_split_leaf(struct tree *tree, uint32_t leaf);

/// Notes that the elements of a row from `iv` on, up to its next range, lie in `leaf` now.
void tree_assign_leaf(struct tree *tree, struct op *op, uint32_t iv, uint32_t leaf);

/// An unused leaf or node; room must have been reserved.
uint32_t tree_create_leaf(struct tree *tree);
uint32_t tree_create_node(struct tree *tree);

#endif
