// SPDX-License-Identifier: MIT
// The order of the sequence against its definition: the in-order walk of the tree of elements,
// which is built here from the log alone, with nothing of the tree of slots.
#include <stdlib.h>
#include <string.h>

#include "crdt/rga_check.h"

#define NO_ENTRY UINT32_MAX

// A head of an insert row, as a child of its parent.
struct head {
    uint64_t parent; // iv + 1 of the parent, 0 for the root; doubled, plus 1 for right children
    uint32_t row;
    uint32_t lamport;
    uint64_t agent;
};

// A row that the walk is in the middle of: its next element, and the right children of the one
// before that are still to come.
struct frame {
    const struct op *op;
    uint32_t offset; // of the next element in the row
    uint32_t left;   // head of the next left child of the next element, NO_ENTRY when done
    uint32_t right;  // head of the next right child of the element before
    bool left_entered;
};

struct walk {
    struct rga *rga;
    struct head *heads; // sorted: by parent and side, left ascending, right descending
    uint32_t count;
    struct frame *stack; // a frame per row at most, and the root's
    uint32_t depth;
    uint8_t *deleted;   // a bit per element
    uint8_t *undeleted; // a bit per atom of the log
    uint64_t *atoms;    // per row: those before it
    struct tree_at at;  // where the sequence says that the walk is
    const char *broken;
};

static int compare_heads(const void *left, const void *right)
{
    const struct head *a = left;
    const struct head *b = right;
    if (a->parent != b->parent)
        return a->parent < b->parent ? -1 : 1;
    int order = a->lamport != b->lamport ? (a->lamport < b->lamport ? -1 : 1)
                                         : (a->agent > b->agent) - (a->agent < b->agent);
    return (a->parent & 1) != 0 ? -order : order;
}

// The first head with this parent key.
static uint32_t first_head(const struct walk *walk, uint64_t parent)
{
    uint32_t low = 0;
    uint32_t high = walk->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (walk->heads[middle].parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    return low < walk->count && walk->heads[low].parent == parent ? low : NO_ENTRY;
}

static uint32_t next_head(const struct walk *walk, uint32_t head)
{
    bool more = head + 1 < walk->count && walk->heads[head + 1].parent == walk->heads[head].parent;
    return more ? head + 1 : NO_ENTRY;
}

// Marks the delete atoms that undeletes name, each by the count of the atoms in the log before it.
static bool collect_undeletes(struct walk *walk)
{
    struct rga *rga = walk->rga;
    uint64_t atoms = 0;
    for (uint32_t row = 0; row < rga->log.ops.count; row++) {
        const struct op *op = oplog_at(&rga->log, row);
        walk->atoms[row] = atoms;
        atoms += op_length(op);
        for (uint32_t i = 0; op_kind(op) == WEFT_RUN_UNDELETE && i < op_length(op); i++) {
            uint32_t seq = op->target_seq + i;
            uint32_t target = oplog_find(&rga->log, op->target_agent, seq);
            if (target >= row || op_kind(oplog_at(&rga->log, target)) != WEFT_RUN_DELETE)
                return false;
            uint64_t atom = walk->atoms[target] + (seq - oplog_at(&rga->log, target)->seq);
            walk->undeleted[atom / 8] |= (uint8_t)(1u << atom % 8);
        }
    }
    return true;
}

static bool is_undeleted(const struct walk *walk, uint32_t row, uint32_t offset)
{
    uint64_t atom = walk->atoms[row] + offset;
    return (walk->undeleted[atom / 8] & 1u << atom % 8) != 0;
}

static bool collect(struct walk *walk)
{
    struct rga *rga = walk->rga;
    for (uint32_t row = 0; row < rga->log.ops.count; row++) {
        const struct op *op = oplog_at(&rga->log, row);
        if (op_kind(op) == WEFT_RUN_DELETE) {
            for (uint32_t i = 0; i < op_length(op); i++) {
                if (is_undeleted(walk, row, i))
                    continue;
                uint32_t seq = op_flag(op) ? op->target_seq - i : op->target_seq + i;
                uint32_t target = oplog_find(&rga->log, op->target_agent, seq);
                if (target == OP_NONE || op_kind(oplog_at(&rga->log, target)) != WEFT_RUN_INSERT)
                    return false;
                uint32_t iv =
                    oplog_at(&rga->log, target)->iv + seq - oplog_at(&rga->log, target)->seq;
                walk->deleted[iv / 8] |= (uint8_t)(1u << iv % 8);
            }
        }
        if (op_kind(op) != WEFT_RUN_INSERT)
            continue;
        uint64_t parent = 0;
        if (op->target_agent != AGENT_NONE) {
            const struct op *target =
                oplog_at(&rga->log, oplog_find(&rga->log, op->target_agent, op->target_seq));
            parent = (uint64_t)target->iv + (op->target_seq - target->seq) + 1;
        }
        walk->heads[walk->count++] = (struct head){
            .parent = parent * 2 + !op_flag(op),
            .row = row,
            .lamport = op->lamport,
            .agent = agents_id(&rga->agents, op->agent),
        };
    }
    qsort(walk->heads, walk->count, sizeof walk->heads[0], compare_heads);
    return true;
}

// The walk comes to an element: the sequence must stand there too, with the right state.
static void emit(struct walk *walk, uint32_t iv)
{
    const struct tree *tree = &walk->rga->tree;
    struct tree_at *at = &walk->at;
    while (at->leaf != TREE_NONE) {
        const struct tree_leaf *leaf = tree_leaf(tree, at->leaf);
        if (at->slot >= leaf->count) {
            *at = (struct tree_at){.leaf = leaf->next};
        } else if (at->offset >= leaf_length(leaf, at->slot)) {
            at->slot++;
            at->offset = 0;
        } else {
            bool gone = text_lacks(&walk->rga->text, iv, 1);
            bool hidden = gone || (walk->deleted[iv / 8] & 1u << iv % 8) != 0;
            if (leaf->iv[at->slot] + at->offset++ != iv)
                walk->broken = "O1: the sequence is the walk of the tree of elements";
            else if (leaf_visible(leaf, at->slot) == hidden)
                walk->broken = "O2: hidden is exactly what a delete is left of or lacks text";
            return;
        }
    }
    walk->broken = "O1: the sequence is the walk of the tree of elements";
}

static void enter(struct walk *walk, uint32_t head)
{
    struct frame *frame = &walk->stack[walk->depth++];
    *frame = (struct frame){
        .op = oplog_at(&walk->rga->log, walk->heads[head].row),
        .left = NO_ENTRY,
        .right = NO_ENTRY,
    };
}

// Whether the next right child of the element before comes before the row's own next element.
static bool right_child_first(const struct walk *walk, const struct frame *frame)
{
    if (frame->right == NO_ENTRY)
        return false;
    if (frame->op == NULL || frame->offset == op_length(frame->op))
        return true;
    const struct head *head = &walk->heads[frame->right];
    uint32_t lamport = frame->op->lamport + frame->offset;
    if (head->lamport != lamport)
        return head->lamport > lamport;
    return head->agent > agents_id(&walk->rga->agents, frame->op->agent);
}

// One step of the innermost row. A row's next element and what hangs on it come between the greater
// and the lesser right children of the element before, so such a child stays pending below: the row
// becomes a frame of its own for the rest.
static void step(struct walk *walk)
{
    struct frame *frame = &walk->stack[walk->depth - 1];
    if (right_child_first(walk, frame)) {
        uint32_t head = frame->right;
        frame->right = next_head(walk, head);
        enter(walk, head);
        return;
    }
    if (frame->op == NULL || frame->offset == op_length(frame->op)) {
        walk->depth--;
        return;
    }
    uint64_t key = ((uint64_t)frame->op->iv + frame->offset + 1) * 2;
    if (frame->right != NO_ENTRY) {
        // lesser siblings of the rest of the row wait in this frame until it is done
        struct frame rest = {frame->op, frame->offset, NO_ENTRY, NO_ENTRY, false};
        frame->op = NULL;
        walk->stack[walk->depth++] = rest;
        return;
    }
    if (!frame->left_entered) {
        frame->left_entered = true;
        frame->left = first_head(walk, key);
    }
    if (frame->left != NO_ENTRY) {
        uint32_t head = frame->left;
        frame->left = next_head(walk, head);
        enter(walk, head);
        return;
    }
    emit(walk, frame->op->iv + frame->offset);
    frame->left_entered = false;
    frame->right = first_head(walk, key + 1);
    frame->offset++;
}

const char *rga_check_order(struct rga *rga)
{
    struct walk walk = {.rga = rga, .at = {.leaf = rga->tree.first}};
    // A row is one frame, and one more for each child that splits it from its rest.
    size_t rows = rga->log.ops.count;
    size_t heads_size = (rows + 1) * sizeof walk.heads[0];
    size_t stack_size = (2 * rows + 2) * sizeof walk.stack[0];
    size_t deleted_size = rga->text.length / 8 + 1;
    size_t atoms_size = (rows + 1) * sizeof walk.atoms[0];
    size_t undeleted_size = (size_t)(rga->log.atoms / 8 + 1);
    walk.heads = memory_alloc(&rga->allocator, heads_size);
    walk.stack = memory_alloc(&rga->allocator, stack_size);
    walk.deleted = memory_alloc(&rga->allocator, deleted_size);
    walk.atoms = memory_alloc(&rga->allocator, atoms_size);
    walk.undeleted = memory_alloc(&rga->allocator, undeleted_size);
    if (walk.heads == NULL || walk.stack == NULL || walk.deleted == NULL || walk.atoms == NULL ||
        walk.undeleted == NULL) {
        walk.broken = "there is no memory to check with";
    } else {
        memset(walk.deleted, 0, deleted_size);
        memset(walk.undeleted, 0, undeleted_size);
        if (!collect_undeletes(&walk) || !collect(&walk))
            walk.broken = "L3: a row names elements that are here";
        walk.stack[walk.depth++] =
            (struct frame){.op = NULL, .left = NO_ENTRY, .right = first_head(&walk, 1)};
        while (walk.depth > 0 && walk.broken == NULL)
            step(&walk);
    }
    memory_free(&rga->allocator, walk.heads, walk.heads != NULL ? heads_size : 0);
    memory_free(&rga->allocator, walk.stack, walk.stack != NULL ? stack_size : 0);
    memory_free(&rga->allocator, walk.deleted, walk.deleted != NULL ? deleted_size : 0);
    memory_free(&rga->allocator, walk.atoms, walk.atoms != NULL ? atoms_size : 0);
    memory_free(&rga->allocator, walk.undeleted, walk.undeleted != NULL ? undeleted_size : 0);
    return walk.broken;
}
