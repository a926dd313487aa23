// SPDX-License-Identifier: MIT
// The sequence: inserting and deleting slots, cutting leaves and nodes.
#include <assert.h>
#include <string.h>

#include "crdt/tree_impl.h"

enum { HALF_FANOUT = TREE_FANOUT / 2, HALF_LEAF = TREE_LEAF_SLOTS / 2 };

// Lets the minima above know of a new slot.
static void lower_minima(struct tree *tree, uint32_t leaf, struct tree_minima minima)
{
    uint32_t child = leaf;
    uint32_t parent = tree_leaf(tree, leaf)->parent;
    while (parent != TREE_NONE) {
        struct tree_node *node = tree_node(tree, parent);
        uint32_t slot = node_slot(node, child);
        bool right = op_key_greater(tree->agents, node->right_min[slot], minima.right);
        bool left = op_key_greater(tree->agents, node->left_min[slot], minima.left);
        if (!right && !left)
            return;
        if (right)
            node->right_min[slot] = minima.right;
        if (left)
            node->left_min[slot] = minima.left;
        child = parent;
        parent = node->parent;
    }
}

// ---------------------------------------------------------------------------- cutting in halves

static void set_entry(struct tree_node *node, uint32_t slot, uint32_t child, struct weight weight,
                      struct tree_minima minima)
{
    node->child[slot] = child;
    node->right_min[slot] = minima.right;
    node->left_min[slot] = minima.left;
    for (int unit = 0; unit < 3; unit++)
        node->units[unit][slot] = weight.units[unit];
}

// Moves entries [from, count) of `source` to `to` of `target`, which may be the same node.
static void move_entries(struct tree_node *target, uint32_t to, const struct tree_node *source,
                         uint32_t from)
{
    size_t moved = source->count - from;
    memmove(&target->child[to], &source->child[from], moved * sizeof source->child[0]);
    memmove(&target->right_min[to], &source->right_min[from], moved * sizeof source->right_min[0]);
    memmove(&target->left_min[to], &source->left_min[from], moved * sizeof source->left_min[0]);
    for (int unit = 0; unit < 3; unit++)
        memmove(&target->units[unit][to], &source->units[unit][from],
                moved * sizeof source->units[0][0]);
}

static uint32_t *parent_of(struct tree *tree, uint32_t child, uint32_t level)
{
    return level == 0 ? &tree_leaf(tree, child)->parent : &tree_node(tree, child)->parent;
}

// Half of a subtree that was cut: what it weighs and its minima.
struct half {
    uint32_t index;
    struct weight weight;
    struct tree_minima minima;
};

static void insert_entry(struct tree *tree, uint32_t index, uint32_t slot, const struct half *half,
                         uint32_t level)
{
    struct tree_node *node = tree_node(tree, index);
    move_entries(node, slot + 1, node, slot);
    set_entry(node, slot, half->index, half->weight, half->minima);
    node->count++;
    *parent_of(tree, half->index, level) = index;
}

// Moves the upper half of a node to a new one.
static uint32_t split_node(struct tree *tree, uint32_t index, uint32_t level)
{
    uint32_t right_index = tree_create_node(tree);
    struct tree_node *left = tree_node(tree, index);
    struct tree_node *right = tree_node(tree, right_index);
    move_entries(right, 0, left, HALF_FANOUT);
    right->count = left->count - HALF_FANOUT;
    left->count = HALF_FANOUT;
    for (uint32_t i = 0; i < right->count; i++)
        *parent_of(tree, right->child[i], level) = right_index;
    return right_index;
}

static void grow_root(struct tree *tree, const struct half *left, const struct half *right)
{
    uint32_t index = tree_create_node(tree);
    struct tree_node *root = tree_node(tree, index);
    struct weight weight = tree->total;
    for (int unit = 0; unit < 3; unit++)
        weight.units[unit] -= right->weight.units[unit];
    set_entry(root, 0, left->index, weight, left->minima);
    set_entry(root, 1, right->index, right->weight, right->minima);
    root->count = 2;
    *parent_of(tree, left->index, tree->height) = index;
    *parent_of(tree, right->index, tree->height) = index;
    tree->root = index;
    tree->height++;
}

// `left` was cut and `right` is what came off: tells the levels above. left.weight is not used, the
// node knows the sum.
static void insert_half(struct tree *tree, struct half left, struct half right)
{
    for (uint32_t level = 0;; level++) {
        uint32_t parent = *parent_of(tree, left.index, level);
        if (parent == TREE_NONE) {
            grow_root(tree, &left, &right);
            return;
        }
        struct tree_node *node = tree_node(tree, parent);
        uint32_t slot = node_slot(node, left.index);
        node->right_min[slot] = left.minima.right;
        node->left_min[slot] = left.minima.left;
        for (int unit = 0; unit < 3; unit++)
            node->units[unit][slot] -= right.weight.units[unit];
        if (node->count < TREE_FANOUT) {
            insert_entry(tree, parent, slot + 1, &right, level);
            return;
        }
        uint32_t fresh = split_node(tree, parent, level);
        if (slot < HALF_FANOUT)
            insert_entry(tree, parent, slot + 1, &right, level);
        else
            insert_entry(tree, fresh, slot + 1 - HALF_FANOUT, &right, level);
        const struct tree_node *other = tree_node(tree, fresh);
        left = (struct half){.index = parent, .minima = node_minima(tree, node)};
        right = (struct half){fresh, node_weight(other), node_minima(tree, other)};
    }
}

uint32_t tree_split_leaf(struct tree *tree, uint32_t index)
{
    tree_flush(tree);
    if (tree->cursor.leaf == index)
        tree->cursor.leaf = TREE_NONE;
    uint32_t fresh = tree_create_leaf(tree);
    struct tree_leaf *left = tree_leaf(tree, index);
    struct tree_leaf *right = tree_leaf(tree, fresh);
    uint32_t moved = left->count - HALF_LEAF;
    memcpy(right->len, &left->len[HALF_LEAF], moved * sizeof left->len[0]);
    memcpy(right->iv, &left->iv[HALF_LEAF], moved * sizeof left->iv[0]);
    memcpy(right->op, &left->op[HALF_LEAF], moved * sizeof left->op[0]);
    right->count = moved;
    left->count = HALF_LEAF;
    right->next = left->next;
    right->prev = index;
    left->next = fresh;
    if (right->next != TREE_NONE)
        tree_leaf(tree, right->next)->prev = fresh;
    else
        tree->last = fresh;
    for (uint32_t i = 0; i < moved; i++)
        tree_assign_leaf(tree, oplog_at(tree->log, right->op[i]), right->iv[i], fresh);
    insert_half(tree,
                (struct half){.index = index, .minima = leaf_minima(tree, left, 0, HALF_LEAF)},
                (struct half){fresh, leaf_weight(tree, right, 0, moved),
                              leaf_minima(tree, right, 0, moved)});
    return fresh;
}

// Makes sure that `extra` more slots fit into the leaf of `at`, which may move to another leaf.
static inline void make_room(struct tree *tree, struct tree_at *at, uint32_t extra)
{
    if (tree_leaf(tree, at->leaf)->count + extra <= TREE_LEAF_SLOTS)
        return;
    uint32_t fresh = tree_split_leaf(tree, at->leaf);
    if (at->slot >= HALF_LEAF) {
        at->leaf = fresh;
        at->slot -= HALF_LEAF;
    }
}

static void open_slots(struct tree *tree, struct tree_leaf *leaf, uint32_t slot, uint32_t extra)
{
    size_t moved = (leaf->count - slot) * sizeof leaf->len[0];
    memmove(&leaf->len[slot + extra], &leaf->len[slot], moved);
    memmove(&leaf->iv[slot + extra], &leaf->iv[slot], moved);
    memmove(&leaf->op[slot + extra], &leaf->op[slot], moved);
    leaf->count += extra;
    tree->slots += extra;
}

static void close_slots(struct tree *tree, struct tree_leaf *leaf, uint32_t slot, uint32_t fewer)
{
    size_t moved = (leaf->count - slot - fewer) * sizeof leaf->len[0];
    memmove(&leaf->len[slot], &leaf->len[slot + fewer], moved);
    memmove(&leaf->iv[slot], &leaf->iv[slot + fewer], moved);
    memmove(&leaf->op[slot], &leaf->op[slot + fewer], moved);
    leaf->count -= fewer;
    tree->slots -= fewer;
}

static void set_slot(struct tree_leaf *leaf, uint32_t slot, uint32_t length_bits, uint32_t iv,
                     uint32_t op)
{
    leaf->len[slot] = length_bits;
    leaf->iv[slot] = iv;
    leaf->op[slot] = op;
}

// -------------------------------------------------------------------------------------- editing

struct tree_at tree_insert(struct tree *tree, struct tree_at at, uint32_t op, uint32_t iv,
                           uint32_t length)
{
    if (tree->root == TREE_NONE) {
        tree->root = tree_create_leaf(tree);
        tree->first = tree->root;
        tree->last = tree->root;
        at = (struct tree_at){.leaf = tree->root};
    }
    make_room(tree, &at, 2);
    struct tree_leaf *leaf = tree_leaf(tree, at.leaf);
    uint32_t slot = at.slot;
    if (slot < leaf->count && at.offset > 0) {
        if (at.offset == leaf_length(leaf, slot)) {
            // at the end of a slot: behind it
            open_slots(tree, leaf, ++slot, 1);
        } else {
            // inside of a slot: [head] [new] [rest]
            uint32_t state = leaf->len[slot] & TREE_TOMBSTONE;
            uint32_t rest = leaf_length(leaf, slot) - at.offset;
            open_slots(tree, leaf, slot + 1, 2);
            set_slot(leaf, slot + 2, rest | state, leaf->iv[slot] + at.offset, leaf->op[slot]);
            leaf->len[slot] = at.offset | state;
            slot++;
        }
    } else {
        open_slots(tree, leaf, slot, 1);
    }
    set_slot(leaf, slot, length, iv, op);
    oplog_at(tree->log, op)->leaf = at.leaf;
    lower_minima(tree, at.leaf, leaf_minima(tree, leaf, slot, slot + 1));
    tree_count(tree, at.leaf, text_weigh(tree->text, iv, length));
    tree->recent = (struct tree_at){.leaf = at.leaf, .slot = slot};
    return tree->recent;
}

// The slots are neighbours in iv, of one row, and the one that is not being deleted is a tombstone.
static bool joins(const struct tree_leaf *leaf, uint32_t slot, uint32_t tombstone)
{
    uint32_t first = slot < tombstone ? slot : tombstone;
    return !leaf_visible(leaf, tombstone) && leaf->op[slot] == leaf->op[tombstone] &&
           leaf->iv[first] + leaf_length(leaf, first) == leaf->iv[first + 1];
}

// The whole slot becomes a tombstone and joins those beside it. Returns the tombstone's slot.
static uint32_t delete_whole(struct tree *tree, struct tree_leaf *leaf, uint32_t slot)
{
    bool before = slot > 0 && joins(leaf, slot, slot - 1);
    bool after = slot + 1 < leaf->count && joins(leaf, slot, slot + 1);
    leaf->len[slot] |= TREE_TOMBSTONE;
    if (after) {
        leaf->len[slot] += leaf_length(leaf, slot + 1);
        close_slots(tree, leaf, slot + 1, 1);
    }
    if (before) {
        leaf->len[slot - 1] += leaf_length(leaf, slot);
        close_slots(tree, leaf, slot, 1);
        slot--;
    }
    return slot;
}

// The first `length` elements: the boundary to a tombstone before moves, or one comes to be.
static uint32_t delete_head(struct tree *tree, struct tree_leaf *leaf, uint32_t slot,
                            uint32_t length)
{
    if (slot > 0 && joins(leaf, slot, slot - 1)) {
        leaf->len[slot - 1] += length;
        slot--;
    } else {
        open_slots(tree, leaf, slot, 1);
        set_slot(leaf, slot, length | TREE_TOMBSTONE, leaf->iv[slot + 1], leaf->op[slot + 1]);
    }
    leaf->len[slot + 1] -= length;
    leaf->iv[slot + 1] += length;
    return slot;
}

// The last `length` elements, likewise. This is the path of a backspace.
static uint32_t delete_tail(struct tree *tree, struct tree_leaf *leaf, uint32_t slot,
                            uint32_t length)
{
    uint32_t kept = leaf->len[slot] - length;
    if (slot + 1 < leaf->count && joins(leaf, slot, slot + 1)) {
        leaf->len[slot + 1] += length;
        leaf->iv[slot + 1] -= length;
    } else {
        open_slots(tree, leaf, slot + 1, 1);
        set_slot(leaf, slot + 1, length | TREE_TOMBSTONE, leaf->iv[slot] + kept, leaf->op[slot]);
    }
    leaf->len[slot] = kept;
    return slot + 1;
}

// In the middle: [kept] [tombstone] [rest].
static uint32_t delete_middle(struct tree *tree, struct tree_leaf *leaf, uint32_t slot,
                              uint32_t offset, uint32_t length)
{
    uint32_t rest = leaf->len[slot] - offset - length;
    uint32_t iv = leaf->iv[slot];
    uint32_t op = leaf->op[slot];
    open_slots(tree, leaf, slot + 1, 2);
    leaf->len[slot] = offset;
    set_slot(leaf, slot + 1, length | TREE_TOMBSTONE, iv + offset, op);
    set_slot(leaf, slot + 2, rest, iv + offset + length, op);
    return slot + 1;
}

struct tree_at tree_delete(struct tree *tree, struct tree_at at, uint32_t length)
{
    struct tree_leaf *leaf = tree_leaf(tree, at.leaf);
    bool head = at.offset == 0;
    bool tail = at.offset + length == leaf->len[at.slot];
    assert(leaf_visible(leaf, at.slot) && length <= leaf->len[at.slot] - at.offset);
    struct weight weight = text_weigh(tree->text, leaf->iv[at.slot] + at.offset, length);
    if (!head || !tail) {
        make_room(tree, &at, 2);
        leaf = tree_leaf(tree, at.leaf);
    }
    uint32_t slot;
    if (head && tail)
        slot = delete_whole(tree, leaf, at.slot);
    else if (head)
        slot = delete_head(tree, leaf, at.slot, length);
    else if (tail)
        slot = delete_tail(tree, leaf, at.slot, length);
    else
        slot = delete_middle(tree, leaf, at.slot, at.offset, length);
    for (int unit = 0; unit < 3; unit++)
        weight.units[unit] = 0 - weight.units[unit];
    tree_count(tree, at.leaf, weight);
    tree->near = (struct tree_at){.leaf = at.leaf, .slot = slot};
    return (struct tree_at){.leaf = at.leaf, .slot = slot, .offset = leaf_length(leaf, slot)};
}

// Whether the next slot goes on with the visible run of this one.
static bool goes_on(const struct tree_leaf *leaf, uint32_t slot)
{
    return slot + 1 < leaf->count && leaf_visible(leaf, slot) && leaf_visible(leaf, slot + 1) &&
           leaf->op[slot] == leaf->op[slot + 1] &&
           leaf->iv[slot] + leaf->len[slot] == leaf->iv[slot + 1];
}

static void join_next(struct tree *tree, struct tree_leaf *leaf, uint32_t slot)
{
    leaf->len[slot] += leaf->len[slot + 1];
    close_slots(tree, leaf, slot + 1, 1);
}

void tree_undelete(struct tree *tree, struct tree_at at, uint32_t length)
{
    make_room(tree, &at, 2);
    struct tree_leaf *leaf = tree_leaf(tree, at.leaf);
    uint32_t slot = at.slot;
    uint32_t iv = leaf->iv[slot];
    uint32_t op = leaf->op[slot];
    uint32_t rest = leaf_length(leaf, slot) - at.offset - length;
    assert(!leaf_visible(leaf, slot) && at.offset + length <= leaf_length(leaf, slot));
    open_slots(tree, leaf, slot, (at.offset > 0) + (rest > 0));
    if (at.offset > 0)
        set_slot(leaf, slot++, at.offset | TREE_TOMBSTONE, iv, op);
    set_slot(leaf, slot, length, iv + at.offset, op);
    if (rest > 0)
        set_slot(leaf, slot + 1, rest | TREE_TOMBSTONE, iv + at.offset + length, op);
    tree_count(tree, at.leaf, text_weigh(tree->text, iv + at.offset, length));
    if (goes_on(leaf, slot))
        join_next(tree, leaf, slot);
    if (slot > 0 && goes_on(leaf, slot - 1))
        join_next(tree, leaf, --slot);
    tree->near = (struct tree_at){.leaf = at.leaf, .slot = slot};
}
