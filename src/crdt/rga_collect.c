// SPDX-License-Identifier: MIT
// Dropping the text of tombstones. Elements stay, and their ids; a hash of the text stays for each
// part of an agent's atoms that some is dropped from (crdt/sums.h). All of it is found first, then
// reserved for, then done.
#include <string.h>

#include "base/bits.h"
#include "crdt/chain.h"
#include "crdt/filter.h"
#include "crdt/rga_impl.h"

// Text of less than this stays where it would need a hash of its own: that takes as much.
enum { PART_BYTES_MIN = 64 };

struct new_sum {
    struct sums_part part;
    uint8_t hash[HASH_SIZE];
};

struct collect {
    struct rga *rga;
    uint64_t *bits;          // by element: its text is to go
    struct weft_buffer sums; // struct new_sum each
    struct rga_collected collected;
};

// ---------------------------------------------------------------------------- what is not to show

static void mark(struct rga *rga, uint64_t *bits, struct covers_range elements, bool value)
{
    while (elements.first < elements.end) {
        struct rga_targets piece =
            rga_targets_at(rga, elements.agent, elements.first, elements.end);
        uint32_t iv = piece.op->iv + (piece.first - piece.op->seq);
        if (value)
            bits_set(bits, iv, iv + (piece.end - piece.first));
        else
            bits_clear(bits, iv, iv + (piece.end - piece.first));
        elements.first = piece.end;
    }
}

static void mark_hidden(struct collect *collect)
{
    const struct tree *tree = &collect->rga->tree;
    for (uint32_t i = tree->first; i != TREE_NONE; i = tree_leaf(tree, i)->next) {
        const struct tree_leaf *leaf = tree_leaf(tree, i);
        for (uint32_t slot = 0; slot < leaf->count; slot++) {
            if (!leaf_visible(leaf, slot))
                bits_set(collect->bits, leaf->iv[slot], leaf->iv[slot] + leaf_length(leaf, slot));
        }
    }
}

// What was undeleted ever: who holds an undelete holds the text, for those who do not.
static void spare_undeleted(struct collect *collect)
{
    struct rga *rga = collect->rga;
    for (uint32_t row = 0; row < rga->log.ops.count; row++) {
        const struct op *op = oplog_at(&rga->log, row);
        if (op_kind(op) != WEFT_RUN_UNDELETE)
            continue;
        uint32_t end = op->target_seq + op_length(op);
        for (uint32_t seq = op->target_seq; seq < end;) {
            struct rga_targets piece = rga_targets_at(rga, op->target_agent, seq, end);
            mark(rga, collect->bits, rga_deleted_range(piece.op, piece.first, piece.end), false);
            seq = piece.end;
        }
    }
}

// ------------------------------------------------------------------------------------------ parts

// Of elements of one row: those to go that have text.
static void count_row(struct collect *collect, uint32_t iv, uint32_t length)
{
    const struct text *text = &collect->rga->text;
    for (uint32_t end = iv + length; iv < end;) {
        uint32_t here = bits_alike(collect->bits, iv, end);
        bool to_go = bits_at(collect->bits, iv);
        for (uint32_t piece; here > 0; iv += piece, here -= piece) {
            bool gone;
            piece = text_alike(text, iv, here, &gone);
            if (!to_go || gone)
                continue;
            collect->collected.elements += piece;
            collect->collected.bytes += text_weigh(text, iv, piece).units[WEFT_UTF8];
        }
    }
}

// Calls count_row() for a part's elements, or lets them stay.
static void visit_part(struct collect *collect, uint32_t agent, uint32_t seq, uint32_t end,
                       bool count)
{
    struct rga *rga = collect->rga;
    while (seq < end) {
        struct rga_targets piece = rga_targets_at(rga, agent, seq, end);
        uint32_t iv = piece.op->iv + (seq - piece.op->seq);
        uint32_t length = piece.end - seq;
        seq = piece.end;
        if (op_kind(piece.op) != WEFT_RUN_INSERT)
            continue;
        if (count)
            count_row(collect, iv, length);
        else
            bits_clear(collect->bits, iv, iv + length);
    }
}

// Decides about a part, all of whose atoms are here.
static bool take_part(struct collect *collect, struct sums_part part)
{
    struct rga_collected before = collect->collected;
    uint32_t end = sums_end(part);
    visit_part(collect, part.agent, part.first, end, true);
    bool lacks = rga_part_lacks(collect->rga, part);
    if (collect->collected.elements == before.elements ||
        (lacks && sums_find(&collect->rga->sums, part) != NULL))
        return true;
    struct new_sum sum = {.part = part};
    if (collect->collected.bytes - before.bytes < PART_BYTES_MIN ||
        !chain_text(sum.hash, collect->rga, part)) {
        visit_part(collect, part.agent, part.first, end, false);
        collect->collected = before;
        return true;
    }
    return weft_buffer_append(&collect->sums, &sum, sizeof sum) == WEFT_OK;
}

static bool take_agent(struct collect *collect, uint32_t agent)
{
    const struct agent *entry = agents_at(&collect->rga->agents, agent);
    uint32_t seq = 0;
    if (rga_is_reserved(entry->id)) { // whose id is a hash of their text
        visit_part(collect, agent, 0, entry->next, false);
        return true;
    }
    for (; entry->next - seq >= SUMS_CHUNK_ATOMS; seq += SUMS_CHUNK_ATOMS) {
        if (!take_part(collect, (struct sums_part){agent, seq, true}))
            return false;
    }
    for (; entry->next - seq >= SUMS_BLOCK_ATOMS; seq += SUMS_BLOCK_ATOMS) {
        if (!take_part(collect, (struct sums_part){agent, seq, false}))
            return false;
    }
    visit_part(collect, agent, seq, entry->next, false);
    return true;
}

static bool find(struct collect *collect, const struct filter *filter)
{
    struct rga *rga = collect->rga;
    memset(collect->bits, 0, bits_size(rga->text.length));
    if (filter->now)
        mark_hidden(collect);
    else
        memcpy(collect->bits, filter->hidden, bits_size(rga->text.length));
    spare_undeleted(collect);
    for (uint32_t agent = 0; agent < rga->agents.pool.count; agent++) {
        if (!take_agent(collect, agent))
            return false;
    }
    return true;
}

static bool drop(struct collect *collect)
{
    const struct new_sum *sums = (const void *)collect->sums.data;
    size_t count = collect->sums.size / sizeof *sums;
    if (collect->collected.elements == 0)
        return true;
    if (!sums_reserve(&collect->rga->sums, count) || !text_drop(&collect->rga->text, collect->bits))
        return false;
    for (size_t i = 0; i < count; i++)
        sums_set(&collect->rga->sums, sums[i].part, sums[i].hash);
    rga_trim(collect->rga);
    return true;
}

enum weft_status rga_collect(struct rga *rga, const struct filter *filter,
                             struct rga_collected *collected_out)
{
    struct collect collect = {.rga = rga};
    size_t size = bits_size(rga->text.length);
    collect.bits = memory_alloc(&rga->allocator, size);
    if (collect.bits == NULL)
        return WEFT_NO_MEMORY;
    weft_buffer_init(&collect.sums, &rga->allocator);
    bool done = find(&collect, filter) && drop(&collect);
    if (done)
        *collected_out = collect.collected;
    weft_buffer_finish(&collect.sums);
    memory_free(&rga->allocator, collect.bits, size);
    return done ? WEFT_OK : WEFT_NO_MEMORY;
}

// --------------------------------------------------------------------------------- what is lacking

// Ranges of elements without text and without a mark.
static bool visit_unmarked(const struct text *text, const uint64_t *bits,
                           bool (*visit)(void *context, uint32_t iv, uint32_t length),
                           void *context)
{
    for (uint32_t iv = 0, piece; iv < text->length; iv += piece) {
        bool gone;
        uint32_t page_end = (iv | (TEXT_PAGE_ELEMENTS - 1)) + 1;
        uint32_t end = page_end < text->length ? page_end : text->length;
        piece = text_alike(text, iv, end - iv, &gone);
        for (uint32_t at = iv, here; gone && at < iv + piece; at += here) {
            here = bits_alike(bits, at, iv + piece);
            if (!bits_at(bits, at) && !visit(context, at, here))
                return false;
        }
    }
    return true;
}

bool rga_visit_lacking(struct rga *rga, bool (*visit)(void *context, uint32_t iv, uint32_t length),
                       void *context)
{
    if (rga->complete || rga->text.gone == 0)
        return true;
    size_t size = bits_size(rga->text.length);
    uint64_t *bits = memory_alloc(&rga->allocator, size);
    if (bits == NULL)
        return false;
    memset(bits, 0, size);
    // No undelete names what has no text, so one delete is enough, for ever.
    for (uint32_t row = 0; row < rga->log.ops.count; row++) {
        const struct op *op = oplog_at(&rga->log, row);
        if (op_kind(op) == WEFT_RUN_DELETE)
            mark(rga, bits, rga_deleted_range(op, op->seq, op_seq_end(op)), true);
    }
    bool all = visit_unmarked(&rga->text, bits, visit, context);
    memory_free(&rga->allocator, bits, size);
    return all;
}

static bool count_range(void *context, uint32_t iv, uint32_t length)
{
    uint64_t *count = context;
    (void)iv;
    *count += length;
    return true;
}

bool rga_count_lacking(struct rga *rga, uint64_t *count_out)
{
    *count_out = 0;
    if (!rga_visit_lacking(rga, count_range, count_out))
        return false;
    rga->complete = *count_out == 0;
    return true;
}

static bool undelete_has_text(struct rga *rga, const struct op *op)
{
    struct rga_named named = rga_named_make(op, 0, op_length(op));
    for (uint32_t iv, length; rga_named_next(rga, &named, &iv, &length);) {
        if (text_lacks(&rga->text, iv, length))
            return false;
    }
    return true;
}

bool rga_gone_is_sound(struct rga *rga)
{
    for (uint32_t row = 0; row < rga->log.ops.count; row++) {
        const struct op *op = oplog_at(&rga->log, row);
        if ((op_kind(op) == WEFT_RUN_INSERT && !rga_gone_is_hashed(rga, op)) ||
            (op_kind(op) == WEFT_RUN_UNDELETE && !undelete_has_text(rga, op)))
            return false;
    }
    for (size_t i = 0; i < rga->load_lacking_count; i++) {
        uint32_t iv = rga->load_lacking[i].iv;
        for (uint32_t end = iv + rga->load_lacking[i].length; iv < end; iv++) {
            if (!text_lacks(&rga->text, iv, 1))
                return false;
        }
    }
    return true;
}

bool rga_part_lacks(struct rga *rga, struct sums_part part)
{
    uint32_t next = agents_at(&rga->agents, part.agent)->next;
    uint32_t end = sums_end(part) < next ? sums_end(part) : next;
    for (uint32_t seq = part.first; seq < end && rga->text.gone > 0;) {
        struct rga_targets piece = rga_targets_at(rga, part.agent, seq, end);
        if (op_kind(piece.op) == WEFT_RUN_INSERT &&
            text_lacks(&rga->text, piece.op->iv + (seq - piece.op->seq), piece.end - seq))
            return true;
        seq = piece.end;
    }
    return false;
}

bool rga_has_text(struct rga *rga, struct covers_range elements)
{
    while (elements.first < elements.end && rga->text.gone > 0) {
        struct rga_targets piece =
            rga_targets_at(rga, elements.agent, elements.first, elements.end);
        if (text_lacks(&rga->text, piece.op->iv + (piece.first - piece.op->seq),
                       piece.end - piece.first))
            return false;
        elements.first = piece.end;
    }
    return true;
}
