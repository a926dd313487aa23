// SPDX-License-Identifier: MIT
// Applying runs of anyone. Everything is checked (rga_rules.c) before the first change.
#include <assert.h>

#include "base/utf8.h"
#include "crdt/rga_impl.h"

// ------------------------------------------------------------------------------------- typing on

// Whether a run goes on with the newest element, by the same agent and in the last row, up to the
// end of a page of text. Nobody can have hung anything on that element; so what comes after it in
// order is less than it, and its row and its slot just grow. What makes a run valid is in here.
static inline bool types_on(const struct rga *rga, const struct weft_run *run)
{
    const struct op *last = oplog_last(&rga->log);
    const struct text *text = &rga->text;
    struct tree_at recent = rga->tree.recent;
    if (last == NULL || run->kind != WEFT_RUN_INSERT || run->left || recent.leaf == TREE_NONE)
        return false;
    const struct agent *agent = agents_at(&rga->agents, last->agent);
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, recent.leaf);
    return agent->id == run->agent && agent->next == run->seq &&
           agent->lamport + UINT64_C(1) == run->lamport && run->target.agent == run->agent &&
           run->target.seq == run->seq - 1 && op_kind(last) == WEFT_RUN_INSERT &&
           last->iv + op_length(last) == text->length && recent.slot < leaf->count &&
           leaf->op[recent.slot] == rga->log.ops.count - 1 &&
           leaf->iv[recent.slot] + leaf->len[recent.slot] == text->length &&
           text_room(text) < TEXT_PAGE_ELEMENTS && run->length - 1 < text_room(text) &&
           run->length <= rga->limits.elements_max - text->length &&
           run->length <= OP_LAMPORT_MAX - agent->lamport && !rga_is_reserved(run->agent);
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

static inline void type_on(struct rga *rga, const struct weft_run *run)
{
    struct span text = {run->text, run->text_size};
    text_append(&rga->text, text, run->length);
    rga_extend_run(rga, rga->tree.recent, run->length);
    rga->tree.cursor.leaf = TREE_NONE;
    rga->typing = RGA_NOT_TYPING;
    observe_insert(rga, rga->tree.recent, run->length, text);
}

// -------------------------------------------------------------------------------------- the past

// Whether the run goes on where the known part of it ended, `known` atoms.
static bool continues(const struct agent *agent, const struct weft_run *run, uint32_t known)
{
    return op_kind_names(run->kind) && !rga_is_reserved(run->agent) &&
           agent->lamport + UINT64_C(1) == run->lamport + known;
}

// The run without its first atoms, which are known.
static struct weft_run without_known(const struct weft_run *run, uint32_t known)
{
    struct weft_run rest = *run;
    rest.seq += known;
    rest.lamport += known;
    rest.length -= known;
    if (run->kind != WEFT_RUN_DELETE) {
        size_t skipped = utf8_size(run->text, known);
        rest.text += skipped;
        rest.text_size -= skipped;
    }
    if (run->kind == WEFT_RUN_INSERT) {
        rest.target = (struct weft_id){run->agent, rest.seq - 1};
        rest.left = false;
    } else if (run->backward) {
        rest.target.seq -= known;
    } else {
        rest.target.seq += known;
    }
    return rest;
}

// ----------------------------------------------------------------------------------- the changes

// The agent's index; it is added if need be.
static uint32_t admit(struct rga *rga, const struct weft_run *run, uint32_t agent)
{
    return agent != AGENT_NONE ? agent : agents_add(&rga->agents, run->agent);
}

static void advance(struct rga *rga, uint32_t agent, const struct weft_run *run)
{
    rga_advance(rga, agent, (uint32_t)run->seq + run->length,
                (uint32_t)run->lamport + run->length - 1);
}

static enum rga_outcome apply_insert(struct rga *rga, const struct weft_run *run, uint32_t agent,
                                     struct weft_id *missing_out)
{
    uint32_t row;
    struct span text = {run->text, run->text_size};
    if (run->length > rga->limits.elements_max - rga->text.length)
        return RGA_LIMIT;
    enum rga_outcome outcome =
        rga_find_parent(rga, run->target, (uint32_t)run->lamport, &row, missing_out);
    if (outcome != RGA_APPLIED)
        return outcome;
    struct rga_insertion insertion = {
        .agent = admit(rga, run, agent),
        .seq = (uint32_t)run->seq,
        .lamport = (uint32_t)run->lamport,
        .length = run->length,
        .text = text,
    };
    struct op_key key = {.lamport = insertion.lamport, .agent = insertion.agent};
    insertion.place = rga_place_child(rga, row, (uint32_t)run->target.seq, run->left, key);
    observe_insert(rga, rga_insert_run(rga, &insertion), run->length, text);
    return RGA_APPLIED;
}

// Elements of one row, in whatever state they are.
static void delete_elements(struct rga *rga, const struct rga_targets *piece)
{
    uint32_t iv = piece->op->iv + (piece->first - piece->op->seq);
    uint32_t length = piece->end - piece->first;
    while (length > 0) {
        struct tree_at at = tree_locate(&rga->tree, piece->op, iv);
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

// A delete, or an undelete.
static enum rga_outcome apply_targets(struct rga *rga, const struct weft_run *run, uint32_t agent,
                                      struct weft_id *missing_out)
{
    struct weft_id highest = {run->target.agent, rga_last_target(run)};
    uint32_t target_agent;
    if (!rga_is_known(rga, highest, &target_agent)) {
        *missing_out = highest;
        return RGA_MISSING;
    }
    struct op op = {
        .seq = (uint32_t)run->seq,
        .lamport = (uint32_t)run->lamport,
        .bits = op_bits(run->kind, run->backward && run->length > 1, run->length),
        .target_agent = target_agent,
        .target_seq = (uint32_t)run->target.seq,
    };
    if (!rga_targets_are_valid(rga, target_agent, &op))
        return RGA_INVALID;
    struct span text = {run->text, run->text_size};
    if (run->kind == WEFT_RUN_UNDELETE) {
        enum rga_outcome outcome = rga_check_revived(rga, &op, text);
        if (outcome != RGA_APPLIED)
            return outcome;
        rga_fill_revived(rga, &op, text);
    }
    op.agent = admit(rga, run, agent);
    rga_log_delete(rga, &op);
    advance(rga, op.agent, run);
    if (run->kind == WEFT_RUN_UNDELETE) {
        rga_undelete(rga, &op);
        return RGA_APPLIED;
    }
    uint32_t end = (uint32_t)highest.seq + 1;
    if (rga->covers.kept)
        covers_add(&rga->covers, (struct covers_range){target_agent, end - run->length, end});
    for (uint32_t seq = end - run->length; seq < end;) {
        struct rga_targets piece = rga_targets_at(rga, target_agent, seq, end);
        delete_elements(rga, &piece);
        seq = piece.end;
    }
    return RGA_APPLIED;
}

// A kind that this build does not know: stored to be forwarded, with the seqs that it takes.
static enum rga_outcome apply_unknown(struct rga *rga, const struct weft_run *run, uint32_t agent)
{
    struct op op = {
        .agent = admit(rga, run, agent),
        .seq = (uint32_t)run->seq,
        .lamport = (uint32_t)run->lamport,
        .bits = op_bits(run->kind, false, run->length),
        .iv = oplog_add_payload(&rga->log, (struct span){run->text, run->text_size}),
        .target_agent = AGENT_NONE,
    };
    oplog_append(&rga->log, &op);
    advance(rga, op.agent, run);
    return RGA_APPLIED;
}

// A valid run that begins with a new atom.
static enum rga_outcome apply_new(struct rga *rga, const struct weft_run *run, uint32_t agent,
                                  uint32_t *atoms_out, struct weft_id *missing_out)
{
    enum rga_outcome outcome;
    if (run->kind == WEFT_RUN_INSERT)
        outcome = apply_insert(rga, run, agent, missing_out);
    else if (op_kind_names(run->kind))
        outcome = apply_targets(rga, run, agent, missing_out);
    else
        outcome = apply_unknown(rga, run, agent);
    if (outcome == RGA_APPLIED) {
        *atoms_out = run->length;
        rga->tree.cursor.leaf = TREE_NONE;
        rga->typing = RGA_NOT_TYPING;
    }
    return outcome;
}

// Applies a run that does not type on.
static enum rga_outcome apply_other(struct rga *rga, const struct weft_run *run,
                                    uint32_t *atoms_out, struct weft_id *missing_out)
{
    if (gaps_are_read && run->kind == WEFT_RUN_COLLECTED)
        return rga_apply_gaps(rga, run, atoms_out, missing_out);
    if (!rga_run_is_valid(rga, run, true))
        return RGA_INVALID;
    static const struct agent unknown = {.chain = AGENT_NONE};
    uint32_t index = agents_find(&rga->agents, run->agent);
    const struct agent *agent = index == AGENT_NONE ? &unknown : agents_at(&rga->agents, index);
    if (run->seq > agent->next) {
        *missing_out = (struct weft_id){run->agent, run->seq - 1};
        return RGA_MISSING;
    }
    uint32_t known = agent->next - (uint32_t)run->seq;
    if (known >= run->length)
        return RGA_DUPLICATE;
    if (known > 0) {
        if (!continues(agent, run, known))
            return RGA_CONFLICT;
        struct weft_run rest = without_known(run, known);
        return rga_apply(rga, &rest, atoms_out, missing_out);
    }
    if (index != AGENT_NONE && run->lamport <= agent->lamport)
        return RGA_INVALID;
    if (index == AGENT_NONE && rga->agents.pool.count >= rga->limits.agents_max)
        return RGA_LIMIT;
    return apply_new(rga, run, index, atoms_out, missing_out);
}

enum rga_outcome rga_apply(struct rga *rga, const struct weft_run *run, uint32_t *atoms_out,
                           struct weft_id *missing_out)
{
    if (!types_on(rga, run))
        return apply_other(rga, run, atoms_out, missing_out);
    type_on(rga, run);
    *atoms_out = run->length;
    return RGA_APPLIED;
}

// An insert was applied: its author may go on. Lets rga_apply_alone() note what comes.
static void expect_hearing(struct rga *rga, const struct weft_run *run)
{
    struct rga_strokes *strokes = &rga->strokes;
    if (rga->observer.call != NULL || rga_is_reserved(run->agent))
        return; // who observes is told an index
    strokes->hearing = rga_typing_room(rga, &strokes->text);
    strokes->next = (struct weft_id){run->agent, run->seq + run->length};
    strokes->lamport = run->lamport + run->length;
}

enum rga_outcome rga_apply_alone_new(struct rga *rga, const struct weft_run *run,
                                     uint32_t *atoms_out, struct weft_id *missing_out)
{
    rga_settle(rga);
    bool insert = run->kind == WEFT_RUN_INSERT;
    bool unknown = run->kind > WEFT_RUN_UNDELETE;
    bool undelete = run->kind == WEFT_RUN_UNDELETE;
    struct rga_need need = {
        .runs = 1,
        .elements = insert ? run->length : 0,
        .bytes = insert ? run->text_size : 0,
        .agents = 1,
        .stretches = 1,
        .payloads = unknown,
        .payload_bytes = unknown ? run->text_size : 0,
        .undeletes = undelete,
        .undeleted = undelete ? run->length : 0,
        .revived = undelete ? run->text_size : 0,
    };
    if (gaps_are_read && run->kind == WEFT_RUN_COLLECTED) {
        struct span text = {run->text, run->text_size};
        struct gaps_totals gaps = gaps_count(gaps_reader_make(text, run->seq, run->length));
        need = (struct rga_need){.runs = 1,
                                 .elements = run->length,
                                 .bytes = gaps.bytes,
                                 .agents = 1,
                                 .stretches = 1,
                                 .gaps = gaps.gaps,
                                 .gone = gaps.gone,
                                 .sums = gaps.sums};
    }
    bool on = types_on(rga, run);
    if (on ? !text_reserve(&rga->text, need.elements, need.bytes) : !rga_reserve(rga, &need))
        return RGA_NO_MEMORY;
    enum rga_outcome outcome = RGA_APPLIED;
    if (on) {
        type_on(rga, run);
        *atoms_out = run->length;
    } else {
        outcome = apply_other(rga, run, atoms_out, missing_out);
    }
    if (insert && outcome == RGA_APPLIED)
        expect_hearing(rga, run);
    return outcome;
}
