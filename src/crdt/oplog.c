// SPDX-License-Identifier: MIT
// The operation log.
#include "crdt/oplog.h"

#include <assert.h>
#include <string.h>

enum { PAYLOADS_PAGE_SHIFT = 6 };

void oplog_init(struct oplog *log, const struct weft_allocator *allocator)
{
    *log = (struct oplog){.found = 0};
    pool_init(&log->ops, allocator, sizeof(struct op), OPLOG_PAGE_SHIFT);
    pool_init(&log->payloads, allocator, sizeof(struct payload), PAYLOADS_PAGE_SHIFT);
    weft_buffer_init(&log->payload_bytes, allocator);
    ordmap_init(&log->starts, allocator);
}

void oplog_finish(struct oplog *log)
{
    weft_buffer_finish(&log->payload_bytes);
    pool_finish(&log->payloads);
    pool_finish(&log->ops);
    ordmap_finish(&log->starts);
}

bool oplog_reserve(struct oplog *log, uint64_t rows, uint64_t stretches)
{
    return pool_reserve(&log->ops, rows) && ordmap_reserve(&log->starts, stretches);
}

bool oplog_reserve_payloads(struct oplog *log, uint64_t count, uint64_t bytes)
{
    return pool_reserve(&log->payloads, count) && bytes <= SIZE_MAX &&
           weft_buffer_reserve(&log->payload_bytes, (size_t)bytes) == WEFT_OK;
}

uint32_t oplog_add_payload(struct oplog *log, struct span payload)
{
    struct weft_buffer *bytes = &log->payload_bytes;
    assert(pool_has_room(&log->payloads, 1) && payload.size <= bytes->capacity - bytes->size);
    uint32_t number = log->payloads.count++;
    struct payload *slot = pool_at(&log->payloads, number);
    *slot = (struct payload){.start = bytes->size, .size = payload.size};
    if (payload.size > 0)
        memcpy(bytes->data + bytes->size, payload.data, payload.size);
    bytes->size += payload.size;
    return number;
}

static uint64_t start_key(uint32_t agent, uint32_t seq)
{
    return (uint64_t)agent << 32 | seq;
}

uint32_t oplog_append(struct oplog *log, const struct op *op)
{
    assert(pool_has_room(&log->ops, 1));
    const struct op *last = oplog_last(log);
    uint32_t row = log->ops.count++;
    if (last == NULL || last->agent != op->agent)
        ordmap_put(&log->starts, start_key(op->agent, op->seq), row);
    *oplog_at(log, row) = *op;
    log->atoms += op_length(op);
    return row;
}

// A row of the agent at or before the atom, from the row that was found last downwards; OP_NONE
// when another agent's are in the way. @param step_out How many rows past it the atom may be,
// about.
static uint32_t find_near(const struct oplog *log, uint32_t agent, uint32_t seq, uint32_t *step_out)
{
    uint32_t row = log->found;
    uint32_t step = 0;
    while (row < log->ops.count && oplog_at(log, row)->agent == agent) {
        *step_out = step > 0 ? step / 2 : 1;
        if (oplog_at(log, row)->seq <= seq)
            return row;
        step = step > 0 ? 2 * step : 1;
        row = step <= log->found ? log->found - step : OP_NONE;
    }
    return OP_NONE;
}

// The last row of the agent that begins at or before the atom, in what is of the agent from `low`
// on: an agent's rows ascend in seq.
static uint32_t find_up(const struct oplog *log, uint32_t agent, uint32_t seq, uint32_t low,
                        uint32_t step)
{
    uint32_t count = log->ops.count;
    while (step > 0) {
        const struct op *op = step < count - low ? oplog_at(log, low + step) : NULL;
        if (op != NULL && op->agent == agent && op->seq <= seq) {
            low += step;
            step *= 2;
        } else {
            step /= 2;
        }
    }
    return low;
}

uint32_t oplog_find_far(struct oplog *log, uint32_t agent, uint32_t seq)
{
    if (log->found + 1 < log->ops.count && op_holds(oplog_at(log, log->found + 1), agent, seq))
        return ++log->found;
    uint32_t step;
    uint32_t row = find_near(log, agent, seq, &step);
    if (row != OP_NONE) {
        row = find_up(log, agent, seq, row, step);
        if (op_holds(oplog_at(log, row), agent, seq)) {
            log->found = row;
            return row;
        }
    }
    struct ordmap_at start = ordmap_seek(&log->starts, start_key(agent, seq));
    if (start.node == ORDMAP_NONE || ordmap_key(&log->starts, start) >> 32 != agent)
        return OP_NONE;
    row = find_up(log, agent, seq, ordmap_value(&log->starts, start), 1);
    if (!op_holds(oplog_at(log, row), agent, seq))
        return OP_NONE;
    log->found = row;
    return row;
}
