// SPDX-License-Identifier: MIT
// Building a sequence from what was kept of it.
#include <assert.h>
#include <string.h>

#include "base/bits.h"
#include "base/utf8.h"
#include "crdt/rga_impl.h"

bool rga_load_init(struct rga_load *load, struct rga *rga, const struct rga_need *need)
{
    *load = (struct rga_load){
        .rga = rga,
        .deleted_size = bits_size(need->elements),
        .elements_max = need->elements,
    };
    uint64_t rows = need->runs + need->elements / TEXT_PAGE_ELEMENTS + 1;
    if (!oplog_reserve(&rga->log, rows, 0) || !agents_reserve(&rga->agents, need->agents) ||
        !text_reserve(&rga->text, need->elements, need->bytes))
        return false;
    load->deleted = memory_alloc(&rga->allocator, load->deleted_size);
    if (load->deleted == NULL)
        return false;
    memset(load->deleted, 0, load->deleted_size);
    return true;
}

void rga_load_finish(struct rga_load *load)
{
    memory_free(&load->rga->allocator, load->deleted,
                load->deleted != NULL ? load->deleted_size : 0);
    load->deleted = NULL;
}

// Rows of an insert, cut where pages of text end, as rga_insert_run() cuts them.
static enum weft_status load_insert(struct rga_load *load, const struct weft_run *run,
                                    struct op *op)
{
    struct rga *rga = load->rga;
    uint32_t row;
    struct weft_id missing;
    if (run->length > load->elements_max - load->elements)
        return WEFT_MALFORMED;
    if (rga_find_parent(rga, run->target, op->lamport, &row, &missing) != RGA_APPLIED)
        return WEFT_MALFORMED;
    op->inherited = (struct op_key){.lamport = 0, .agent = AGENT_NONE};
    if (row != OP_NONE) {
        const struct op *parent = oplog_at(&rga->log, row);
        op->target_agent = parent->agent;
        op->target_seq = (uint32_t)run->target.seq;
        op->inherited =
            run->left ? op_right_key(parent, op->target_seq - parent->seq) : op_left_key(parent);
    }
    for (uint32_t left = run->length; left > 0;) {
        uint32_t room = TEXT_PAGE_ELEMENTS - (load->elements & (TEXT_PAGE_ELEMENTS - 1));
        uint32_t piece = left < room ? left : room;
        bool flag = run->left && left == run->length;
        op->bits = op_bits(WEFT_RUN_INSERT, flag, piece);
        op->iv = load->elements;
        oplog_append(&rga->log, op);
        load->elements += piece;
        left -= piece;
        op->inherited = op_left_key(op);
        op->seq += piece;
        op->lamport += piece;
        op->target_agent = op->agent;
        op->target_seq = op->seq - 1;
    }
    return WEFT_OK;
}

// A delete, or an undelete.
static enum weft_status load_targets(struct rga_load *load, const struct weft_run *run,
                                     struct op *op)
{
    struct rga *rga = load->rga;
    uint32_t agent;
    struct weft_id highest = {run->target.agent, rga_last_target(run)};
    if (!rga_is_known(rga, highest, &agent))
        return WEFT_MALFORMED;
    op->bits = op_bits(run->kind, run->backward && run->length > 1, run->length);
    op->target_agent = agent;
    op->target_seq = (uint32_t)run->target.seq;
    if (!rga_targets_are_valid(rga, agent, op))
        return WEFT_MALFORMED;
    uint32_t end = (uint32_t)highest.seq + 1;
    load->undeletes |= run->kind == WEFT_RUN_UNDELETE;
    for (uint32_t seq = end - run->length; seq < end && run->kind == WEFT_RUN_DELETE;) {
        struct rga_targets piece = rga_targets_at(rga, agent, seq, end);
        uint32_t iv = piece.op->iv + (seq - piece.op->seq);
        bits_set(load->deleted, iv, iv + (piece.end - seq));
        seq = piece.end;
    }
    rga_log_delete(rga, op);
    return WEFT_OK;
}

static enum weft_status load_unknown(struct rga_load *load, const struct weft_run *run,
                                     struct op *op)
{
    op->bits = op_bits(run->kind, false, run->length);
    if (!oplog_reserve_payloads(&load->rga->log, 1, run->text_size))
        return WEFT_NO_MEMORY;
    op->iv = oplog_add_payload(&load->rga->log, (struct span){run->text, run->text_size});
    oplog_append(&load->rga->log, op);
    return WEFT_OK;
}

enum weft_status rga_load_run(struct rga_load *load, const struct weft_run *run)
{
    struct rga *rga = load->rga;
    if (!rga_run_is_valid(rga, run, false))
        return WEFT_MALFORMED;
    uint32_t agent = agents_find(&rga->agents, run->agent);
    if (agent == AGENT_NONE) {
        if (rga->agents.pool.count >= rga->limits.agents_max)
            return WEFT_LIMIT;
        agent = agents_add(&rga->agents, run->agent);
    }
    const struct agent *entry = agents_at(&rga->agents, agent);
    if (run->seq != entry->next || run->lamport <= entry->lamport)
        return WEFT_MALFORMED;
    const struct op *last = oplog_last(&rga->log);
    if ((last == NULL || last->agent != agent) && !oplog_reserve(&rga->log, 0, 1))
        return WEFT_NO_MEMORY;
    struct op op = {
        .agent = agent,
        .seq = (uint32_t)run->seq,
        .lamport = (uint32_t)run->lamport,
        .target_agent = AGENT_NONE,
    };
    enum weft_status status;
    if (run->kind == WEFT_RUN_INSERT)
        status = load_insert(load, run, &op);
    else if (op_kind_names(run->kind))
        status = load_targets(load, run, &op);
    else
        status = load_unknown(load, run, &op);
    if (status == WEFT_OK)
        rga_advance(rga, agent, (uint32_t)run->seq + run->length,
                    (uint32_t)run->lamport + run->length - 1);
    return status;
}

// ------------------------------------------------------------------------------------------ slots

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

// Sorts indexes of slots by iv, digit by digit; `order` and `spare` hold `count` each.
// Returns the one that has the result.
static uint32_t *sort_by_iv(const struct rga_load_slot *slots, uint32_t count, uint32_t elements,
                            uint32_t *order, uint32_t *spare)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t shift = 0; shift < 32 && elements >> shift != 0; shift += DIGIT_BITS) {
        uint32_t starts[DIGITS] = {0};
        for (uint32_t i = 0; i < count; i++)
            starts[slots[i].iv >> shift & (DIGITS - 1)]++;
        uint32_t sum = 0;
        for (uint32_t i = 0; i < DIGITS; i++) {
            uint32_t here = starts[i];
            starts[i] = sum;
            sum += here;
        }
        for (uint32_t i = 0; i < count; i++)
            spare[starts[slots[order[i]].iv >> shift & (DIGITS - 1)]++] = order[i];
        uint32_t *swap = order;
        order = spare;
        spare = swap;
    }
    return order;
}

// In order of iv: each element once, in one row, in its state, the elements of a row in document
// order; takes over the text.
static bool place_slots(struct rga_load *load, struct rga_load_slot *slots, uint32_t count,
                        const uint32_t *order, const struct span *texts)
{
    struct rga *rga = load->rga;
    bool ascii = texts[0].size + texts[1].size == load->elements;
    uint32_t row = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct rga_load_slot *slot = &slots[order[i]];
        if (slot->iv != rga->text.length || slot->length == 0 ||
            slot->length > load->elements - slot->iv)
            return false;
        const struct op *op = oplog_at(&rga->log, row);
        while (op_kind(op) != WEFT_RUN_INSERT || slot->iv - op->iv >= op_length(op))
            op = oplog_at(&rga->log, ++row);
        if (slot->iv + slot->length > op->iv + op_length(op) ||
            !bits_are(load->deleted, slot->iv, slot->iv + slot->length, slot->deleted))
            return false;
        // The tree needs them to ascend, to know in which leaf each one is.
        if (slot->iv > op->iv && order[i] < order[i - 1])
            return false;
        slot->row = row;
        const uint8_t *text = texts[slot->deleted].data + slot->text;
        size_t size = ascii ? slot->length : utf8_size(text, slot->length);
        text_append(&rga->text, (struct span){text, size}, slot->length);
    }
    return rga->text.length == load->elements;
}

// Slots that touch as one tombstone do not stay apart: rows that were two when they were kept may
// be one now.
static bool touches(const struct rga_load_slot *before, const struct rga_load_slot *slot)
{
    return before->deleted && slot->deleted && before->row == slot->row &&
           before->iv + before->length == slot->iv;
}

static enum weft_status build_tree(struct rga_load *load, struct rga_load_slot *slots,
                                   uint32_t count, const uint32_t *order)
{
    struct rga *rga = load->rga;
    if (!tree_load_reserve(&rga->tree, count))
        return WEFT_NO_MEMORY;
    for (uint32_t i = 0, next; i < count; i = next) {
        uint32_t length = slots[i].length;
        for (next = i + 1; next < count && touches(&slots[next - 1], &slots[next]); next++)
            length += slots[next].length;
        uint32_t leaf = tree_load_slot(&rga->tree, slots[i].row, slots[i].iv,
                                       length | (slots[i].deleted ? TREE_TOMBSTONE : 0));
        for (uint32_t j = i; j < next; j++)
            slots[j].leaf = leaf;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct rga_load_slot *slot = &slots[order[i]];
        tree_load_leaf(&rga->tree, slot->row, slot->iv, slot->leaf);
    }
    tree_load_finish(&rga->tree);
    return WEFT_OK;
}

static bool initials_are_valid(struct rga *rga)
{
    for (uint32_t i = 0; i < rga->agents.pool.count; i++) {
        if (rga_is_reserved(agents_at(&rga->agents, i)->id) && !rga_check_initial(rga, i))
            return false;
    }
    return true;
}

// What is deleted, when some deletes are cancelled.
static bool find_deleted(struct rga_load *load)
{
    struct rga *rga = load->rga;
    if (!rga_keep_covers(rga))
        return false;
    memset(load->deleted, 0, load->deleted_size);
    const struct ordmap *deletes = &rga->covers.deletes;
    struct ordmap_at next;
    for (struct ordmap_at at = ordmap_first(deletes); at.node != ORDMAP_NONE; at = next) {
        next = ordmap_next(deletes, at);
        if (ordmap_value(deletes, at) == 0)
            continue;
        uint32_t agent = (uint32_t)(ordmap_key(deletes, at) >> 32);
        uint32_t end = (uint32_t)ordmap_key(deletes, next); // each delete has a step at its end
        for (uint32_t seq = (uint32_t)ordmap_key(deletes, at); seq < end;) {
            struct rga_targets piece = rga_targets_at(rga, agent, seq, end);
            uint32_t iv = piece.op->iv + (seq - piece.op->seq);
            bits_set(load->deleted, iv, iv + (piece.end - seq));
            seq = piece.end;
        }
    }
    return true;
}

enum weft_status rga_load_slots(struct rga_load *load, struct rga_load_slot *slots, uint32_t count,
                                struct span text, struct span deleted_text)
{
    struct rga *rga = load->rga;
    const struct span texts[2] = {text, deleted_text};
    size_t size = (size_t)count * 2 * sizeof(uint32_t);
    if (count == 0)
        return load->elements == 0 ? WEFT_OK : WEFT_MALFORMED;
    for (uint32_t i = 0; i < count; i++) {
        if (slots[i].iv >= load->elements)
            return WEFT_MALFORMED;
    }
    if (load->undeletes && !find_deleted(load))
        return WEFT_NO_MEMORY;
    uint32_t *room = memory_alloc(&rga->allocator, size);
    if (room == NULL)
        return WEFT_NO_MEMORY;
    const uint32_t *order = sort_by_iv(slots, count, load->elements, room, room + count);
    enum weft_status status = WEFT_MALFORMED;
    if (place_slots(load, slots, count, order, texts) && initials_are_valid(rga))
        status = build_tree(load, slots, count, order);
    memory_free(&rga->allocator, room, size);
    return status;
}
