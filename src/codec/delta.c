// SPDX-License-Identifier: MIT
// Deltas: reading.
#include "codec/delta.h"

#include <stddef.h>
#include <string.h>

#include "base/endian.h"
#include "base/utf8.h"
#include "base/varint.h"
#include "codec/delta_bits.h"

static bool take_bytes(struct span *out, struct span *input, uint64_t size)
{
    if (size > input->size)
        return false;
    *out = (struct span){input->data, (size_t)size};
    input->data += size;
    input->size -= (size_t)size;
    return true;
}

static bool take_agents(struct delta_reader *reader, struct span *input)
{
    uint64_t count;
    if (!varint_take(&count, input) || count > input->size / 8)
        return false;
    reader->agent_count = (uint32_t)count;
    return count <= UINT32_MAX && take_bytes(&reader->agents, input, count * 8);
}

static bool take_columns(struct delta_reader *reader, struct span *input)
{
    uint64_t fields;
    uint64_t lengths;
    uint64_t positions;
    uint64_t text;
    return varint_take(&reader->rows, input) && varint_take(&fields, input) &&
           varint_take(&lengths, input) && varint_take(&positions, input) &&
           varint_take(&text, input) && take_bytes(&reader->fields, input, fields) &&
           take_bytes(&reader->lengths, input, lengths) &&
           take_bytes(&reader->positions, input, positions) &&
           take_bytes(&reader->text, input, text) && input->size == 0 && reader->rows <= fields;
}

enum weft_status delta_reader_init(struct delta_reader *reader,
                                   const struct weft_allocator *allocator, struct span bytes)
{
    if (bytes.size < 2)
        return WEFT_MALFORMED;
    uint8_t version = bytes.data[0];
    uint8_t flags = bytes.data[1];
    if (version != DELTA_VERSION || (flags & ~DELTA_FLAGS) != 0)
        return WEFT_UNSUPPORTED;
    memset(reader, 0, offsetof(struct delta_reader, inline_states));
    reader->text_apart = (flags & DELTA_TEXT_APART) != 0;
    reader->single = (flags & DELTA_SINGLE) != 0;
    reader->allocator = *allocator;
    reader->states = reader->inline_states;
    struct span input = {bytes.data + 2, bytes.size - 2};
    if (!take_agents(reader, &input))
        return WEFT_MALFORMED;
    if (reader->single) {
        reader->rows = 1;
        reader->fields = input;
    } else if (!take_columns(reader, &input)) {
        return WEFT_MALFORMED;
    } else {
        reader->ascii = utf8_is_ascii(reader->text);
    }
    size_t size = reader->agent_count * sizeof reader->states[0];
    if (reader->agent_count > DELTA_AGENTS_INLINE) {
        reader->states = memory_alloc(allocator, size);
        if (reader->states == NULL)
            return WEFT_NO_MEMORY;
    }
    memset(reader->states, 0, size);
    return WEFT_OK;
}

void delta_reader_finish(struct delta_reader *reader)
{
    if (reader->states != reader->inline_states)
        memory_free(&reader->allocator, reader->states,
                    reader->agent_count * sizeof reader->states[0]);
    reader->states = reader->inline_states;
}

// Where a column is read from: in the single form they follow each other in one stream.
static struct span *column(struct delta_reader *reader, struct span *own)
{
    return reader->single ? &reader->fields : own;
}

static bool take_agent(const struct delta_reader *reader, struct span *input, uint32_t *number)
{
    uint64_t value;
    if (!varint_take(&value, input) || value >= reader->agent_count)
        return false;
    *number = (uint32_t)value;
    return true;
}

static inline bool take_difference(struct span *input, uint64_t predicted, uint64_t *value_out)
{
    uint64_t code;
    if (!varint_take(&code, input))
        return false;
    *value_out = zigzag_decode(code, predicted);
    return true;
}

static uint64_t agent_id(const struct delta_reader *reader, uint32_t number)
{
    return endian_get_u64(reader->agents.data + (size_t)number * 8);
}

// F of one row. Leaves the numbers of the row's agent and of its target's agent.
static bool take_fields(struct delta_reader *reader, struct weft_run *run, uint64_t *bits_out,
                        uint32_t *target_agent)
{
    struct span *input = &reader->fields;
    uint64_t bits;
    if (!varint_take(&bits, input) || bits > ROW_BITS)
        return false;
    run->kind = bits & ROW_KIND;
    if (!op_kind_names(run->kind) && (bits & (ROW_FLAG | ROW_TARGET_AGENT | ROW_ROOT)) != 0)
        return false;
    if (run->kind == WEFT_RUN_UNDELETE && (bits & ROW_FLAG) != 0)
        return false;
    if ((bits & ROW_ROOT) != 0 &&
        (run->kind != WEFT_RUN_INSERT || (bits & (ROW_FLAG | ROW_TARGET_AGENT)) != 0))
        return false;
    if ((bits & ROW_GAPS) != 0 && (run->kind != WEFT_RUN_INSERT || reader->text_apart))
        return false;
    if ((bits & ROW_AGENT) != 0 && !take_agent(reader, input, &reader->agent))
        return false;
    if (reader->agent >= reader->agent_count)
        return false;
    struct delta_agent *state = &reader->states[reader->agent];
    run->agent = agent_id(reader, reader->agent);
    run->seq = state->next;
    if ((bits & ROW_SEQ) != 0 && !take_difference(input, state->next, &run->seq))
        return false;
    run->lamport = reader->lamport != 0 ? reader->lamport : run->seq + 1;
    if ((bits & ROW_LAMPORT) != 0 && !take_difference(input, run->lamport, &run->lamport))
        return false;
    *target_agent = reader->agent;
    if ((bits & ROW_TARGET_AGENT) != 0 && !take_agent(reader, input, target_agent))
        return false;
    if (!state->seen) {
        state->seen = true;
        state->touched = run->seq > 0 ? run->seq - 1 : 0;
    }
    *bits_out = bits;
    return true;
}

static bool take_target(struct delta_reader *reader, struct weft_run *run, uint64_t bits,
                        uint32_t target_agent)
{
    run->target = WEFT_ID_ROOT;
    run->left = run->kind == WEFT_RUN_INSERT && (bits & ROW_FLAG) != 0;
    run->backward = run->kind == WEFT_RUN_DELETE && (bits & ROW_FLAG) != 0;
    if (!op_kind_names(run->kind) || (bits & ROW_ROOT) != 0)
        return true;
    struct delta_agent *state = &reader->states[target_agent];
    run->target.agent = agent_id(reader, target_agent);
    if (!take_difference(column(reader, &reader->positions), state->touched, &run->target.seq) ||
        run->target.seq >= DELTA_SEQ_MAX)
        return false;
    state->touched = run->target.seq;
    if (run->backward)
        state->touched -= run->length - 1 < state->touched ? run->length - 1 : state->touched;
    return true;
}

// Text with gaps, each of which must be in a part whose hash was told: so no gap is longer than the
// bytes that it has cost would make it.
static bool take_gaps(struct delta_agent *state, struct span *input, struct weft_run *run)
{
    struct gaps_reader gaps = gaps_reader_make(*input, run->seq, run->length);
    struct gaps_token token;
    while (gaps.seq < gaps.end) {
        uint64_t first = gaps.seq;
        if (!gaps_take(&gaps, run->length, &token))
            return false;
        if (token.kind == GAPS_SUM) {
            state->part_first = token.first;
            state->part_end = token.part_end;
            state->part_hash = token.hash;
        } else if (token.kind == GAPS_GONE &&
                   (first < state->part_first || gaps.seq > state->part_end)) {
            return false;
        }
    }
    run->kind = WEFT_RUN_COLLECTED;
    run->text = input->data;
    run->text_size = (size_t)(gaps.rest.data - input->data);
    *input = gaps.rest;
    return true;
}

static bool take_text(struct delta_reader *reader, struct weft_run *run, uint64_t payload_size)
{
    struct span *input = column(reader, &reader->text);
    run->text = NULL;
    run->text_size = 0;
    bool characters = run->kind == WEFT_RUN_INSERT || run->kind == WEFT_RUN_UNDELETE;
    if (characters ? reader->text_apart : op_kind_names(run->kind))
        return true;
    struct span text;
    uint64_t size = payload_size;
    if (characters) {
        // Characters are counted before anything is believed about the length.
        size = 0;
        if (reader->ascii) {
            size = run->length;
        } else if (!utf8_take(&size, *input, run->length)) {
            return false;
        }
    }
    if (!take_bytes(&text, input, size))
        return false;
    run->text = text.data;
    run->text_size = text.size;
    return true;
}

enum weft_status delta_reader_next(struct delta_reader *reader, struct weft_run *run_out)
{
    uint64_t bits;
    uint64_t length = 1;
    uint64_t payload_size = 0;
    uint32_t target_agent;
    struct weft_run run;
    if (reader->rows == 0) {
        bool rest = (reader->fields.size | reader->lengths.size | reader->positions.size |
                     reader->text.size) != 0;
        return rest ? WEFT_MALFORMED : WEFT_NOT_FOUND;
    }
    if (!take_fields(reader, &run, &bits, &target_agent))
        return WEFT_MALFORMED;
    struct span *lengths = column(reader, &reader->lengths);
    if ((bits & ROW_ONE) == 0 && !varint_take(&length, lengths))
        return WEFT_MALFORMED;
    if (!op_kind_names(run.kind) && !varint_take(&payload_size, lengths))
        return WEFT_MALFORMED;
    if (length == 0 || length > OP_LENGTH_MAX || run.seq >= DELTA_SEQ_MAX ||
        run.lamport >= DELTA_SEQ_MAX)
        return WEFT_MALFORMED;
    run.length = (uint32_t)length;
    if (!take_target(reader, &run, bits, target_agent))
        return WEFT_MALFORMED;
    struct delta_agent *state = &reader->states[reader->agent];
    bool insert = run.kind == WEFT_RUN_INSERT;
    if (gaps_are_read)
        reader->before = *state;
    else if ((bits & ROW_GAPS) != 0)
        return WEFT_UNSUPPORTED;
    if ((bits & ROW_GAPS) != 0 ? !take_gaps(state, column(reader, &reader->text), &run)
                               : !take_text(reader, &run, payload_size))
        return WEFT_MALFORMED;
    state->next = run.seq + length;
    if (insert)
        state->touched = run.seq + length - 1;
    reader->lamport = run.lamport + length;
    reader->rows--;
    *run_out = run;
    return WEFT_OK;
}

enum weft_status delta_reader_detach(const struct delta_reader *reader, struct weft_run *run,
                                     struct weft_buffer *text)
{
    const struct delta_agent *before = &reader->before;
    uint8_t sum[GAPS_SUM_SIZE_MAX];
    size_t size = 0;
    if (before->part_end > run->seq && before->part_first < run->seq + run->length)
        size = gaps_put_sum(sum, before->part_first,
                            before->part_end - before->part_first == SUMS_CHUNK_ATOMS,
                            before->part_hash);
    enum weft_status status = weft_buffer_append(text, sum, size);
    if (status == WEFT_OK)
        status = weft_buffer_append(text, run->text, run->text_size);
    run->text = text->data;
    run->text_size = text->size;
    return status;
}

// The text of a single run, up to the end of the delta.
static bool is_text(struct span text, uint32_t length)
{
    uint64_t size;
    if (length == 1 && text.size == 1)
        return text.data[0] < 0x80;
    return utf8_take(&size, text, length) && size == text.size;
}

// All that deltas predict from is 0 here but for the seq before the run, which is what its agent
// has touched last.
bool delta_read_single(struct weft_run *run_out, struct span bytes)
{
    enum { HEAD_SIZE = 3, AGENTS_MAX = 0x80 };
    if (bytes.size < HEAD_SIZE || bytes.data[0] != DELTA_VERSION || bytes.data[1] != DELTA_SINGLE)
        return false;
    const uint8_t *ids = bytes.data + HEAD_SIZE;
    uint32_t agents = bytes.data[2];
    if (agents == 0 || agents >= AGENTS_MAX || 8 * agents > bytes.size - HEAD_SIZE)
        return false;
    struct span input = {ids + (size_t)8 * agents, bytes.size - HEAD_SIZE - (size_t)8 * agents};
    uint64_t bits;
    uint64_t seq = 0;
    uint64_t target = 0;
    uint64_t length = 1;
    if (!varint_take(&bits, &input) || bits >= ROW_ROOT || (bits & ROW_AGENT) != 0 ||
        (bits & ROW_KIND) > WEFT_RUN_DELETE ||
        ((bits & ROW_SEQ) != 0 && !take_difference(&input, 0, &seq)))
        return false;
    uint64_t lamport = seq + 1;
    if (((bits & ROW_LAMPORT) != 0 && !take_difference(&input, lamport, &lamport)) ||
        ((bits & ROW_TARGET_AGENT) != 0 && !varint_take(&target, &input)) || target >= agents ||
        ((bits & ROW_ONE) == 0 && !varint_take(&length, &input)))
        return false;
    uint64_t touched = target == 0 && seq > 0 ? seq - 1 : 0;
    uint64_t target_seq;
    if (!take_difference(&input, touched, &target_seq) || target_seq >= DELTA_SEQ_MAX ||
        length == 0 || length > OP_LENGTH_MAX || seq >= DELTA_SEQ_MAX || lamport >= DELTA_SEQ_MAX)
        return false;
    bool insert = (bits & ROW_KIND) == WEFT_RUN_INSERT;
    if (insert ? !is_text(input, (uint32_t)length) : input.size > 0)
        return false;
    bool flag = (bits & ROW_FLAG) != 0;
    *run_out = (struct weft_run){
        .kind = insert ? WEFT_RUN_INSERT : WEFT_RUN_DELETE,
        .left = insert && flag,
        .backward = !insert && flag,
        .length = (uint32_t)length,
        .agent = endian_get_u64(ids),
        .seq = seq,
        .lamport = lamport,
        .target = {endian_get_u64(ids + 8 * target), target_seq},
        .text = insert ? input.data : NULL,
        .text_size = insert ? input.size : 0,
    };
    return true;
}

// What a run of kind WEFT_RUN_COLLECTED holds.
static void count_gaps(struct delta_totals *totals, const struct weft_run *run)
{
    struct span text = {run->text, run->text_size};
    struct gaps_totals gaps = gaps_count(gaps_reader_make(text, run->seq, run->length));
    totals->elements += run->length;
    totals->bytes += gaps.bytes;
    totals->gaps += gaps.gaps;
    totals->gone += gaps.gone;
    totals->sums += gaps.sums;
}

static void count_run(struct delta_totals *totals, const struct weft_run *run)
{
    totals->runs++;
    totals->atoms += run->length;
    if (run->lamport + run->length - 1 > totals->lamport)
        totals->lamport = run->lamport + run->length - 1;
    if (run->kind == WEFT_RUN_INSERT) {
        totals->elements += run->length;
        totals->bytes += run->text_size;
    } else if (run->kind == WEFT_RUN_UNDELETE) {
        totals->undeletes++;
        totals->undeleted += run->length;
        totals->revived += run->text_size;
    } else if (gaps_are_read && run->kind == WEFT_RUN_COLLECTED) {
        count_gaps(totals, run);
    } else if (run->kind != WEFT_RUN_DELETE) {
        totals->payloads++;
        totals->payload_bytes += run->text_size;
    }
}

enum weft_status delta_check(struct delta_totals *totals_out,
                             const struct weft_allocator *allocator, struct span bytes,
                             bool text_apart)
{
    struct delta_reader reader;
    struct delta_totals totals = {0};
    uint64_t agent = 0;
    struct weft_run run;
    enum weft_status status = delta_reader_init(&reader, allocator, bytes);
    if (status != WEFT_OK)
        return status;
    totals.agents = reader.agent_count;
    if (reader.text_apart != text_apart)
        status = WEFT_MALFORMED;
    while (status == WEFT_OK && (status = delta_reader_next(&reader, &run)) == WEFT_OK) {
        totals.stretches += totals.runs == 0 || run.agent != agent;
        agent = run.agent;
        count_run(&totals, &run);
    }
    delta_reader_finish(&reader);
    if (status != WEFT_NOT_FOUND)
        return status;
    *totals_out = totals;
    return WEFT_OK;
}
