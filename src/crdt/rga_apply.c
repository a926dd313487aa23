// SPDX-License-Identifier: MIT
// Applying runs of anyone. Everything is checked (rga_rules.c) before the first change.
#include <assert.h>

#include "base/utf8.h"
#include "crdt/rga_impl.h"

// The part of a run that is new here.
struct incoming {
    uint32_t agent; // AGENT_NONE: not known yet
    uint32_t next;  // the agent's
    uint32_t known; // atoms of the run that are known
    uint32_t seq;   // of the first new atom
    uint32_t lamport;
    uint32_t length; // new atoms
};

// ------------------------------------------------------------------------------------- the past

static struct incoming incoming_of(struct rga *rga, const struct weft_run *run)
{
    struct incoming in = {.agent = agents_find(&rga->agents, run->agent)};
    if (in.agent != AGENT_NONE)
        in.next = agents_at(&rga->agents, in.agent)->next;
    in.known = run->seq < in.next ? in.next - (uint32_t)run->seq : 0;
    in.seq = (uint32_t)run->seq + in.known;
    in.lamport = (uint32_t)run->lamport + in.known;
    in.length = run->length - in.known;
    return in;
}

// Whether the run goes on where the known part of it ended.
static bool continues(const struct rga *rga, const struct weft_run *run, const struct incoming *in)
{
    const struct agent *agent = agents_at(&rga->agents, in->agent);
    return run->kind <= WEFT_RUN_DELETE && !rga_is_reserved(run->agent) &&
           agent->lamport + 1 == in->lamport;
}

// ---------------------------------------------------------------------------------- the changes

// The agent's index; it is added if need be.
static uint32_t admit(struct rga *rga, const struct weft_run *run, const struct incoming *in)
{
    return in->agent != AGENT_NONE ? in->agent : agents_add(&rga->agents, run->agent);
}

// Typing on: see extend_run() in rga_insert.c. The last row is the agent's and ends with the newest
// element, which nobody can have hung anything on; so what comes after it in order is less than it.
static bool extend_last(struct rga *rga, const struct weft_run *run, const struct incoming *in,
                        struct weft_id parent, bool left, struct span text)
{
    struct tree *tree = &rga->tree;
    struct op *last = oplog_last(&rga->log);
    if (last == NULL || tree->recent.leaf == TREE_NONE || left || last->agent != in->agent ||
        in->seq == 0 || parent.agent != run->agent || parent.seq != in->seq - 1 ||
        op_kind(last) != WEFT_RUN_INSERT || op_seq_end(last) != in->seq ||
        last->lamport + op_length(last) != in->lamport ||
        last->iv + op_length(last) != rga->text.length ||
        text_room(&rga->text) == TEXT_PAGE_ELEMENTS || in->length > text_room(&rga->text))
        return false;
    const struct tree_leaf *leaf = tree_leaf(tree, tree->recent.leaf);
    uint32_t slot = tree->recent.slot;
    if (slot >= leaf->count || leaf->op[slot] != rga->log.ops.count - 1 ||
        leaf->iv[slot] + leaf->len[slot] != rga->text.length)
        return false;
    uint32_t iv = rga->text.length;
    text_append(&rga->text, text, in->length);
    oplog_extend(&rga->log, last, in->length);
    tree_extend(tree, tree->recent, in->length, text_weigh(&rga->text, iv, in->length));
    rga_advance(rga, in->agent, in->seq + in->length, in->lamport + in->length - 1);
    return true;
}

static void observe_insert(struct rga *rga, struct tree_at last_slot, uint32_t length,
                           struct span text)
{
    if (rga->observer.call == NULL)
        return;
    uint32_t last = leaf_length(tree_leaf(&rga->tree, last_slot.leaf), last_slot.slot);
    last_slot.offset = last;
    uint32_t end = tree_index(&rga->tree, WEFT_SCALARS, last_slot);
    rga_observe(rga, end - length, 0, text);
}

static enum rga_outcome apply_insert(struct rga *rga, const struct weft_run *run,
                                     const struct incoming *in, struct weft_id *missing_out)
{
    struct weft_id parent = run->target;
    bool left = run->left;
    struct span text = {run->text, run->text_size};
    if (in->known > 0) {
        size_t skipped = utf8_size(text.data, in->known);
        text.data += skipped;
        text.size -= skipped;
        parent = (struct weft_id){run->agent, in->seq - 1};
        left = false;
    }
    if (in->length > rga->limits.elements_max - rga->text.length)
        return RGA_LIMIT;
    if (extend_last(rga, run, in, parent, left, text)) {
        observe_insert(rga, rga->tree.recent, in->length, text);
        return RGA_APPLIED;
    }
    uint32_t row;
    enum rga_outcome outcome = rga_find_parent(rga, parent, in->lamport, &row, missing_out);
    if (outcome != RGA_APPLIED)
        return outcome;
    struct rga_insertion insertion = {
        .agent = admit(rga, run, in),
        .seq = in->seq,
        .lamport = in->lamport,
        .length = in->length,
        .text = text,
    };
    struct op_key key = {.lamport = in->lamport, .agent = insertion.agent};
    insertion.place = rga_place_child(rga, row, (uint32_t)parent.seq, left, key);
    observe_insert(rga, rga_insert_run(rga, &insertion), in->length, text);
    return RGA_APPLIED;
}

static void delete_elements(struct rga *rga, uint32_t iv, uint32_t length)
{
    while (length > 0) {
        struct tree_at at = tree_locate(&rga->tree, iv);
        const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
        uint32_t here = leaf_length(leaf, at.slot) - at.offset;
        here = here < length ? here : length;
        if (leaf_visible(leaf, at.slot)) {
            uint64_t index = 0;
            if (rga->observer.call != NULL)
                index = tree_index(&rga->tree, WEFT_SCALARS, at);
            tree_delete(&rga->tree, at, here);
            rga_observe(rga, index, here, (struct span){NULL, 0});
        }
        iv += here;
        length -= here;
    }
}

static enum rga_outcome apply_delete(struct rga *rga, const struct weft_run *run,
                                     const struct incoming *in, struct weft_id *missing_out)
{
    struct weft_id highest = {run->target.agent, rga_last_target(run)};
    uint32_t target_agent;
    if (!rga_is_known(rga, highest, &target_agent)) {
        *missing_out = highest;
        return RGA_MISSING;
    }
    uint32_t first = (uint32_t)run->target.seq;
    bool backward = run->backward && in->length > 1;
    struct op op = {
        .seq = in->seq,
        .lamport = in->lamport,
        .bits = op_bits(WEFT_RUN_DELETE, backward, in->length),
        .target_agent = target_agent,
        .target_seq = run->backward ? first - in->known : first + in->known,
    };
    if (!rga_targets_are_valid(rga, target_agent, &op))
        return RGA_INVALID;
    op.agent = admit(rga, run, in);
    rga_log_delete(rga, &op);
    rga_advance(rga, op.agent, in->seq + in->length, in->lamport + in->length - 1);
    uint32_t lowest = backward ? op.target_seq - (in->length - 1) : op.target_seq;
    uint32_t end = lowest + in->length;
    while (lowest < end) {
        struct rga_targets piece = rga_targets_at(rga, target_agent, lowest, end);
        delete_elements(rga, piece.op->iv + (lowest - piece.op->seq), piece.end - lowest);
        lowest = piece.end;
    }
    return RGA_APPLIED;
}

// A kind that this build does not know: stored to be forwarded, with the seqs that it takes.
static enum rga_outcome apply_unknown(struct rga *rga, const struct weft_run *run,
                                      const struct incoming *in)
{
    uint32_t payload;
    if (!oplog_add_payload(&rga->log, &payload, (struct span){run->text, run->text_size}))
        return RGA_NO_MEMORY;
    struct op op = {
        .agent = admit(rga, run, in),
        .seq = in->seq,
        .lamport = in->lamport,
        .bits = op_bits(run->kind, false, in->length),
        .iv = payload,
        .target_agent = AGENT_NONE,
    };
    oplog_append(&rga->log, &op);
    rga_advance(rga, op.agent, in->seq + in->length, in->lamport + in->length - 1);
    return RGA_APPLIED;
}

enum rga_outcome rga_apply(struct rga *rga, const struct weft_run *run, uint32_t *atoms_out,
                           struct weft_id *missing_out)
{
    if (!rga_run_is_valid(rga, run, true))
        return RGA_INVALID;
    struct incoming in = incoming_of(rga, run);
    if (in.known >= run->length)
        return RGA_DUPLICATE;
    if (run->seq > in.next) {
        *missing_out = (struct weft_id){run->agent, run->seq - 1};
        return RGA_MISSING;
    }
    if (in.known > 0 && !continues(rga, run, &in))
        return RGA_CONFLICT;
    if (in.agent != AGENT_NONE && in.lamport <= agents_at(&rga->agents, in.agent)->lamport)
        return RGA_INVALID;
    if (in.agent == AGENT_NONE && rga->agents.pool.count >= rga->limits.agents_max)
        return RGA_LIMIT;
    enum rga_outcome outcome;
    if (run->kind == WEFT_RUN_INSERT)
        outcome = apply_insert(rga, run, &in, missing_out);
    else if (run->kind == WEFT_RUN_DELETE)
        outcome = apply_delete(rga, run, &in, missing_out);
    else
        outcome = apply_unknown(rga, run, &in);
    if (outcome == RGA_APPLIED) {
        *atoms_out = in.length;
        rga->tree.cursor.leaf = TREE_NONE;
        rga->typing = RGA_NOT_TYPING;
    }
    return outcome;
}
