// SPDX-License-Identifier: MIT
// The sequence in document order: a B+tree of pieces of runs, and the way from an element to its
// leaf.
//
//             [ node: child | units visible | least right key | least left key ]
//                 |                         |                         |
//   [ leaf: len iv op | len iv op | ... ] <-> [ leaf ] <-> ... <-> [ leaf ]   32 slots each, in
//   arrays
//
// A slot is [iv, iv + len) of ONE row of the operation log in one state, visible or deleted; so
// keys, agent and seq of any element are its row and an offset: O(1). Tombstones of one row that
// touch, in the leaf and in iv, are one slot.
//
// The elements of a row ascend in document order. So the leaves that they lie in cut the row into
// ranges, one for each leaf: the row itself says where the first range is, and `ranges` has the iv
// where each other one begins. Most rows lie in one leaf and need nothing but themselves.
//
// The nodes' minima are what makes the skipping of greater siblings O(log n): they are the least
// keys (crdt/op.h) below each child. Counts of one leaf, the last one edited, reach the nodes above
// late: see tree_flush().
//
// Leaves are never freed; an index to one stays good, a slot number only until the next change.
// May include: base, crdt/oplog.h, crdt/text.h.
#ifndef WEFT_CRDT_TREE_H
#define WEFT_CRDT_TREE_H

#include "crdt/oplog.h"
#include "crdt/text.h"

#define TREE_NONE UINT32_MAX
#define TREE_TOMBSTONE 0x80000000u

enum {
#ifdef WEFT_SMALL_NODES // for tests: deep trees of few elements
    TREE_LEAF_SLOTS = 8,
    TREE_FANOUT = 6,
#else
    TREE_LEAF_SLOTS = 32,
    TREE_FANOUT = 32,
#endif
    TREE_LEAF_PAGE_SHIFT = 5,
    TREE_NODE_PAGE_SHIFT = 3,
};

enum { // after loading 26 of 32: the next edits cut nothing
    TREE_LOAD_SLOTS = TREE_LEAF_SLOTS * 13 / 16,
    TREE_LOAD_CHILDREN = TREE_FANOUT * 13 / 16,
};

struct tree_leaf {
    uint32_t len[TREE_LEAF_SLOTS]; // elements; TREE_TOMBSTONE when they are deleted
    uint32_t iv[TREE_LEAF_SLOTS];
    uint32_t op[TREE_LEAF_SLOTS]; // row of the log
    uint32_t count;
    uint32_t next; // TREE_NONE at the ends
    uint32_t prev;
    uint32_t parent; // node, TREE_NONE for the root
};

struct tree_node {
    struct op_key right_min[TREE_FANOUT]; // least op_right_key() below the child
    struct op_key left_min[TREE_FANOUT];  // likewise of op_left_key()
    uint32_t child[TREE_FANOUT];
    uint32_t units[3][TREE_FANOUT]; // visible, by enum weft_unit
    uint32_t count;
    uint32_t parent;
};

/// The least keys below one leaf or node.
struct tree_minima {
    struct op_key right; // op_right_key()
    struct op_key left;  // op_left_key()
};

/// A place: after `offset` elements of a slot. Valid until the next change.
struct tree_at {
    uint32_t leaf; // TREE_NONE: the document is empty
    uint32_t slot;
    uint32_t offset;
};

struct tree {
    struct pool leaves;
    struct pool nodes;
    struct ordmap ranges; // iv -> leaf; see above
    const struct agents *agents;
    const struct oplog *log;
    const struct text *text;
    uint32_t root; // a leaf when height is 0; TREE_NONE: no leaf yet
    uint32_t height;
    uint32_t first; // leaf
    uint32_t last;
    // Room for so much is there as long as there are so many leaves, nodes and nodes of ranges.
    uint64_t reserved_places;
    uint64_t reserved_slots;
    uint32_t reserved_count;
    uint64_t slots;
    struct weight total; // visible
    uint32_t late_leaf;  // whose counts above are behind by `late`
    struct weight late;  // modulo 2^32
    // Where the last local edit was: slot `cursor.slot` begins at visible scalar `cursor_start`.
    struct tree_at cursor; // leaf TREE_NONE: nowhere
    uint32_t cursor_start;
    struct tree_at recent; // slot of the newest element, to be checked before use
    struct tree_at near;   // of the last tree_locate() or tree_delete(): where the next may be
};

/// Allocates nothing. The three stores must outlive the tree.
void tree_init(struct tree *tree, const struct weft_allocator *allocator,
               const struct agents *agents, const struct oplog *log, const struct text *text);
void tree_finish(struct tree *tree);

/// tree_reserve() when it is not known that there is room.
bool tree_grow(struct tree *tree, uint64_t places, uint64_t slots);

/// Makes room for `slots` new slots in `places` places. @return false, with all as it was, when
/// there is none.
static inline bool tree_reserve(struct tree *tree, uint64_t places, uint64_t slots)
{
    uint32_t count = tree->leaves.count + tree->nodes.count + tree->ranges.nodes.count;
    return (places <= tree->reserved_places && slots <= tree->reserved_slots &&
            count == tree->reserved_count) ||
           tree_grow(tree, places, slots);
}

/// Gives back what large reservations left over.
void tree_trim(struct tree *tree);

/// Inserts the newest elements, of row `op`, at a place; their iv are the last of the text store.
/// Room for 2 slots must have been reserved. @return the new slot, offset 0.
struct tree_at tree_insert(struct tree *tree, struct tree_at at, uint32_t op, uint32_t iv,
                           uint32_t length);

/// Deletes `length` elements of a visible slot from a place on. Room for 2 slots must have been
/// reserved. @return the end of the tombstone that holds them.
struct tree_at tree_delete(struct tree *tree, struct tree_at at, uint32_t length);

/// Shows `length` elements of a tombstone from a place on. Room for 2 slots must have been
/// reserved.
void tree_undelete(struct tree *tree, struct tree_at at, uint32_t length);

/// Where element `iv` of a row stands: before it.
struct tree_at tree_locate(struct tree *tree, const struct op *op, uint32_t iv);

/// The visible element that holds visible `index`, which must be less than the total.
/// @param start_out Units before its slot.
struct tree_at tree_seek(struct tree *tree, uint32_t *start_out, enum weft_unit unit,
                         uint32_t index);

/// Visible units before a place.
uint32_t tree_index(struct tree *tree, enum weft_unit unit, struct tree_at at);

/// The first leaf after (or, going left, before) `leaf` with a right (or left) key that is not
/// greater than `key`; TREE_NONE when there is none.
uint32_t tree_skip(const struct tree *tree, uint32_t leaf, struct op_key key, bool leftward);

/// Brings the late counts up to the root.
void tree_flush(struct tree *tree);

// Building a tree from slots in document order, in an empty one, is done in three steps.

/// 1. Makes room. @return false, with all as it was, when there is none.
bool tree_load_reserve(struct tree *tree, uint64_t slots);
/// 2. For each leaf in order, TREE_LOAD_SLOTS slots in each but the last: makes it, for the caller
/// to fill in, who has their rows name it with tree_assign_leaf(); then notes its minima.
/// @return its index, or TREE_NONE when there is no memory.
uint32_t tree_load_leaf(struct tree *tree, uint32_t count);
void tree_load_minima(struct tree *tree, struct tree_minima minima);
/// 3. When all text is there: counts, and makes the nodes above.
void tree_load_finish(struct tree *tree);

static inline struct tree_leaf *tree_leaf(const struct tree *tree, uint32_t index)
{
    return POOL_AT(&tree->leaves, struct tree_leaf, TREE_LEAF_PAGE_SHIFT, index);
}

static inline struct tree_node *tree_node(const struct tree *tree, uint32_t index)
{
    return POOL_AT(&tree->nodes, struct tree_node, TREE_NODE_PAGE_SHIFT, index);
}

/// Counts what a leaf shows more (modulo 2^32), above it only when another leaf changes.
static inline void tree_count(struct tree *tree, uint32_t leaf, struct weight more)
{
    if (tree->late_leaf != leaf) {
        tree_flush(tree);
        tree->late_leaf = leaf;
    }
    for (int unit = 0; unit < 3; unit++) {
        tree->late.units[unit] += more.units[unit];
        tree->total.units[unit] += more.units[unit];
    }
}

/// Makes the slot that ends with the newest element `extra` longer.
static inline void tree_extend(struct tree *tree, struct tree_at slot, uint32_t extra,
                               struct weight weight)
{
    tree_leaf(tree, slot.leaf)->len[slot.slot] += extra;
    tree_count(tree, slot.leaf, weight);
}

static inline uint32_t leaf_length(const struct tree_leaf *leaf, uint32_t slot)
{
    return leaf->len[slot] & ~TREE_TOMBSTONE;
}

static inline bool leaf_visible(const struct tree_leaf *leaf, uint32_t slot)
{
    return (leaf->len[slot] & TREE_TOMBSTONE) == 0;
}

static inline uint32_t leaf_visible_length(const struct tree_leaf *leaf, uint32_t slot)
{
    return leaf_visible(leaf, slot) ? leaf->len[slot] : 0;
}

#endif
