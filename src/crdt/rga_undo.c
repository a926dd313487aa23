// SPDX-License-Identifier: MIT
// Undoing here: the inverse of a row of one's own operations, as operations.
#include "crdt/rga_impl.h"

void rga_append_inverse(struct rga *rga, uint32_t kind, struct covers_range targets)
{
    uint32_t length = targets.end - targets.first;
    struct op op = {
        .agent = rga->local,
        .seq = agents_at(&rga->agents, rga->local)->next,
        .lamport = rga->lamport + 1,
        .bits = op_bits(kind, false, length),
        .target_agent = targets.agent,
        .target_seq = targets.first,
    };
    rga_log_delete(rga, &op);
    rga_advance(rga, rga->local, op.seq + length, op.lamport + length - 1);
    if (kind == WEFT_RUN_UNDELETE)
        rga_undelete(rga, &op);
    else if (rga->covers.kept)
        covers_add(&rga->covers, targets);
}

void rga_hide(struct rga *rga, struct covers_range elements)
{
    for (uint32_t seq = elements.first; seq < elements.end;) {
        struct rga_targets piece = rga_targets_at(rga, elements.agent, seq, elements.end);
        struct tree_at at = tree_locate(&rga->tree, piece.op, piece.op->iv + (seq - piece.op->seq));
        const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
        uint32_t here = leaf_length(leaf, at.slot) - at.offset;
        here = here < piece.end - seq ? here : piece.end - seq;
        if (leaf_visible(leaf, at.slot)) {
            uint64_t index = 0;
            if (rga->observer.call != NULL)
                index = tree_index(&rga->tree, WEFT_SCALARS, at);
            rga_append_inverse(rga, WEFT_RUN_DELETE,
                               (struct covers_range){elements.agent, seq, seq + here});
            tree_delete(&rga->tree, at, here);
            rga_observe(rga, index, here, (struct span){NULL, 0});
        }
        seq += here;
    }
}

// Cancels what is left of some delete atoms.
static void revive(struct rga *rga, struct covers_range atoms)
{
    covers_cut(&rga->covers.cancelled, atoms);
    while (atoms.first < atoms.end) {
        uint32_t end;
        if (*covers_step(&rga->covers.cancelled, atoms, &end) == 0)
            rga_append_inverse(rga, WEFT_RUN_UNDELETE,
                               (struct covers_range){atoms.agent, atoms.first, end});
        atoms.first = end;
    }
}

// Deletes again what some undelete atoms had shown.
static void hide_again(struct rga *rga, struct covers_range atoms)
{
    while (atoms.first < atoms.end) {
        struct rga_targets piece = rga_targets_at(rga, atoms.agent, atoms.first, atoms.end);
        rga_hide(rga, rga_deleted_range(piece.op, piece.first, piece.end));
        atoms.first = piece.end;
    }
}

// The delete atoms of a row that undoing atoms [first, end) of it revives. @param start Of all that
// is undone: a delete of what was inserted since then is no part of what is seen of it.
static struct covers_range revived_atoms(const struct op *op, uint32_t first, uint32_t end,
                                         uint32_t start)
{
    struct covers_range elements = rga_deleted_range(op, first, end);
    uint32_t skipped = 0;
    if (op->target_agent == op->agent && elements.end > start)
        skipped = elements.end - (elements.first > start ? elements.first : start);
    if (op_flag(op))
        first += skipped;
    else
        end -= skipped;
    return (struct covers_range){op->agent, first, end};
}

// The inverse of atoms [first, end) of a row.
static void invert(struct rga *rga, const struct op *row, uint32_t first, uint32_t end,
                   uint32_t start)
{
    struct op op = *row; // rows may move as the log grows
    if (op_kind(&op) == WEFT_RUN_INSERT)
        rga_hide(rga, (struct covers_range){op.agent, first, end});
    if (op_kind(&op) == WEFT_RUN_UNDELETE) {
        uint32_t from = op.target_seq + (first - op.seq);
        hide_again(rga, (struct covers_range){op.target_agent, from, from + (end - first)});
    }
    if (op_kind(&op) != WEFT_RUN_DELETE)
        return;
    struct covers_range atoms = revived_atoms(&op, first, end, start);
    if (atoms.first < atoms.end)
        revive(rga, atoms);
}

// Whether the text is here that undoing brings back.
static bool can_revive(struct rga *rga, uint32_t first, uint32_t end)
{
    for (uint32_t seq = first; seq < end && gaps_are_read && rga->text.gone > 0;) {
        const struct op *op = oplog_at(&rga->log, oplog_find(&rga->log, rga->local, seq));
        uint32_t to = op_seq_end(op) < end ? op_seq_end(op) : end;
        if (op_kind(op) == WEFT_RUN_DELETE) {
            struct covers_range atoms = revived_atoms(op, seq, to, first);
            if (atoms.first < atoms.end &&
                !rga_has_text(rga, rga_deleted_range(op, atoms.first, atoms.end)))
                return false;
        }
        seq = to;
    }
    return true;
}

// Makes room for what undoing needs at most.
static bool reserve_undo(struct rga *rga, uint32_t first, uint32_t end)
{
    struct rga_need need = {.stretches = 1, .undeleted = end - first};
    uint64_t rows = 0;
    for (uint32_t seq = first; seq < end; rows++) {
        const struct op *op = oplog_at(&rga->log, oplog_find(&rga->log, rga->local, seq));
        need.undeletes += op_kind(op) == WEFT_RUN_DELETE;
        seq = op_seq_end(op);
    }
    if (need.undeletes > 0 && !rga_keep_covers(rga))
        return false;
    uint64_t nodes = rga->covers.deletes.nodes.count + rga->covers.cancelled.nodes.count;
    uint64_t pieces = rga->tree.slots + nodes * ORDMAP_FANOUT + 4 * rows;
    need.runs = rows + (pieces < end - first ? pieces : end - first);
    return rga_reserve(rga, &need);
}

enum weft_status rga_undo(struct rga *rga, uint32_t first, uint32_t end)
{
    if (end - first > OP_LAMPORT_MAX - rga->lamport)
        return WEFT_LIMIT;
    if (!can_revive(rga, first, end))
        return WEFT_COLLECTED;
    if (!reserve_undo(rga, first, end))
        return WEFT_NO_MEMORY;
    rga->tree.cursor.leaf = TREE_NONE;
    rga->typing = RGA_NOT_TYPING;
    for (uint32_t seq = end; seq > first;) {
        const struct op *op = oplog_at(&rga->log, oplog_find(&rga->log, rga->local, seq - 1));
        uint32_t from = op->seq > first ? op->seq : first;
        invert(rga, op, from, seq, first);
        seq = from;
    }
    rga_trim(rga);
    return WEFT_OK;
}
