// SPDX-License-Identifier: MIT
// Deleting here.
#include <assert.h>

#include "crdt/rga_impl.h"

// The slot that holds visible scalar `index`, from where the last local edit was.
static bool cursor_at(struct rga *rga, uint32_t index, struct tree_at *at_out)
{
    struct tree *tree = &rga->tree;
    if (tree->cursor.leaf == TREE_NONE)
        return false;
    const struct tree_leaf *leaf = tree_leaf(tree, tree->cursor.leaf);
    uint32_t slot = tree->cursor.slot;
    uint32_t start = tree->cursor_start;
    while (index < start) {
        if (slot == 0)
            return false;
        start -= leaf_visible_length(leaf, --slot);
    }
    while (index - start >= leaf_visible_length(leaf, slot)) {
        start += leaf_visible_length(leaf, slot);
        if (++slot == leaf->count)
            return false;
    }
    *at_out = (struct tree_at){tree->cursor.leaf, slot, index - start};
    return true;
}

// Scalars before unit position `index`; false when that is inside of a character.
static bool to_scalars(struct rga *rga, enum weft_unit unit, uint32_t index, uint32_t *scalars_out)
{
    struct tree *tree = &rga->tree;
    if (index == tree->total.units[unit]) {
        *scalars_out = tree->total.units[WEFT_SCALARS];
        return true;
    }
    uint32_t start;
    struct tree_at at = tree_seek(tree, &start, unit, index);
    *scalars_out = tree_index(tree, WEFT_SCALARS, at);
    return tree_index(tree, unit, at) == index;
}

// The next visible slot from `at` on.
static struct tree_at next_visible(const struct rga *rga, struct tree_at at)
{
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
    while (at.slot == leaf->count || !leaf_visible(leaf, at.slot) ||
           at.offset == leaf->len[at.slot]) {
        at.slot++;
        at.offset = 0;
        if (at.slot >= leaf->count) {
            at = (struct tree_at){.leaf = leaf->next};
            assert(at.leaf != TREE_NONE);
            leaf = tree_leaf(&rga->tree, at.leaf);
        }
    }
    return at;
}

// Slots that hold [at, at + length) of the visible text.
static uint32_t count_slots(const struct rga *rga, struct tree_at at, uint32_t length)
{
    uint32_t slots = 0;
    while (length > 0) {
        at = next_visible(rga, at);
        uint32_t here = tree_leaf(&rga->tree, at.leaf)->len[at.slot] - at.offset;
        here = here < length ? here : length;
        length -= here;
        at.offset += here;
        slots++;
    }
    return slots;
}

// Every slot may need a row; only the first and the last are cut. And the same for one more slot:
// expect_deletes().
static bool reserve(struct rga *rga, struct tree_at at, uint32_t length)
{
    if (rga->batch)
        return true;
    uint32_t slots = length == 1 ? 1 : count_slots(rga, at, length);
    return oplog_reserve(&rga->log, slots + 1, 1) && tree_reserve(&rga->tree, 3, 3) &&
           (!rga->covers.kept || covers_reserve(&rga->covers, slots + 1));
}

// Deletes from a place in a visible slot on; *at becomes the end of the tombstone. Backward: the
// last element first.
static void delete_piece(struct rga *rga, struct tree_at *at, uint32_t length, bool backward)
{
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, at->leaf);
    const struct op *target = oplog_at(&rga->log, leaf->op[at->slot]);
    uint32_t first = target->seq + (leaf->iv[at->slot] + at->offset - target->iv);
    backward = backward && length > 1;
    struct op op = {
        .agent = rga->local,
        .seq = agents_at(&rga->agents, rga->local)->next,
        .lamport = rga->lamport + 1,
        .bits = op_bits(WEFT_RUN_DELETE, backward, length),
        .target_agent = target->agent,
        .target_seq = backward ? first + length - 1 : first,
    };
    rga_log_delete(rga, &op);
    if (rga->covers.kept)
        covers_add(&rga->covers, (struct covers_range){op.target_agent, first, first + length});
    rga_advance(rga, rga->local, op.seq + length, op.lamport + length - 1);
    *at = tree_delete(&rga->tree, *at, length);
}

// The last local edit made the tombstone that ends at `at` and begins where the deleted text did.
static void set_tombstone(struct rga *rga, struct tree_at at, uint32_t index)
{
    rga->tree.cursor = (struct tree_at){.leaf = at.leaf, .slot = at.slot};
    rga->tree.cursor_start = index;
    rga->typing = RGA_NOT_TYPING;
}

// More of the same may follow: lets rga_delete() note what comes.
static void expect_deletes(struct rga *rga)
{
    struct tree_at at = rga->tree.cursor;
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
    struct rga_strokes *strokes = &rga->strokes;
    if (OP_LAMPORT_MAX - rga->lamport < rga->tree.total.units[WEFT_SCALARS])
        return; // near the end of time each one is checked
    strokes->index = rga->tree.cursor_start;
    strokes->text = NULL;
    if (at.slot > 0)
        strokes->backward = leaf_visible_length(leaf, at.slot - 1);
    if (at.slot + 1 < leaf->count)
        strokes->forward = leaf_visible_length(leaf, at.slot + 1);
}

// They are next to the tombstone that the cursor is at.
void rga_settle_deletes(struct rga *rga, uint32_t count, uint32_t index)
{
    struct tree_at at = rga->tree.cursor;
    bool backward = index < rga->tree.cursor_start;
    if (backward) {
        at.slot--;
        at.offset = tree_leaf(&rga->tree, at.leaf)->len[at.slot] - count;
    } else {
        at.slot++;
    }
    delete_piece(rga, &at, count, backward);
    set_tombstone(rga, at, index);
}

// From a visible element on, one at least.
static void delete_range(struct rga *rga, struct tree_at at, uint32_t index, uint32_t length)
{
    for (;;) {
        uint32_t here = tree_leaf(&rga->tree, at.leaf)->len[at.slot] - at.offset;
        here = here < length ? here : length;
        delete_piece(rga, &at, here, false);
        length -= here;
        if (length == 0)
            break;
        at = next_visible(rga, at);
    }
    set_tombstone(rga, at, index);
}

enum weft_status rga_delete_new(struct rga *rga, enum weft_unit unit, uint64_t index,
                                uint64_t length)
{
    rga_settle(rga);
    uint64_t total = rga->tree.total.units[unit];
    if (index > total || length > total - index)
        return WEFT_RANGE;
    uint32_t first = (uint32_t)index;
    uint32_t end = (uint32_t)(index + length);
    if (unit != WEFT_SCALARS &&
        (!to_scalars(rga, unit, first, &first) || !to_scalars(rga, unit, end, &end)))
        return WEFT_RANGE;
    if (rga->local == AGENT_NONE)
        return WEFT_INVALID;
    uint32_t count = end - first;
    if (count > OP_LAMPORT_MAX - rga->lamport)
        return WEFT_LIMIT;
    if (count == 0)
        return WEFT_OK;
    struct tree_at at;
    if (!cursor_at(rga, first, &at)) {
        uint32_t start;
        at = tree_seek(&rga->tree, &start, WEFT_SCALARS, first);
    }
    if (!reserve(rga, at, count))
        return WEFT_NO_MEMORY;
    delete_range(rga, at, first, count);
    if (!rga->batch)
        expect_deletes(rga);
    rga_observe(rga, first, count, (struct span){NULL, 0});
    return WEFT_OK;
}
