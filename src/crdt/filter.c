// SPDX-License-Identifier: MIT
// History as a filter.
#include "crdt/filter.h"

#include <string.h>

#include "base/bits.h"
#include "crdt/rga_impl.h"

void filter_init_now(struct filter *filter, struct rga *rga)
{
    *filter = (struct filter){.rga = rga, .now = true};
    ordmap_init(&filter->cancelled, &rga->allocator);
}

bool filter_init(struct filter *filter, struct rga *rga)
{
    struct filter made;
    filter_init_now(&made, rga);
    made.now = false;
    made.agents = rga->agents.pool.count;
    if (made.agents > 0) {
        size_t size = (size_t)made.agents * sizeof made.next[0];
        made.next = memory_alloc(&rga->allocator, size);
        if (made.next == NULL)
            return false;
        memset(made.next, 0, size);
    }
    *filter = made;
    return true;
}

void filter_finish(struct filter *filter)
{
    const struct weft_allocator *allocator = &filter->rga->allocator;
    memory_free(allocator, filter->next, (size_t)filter->agents * sizeof filter->next[0]);
    memory_free(allocator, filter->hidden, bits_size(filter->elements));
    ordmap_finish(&filter->cancelled);
}

bool filter_admit(struct filter *filter, uint64_t agent, uint64_t next)
{
    struct agents *agents = &filter->rga->agents;
    uint32_t index = agents_find(agents, agent);
    if (index == AGENT_NONE || next > agents_at(agents, index)->next)
        return false;
    filter->next[index] = (uint32_t)next;
    return true;
}

uint32_t filter_end(const struct filter *filter, const struct op *op)
{
    uint32_t next = filter->next[op->agent];
    uint32_t end = op_seq_end(op);
    return next < op->seq ? op->seq : next < end ? next : end;
}

static bool is_now(const struct filter *filter)
{
    for (uint32_t i = 0; i < filter->agents; i++) {
        if (filter->next[i] != agents_at(&filter->rga->agents, i)->next)
            return false;
    }
    return true;
}

// What the version's undeletes cancel.
static bool read_undeletes(struct filter *filter)
{
    const struct oplog *log = &filter->rga->log;
    struct ordmap *cancelled = &filter->cancelled;
    uint64_t runs = 0;
    for (uint32_t row = 0; row < log->ops.count; row++) {
        const struct op *op = oplog_at(log, row);
        runs += op_kind(op) == WEFT_RUN_UNDELETE && filter_end(filter, op) > op->seq;
    }
    if (runs == 0)
        return true;
    if (!ordmap_reserve(cancelled, 2 * runs))
        return false;
    for (uint32_t row = 0; row < log->ops.count; row++) {
        const struct op *op = oplog_at(log, row);
        if (op_kind(op) != WEFT_RUN_UNDELETE || filter_end(filter, op) == op->seq)
            continue;
        struct covers_range range = {op->target_agent, op->target_seq,
                                     op->target_seq + (filter_end(filter, op) - op->seq)};
        covers_cut(cancelled, range);
        for (uint32_t end; range.first < range.end; range.first = end)
            *covers_step(cancelled, range, &end) = 1;
    }
    return true;
}

static void hide(struct filter *filter, struct covers_range elements)
{
    while (elements.first < elements.end) {
        struct rga_targets piece =
            rga_targets_at(filter->rga, elements.agent, elements.first, elements.end);
        uint32_t iv = piece.op->iv + (piece.first - piece.op->seq);
        bits_set(filter->hidden, iv, iv + (piece.end - piece.first));
        elements.first = piece.end;
    }
}

// What the version's deletes hide.
static void read_deletes(struct filter *filter)
{
    const struct oplog *log = &filter->rga->log;
    bool any = filter->cancelled.nodes.count > 0;
    for (uint32_t row = 0; row < log->ops.count; row++) {
        const struct op *op = oplog_at(log, row);
        if (op_kind(op) != WEFT_RUN_DELETE)
            continue;
        struct covers_range atoms = {op->agent, op->seq, filter_end(filter, op)};
        while (atoms.first < atoms.end) {
            uint32_t end = atoms.end;
            if (!any || covers_value(&filter->cancelled, atoms, &end) == 0)
                hide(filter, rga_deleted_range(op, atoms.first, end));
            atoms.first = end;
        }
    }
}

bool filter_build(struct filter *filter)
{
    struct rga *rga = filter->rga;
    filter->now = is_now(filter);
    if (filter->now)
        return true;
    size_t size = bits_size(rga->text.length);
    uint64_t *hidden = memory_alloc(&rga->allocator, size);
    if (hidden == NULL)
        return false;
    memset(hidden, 0, size);
    filter->hidden = hidden;
    filter->elements = rga->text.length;
    if (!read_undeletes(filter))
        return false;
    read_deletes(filter);
    return true;
}

uint32_t filter_see(const struct filter *filter, const struct op *op, uint32_t iv, uint32_t length,
                    bool present, bool *visible_out)
{
    *visible_out = present;
    if (filter->now)
        return length;
    uint32_t seq = op->seq + (iv - op->iv);
    uint32_t next = filter->next[op->agent];
    *visible_out = false;
    if (seq >= next)
        return length;
    if (length > next - seq)
        length = next - seq;
    *visible_out = !bits_at(filter->hidden, iv);
    return bits_alike(filter->hidden, iv, iv + length);
}

struct filter_walk filter_walk_start(const struct filter *a, const struct filter *b)
{
    return (struct filter_walk){.filters = {a, b}, .at = {.leaf = a->rga->tree.first}};
}

bool filter_walk_next(struct filter_walk *walk, struct filter_piece *piece_out)
{
    const struct rga *rga = walk->filters[0]->rga;
    struct tree_at *at = &walk->at;
    if (at->leaf == TREE_NONE)
        return false;
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, at->leaf);
    struct filter_piece piece = {
        .op = oplog_at(&rga->log, leaf->op[at->slot]),
        .iv = leaf->iv[at->slot] + at->offset,
        .length = leaf_length(leaf, at->slot) - at->offset,
        .present = leaf_visible(leaf, at->slot),
    };
    for (int i = 0; i < 2 && walk->filters[i] != NULL; i++)
        piece.length = filter_see(walk->filters[i], piece.op, piece.iv, piece.length, piece.present,
                                  &piece.visible[i]);
    at->offset += piece.length;
    if (at->offset == leaf_length(leaf, at->slot)) {
        at->offset = 0;
        at->slot++;
    }
    if (at->slot == leaf->count)
        *at = (struct tree_at){.leaf = leaf->next};
    *piece_out = piece;
    return true;
}
