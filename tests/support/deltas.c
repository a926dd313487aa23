// SPDX-License-Identifier: MIT
#include "tests/support/deltas.h"

#include <assert.h>

/// A delta under construction: its columns and the agents that it names.
struct making {
    struct weft_buffer fields, lengths, positions, text;
    uint64_t agents[2 * DELTA_RUNS_MAX];
    uint64_t next[2 * DELTA_RUNS_MAX];    // by agent: the seq that is predicted
    uint64_t touched[2 * DELTA_RUNS_MAX]; // by agent: the seq that positions are told from
    bool seen[2 * DELTA_RUNS_MAX];
    uint32_t agent_count;
    uint32_t agent;   // of the run before
    uint64_t lamport; // predicted, 0 before the first run
};

static void put_bytes(struct weft_buffer *out, const void *bytes, size_t size)
{
    enum weft_status status = weft_buffer_append(out, bytes, size);
    assert(status == WEFT_OK);
}

static void put_number(struct weft_buffer *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_bytes(out, &(uint8_t){(uint8_t)(value | 0x80)}, 1);
    put_bytes(out, &(uint8_t){(uint8_t)value}, 1);
}

/// A difference, modulo 2^64, with its sign in the lowest bit.
static void put_difference(struct weft_buffer *out, uint64_t value, uint64_t predicted)
{
    uint64_t difference = value - predicted;
    put_number(out, difference << 1 ^ (0 - (difference >> 63)));
}

static uint32_t number_of(struct making *making, uint64_t agent)
{
    for (uint32_t i = 0; i < making->agent_count; i++)
        if (making->agents[i] == agent)
            return i;
    making->agents[making->agent_count] = agent;
    return making->agent_count++;
}

static void put_run(struct making *making, const struct weft_run *run)
{
    enum { FLAG = 16, ONE = 32, TARGET = 64, AGENT = 128, SEQ = 256, LAMPORT = 512, ROOT = 1024 };
    enum { GAPS = 2048 };
    bool gaps = run->kind == WEFT_RUN_COLLECTED;
    bool insert = run->kind == WEFT_RUN_INSERT || gaps;
    bool names = run->kind <= WEFT_RUN_UNDELETE || gaps;
    bool root = insert && run->target.agent == 0;
    uint32_t agent = number_of(making, run->agent);
    uint32_t target = names && !root ? number_of(making, run->target.agent) : agent;
    uint64_t lamport = making->lamport != 0 ? making->lamport : run->seq + 1;
    uint64_t bits = gaps ? GAPS : run->kind;
    bits |= run->left || run->backward ? FLAG : 0;
    bits |= run->length == 1 ? ONE : 0;
    bits |= target != agent ? TARGET : 0;
    bits |= agent != making->agent ? AGENT : 0;
    bits |= run->seq != making->next[agent] ? SEQ : 0;
    bits |= run->lamport != lamport ? LAMPORT : 0;
    bits |= root ? ROOT : 0;
    put_number(&making->fields, bits);
    if ((bits & AGENT) != 0)
        put_number(&making->fields, agent);
    if ((bits & SEQ) != 0)
        put_difference(&making->fields, run->seq, making->next[agent]);
    if ((bits & LAMPORT) != 0)
        put_difference(&making->fields, run->lamport, lamport);
    if ((bits & TARGET) != 0)
        put_number(&making->fields, target);
    if (!making->seen[agent])
        making->touched[agent] = run->seq > 0 ? run->seq - 1 : 0;
    making->seen[agent] = true;
    if (run->length != 1)
        put_number(&making->lengths, run->length);
    if (!names)
        put_number(&making->lengths, run->text_size);
    if (names && !root) {
        uint64_t *touched = &making->touched[target];
        put_difference(&making->positions, run->target.seq, *touched);
        *touched = run->target.seq;
        if (run->backward)
            *touched -= run->length - 1 < *touched ? run->length - 1 : *touched;
    }
    if (run->kind != WEFT_RUN_DELETE && run->text_size > 0)
        put_bytes(&making->text, run->text, run->text_size);
    making->next[agent] = run->seq + run->length;
    if (insert)
        making->touched[agent] = run->seq + run->length - 1;
    making->agent = agent;
    making->lamport = run->lamport + run->length;
}

void delta_of_runs(struct weft_buffer *out, const struct weft_run *runs, size_t count)
{
    assert(count <= DELTA_RUNS_MAX);
    struct making making = {.agent_count = 0};
    struct weft_buffer *columns[] = {&making.fields, &making.lengths, &making.positions,
                                     &making.text};
    for (size_t i = 0; i < 4; i++)
        weft_buffer_init(columns[i], NULL);
    for (size_t i = 0; i < count; i++)
        put_run(&making, &runs[i]);
    put_bytes(out, "\0\0", 2); // version, flags
    put_number(out, making.agent_count);
    for (uint32_t i = 0; i < making.agent_count; i++)
        for (int shift = 0; shift < 64; shift += 8)
            put_bytes(out, &(uint8_t){(uint8_t)(making.agents[i] >> shift)}, 1);
    put_number(out, count);
    for (size_t i = 0; i < 4; i++)
        put_number(out, columns[i]->size);
    for (size_t i = 0; i < 4; i++) {
        if (columns[i]->size > 0)
            put_bytes(out, columns[i]->data, columns[i]->size);
        weft_buffer_finish(columns[i]);
    }
}
