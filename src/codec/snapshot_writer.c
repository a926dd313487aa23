// SPDX-License-Identifier: MIT
// Snapshots: writing.
#include <string.h>

#include "base/endian.h"
#include "base/varint.h"
#include "codec/snapshot.h"
#include "codec/snapshot_bits.h"

enum {
    ROW_SIZE_MAX = 1 + 7 * VARINT_SIZE_MAX, // but for its payload
    SLOT_SIZE_MAX = 2 * VARINT_SIZE_MAX,
    ROW_SIZE_LIKELY = 5,
    SLOT_SIZE_LIKELY = 4,
    ROWS_NEAR = 8,   // to be looked at one by one
    SPARSE_MAX = 24, // a place of the index holds 2^24 atoms at most
};

// A slot that is not written yet: the next may be its continuation from another leaf.
struct pending_slot {
    uint32_t iv;
    uint32_t length; // 0: none
    uint32_t row;
    bool deleted;
};

struct encoder {
    struct rga *rga;
    struct weft_buffer rows;  // encoded
    struct weft_buffer slots; // likewise
    struct weft_buffer *text;
    struct weft_buffer *tombs;
    uint32_t *numbers; // of agents: in ascending order of ids, of those that have atoms
    // Where the rows are that atoms lie in: for every 2^shift atoms of an agent, from its `first`
    // place on, a row that is not after the first of them.
    uint32_t *first;
    uint32_t *places;
    size_t places_count;
    uint32_t shift;
    struct pending_slot pending;
    uint32_t row; // of the slot before
    uint64_t slot_count;
};

static void put(struct weft_buffer *out, uint64_t value)
{
    out->size += varint_put(out->data + out->size, value);
}

// --------------------------------------------------------------------------------- finding rows

static uint32_t agent_count(const struct encoder *encoder)
{
    return encoder->rga->agents.pool.count;
}

static void number_agents(struct encoder *encoder)
{
    const struct agents *agents = &encoder->rga->agents;
    uint32_t number = 0;
    for (struct ordmap_at at = ordmap_first(&agents->by_id); at.node != ORDMAP_NONE;
         at = ordmap_next(&agents->by_id, at)) {
        uint32_t index = ordmap_value(&agents->by_id, at);
        if (agents_at(agents, index)->next > 0)
            encoder->numbers[index] = number++;
    }
}

// About as many places as there are rows.
static bool index_rows(struct encoder *encoder)
{
    const struct rga *rga = encoder->rga;
    const struct oplog *log = &rga->log;
    while (encoder->shift < SPARSE_MAX && log->atoms >> encoder->shift > log->ops.count)
        encoder->shift++;
    uint64_t count = 0;
    for (uint32_t i = 0; i < agent_count(encoder); i++) {
        encoder->first[i] = (uint32_t)count;
        count += (agents_at(&rga->agents, i)->next >> encoder->shift) + 1;
    }
    encoder->places = memory_alloc(&rga->allocator, (size_t)count * sizeof encoder->places[0]);
    if (encoder->places == NULL)
        return false;
    encoder->places_count = (size_t)count;
    for (uint32_t row = 0; row < log->ops.count; row++) {
        const struct op *op = oplog_at(log, row);
        uint32_t *places = &encoder->places[encoder->first[op->agent]];
        uint32_t mask = (1u << encoder->shift) - 1;
        uint32_t place = (op->seq >> encoder->shift) + ((op->seq & mask) != 0);
        for (; (uint64_t)place << encoder->shift < op_seq_end(op); place++)
            places[place] = row;
    }
    return true;
}

static uint32_t find_row(const struct encoder *encoder, uint32_t agent, uint32_t seq)
{
    struct oplog *log = &encoder->rga->log;
    uint32_t row = encoder->places[encoder->first[agent] + (seq >> encoder->shift)];
    for (uint32_t end = row + ROWS_NEAR; row < end && row < log->ops.count; row++) {
        if (op_holds(oplog_at(log, row), agent, seq))
            return row;
    }
    return oplog_find(log, agent, seq);
}

// ----------------------------------------------------------------------------------------- rows

static void put_target(struct encoder *encoder, uint32_t row, uint32_t target, uint32_t from)
{
    put(&encoder->rows, row - target - 1);
    if (from > 0)
        put(&encoder->rows, from - 1);
}

static enum weft_status encode_row(struct encoder *encoder, uint32_t row, const struct op *before)
{
    const struct rga *rga = encoder->rga;
    const struct op *op = oplog_at(&rga->log, row);
    uint32_t kind = op_kind(op);
    bool named = op_kind_names(kind);
    bool root = kind == WEFT_RUN_INSERT && op->target_agent == AGENT_NONE;
    struct span payload = {NULL, 0};
    uint32_t target = OP_NONE;
    uint32_t from = 0;
    if (!named) {
        payload = oplog_payload(&rga->log, op);
    } else if (!root) {
        target = find_row(encoder, op->target_agent, op->target_seq);
        const struct op *at = oplog_at(&rga->log, target);
        from = op->target_seq - at->seq;
        if ((kind == WEFT_RUN_INSERT) != op_flag(op))
            from = op_length(at) - 1 - from;
    }
    enum weft_status status = weft_buffer_reserve(&encoder->rows, ROW_SIZE_MAX + payload.size);
    if (status != WEFT_OK)
        return status;
    uint32_t lamport = before != NULL ? before->lamport + op_length(before) : 1;
    bool other = before == NULL ? encoder->numbers[op->agent] != 0 : op->agent != before->agent;
    struct weft_buffer *out = &encoder->rows;
    out->data[out->size++] =
        (uint8_t)((named ? kind : KEPT_KIND) | (op_flag(op) ? KEPT_FLAG : 0u) |
                  (op_length(op) == 1 ? KEPT_ONE : 0u) | (other ? KEPT_AGENT : 0u) |
                  (op->lamport != lamport ? KEPT_LAMPORT : 0u) | (root ? KEPT_ROOT : 0u) |
                  (target != OP_NONE && from == 0 ? KEPT_LIKELY : 0u));
    if (!named)
        put(out, kind);
    if (other)
        put(out, encoder->numbers[op->agent]);
    if (op->lamport != lamport)
        put(out, zigzag_encode(op->lamport, lamport));
    if (op_length(op) != 1)
        put(out, op_length(op) - 2);
    if (target != OP_NONE)
        put_target(encoder, row, target, from);
    if (named)
        return WEFT_OK;
    put(out, payload.size);
    return weft_buffer_append(out, payload.data, payload.size);
}

static enum weft_status encode_rows(struct encoder *encoder)
{
    const struct op *before = NULL;
    for (uint32_t row = 0; row < encoder->rga->log.ops.count; row++) {
        enum weft_status status = encode_row(encoder, row, before);
        if (status != WEFT_OK)
            return status;
        before = oplog_at(&encoder->rga->log, row);
    }
    return WEFT_OK;
}

// ---------------------------------------------------------------------------------------- slots

static enum weft_status flush_slot(struct encoder *encoder)
{
    const struct pending_slot *slot = &encoder->pending;
    if (slot->length == 0)
        return WEFT_OK;
    struct weft_buffer *to = slot->deleted ? encoder->tombs : encoder->text;
    struct span text = text_view(&encoder->rga->text, slot->iv, slot->length);
    enum weft_status status = weft_buffer_append(to, text.data, text.size);
    if (status == WEFT_OK)
        status = weft_buffer_reserve(&encoder->slots, SLOT_SIZE_MAX);
    if (status != WEFT_OK)
        return status;
    const struct op *op = oplog_at(&encoder->rga->log, slot->row);
    uint32_t rest = op_length(op) - (slot->iv - op->iv);
    bool part = slot->length < rest;
    put(&encoder->slots, zigzag_encode(slot->row, encoder->row) << SLOT_ROW_SHIFT |
                             (part ? SLOT_PART : 0u) | (slot->deleted ? SLOT_DELETED : 0u));
    if (part)
        put(&encoder->slots, slot->length - 1);
    encoder->row = slot->row;
    encoder->slot_count++;
    return WEFT_OK;
}

static enum weft_status encode_slots(struct encoder *encoder)
{
    const struct tree *tree = &encoder->rga->tree;
    for (uint32_t i = tree->first; i != TREE_NONE; i = tree_leaf(tree, i)->next) {
        const struct tree_leaf *leaf = tree_leaf(tree, i);
        for (uint32_t slot = 0; slot < leaf->count; slot++) {
            struct pending_slot *pending = &encoder->pending;
            bool deleted = !leaf_visible(leaf, slot);
            if (pending->length > 0 && pending->row == leaf->op[slot] &&
                pending->deleted == deleted && pending->iv + pending->length == leaf->iv[slot]) {
                pending->length += leaf_length(leaf, slot);
                continue;
            }
            enum weft_status status = flush_slot(encoder);
            if (status != WEFT_OK)
                return status;
            *pending = (struct pending_slot){leaf->iv[slot], leaf_length(leaf, slot),
                                             leaf->op[slot], deleted};
        }
    }
    return flush_slot(encoder);
}

// ---------------------------------------------------------------------------------------- whole

static enum weft_status put_agents(struct encoder *encoder, struct weft_buffer *out)
{
    const struct agents *agents = &encoder->rga->agents;
    enum weft_status status = weft_buffer_reserve(out, VARINT_SIZE_MAX + 8 * encoder->rga->authors);
    if (status != WEFT_OK)
        return status;
    put(out, encoder->rga->authors);
    for (struct ordmap_at at = ordmap_first(&agents->by_id); at.node != ORDMAP_NONE;
         at = ordmap_next(&agents->by_id, at)) {
        if (agents_at(agents, ordmap_value(&agents->by_id, at))->next == 0)
            continue;
        endian_put_u64(out->data + out->size, ordmap_key(&agents->by_id, at));
        out->size += 8;
    }
    return WEFT_OK;
}

static enum weft_status put_structure(struct encoder *encoder, struct weft_buffer *out)
{
    uint8_t head[KEPT_HEAD_SIZE + 1] = {SNAPSHOT_VERSION}; // and no flags
    endian_put_u64(head + 1, encoder->rga->epoch.counter);
    memcpy(head + 9, encoder->rga->epoch.random, sizeof encoder->rga->epoch.random);
    enum weft_status status = weft_buffer_append(out, head, sizeof head);
    if (status == WEFT_OK)
        status = put_agents(encoder, out);
    if (status == WEFT_OK)
        status = weft_buffer_reserve(out, 3 * VARINT_SIZE_MAX);
    if (status != WEFT_OK)
        return status;
    put(out, encoder->rga->log.ops.count);
    put(out, encoder->rows.size);
    put(out, encoder->slot_count);
    status = weft_buffer_append(out, encoder->rows.data, encoder->rows.size);
    if (status == WEFT_OK)
        status = weft_buffer_append(out, encoder->slots.data, encoder->slots.size);
    return status;
}

// What is likely enough for all, so that little is moved when it turns out to be too little.
static enum weft_status reserve(struct encoder *encoder)
{
    const struct rga *rga = encoder->rga;
    size_t visible = rga->tree.total.units[WEFT_UTF8];
    enum weft_status status = weft_buffer_reserve(encoder->text, visible);
    if (status == WEFT_OK)
        status = weft_buffer_reserve(encoder->tombs, rga->text.bytes - visible);
    if (status == WEFT_OK)
        status = weft_buffer_reserve(&encoder->rows, ROW_SIZE_LIKELY * (size_t)rga->log.ops.count);
    if (status == WEFT_OK)
        status = weft_buffer_reserve(&encoder->slots, SLOT_SIZE_LIKELY * (size_t)rga->tree.slots);
    return status;
}

static enum weft_status encode(struct encoder *encoder, struct weft_buffer *structure)
{
    enum weft_status status = reserve(encoder);
    if (status != WEFT_OK)
        return status;
    if (agent_count(encoder) > 0) {
        number_agents(encoder);
        if (!index_rows(encoder))
            return WEFT_NO_MEMORY;
        status = encode_rows(encoder);
    }
    if (status == WEFT_OK)
        status = encode_slots(encoder);
    if (status == WEFT_OK)
        status = put_structure(encoder, structure);
    return status;
}

enum weft_status snapshot_encode(struct weft_buffer *structure, struct weft_buffer *text,
                                 struct weft_buffer *tombs, struct rga *rga)
{
    struct encoder encoder = {.rga = rga, .text = text, .tombs = tombs};
    size_t sizes[3] = {structure->size, text->size, tombs->size};
    size_t size = agent_count(&encoder) * 2 * sizeof encoder.numbers[0];
    weft_buffer_init(&encoder.rows, &rga->allocator);
    weft_buffer_init(&encoder.slots, &rga->allocator);
    if (size > 0) {
        encoder.numbers = memory_alloc(&rga->allocator, size);
        if (encoder.numbers == NULL)
            return WEFT_NO_MEMORY;
        encoder.first = encoder.numbers + agent_count(&encoder);
    }
    enum weft_status status = encode(&encoder, structure);
    if (status != WEFT_OK) {
        structure->size = sizes[0];
        text->size = sizes[1];
        tombs->size = sizes[2];
    }
    memory_free(&rga->allocator, encoder.places, encoder.places_count * sizeof encoder.places[0]);
    memory_free(&rga->allocator, encoder.numbers, size);
    weft_buffer_finish(&encoder.slots);
    weft_buffer_finish(&encoder.rows);
    return status;
}
