// SPDX-License-Identifier: MIT
// Building a sequence from what was kept of it: the rows of the log.
#include <string.h>

#include "base/bits.h"
#include "crdt/rga_impl.h"

bool rga_load_init(struct rga_load *load, struct rga *rga, const struct rga_need *need)
{
    *load = (struct rga_load){
        .rga = rga,
        .elements_max = (uint32_t)need->elements,
        .deleted_size = bits_size(need->elements),
        .covered_size = need->runs * sizeof(uint32_t),
        .stretches_size = need->agents * sizeof(uint32_t),
    };
    if (!oplog_reserve(&rga->log, need->runs, 0) ||
        !text_reserve(&rga->text, need->elements, need->bytes))
        return false;
    load->deleted = memory_alloc(&rga->allocator, load->deleted_size);
    if (load->deleted == NULL)
        return false;
    memset(load->deleted, 0, load->deleted_size);
    if (need->agents > 0) {
        load->stretches = memory_alloc(&rga->allocator, load->stretches_size);
        if (load->stretches == NULL)
            return false;
        memset(load->stretches, 0, load->stretches_size);
    }
    return true;
}

void rga_load_finish(struct rga_load *load)
{
    const struct weft_allocator *allocator = &load->rga->allocator;
    memory_free(allocator, load->deleted, load->deleted != NULL ? load->deleted_size : 0);
    memory_free(allocator, load->stretches, load->stretches != NULL ? load->stretches_size : 0);
    memory_free(allocator, load->late, load->late_capacity * sizeof load->late[0]);
    rga_load_finish_slots(load);
}

// ------------------------------------------------------------------------------------ single rows

// An insert. `op` has its agent, seq and Lamport time.
static bool load_insert(struct rga_load *load, const struct rga_load_row *row, struct op *op)
{
    const struct oplog *log = &load->rga->log;
    uint32_t page_room = TEXT_PAGE_ELEMENTS - (load->elements & (TEXT_PAGE_ELEMENTS - 1));
    if (row->length > load->elements_max - load->elements || row->length > page_room)
        return false;
    op->iv = load->elements;
    load->elements += row->length;
    op->inherited = (struct op_key){.lamport = 0, .agent = AGENT_NONE};
    if (row->target == OP_NONE)
        return !row->flag; // the root has no left children
    const struct op *parent = oplog_at(log, row->target);
    if (op_kind(parent) != WEFT_RUN_INSERT || row->from >= op_length(parent))
        return false;
    uint32_t offset = row->flag ? row->from : op_length(parent) - 1 - row->from;
    op->target_agent = parent->agent;
    op->target_seq = parent->seq + offset;
    op->inherited = row->flag ? op_right_key(parent, offset) : op_left_key(parent);
    return parent->lamport + offset < op->lamport;
}

// Notes a row whose targets are looked at when all rows are there.
static bool put_off(struct rga_load *load, uint32_t row)
{
    if (!memory_grow(&load->rga->allocator, (void **)&load->late, &load->late_capacity,
                     load->late_count + UINT64_C(1), sizeof load->late[0]))
        return false;
    load->late[load->late_count++] = row;
    return true;
}

// A delete, or an undelete. When all targets are in one row, as they mostly are, this is all.
static enum weft_status load_targets(struct rga_load *load, const struct rga_load_row *row,
                                     struct op *op)
{
    const struct oplog *log = &load->rga->log;
    uint32_t kind = row->kind == WEFT_RUN_DELETE ? WEFT_RUN_INSERT : WEFT_RUN_DELETE;
    if (row->target == OP_NONE || (row->flag && (kind != WEFT_RUN_INSERT || row->length == 1)))
        return WEFT_MALFORMED;
    const struct op *target = oplog_at(log, row->target);
    if (op_kind(target) != kind || row->from >= op_length(target))
        return WEFT_MALFORMED;
    uint32_t offset = row->flag ? op_length(target) - 1 - row->from : row->from;
    op->target_agent = target->agent;
    op->target_seq = target->seq + offset;
    // Going up, all atoms are as near to their targets in time; going down, the first is nearest.
    if (target->lamport + offset >= op->lamport || (row->flag && row->length - 1 > op->target_seq))
        return WEFT_MALFORMED;
    load->undeletes |= row->kind == WEFT_RUN_UNDELETE;
    if (row->length > (row->flag ? offset + 1 : op_length(target) - offset))
        return put_off(load, log->ops.count) ? WEFT_OK : WEFT_NO_MEMORY;
    if (row->kind == WEFT_RUN_DELETE) {
        uint32_t first = target->iv + (row->flag ? offset - (row->length - 1) : offset);
        bits_set(load->deleted, first, first + row->length);
    }
    return WEFT_OK;
}

static enum weft_status load_unknown(struct rga_load *load, const struct rga_load_row *row,
                                     struct op *op)
{
    struct oplog *log = &load->rga->log;
    if (row->kind == WEFT_RUN_NOP && row->payload.size > 0)
        return WEFT_MALFORMED;
    if (!oplog_reserve_payloads(log, 1, row->payload.size))
        return WEFT_NO_MEMORY;
    op->iv = oplog_add_payload(log, row->payload);
    return WEFT_OK;
}

// An agent of the reserved class has one run of inserts; pages of text may have cut it.
static bool reserved_is_valid(const struct agent *entry, uint32_t agent, const struct op *op)
{
    if (op_kind(op) != WEFT_RUN_INSERT || op_flag(op))
        return false;
    return op->seq == 0 || (op->target_agent == agent && op->target_seq == op->seq - 1 &&
                            op->lamport == entry->lamport + 1);
}

static enum weft_status load_row(struct rga_load *load, const struct rga_load_row *row)
{
    struct rga *rga = load->rga;
    struct oplog *log = &rga->log;
    struct agent *entry = agents_at(&rga->agents, row->agent);
    struct op op = {
        .agent = row->agent,
        .seq = entry->next,
        .lamport = row->lamport,
        .bits = op_bits(row->kind, row->flag, row->length),
        .target_agent = AGENT_NONE,
    };
    if (row->lamport <= entry->lamport || row->lamport <= entry->next ||
        row->lamport > OP_LAMPORT_MAX - (row->length - 1) ||
        (row->target != OP_NONE && row->target >= log->ops.count))
        return WEFT_MALFORMED;
    enum weft_status status;
    if (row->kind == WEFT_RUN_INSERT)
        status = load_insert(load, row, &op) ? WEFT_OK : WEFT_MALFORMED;
    else if (op_kind_names(row->kind))
        status = load_targets(load, row, &op);
    else
        status = load_unknown(load, row, &op);
    if (status != WEFT_OK)
        return status;
    if (rga_is_reserved(entry->id)) {
        if (!reserved_is_valid(entry, row->agent, &op))
            return WEFT_MALFORMED;
        load->reserved = true;
    }
    const struct op *last = oplog_last(log);
    load->stretches[row->agent] += last == NULL || last->agent != row->agent;
    oplog_load(log, &op);
    rga_advance(rga, row->agent, op.seq + row->length, row->lamport + (row->length - 1));
    return WEFT_OK;
}

enum weft_status rga_load_rows(struct rga_load *load, const struct rga_load_row *rows,
                               uint32_t count)
{
    const struct oplog *log = &load->rga->log;
    // What rows name is anywhere in the log: all of it is on the way before the first is looked at.
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].target < log->ops.count)
            __builtin_prefetch(oplog_at(log, rows[i].target));
    }
    for (uint32_t i = 0; i < count; i++) {
        enum weft_status status = load_row(load, &rows[i]);
        if (status != WEFT_OK)
            return status;
    }
    return WEFT_OK;
}

// ---------------------------------------------------------------------- when all rows are there

// Targets in several rows: all of them before the row that names them.
static bool targets_precede(struct rga *rga, uint32_t row)
{
    const struct op *op = oplog_at(&rga->log, row);
    uint32_t length = op_length(op);
    uint32_t first = op_flag(op) ? op->target_seq - (length - 1) : op->target_seq;
    if (length > agents_at(&rga->agents, op->target_agent)->next - first)
        return false;
    for (uint32_t seq = first; seq < first + length;) {
        uint32_t at = oplog_find(&rga->log, op->target_agent, seq);
        if (at >= row)
            return false;
        seq = op_seq_end(oplog_at(&rga->log, at));
    }
    return rga_targets_are_valid(rga, op->target_agent, op);
}

// Marks elements [seq, end) of an agent as deleted.
static void mark_deleted(struct rga_load *load, uint32_t agent, uint32_t seq, uint32_t end)
{
    while (seq < end) {
        struct rga_targets piece = rga_targets_at(load->rga, agent, seq, end);
        uint32_t iv = piece.op->iv + (seq - piece.op->seq);
        bits_set(load->deleted, iv, iv + (piece.end - seq));
        seq = piece.end;
    }
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
        // Each delete has a step at its end.
        mark_deleted(load, (uint32_t)(ordmap_key(deletes, at) >> 32),
                     (uint32_t)ordmap_key(deletes, at), (uint32_t)ordmap_key(deletes, next));
    }
    return true;
}

enum weft_status rga_load_rows_end(struct rga_load *load)
{
    struct rga *rga = load->rga;
    if (load->elements != load->elements_max || rga->authors != rga->agents.pool.count)
        return WEFT_MALFORMED;
    if (!oplog_load_starts(&rga->log, load->stretches, rga->agents.pool.count))
        return WEFT_NO_MEMORY;
    for (uint32_t i = 0; i < load->late_count; i++) {
        const struct op *op = oplog_at(&rga->log, load->late[i]);
        if (!targets_precede(rga, load->late[i]))
            return WEFT_MALFORMED;
        if (op_kind(op) != WEFT_RUN_DELETE)
            continue;
        struct covers_range range = rga_deleted_range(op, op->seq, op_seq_end(op));
        mark_deleted(load, range.agent, range.first, range.end);
    }
    if (load->undeletes && !find_deleted(load))
        return WEFT_NO_MEMORY;
    for (size_t i = 0; i < rga->load_lacking_count; i++) {
        const struct rga_load_range *range = &rga->load_lacking[i];
        if (range->iv >= load->elements || range->length > load->elements - range->iv)
            return WEFT_MALFORMED;
        bits_set(load->deleted, range->iv, range->iv + range->length);
    }
    return WEFT_OK;
}
