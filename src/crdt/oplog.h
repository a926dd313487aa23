// SPDX-License-Identifier: MIT
// The operation log: rows in this replica's arrival order, which is causal, append-only but for the
// last row, which may grow. And the way from (agent, seq) to its row.
//
//   rows    [ A 0..4 ][ A 5..9 ][ B 0..2 ][ A 10..11 ][ A 12 ] ...
//   starts    A,0 -> 0            B,0 -> 2   A,10 -> 3            one entry a stretch of one agent
//
// May include: base, crdt/op.h.
#ifndef WEFT_CRDT_OPLOG_H
#define WEFT_CRDT_OPLOG_H

#include "base/bytes.h"
#include "crdt/op.h"

#define OP_NONE UINT32_MAX

enum {
    OPLOG_PAGE_SHIFT = 9,
    OPLOG_HINTS = 64,     // a power of 2
    OPLOG_HINT_SHIFT = 6, // atoms that share a hint
};

/// What an operation of a kind that this build does not know carries.
struct payload {
    size_t start; // in the log's payload_bytes
    size_t size;
};

struct oplog {
    struct pool ops;      // struct op
    struct ordmap starts; // agent << 32 | seq -> row
    struct pool payloads; // struct payload
    struct weft_buffer payload_bytes;
    uint32_t found;              // row of the last oplog_find(): where the next is likely to be
    uint32_t hints[OPLOG_HINTS]; // rows that were found: where what is near to it will be
    uint64_t atoms;              // of all rows
};

/// Allocates nothing.
void oplog_init(struct oplog *log, const struct weft_allocator *allocator);
void oplog_finish(struct oplog *log);
/// @param stretches Of rows of one agent after each other.
bool oplog_reserve(struct oplog *log, uint64_t rows, uint64_t stretches);
bool oplog_reserve_payloads(struct oplog *log, uint64_t count, uint64_t bytes);
/// Copies `payload` into the log. Room must have been reserved. @return its number.
uint32_t oplog_add_payload(struct oplog *log, struct span payload);
/// Room must have been reserved. @return the row's index.
uint32_t oplog_append(struct oplog *log, const struct op *op);
/// oplog_append() for loading: oplog_find() knows the row after oplog_load_starts() only.
static inline void oplog_load(struct oplog *log, const struct op *op);
/// @param stretches For each agent, its rows that come after another agent's; is used up.
/// @return false when there is no memory.
bool oplog_load_starts(struct oplog *log, uint32_t *stretches, uint32_t agents);
/// oplog_find() when the atom is in another row than the last one that was found.
uint32_t oplog_find_far(struct oplog *log, uint32_t agent, uint32_t seq);

static inline struct op *oplog_at(const struct oplog *log, uint32_t row)
{
    return POOL_AT(&log->ops, struct op, OPLOG_PAGE_SHIFT, row);
}

static inline void oplog_load(struct oplog *log, const struct op *op)
{
    *oplog_at(log, log->ops.count++) = *op;
    log->atoms += op_length(op);
}

/// The row that holds the atom, or OP_NONE.
static inline uint32_t oplog_find(struct oplog *log, uint32_t agent, uint32_t seq)
{
    if (log->found < log->ops.count && op_holds(oplog_at(log, log->found), agent, seq))
        return log->found;
    return oplog_find_far(log, agent, seq);
}

/// The last row, or NULL.
static inline struct op *oplog_last(const struct oplog *log)
{
    return log->ops.count == 0 ? NULL : oplog_at(log, log->ops.count - 1);
}

/// Lets the last row have `extra` more atoms.
static inline void oplog_extend(struct oplog *log, struct op *last, uint32_t extra)
{
    last->bits += extra << OP_LENGTH_SHIFT;
    log->atoms += extra;
}

static inline struct span oplog_payload(const struct oplog *log, const struct op *op)
{
    const struct payload *payload = pool_at(&log->payloads, op->iv);
    if (payload->size == 0)
        return (struct span){NULL, 0};
    return (struct span){.data = log->payload_bytes.data + payload->start, .size = payload->size};
}

#endif
