// SPDX-License-Identifier: MIT
// Deltas: writing.
#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "base/varint.h"
#include "codec/delta.h"
#include "codec/delta_bits.h"

enum {
    FIELDS_SIZE_MAX = 5 * VARINT_SIZE_MAX, // F of a row
    LENGTHS_SIZE_MAX = 2 * VARINT_SIZE_MAX,
    HEADER_SIZE_MAX = 2 + 6 * VARINT_SIZE_MAX,
    ROW_AGENTS_MAX = 2, // that a row can bring into the table
};

void delta_writer_init(struct delta_writer *writer, const struct weft_allocator *allocator)
{
    *writer = (struct delta_writer){0};
    weft_buffer_init(&writer->agents, allocator);
    weft_buffer_init(&writer->fields, allocator);
    weft_buffer_init(&writer->lengths, allocator);
    weft_buffer_init(&writer->positions, allocator);
    weft_buffer_init(&writer->text, allocator);
    weft_buffer_init(&writer->states, allocator);
    map_init(&writer->numbers, allocator);
}

void delta_writer_finish(struct delta_writer *writer)
{
    weft_buffer_finish(&writer->agents);
    weft_buffer_finish(&writer->fields);
    weft_buffer_finish(&writer->lengths);
    weft_buffer_finish(&writer->positions);
    weft_buffer_finish(&writer->text);
    weft_buffer_finish(&writer->states);
    map_finish(&writer->numbers);
}

void delta_writer_begin(struct delta_writer *writer, bool text_apart)
{
    writer->agents.size = 0;
    writer->fields.size = 0;
    writer->lengths.size = 0;
    writer->positions.size = 0;
    writer->text.size = 0;
    writer->states.size = 0;
    map_clear(&writer->numbers);
    writer->pending = (struct delta_row){0};
    writer->text_apart = text_apart;
    writer->rows = 0;
    writer->agent = 0;
    writer->lamport = 0;
}

static void put(struct weft_buffer *buffer, uint64_t value)
{
    buffer->size += varint_put(buffer->data + buffer->size, value);
}

// Room was reserved.
static void put_bytes(struct weft_buffer *buffer, const uint8_t *bytes, size_t size)
{
    assert(size <= buffer->capacity - buffer->size);
    if (size > 0)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
}

static struct delta_agent *state_at(const struct delta_writer *writer, uint32_t number)
{
    struct delta_agent *states = (void *)writer->states.data;
    return &states[number];
}

// Number of an agent in the table of this delta. Room was reserved.
static uint32_t number_of(struct delta_writer *writer, const struct rga *rga, uint32_t agent)
{
    uint32_t number = map_find(&writer->numbers, agent);
    if (number != MAP_NONE)
        return number;
    number = writer->numbers.count;
    map_set(&writer->numbers, agent, number);
    endian_put_u64(writer->agents.data + writer->agents.size, agents_id(&rga->agents, agent));
    writer->agents.size += 8;
    writer->states.size += sizeof(struct delta_agent);
    *state_at(writer, number) = (struct delta_agent){0};
    return number;
}

static inline bool reserve(struct weft_buffer *buffer, size_t extra)
{
    return extra <= buffer->capacity - buffer->size ||
           weft_buffer_reserve(buffer, extra) == WEFT_OK;
}

static bool reserve_row(struct delta_writer *writer, size_t text_size)
{
    return reserve(&writer->fields, FIELDS_SIZE_MAX) &&
           reserve(&writer->lengths, LENGTHS_SIZE_MAX) &&
           reserve(&writer->positions, VARINT_SIZE_MAX) && reserve(&writer->text, text_size) &&
           reserve(&writer->agents, 8 * ROW_AGENTS_MAX) &&
           reserve(&writer->states, sizeof(struct delta_agent) * ROW_AGENTS_MAX) &&
           map_reserve(&writer->numbers, ROW_AGENTS_MAX);
}

static void put_target(struct delta_writer *writer, const struct delta_row *row, uint32_t number)
{
    struct delta_agent *state = state_at(writer, number);
    put(&writer->positions, zigzag_encode(row->target_seq, state->touched));
    state->touched = row->target_seq;
    if (row->kind == WEFT_RUN_DELETE && row->flag)
        state->touched -= row->length - 1;
}

static void put_lengths(struct delta_writer *writer, const struct delta_row *row)
{
    if (row->length != 1)
        put(&writer->lengths, row->length);
    if (!op_kind_names(row->kind))
        put(&writer->lengths, row->payload_size);
}

// Writes the pending row. Room was reserved when it became pending.
static void flush(struct delta_writer *writer, const struct rga *rga)
{
    const struct delta_row *row = &writer->pending;
    if (row->length == 0)
        return;
    bool same = writer->rows > 0 && row->agent == writer->author;
    uint32_t agent = same ? writer->agent : number_of(writer, rga, row->agent);
    uint32_t target = agent;
    bool named = op_kind_names(row->kind);
    bool root = row->kind == WEFT_RUN_INSERT && row->target_agent == AGENT_NONE;
    if (named && !root && row->target_agent != row->agent)
        target = number_of(writer, rga, row->target_agent);
    struct delta_agent *state = state_at(writer, agent);
    uint64_t lamport = writer->lamport != 0 ? writer->lamport : (uint64_t)row->seq + 1;
    uint64_t bits =
        row->kind | (row->flag ? ROW_FLAG : 0u) | (row->length == 1 ? ROW_ONE : 0u) |
        (target != agent ? ROW_TARGET_AGENT : 0u) | (agent != writer->agent ? ROW_AGENT : 0u) |
        (row->seq != state->next ? ROW_SEQ : 0u) | (row->lamport != lamport ? ROW_LAMPORT : 0u) |
        (root ? ROW_ROOT : 0u) | (row->gaps ? ROW_GAPS : 0u);
    put(&writer->fields, bits);
    if ((bits & ROW_AGENT) != 0)
        put(&writer->fields, agent);
    if ((bits & ROW_SEQ) != 0)
        put(&writer->fields, zigzag_encode(row->seq, state->next));
    if ((bits & ROW_LAMPORT) != 0)
        put(&writer->fields, zigzag_encode(row->lamport, lamport));
    if ((bits & ROW_TARGET_AGENT) != 0)
        put(&writer->fields, target);
    if (!state->seen) {
        state->seen = true;
        state->touched = row->seq > 0 ? row->seq - 1 : 0;
    }
    put_lengths(writer, row);
    if (named && !root)
        put_target(writer, row, target);
    state->next = (uint64_t)row->seq + row->length;
    if (row->kind == WEFT_RUN_INSERT)
        state->touched = state->next - 1;
    writer->author = row->agent;
    writer->agent = agent;
    writer->lamport = (uint64_t)row->lamport + row->length;
    writer->rows++;
    writer->pending.length = 0;
}

static struct delta_row row_of(const struct rga *rga, const struct op *op, uint32_t first,
                               uint32_t end)
{
    struct delta_row row = {
        .kind = op_kind(op),
        .flag = op_flag(op),
        .agent = op->agent,
        .seq = op->seq + first,
        .lamport = op->lamport + first,
        .length = end - first,
        .target_agent = op->target_agent,
        .target_seq = op->target_seq,
    };
    if (row.kind == WEFT_RUN_INSERT && first > 0) {
        row.flag = false;
        row.target_agent = op->agent;
        row.target_seq = row.seq - 1;
    } else if (row.kind != WEFT_RUN_INSERT && op_kind_names(row.kind)) {
        row.target_seq = op_flag(op) ? op->target_seq - first : op->target_seq + first;
        row.flag = row.flag && row.length > 1;
    } else if (!op_kind_names(row.kind)) {
        assert(first == 0 && end == op_length(op));
        row.payload_size = (uint32_t)oplog_payload(&rga->log, op).size;
    }
    return row;
}

// Whether an insert goes on where the pending one ends, as rows that a page of text has cut do.
static bool goes_on(const struct delta_row *pending, const struct delta_row *row)
{
    return pending->length > 0 && pending->kind == WEFT_RUN_INSERT &&
           row->kind == WEFT_RUN_INSERT && !row->flag && row->agent == pending->agent &&
           row->seq == pending->seq + pending->length &&
           row->lamport == pending->lamport + pending->length && row->target_agent == row->agent &&
           row->target_seq == row->seq - 1 && row->length <= OP_LENGTH_MAX - pending->length;
}

enum weft_status delta_writer_add_text(struct delta_writer *writer, struct span text)
{
    return weft_buffer_append(&writer->text, text.data, text.size);
}

// The hash of the part that an element is in, if it was not told last; sets *end_out to the end of
// the part.
static enum weft_status put_sum(struct delta_writer *writer, const struct rga *rga,
                                struct delta_agent *state, uint32_t agent, uint32_t seq,
                                uint32_t *end_out)
{
    struct sums_part part;
    if (seq >= state->part_first && seq < state->part_end) {
        *end_out = (uint32_t)state->part_end;
        return WEFT_OK;
    }
    if (!sums_find_part(&rga->sums, agent, seq, &part))
        return WEFT_INVALID; // not with invariant L8
    state->part_first = part.first;
    state->part_end = sums_end(part);
    *end_out = sums_end(part);
    uint8_t bytes[GAPS_SUM_SIZE_MAX];
    size_t size = gaps_put_sum(bytes, part.first, part.chunk, sums_find(&rga->sums, part));
    return weft_buffer_append(&writer->text, bytes, size);
}

// The text of `length` elements of a row from `first` on, with its gaps.
static enum weft_status put_gaps(struct delta_writer *writer, const struct rga *rga,
                                 const struct op *op, uint32_t first, uint32_t length)
{
    struct delta_agent *state = state_at(writer, number_of(writer, rga, op->agent));
    enum weft_status status = WEFT_OK;
    for (uint32_t here; status == WEFT_OK && length > 0; first += here, length -= here) {
        bool gone;
        here = text_alike(&rga->text, op->iv + first, length, &gone);
        if (!gone) {
            status = delta_writer_add_text(writer, text_view(&rga->text, op->iv + first, here));
            continue;
        }
        uint32_t end;
        status = put_sum(writer, rga, state, op->agent, op->seq + first, &end);
        if (status != WEFT_OK)
            return status;
        uint8_t bytes[GAPS_GONE_SIZE_MAX] = {GAPS_GONE};
        here = end - (op->seq + first) < here ? end - (op->seq + first) : here;
        status = weft_buffer_append(&writer->text, bytes, 1 + varint_put(bytes + 1, here));
    }
    return status;
}

uint32_t delta_writer_fitting(const struct rga *rga, const struct op *op, uint32_t first,
                              size_t size)
{
    uint32_t length = op_length(op);
    uint32_t begin = first;
    for (uint32_t here; first < length; first += here) {
        bool gone;
        uint32_t iv = op->iv + first;
        here = text_alike(&rga->text, iv, length - first, &gone);
        size_t parts = gone ? here / SUMS_BLOCK_ATOMS + 2 : 0;
        size_t most = parts * (GAPS_SUM_SIZE_MAX + GAPS_GONE_SIZE_MAX);
        if (!gone)
            most = text_weigh(&rga->text, iv, here).units[WEFT_UTF8];
        if (most > size) {
            bool exact;
            return first - begin +
                   (gone ? 0
                         : text_elements(&rga->text, WEFT_UTF8, iv, here, (uint32_t)size, &exact));
        }
        size -= most;
    }
    return first - begin;
}

enum weft_status delta_writer_add(struct delta_writer *writer, const struct rga *rga,
                                  const struct op *op, uint32_t first, uint32_t end)
{
    struct delta_row row = row_of(rga, op, first, end);
    struct span text = {NULL, 0};
    if (row.kind == WEFT_RUN_INSERT && !writer->text_apart) {
        row.gaps = gaps_are_read && text_lacks(&rga->text, op->iv + first, row.length);
        if (!row.gaps)
            text = text_view(&rga->text, op->iv + first, row.length);
    } else if (!op_kind_names(row.kind)) {
        text = oplog_payload(&rga->log, op);
    }
    bool on = goes_on(&writer->pending, &row);
    if (!on)
        flush(writer, rga);
    if (!reserve_row(writer, text.size))
        return WEFT_NO_MEMORY;
    put_bytes(&writer->text, text.data, text.size);
    if (on)
        writer->pending.length += row.length;
    else
        writer->pending = row;
    writer->pending.gaps |= row.gaps;
    return row.gaps ? put_gaps(writer, rga, op, first, row.length) : WEFT_OK;
}

size_t delta_writer_size(const struct delta_writer *writer)
{
    return HEADER_SIZE_MAX + writer->agents.size + writer->fields.size + writer->lengths.size +
           writer->positions.size + writer->text.size + FIELDS_SIZE_MAX + LENGTHS_SIZE_MAX +
           VARINT_SIZE_MAX + 8 * ROW_AGENTS_MAX;
}

enum weft_status delta_writer_end(struct delta_writer *writer, const struct rga *rga,
                                  struct weft_buffer *out)
{
    flush(writer, rga);
    if (writer->rows == 0)
        return WEFT_OK;
    enum weft_status status = weft_buffer_reserve(out, delta_writer_size(writer));
    if (status != WEFT_OK)
        return status;
    bool single = writer->rows == 1;
    out->data[out->size++] = DELTA_VERSION;
    out->data[out->size++] =
        (uint8_t)((single ? DELTA_SINGLE : 0) | (writer->text_apart ? DELTA_TEXT_APART : 0));
    put(out, writer->numbers.count);
    put_bytes(out, writer->agents.data, writer->agents.size);
    if (!single) {
        put(out, writer->rows);
        put(out, writer->fields.size);
        put(out, writer->lengths.size);
        put(out, writer->positions.size);
        put(out, writer->text.size);
    }
    put_bytes(out, writer->fields.data, writer->fields.size);
    put_bytes(out, writer->lengths.data, writer->lengths.size);
    put_bytes(out, writer->positions.data, writer->positions.size);
    put_bytes(out, writer->text.data, writer->text.size);
    return WEFT_OK;
}
