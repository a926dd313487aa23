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

bool oplog_load_starts(struct oplog *log, uint32_t *stretches, uint32_t agents)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < agents; i++) {
        uint32_t here = stretches[i];
        stretches[i] = sum;
        sum += here;
    }
    if (!ordmap_load(&log->starts, sum))
        return false;
    // An agent's rows ascend in seq.
    uint32_t last = AGENT_NONE;
    for (uint32_t row = 0; row < log->ops.count; row++) {
        const struct op *op = oplog_at(log, row);
        if (op->agent != last)
            ordmap_load_entry(&log->starts, stretches[op->agent]++, start_key(op->agent, op->seq),
                              row);
        last = op->agent;
    }
    ordmap_load_finish(&log->starts);
    return true;
}

// Whether a row is of the agent and begins at or before the atom.
static bool row_precedes(const struct oplog *log, uint32_t row, uint32_t agent, uint32_t seq)
{
    const struct op *op = oplog_at(log, row);
    return op->agent == agent && op->seq <= seq;
}

// From a row, at a cost logarithmic in how far it is: the row that holds the atom, when it is of
// the same stretch of rows of its agent, which ascend in seq; else any other.
static uint32_t find_near(const struct oplog *log, uint32_t row, uint32_t agent, uint32_t seq)
{
    uint32_t count = log->ops.count;
    uint32_t step = 1;
    if (row_precedes(log, row, agent, seq)) {
        while (step < count - row && row_precedes(log, row + step, agent, seq)) {
            row += step;
            step *= 2;
        }
    } else {
        while (oplog_at(log, row)->agent == agent && step <= row &&
               !row_precedes(log, row, agent, seq)) {
            row -= step;
            step *= 2;
        }
        if (!row_precedes(log, row, agent, seq))
            return row;
        step /= 2;
    }
    // The last row that precedes the atom is less than `step` rows up from here.
    while ((step /= 2) > 0) {
        if (step < count - row && row_precedes(log, row + step, agent, seq))
            row += step;
    }
    return row;
}

// Where the row is noted that atoms near to this one were found in last.
static uint32_t *hint_of(struct oplog *log, uint32_t agent, uint32_t seq)
{
    return &log->hints[(31 * agent + (seq >> OPLOG_HINT_SHIFT)) % OPLOG_HINTS];
}

uint32_t oplog_find_far(struct oplog *log, uint32_t agent, uint32_t seq)
{
    if (log->ops.count == 0)
        return OP_NONE;
    uint32_t *hint = hint_of(log, agent, seq);
    uint32_t row = log->found + 1;
    if (row >= log->ops.count || !op_holds(oplog_at(log, row), agent, seq))
        row = find_near(log, *hint, agent, seq);
    if (!op_holds(oplog_at(log, row), agent, seq)) {
        struct ordmap_at start = ordmap_seek(&log->starts, start_key(agent, seq));
        if (start.node == ORDMAP_NONE)
            return OP_NONE;
        row = find_near(log, ordmap_value(&log->starts, start), agent, seq);
        if (!op_holds(oplog_at(log, row), agent, seq))
            return OP_NONE;
    }
    log->found = row;
    *hint = row;
    return row;
}
