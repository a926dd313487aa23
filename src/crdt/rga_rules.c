// SPDX-License-Identifier: MIT
// The rules that make a run *invalid*: each a pure function of the run and of the operations that
// it names or follows, so that every replica leaves out the same runs. docs/crdt.md numbers them.
#include "crdt/rga_impl.h"

// ------------------------------------------------------------------- rules that need no past at
// all

static bool initial_is_valid(const struct rga *rga, const struct weft_run *run, bool text_known)
{
    struct span text = {run->text, run->text_size};
    return run->kind == WEFT_RUN_INSERT && run->seq == 0 && !run->left &&
           (!text_known || (text.size <= RGA_INITIAL_SIZE_MAX &&
                            run->agent == rga_initial_agent(rga, run->target, run->lamport, text)));
}

// Greatest seq that a delete or undelete names.
uint64_t rga_last_target(const struct weft_run *run)
{
    return run->backward ? run->target.seq : run->target.seq + run->length - 1;
}

static bool target_is_valid(const struct weft_run *run)
{
    bool insert = run->kind == WEFT_RUN_INSERT;
    if (insert && run->target.agent == 0)
        return !run->left && run->target.seq == UINT64_MAX; // the root has no left children
    if (run->target.agent == 0 || run->target.seq > OP_LAMPORT_MAX)
        return false;
    if (run->backward && run->kind == WEFT_RUN_UNDELETE)
        return false; // delete atoms ascend
    if (!insert && run->backward && run->target.seq < run->length - 1)
        return false;
    // An atom's Lamport time is greater than its seq, and greater than that of what it names.
    if (run->lamport < run->target.seq + 2)
        return false;
    uint64_t last = insert ? run->target.seq : rga_last_target(run);
    return run->target.agent != run->agent || last < run->seq;
}

bool rga_run_is_valid(const struct rga *rga, const struct weft_run *run, bool text_known)
{
    if (run->agent == 0 || run->length == 0 || run->length > OP_LENGTH_MAX ||
        run->lamport > OP_LAMPORT_MAX - (run->length - 1) || run->lamport <= run->seq)
        return false;
    if (!op_kind_names(run->kind))
        return !rga_is_reserved(run->agent) && (run->kind != WEFT_RUN_NOP || run->text_size == 0);
    return target_is_valid(run) &&
           (!rga_is_reserved(run->agent) || initial_is_valid(rga, run, text_known));
}

// --------------------------------------------------------------------------------- with the past

bool rga_is_known(struct rga *rga, struct weft_id id, uint32_t *agent_out)
{
    *agent_out = agents_find(&rga->agents, id.agent);
    return *agent_out != AGENT_NONE && id.seq < agents_at(&rga->agents, *agent_out)->next;
}

// What an insert hangs on: sets *row_out to its row, OP_NONE for the root.
enum rga_outcome rga_find_parent(struct rga *rga, struct weft_id parent, uint32_t lamport,
                                 uint32_t *row_out, struct weft_id *missing_out)
{
    *row_out = OP_NONE;
    if (parent.agent == 0)
        return RGA_APPLIED;
    uint32_t agent;
    if (!rga_is_known(rga, parent, &agent)) {
        *missing_out = parent;
        return RGA_MISSING;
    }
    uint32_t row = oplog_find(&rga->log, agent, (uint32_t)parent.seq);
    const struct op *op = oplog_at(&rga->log, row);
    if (op_kind(op) != WEFT_RUN_INSERT || op->lamport + ((uint32_t)parent.seq - op->seq) >= lamport)
        return RGA_INVALID;
    *row_out = row;
    return RGA_APPLIED;
}

struct rga_targets rga_targets_at(struct rga *rga, uint32_t agent, uint32_t seq, uint32_t end)
{
    const struct op *op = oplog_at(&rga->log, oplog_find(&rga->log, agent, seq));
    uint32_t row_end = op_seq_end(op);
    return (struct rga_targets){op, seq, row_end < end ? row_end : end};
}

// All targets must be elements (of an undelete: delete atoms), each with a Lamport time less than
// that of the atom that names it.
bool rga_targets_are_valid(struct rga *rga, uint32_t agent, const struct op *op)
{
    uint32_t length = op_length(op);
    uint32_t kind = op_kind(op) == WEFT_RUN_DELETE ? WEFT_RUN_INSERT : WEFT_RUN_DELETE;
    uint32_t first = op_flag(op) ? op->target_seq - (length - 1) : op->target_seq;
    uint32_t end = first + length;
    while (first < end) {
        struct rga_targets piece = rga_targets_at(rga, agent, first, end);
        if (op_kind(piece.op) != kind)
            return false;
        // Going down, the last of the piece is the nearest to its atom; going up, all are as near.
        uint32_t seq = op_flag(op) ? piece.end - 1 : piece.first;
        uint32_t atom = op_flag(op) ? op->target_seq - seq : seq - op->target_seq;
        if (op->lamport + atom <= piece.op->lamport + (seq - piece.op->seq))
            return false;
        first = piece.end;
    }
    return true;
}
