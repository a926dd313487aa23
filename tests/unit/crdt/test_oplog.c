// SPDX-License-Identifier: MIT
// crdt/oplog.h: rows of many agents are found again by any of their atoms, wherever one looked
// before.
#include <string.h>

#include <criterion/criterion.h>

#include "crdt/oplog.h"
#include "tests/support/allocator.h"

enum { AGENTS = 7, ROWS = 3000, ATOMS_MAX = 20000 };

/// A small generator: the same walk in each run.
static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33);
}

/// By agent and seq: the row, as a plain table.
static uint32_t rows[AGENTS][ATOMS_MAX];
static uint32_t ends[AGENTS];

/// Rows in stretches: an agent goes on for some, then another does; some are very long.
static void fill(struct oplog *log)
{
    uint64_t state = 3;
    uint32_t agent = 0;
    memset(ends, 0, sizeof(ends));
    for (uint32_t row = 0; row < ROWS; row++) {
        if (next(&state) % 9 == 0)
            agent = next(&state) % AGENTS;
        uint32_t length = next(&state) % 50 == 0 ? 300 : 1 + next(&state) % 6;
        length = length < ATOMS_MAX - ends[agent] ? length : 1;
        struct op op = {.agent = agent,
                        .seq = ends[agent],
                        .lamport = row + 1,
                        .bits = op_bits(WEFT_RUN_INSERT, false, length)};
        cr_assert(oplog_reserve(log, 1, 1));
        cr_assert_eq(oplog_append(log, &op), row);
        for (uint32_t i = 0; i < length; i++)
            rows[agent][ends[agent]++] = row;
    }
}

Test(oplog, any_atom_is_found_wherever_one_looked_before)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct oplog log;
    uint64_t state = 5;
    uint64_t atoms = 0;
    oplog_init(&log, &allocator);
    cr_assert_eq(oplog_find(&log, 0, 0), OP_NONE);
    fill(&log);
    for (uint32_t agent = 0; agent < AGENTS; agent++) // one after the other
        for (uint32_t seq = 0; seq < ends[agent]; seq++, atoms++)
            cr_assert_eq(oplog_find(&log, agent, seq), rows[agent][seq]);
    cr_assert_eq(log.atoms, atoms);
    uint32_t agent = 0;
    uint32_t seq = 0;
    for (int i = 0; i < 200000; i++) { // near to the last, or anywhere
        uint32_t how = next(&state) % 8;
        if (how == 0)
            agent = next(&state) % AGENTS;
        if (how <= 1 || seq >= ends[agent])
            seq = next(&state) % ends[agent];
        else if (how < 5)
            seq = seq + next(&state) % 40 < ends[agent] ? seq + next(&state) % 40 : 0;
        else
            seq -= next(&state) % 40 % (seq + 1);
        seq = seq < ends[agent] ? seq : ends[agent] - 1;
        cr_assert_eq(oplog_find(&log, agent, seq), rows[agent][seq], "%u:%u", agent, seq);
    }
    for (agent = 0; agent < AGENTS; agent++) {
        cr_assert_eq(oplog_find(&log, agent, ends[agent]), OP_NONE);
        cr_assert_eq(oplog_find(&log, agent, UINT32_MAX - 1), OP_NONE);
    }
    cr_assert_eq(oplog_find(&log, AGENTS, 0), OP_NONE);
    oplog_finish(&log);
    cr_assert_eq(counted.used, 0);
}

Test(oplog, payloads_come_back_and_a_reservation_without_memory_changes_nothing)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct oplog log;
    oplog_init(&log, &allocator);
    for (uint32_t i = 0; i < 300; i++) {
        uint8_t bytes[64];
        memset(bytes, (int)i, sizeof(bytes));
        counted.fail_from = counted.calls + 1;
        bool reserved = oplog_reserve(&log, 1, 1) && oplog_reserve_payloads(&log, 1, i % 64);
        counted.fail_from = UINT64_MAX;
        cr_assert_eq(log.ops.count, i);
        cr_assert(reserved ||
                  (oplog_reserve(&log, 1, 1) && oplog_reserve_payloads(&log, 1, i % 64)));
        struct op op = {.agent = 1,
                        .seq = i,
                        .lamport = i + 1,
                        .bits = op_bits(9, false, 1),
                        .iv = oplog_add_payload(&log, (struct span){bytes, i % 64})};
        oplog_append(&log, &op);
    }
    for (uint32_t i = 0; i < 300; i++) {
        struct span payload = oplog_payload(&log, oplog_at(&log, oplog_find(&log, 1, i)));
        cr_assert_eq(payload.size, i % 64);
        for (size_t j = 0; j < payload.size; j++)
            cr_assert_eq(payload.data[j], (uint8_t)i);
    }
    oplog_finish(&log);
    cr_assert_eq(counted.used, 0);
}
