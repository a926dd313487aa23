// SPDX-License-Identifier: MIT
// Undeleting: cancelling delete atoms. An element is visible when no delete of it is left.
#include <assert.h>

#include "crdt/rga_impl.h"

// Elements of one row, all deleted, are visible now.
static void show_elements(struct rga *rga, const struct rga_targets *piece)
{
    uint32_t iv = piece->op->iv + (piece->first - piece->op->seq);
    uint32_t length = piece->end - piece->first;
    while (length > 0) {
        struct tree_at at = tree_locate(&rga->tree, piece->op, iv);
        const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
        uint32_t here = leaf_length(leaf, at.slot) - at.offset;
        here = here < length ? here : length;
        uint64_t index = 0;
        if (rga->observer.call != NULL)
            index = tree_index(&rga->tree, WEFT_SCALARS, at);
        tree_undelete(&rga->tree, at, here);
        rga_observe(rga, index, 0, text_view(&rga->text, iv, here));
        iv += here;
        length -= here;
    }
}

// One delete less of each element of the range. @param show False: the tree is not there yet.
static void uncover(struct rga *rga, struct covers_range elements, bool show)
{
    covers_cut(&rga->covers.deletes, elements);
    while (elements.first < elements.end) {
        uint32_t end;
        uint32_t *count = covers_step(&rga->covers.deletes, elements, &end);
        assert(*count > 0);
        if (--*count > 0 || !show)
            elements.first = end;
        while (elements.first < end) {
            struct rga_targets piece = rga_targets_at(rga, elements.agent, elements.first, end);
            show_elements(rga, &piece);
            elements.first = piece.end;
        }
    }
}

struct covers_range rga_deleted_range(const struct op *op, uint32_t first, uint32_t end)
{
    uint32_t from = first - op->seq;
    uint32_t to = end - op->seq;
    if (op_flag(op))
        return (struct covers_range){op->target_agent, op->target_seq - (to - 1),
                                     op->target_seq - from + 1};
    return (struct covers_range){op->target_agent, op->target_seq + from, op->target_seq + to};
}

static void cancel(struct rga *rga, struct covers_range atoms, bool show)
{
    covers_cut(&rga->covers.cancelled, atoms);
    while (atoms.first < atoms.end) {
        uint32_t end;
        uint32_t *cancelled = covers_step(&rga->covers.cancelled, atoms, &end);
        if (*cancelled != 0)
            atoms.first = end;
        *cancelled = 1;
        while (atoms.first < end) {
            struct rga_targets piece = rga_targets_at(rga, atoms.agent, atoms.first, end);
            uncover(rga, rga_deleted_range(piece.op, piece.first, piece.end), show);
            atoms.first = piece.end;
        }
    }
}

void rga_undelete(struct rga *rga, const struct op *op)
{
    uint32_t first = op->target_seq;
    cancel(rga, (struct covers_range){op->target_agent, first, first + op_length(op)}, true);
}

bool rga_keep_covers(struct rga *rga)
{
    if (rga->covers.kept)
        return true;
    uint32_t rows = rga->log.ops.count;
    uint64_t runs = 0;
    for (uint32_t row = 0; row < rows; row++) {
        uint32_t kind = op_kind(oplog_at(&rga->log, row));
        runs += kind == WEFT_RUN_DELETE || kind == WEFT_RUN_UNDELETE;
    }
    if (!covers_reserve(&rga->covers, runs))
        return false;
    for (uint32_t row = 0; row < rows; row++) {
        const struct op *op = oplog_at(&rga->log, row);
        if (op_kind(op) == WEFT_RUN_DELETE)
            covers_add(&rga->covers, rga_deleted_range(op, op->seq, op_seq_end(op)));
        else if (op_kind(op) == WEFT_RUN_UNDELETE)
            cancel(rga,
                   (struct covers_range){op->target_agent, op->target_seq,
                                         op->target_seq + op_length(op)},
                   false);
    }
    rga->covers.kept = true;
    return true;
}
