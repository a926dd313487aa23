// SPDX-License-Identifier: MIT
// Comparing a run with the log.
#include "crdt/rga_same.h"

#include <string.h>

#include "base/utf8.h"
#include "crdt/gaps.h"
#include "crdt/op.h"

static struct weft_id id_of(const struct rga *rga, uint32_t agent, uint32_t seq)
{
    return agent == AGENT_NONE ? WEFT_ID_ROOT
                               : (struct weft_id){agents_id(&rga->agents, agent), seq};
}

static bool id_equal(struct weft_id a, struct weft_id b)
{
    return a.agent == b.agent && a.seq == b.seq;
}

// A piece of a row and the piece of the run that stands for the same atoms.
struct pair {
    const struct op *op;
    uint32_t op_first;
    const struct weft_run *run;
    uint32_t run_first;
    uint32_t length;
};

static bool parents_are_equal(const struct rga *rga, const struct pair *pair)
{
    const struct op *op = pair->op;
    const struct weft_run *run = pair->run;
    struct weft_id before = {run->agent, run->seq + pair->run_first - 1};
    struct weft_id here =
        pair->op_first > 0 ? before : id_of(rga, op->target_agent, op->target_seq);
    struct weft_id there = pair->run_first > 0 ? before : run->target;
    bool left_here = pair->op_first == 0 && op_flag(op);
    bool left_there = pair->run_first == 0 && run->left;
    return id_equal(here, there) && left_here == left_there;
}

// The same where some text was collected, here or there: that is not looked at.
static uint32_t same_known_text(struct rga *rga, const struct pair *pair)
{
    struct span text = {pair->run->text, pair->run->text_size};
    struct gaps_reader gaps = gaps_reader_make(text, 0, pair->run->length);
    struct gaps_token token;
    uint32_t same = 0;
    gaps_skip(&gaps, pair->run_first, NULL, NULL);
    while (same < pair->length && gaps_take(&gaps, 1, &token)) {
        uint32_t iv = pair->op->iv + pair->op_first + same;
        if (token.kind == 0 && !text_lacks(&rga->text, iv, 1) &&
            !span_equal(token.text, text_view(&rga->text, iv, 1)))
            break;
        same += token.length;
    }
    return same;
}

// Of an insert: how many characters are the same.
static uint32_t same_text(struct rga *rga, const struct pair *pair)
{
    if (pair->run->kind == WEFT_RUN_COLLECTED ||
        text_lacks(&rga->text, pair->op->iv + pair->op_first, pair->length))
        return same_known_text(rga, pair);
    struct span here = text_view(&rga->text, pair->op->iv + pair->op_first, pair->length);
    const uint8_t *there = pair->run->text + utf8_size(pair->run->text, pair->run_first);
    size_t size = utf8_size(there, pair->length);
    if (size == here.size && memcmp(here.data, there, size) == 0)
        return pair->length;
    uint32_t same = 0;
    for (size_t at = 0; same < pair->length; same++) {
        size_t next = at + utf8_size(there + at, 1);
        if (next > here.size || memcmp(here.data + at, there + at, next - at) != 0)
            break;
        at = next;
    }
    return same;
}

static uint32_t same_targets(const struct rga *rga, const struct pair *pair)
{
    const struct op *op = pair->op;
    const struct weft_run *run = pair->run;
    if (run->target.agent != agents_id(&rga->agents, op->target_agent))
        return 0;
    for (uint32_t i = 0; i < pair->length; i++) {
        uint32_t a = pair->op_first + i;
        uint32_t b = pair->run_first + i;
        uint64_t here = op_flag(op) ? op->target_seq - a : op->target_seq + a;
        uint64_t there = run->backward ? run->target.seq - b : run->target.seq + b;
        if (here != there)
            return i;
        if (op_flag(op) == run->backward)
            return pair->length; // they go on alike
    }
    return pair->length;
}

static uint32_t same_payload(const struct rga *rga, const struct pair *pair)
{
    struct span here = oplog_payload(&rga->log, pair->op);
    struct span there = {pair->run->text, pair->run->text_size};
    bool whole =
        pair->op_first == 0 && pair->run_first == 0 && op_length(pair->op) == pair->run->length;
    return whole && span_equal(here, there) ? pair->length : 0;
}

static uint32_t same_atoms(struct rga *rga, const struct pair *pair)
{
    const struct op *op = pair->op;
    const struct weft_run *run = pair->run;
    uint32_t kind = run->kind == WEFT_RUN_COLLECTED ? WEFT_RUN_INSERT : run->kind;
    if (op_kind(op) != kind || op->lamport + pair->op_first != run->lamport + pair->run_first)
        return 0;
    if (kind == WEFT_RUN_INSERT)
        return parents_are_equal(rga, pair) ? same_text(rga, pair) : 0;
    return op_kind_names(kind) ? same_targets(rga, pair) : same_payload(rga, pair);
}

uint32_t rga_same(struct rga *rga, const struct weft_run *run)
{
    uint32_t agent = agents_find(&rga->agents, run->agent);
    uint32_t next = agent == AGENT_NONE ? 0 : agents_at(&rga->agents, agent)->next;
    uint32_t at = 0;
    while (at < run->length && run->seq + at < next) {
        uint32_t seq = (uint32_t)run->seq + at;
        const struct op *op = oplog_at(&rga->log, oplog_find(&rga->log, agent, seq));
        uint32_t length = op_seq_end(op) - seq;
        if (length > run->length - at)
            length = run->length - at;
        struct pair pair = {op, seq - op->seq, run, at, length};
        uint32_t same = same_atoms(rga, &pair);
        if (same < length)
            return at + same;
        at += length;
    }
    return run->length;
}
