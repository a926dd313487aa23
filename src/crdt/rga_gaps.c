// SPDX-License-Identifier: MIT
// Applying inserts of which some text was collected.
//
// An element without text is not shown, deleted or not: nobody guesses. Its delete comes with what
// else its sender knows; until then the digest is nobody else's (rga_count_lacking()).
#include <assert.h>

#include "crdt/chain.h"
#include "crdt/gaps.h"
#include "crdt/rga_impl.h"

struct taking {
    struct rga *rga;
    uint32_t agent;
};

// Takes over the hash of a part.
static void take_sum(void *context, const struct gaps_token *token)
{
    const struct taking *taking = context;
    struct sums *sums = &taking->rga->sums;
    struct sums_part part = {taking->agent, (uint32_t)token->first,
                             token->part_end - token->first == SUMS_CHUNK_ATOMS};
    if (token->part_end > OP_LAMPORT_MAX || sums_find(sums, part) != NULL)
        return;
    sums_put(sums, part, token->hash);
    chain_forget(taking->rga, taking->agent);
}

void rga_append_gaps(struct rga *rga, struct gaps_reader *gaps, uint32_t agent, uint32_t length)
{
    struct taking taking = {rga, agent};
    struct gaps_token token;
    for (uint64_t end = gaps->seq + length; gaps->seq < end;) {
        bool valid = gaps_take(gaps, (uint32_t)(end - gaps->seq), &token);
        assert(valid); // it was read before
        if (!valid)
            return;
        if (token.kind == GAPS_SUM)
            take_sum(&taking, &token);
        else if (token.kind == GAPS_GONE)
            text_append_gone(&rga->text, token.length);
        else
            text_append(&rga->text, token.text, token.length);
    }
}

// Whether each gap is in a part whose hash is known, or told before it.
static bool gaps_are_covered(const struct rga *rga, uint32_t agent, struct gaps_reader gaps)
{
    struct gaps_token token;
    uint64_t first = 0;
    uint64_t end = 0;
    while (gaps.seq < gaps.end) {
        uint64_t seq = gaps.seq;
        struct sums_part part;
        if (!gaps_take(&gaps, OP_LENGTH_MAX, &token))
            return false;
        if (token.kind == GAPS_SUM) {
            first = token.first;
            end = token.part_end;
        }
        if (token.kind != GAPS_GONE || (seq >= first && gaps.seq <= end))
            continue;
        if (agent == AGENT_NONE || !sums_find_part(&rga->sums, agent, (uint32_t)seq, &part) ||
            gaps.seq > sums_end(part))
            return false;
    }
    return true;
}

bool rga_gone_is_hashed(const struct rga *rga, const struct op *op)
{
    uint32_t length = op_length(op);
    for (uint32_t first = 0, here; first < length && rga->text.gone > 0; first += here) {
        bool gone;
        struct sums_part part;
        here = text_alike(&rga->text, op->iv + first, length - first, &gone);
        for (uint32_t seq = op->seq + first; gone && seq < op->seq + first + here;) {
            if (!sums_find_part(&rga->sums, op->agent, seq, &part))
                return false;
            seq = sums_end(part);
        }
    }
    return true;
}

// Hides new elements, which are one slot, without telling anyone.
static void hide(struct rga *rga, const struct op *op, uint32_t iv, uint32_t length)
{
    while (length > 0) {
        struct tree_at at = tree_locate(&rga->tree, op, iv);
        uint32_t here = leaf_length(tree_leaf(&rga->tree, at.leaf), at.slot) - at.offset;
        here = here < length ? here : length;
        tree_delete(&rga->tree, at, here);
        iv += here;
        length -= here;
    }
}

static void show(struct rga *rga, const struct op *op, uint32_t iv, uint32_t length)
{
    if (rga->observer.call == NULL)
        return;
    struct tree_at at = tree_locate(&rga->tree, op, iv);
    rga_observe(rga, tree_index(&rga->tree, WEFT_SCALARS, at), 0,
                text_view(&rga->text, iv, length));
}

// Elements [seq, end) of an agent are new. All are counted as shown: those without text are hidden
// first, then those with text are told, from the start of the document on.
static void settle_new(struct rga *rga, uint32_t agent, uint32_t seq, uint32_t end, bool tell)
{
    while (seq < end) {
        struct rga_targets piece = rga_targets_at(rga, agent, seq, end);
        uint32_t iv = piece.op->iv + (seq - piece.op->seq);
        bool gone;
        uint32_t here = text_alike(&rga->text, iv, piece.end - seq, &gone);
        if (tell && !gone)
            show(rga, piece.op, iv, here);
        else if (!tell && gone)
            hide(rga, piece.op, iv, here);
        seq += here;
    }
}

static enum rga_outcome insert_gaps(struct rga *rga, const struct weft_run *run, uint32_t index,
                                    struct gaps_reader *gaps, struct weft_id *missing_out)
{
    uint32_t row;
    if (run->length > rga->limits.elements_max - rga->text.length)
        return RGA_LIMIT;
    enum rga_outcome outcome =
        rga_find_parent(rga, run->target, (uint32_t)run->lamport, &row, missing_out);
    if (outcome != RGA_APPLIED)
        return outcome;
    if (rga->doubting)
        return RGA_COLLECTED;
    if (!gaps_are_covered(rga, index, *gaps))
        return RGA_INVALID;
    uint32_t agent = index != AGENT_NONE ? index : agents_add(&rga->agents, run->agent);
    struct rga_insertion insertion = {
        .agent = agent,
        .seq = (uint32_t)run->seq,
        .lamport = (uint32_t)run->lamport,
        .length = run->length,
        .gaps = gaps,
    };
    struct op_key key = {.lamport = insertion.lamport, .agent = agent};
    insertion.place = rga_place_child(rga, row, (uint32_t)run->target.seq, run->left, key);
    rga_insert_run(rga, &insertion);
    rga->complete = false;
    settle_new(rga, agent, insertion.seq, insertion.seq + run->length, false);
    settle_new(rga, agent, insertion.seq, insertion.seq + run->length, true);
    rga->tree.cursor.leaf = TREE_NONE;
    rga->typing = RGA_NOT_TYPING;
    return RGA_APPLIED;
}

enum rga_outcome rga_apply_gaps(struct rga *rga, const struct weft_run *run, uint32_t *atoms_out,
                                struct weft_id *missing_out)
{
    struct weft_run rest = *run;
    rest.kind = WEFT_RUN_INSERT;
    rest.text = NULL;
    rest.text_size = 0;
    if (rga_is_reserved(run->agent) || !rga_run_is_valid(rga, &rest, false))
        return RGA_INVALID;
    static const struct agent unknown = {.chain = AGENT_NONE};
    uint32_t index = agents_find(&rga->agents, run->agent);
    const struct agent *agent = index == AGENT_NONE ? &unknown : agents_at(&rga->agents, index);
    struct gaps_reader gaps =
        gaps_reader_make((struct span){run->text, run->text_size}, run->seq, run->length);
    if (run->seq > agent->next) {
        *missing_out = (struct weft_id){run->agent, run->seq - 1};
        return RGA_MISSING;
    }
    uint32_t known = agent->next - (uint32_t)run->seq;
    uint32_t skipped = known < run->length ? known : run->length;
    struct taking taking = {rga, index};
    if (skipped > 0) // hashes that what comes after it relies on
        gaps_skip(&gaps, skipped, rga->doubting ? NULL : take_sum, &taking);
    if (known >= run->length)
        return RGA_DUPLICATE;
    if (known > 0 && agent->lamport + UINT64_C(1) != run->lamport + known)
        return RGA_CONFLICT;
    if (known == 0 && index != AGENT_NONE && run->lamport <= agent->lamport)
        return RGA_INVALID;
    if (index == AGENT_NONE && rga->agents.pool.count >= rga->limits.agents_max)
        return RGA_LIMIT;
    if (known > 0) {
        rest.seq += known;
        rest.lamport += known;
        rest.length -= known;
        rest.target = (struct weft_id){run->agent, rest.seq - 1};
        rest.left = false;
    }
    enum rga_outcome outcome = insert_gaps(rga, &rest, index, &gaps, missing_out);
    if (outcome == RGA_APPLIED)
        *atoms_out = rest.length;
    return outcome;
}
