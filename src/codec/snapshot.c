// SPDX-License-Identifier: MIT
// Snapshots: reading.
#include "codec/snapshot.h"

#include <string.h>

#include "base/endian.h"
#include "base/utf8.h"
#include "base/varint.h"
#include "codec/snapshot_bits.h"

enum {
    ROWS_AT_ONCE = 64, // what they name is fetched together
    ROW_SIZE_MIN = 1,  // bytes of an encoded row
    SLOT_SIZE_MIN = 1,
};

enum weft_status snapshot_epoch(struct weft_epoch *epoch_out, const struct weft_snapshot *snapshot)
{
    const uint8_t *bytes = snapshot->structure;
    if (snapshot->structure_size == 0)
        return WEFT_MALFORMED;
    if (bytes[0] > SNAPSHOT_VERSION)
        return WEFT_UNSUPPORTED;
    if (snapshot->structure_size < KEPT_HEAD_SIZE)
        return WEFT_MALFORMED;
    epoch_out->counter = endian_get_u64(bytes + 1);
    memcpy(epoch_out->random, bytes + 9, sizeof epoch_out->random);
    return WEFT_OK;
}

// The sections of the structure, and what they and the texts hold.
struct decoder {
    struct span agents; // 8 bytes each
    struct span rows;
    struct span slots;
    uint64_t row_count;
    uint64_t slot_count;
    struct span text;
    struct span tombs;
    struct rga_need need;
    uint32_t agent;   // of the row before
    uint64_t lamport; // predicted
};

static bool find_sections(struct decoder *decoder, struct span rest)
{
    uint64_t agents;
    uint64_t rows_size;
    if (!varint_take(&agents, &rest) || agents > rest.size / 8)
        return false;
    decoder->agents = (struct span){rest.data, (size_t)agents * 8};
    rest.data += decoder->agents.size;
    rest.size -= decoder->agents.size;
    if (!varint_take(&decoder->row_count, &rest) || !varint_take(&rows_size, &rest) ||
        !varint_take(&decoder->slot_count, &rest) || rows_size > rest.size ||
        decoder->row_count > rows_size / ROW_SIZE_MIN ||
        decoder->slot_count > (rest.size - rows_size) / SLOT_SIZE_MIN ||
        decoder->row_count >= OP_NONE || decoder->slot_count >= OP_NONE)
        return false;
    decoder->rows = (struct span){rest.data, (size_t)rows_size};
    decoder->slots = (struct span){rest.data + rows_size, rest.size - (size_t)rows_size};
    return true;
}

// Counts all that will be loaded, so that nothing is allocated by a size that only was declared: a
// row and a slot are a byte at least, an agent eight.
static bool measure(struct decoder *decoder)
{
    struct utf8_counts text;
    struct utf8_counts tombs;
    if (!utf8_count(&text, decoder->text) || !utf8_count(&tombs, decoder->tombs))
        return false;
    decoder->need = (struct rga_need){
        .runs = decoder->row_count,
        .elements = text.scalars + tombs.scalars,
        .bytes = text.bytes + tombs.bytes,
        .agents = decoder->agents.size / 8,
    };
    return true;
}

static enum weft_status decode_agents(struct rga *rga, const struct decoder *decoder)
{
    uint32_t count = (uint32_t)(decoder->agents.size / 8);
    uint64_t last = 0;
    if (count > rga->limits.agents_max)
        return WEFT_LIMIT;
    if (!agents_load(&rga->agents, count))
        return WEFT_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t id = endian_get_u64(decoder->agents.data + (size_t)i * 8);
        if (id <= last)
            return WEFT_MALFORMED;
        agents_load_id(&rga->agents, i, id);
        last = id;
    }
    agents_load_finish(&rga->agents);
    return WEFT_OK;
}

static bool take_unknown(struct rga_load_row *row, struct span *input)
{
    uint64_t size;
    if (!varint_take(&size, input) || size > input->size)
        return false;
    row->payload = (struct span){input->data, (size_t)size};
    input->data += size;
    input->size -= (size_t)size;
    return true;
}

// The row and how far from its likeliest end.
static bool take_target(struct rga_load_row *row, struct span *input, uint32_t number,
                        uint32_t head)
{
    uint64_t distance;
    uint64_t from = 0;
    if (!varint_take(&distance, input) || distance >= number)
        return false;
    if ((head & KEPT_LIKELY) == 0) {
        if (!varint_take(&from, input) || from >= OP_LENGTH_MAX)
            return false;
        from++;
    }
    row->target = number - 1 - (uint32_t)distance;
    row->from = (uint32_t)from;
    return true;
}

// Row `number`.
static inline bool take_row(struct decoder *decoder, struct rga_load_row *row, struct span *input,
                            uint32_t number)
{
    if (input->size == 0)
        return false;
    uint32_t head = *input->data++;
    input->size--;
    uint64_t kind = head & KEPT_KIND;
    uint64_t agent = decoder->agent;
    uint64_t lamport = decoder->lamport;
    uint64_t length = 1;
    if (kind == KEPT_KIND &&
        (!varint_take(&kind, input) || kind < KEPT_KIND || kind > OP_KIND_MASK))
        return false;
    if ((head & KEPT_AGENT) != 0 && !varint_take(&agent, input))
        return false;
    if ((head & KEPT_LAMPORT) != 0) {
        if (!varint_take(&lamport, input))
            return false;
        lamport = zigzag_decode(lamport, decoder->lamport);
    }
    if ((head & KEPT_ONE) == 0) {
        if (!varint_take(&length, input) || length > OP_LENGTH_MAX - 2)
            return false;
        length += 2;
    }
    if (agent >= decoder->need.agents || lamport > OP_LAMPORT_MAX)
        return false;
    *row = (struct rga_load_row){
        .kind = (uint32_t)kind,
        .flag = (head & KEPT_FLAG) != 0,
        .agent = (uint32_t)agent,
        .lamport = (uint32_t)lamport,
        .length = (uint32_t)length,
        .target = OP_NONE,
    };
    decoder->agent = row->agent;
    decoder->lamport = lamport + length;
    if ((head & KEPT_ROOT) != 0)
        return kind == WEFT_RUN_INSERT && (head & (KEPT_FLAG | KEPT_LIKELY)) == 0;
    if (op_kind_names(row->kind))
        return take_target(row, input, number, head);
    return (head & (KEPT_FLAG | KEPT_LIKELY)) == 0 && take_unknown(row, input);
}

static enum weft_status decode_rows(struct rga_load *load, struct decoder *decoder)
{
    struct rga_load_row rows[ROWS_AT_ONCE];
    struct span input = decoder->rows;
    uint32_t total = (uint32_t)decoder->row_count;
    decoder->lamport = 1;
    for (uint32_t number = 0; number < total;) {
        uint32_t count = total - number < ROWS_AT_ONCE ? total - number : ROWS_AT_ONCE;
        for (uint32_t i = 0; i < count; i++) {
            if (!take_row(decoder, &rows[i], &input, number + i))
                return WEFT_MALFORMED;
        }
        enum weft_status status = rga_load_rows(load, rows, count);
        if (status != WEFT_OK)
            return status;
        number += count;
    }
    return input.size == 0 ? rga_load_rows_end(load) : WEFT_MALFORMED;
}

static inline bool take_slot(struct rga_load_slot *slot, struct span *input, uint32_t *row)
{
    uint64_t code;
    uint64_t length = 0;
    if (!varint_take(&code, input))
        return false;
    if ((code & SLOT_PART) != 0) {
        if (!varint_take(&length, input) || length >= OP_LENGTH_MAX)
            return false;
        length++;
    }
    uint64_t at = zigzag_decode(code >> SLOT_ROW_SHIFT, *row);
    if (at >= OP_NONE)
        return false;
    *row = (uint32_t)at;
    *slot = (struct rga_load_slot){*row, (uint32_t)length, (code & SLOT_DELETED) != 0};
    return true;
}

static enum weft_status decode_slots(struct rga_load *load, const struct decoder *decoder)
{
    struct rga_load_slot slots[RGA_LOAD_SLOTS];
    struct span input = decoder->slots;
    uint32_t left = (uint32_t)decoder->slot_count;
    uint32_t row = 0;
    enum weft_status status = rga_load_slots_begin(load, left, decoder->text, decoder->tombs);
    while (status == WEFT_OK && left > 0) {
        uint32_t count = left < RGA_LOAD_SLOTS ? left : RGA_LOAD_SLOTS;
        for (uint32_t i = 0; i < count; i++) {
            if (!take_slot(&slots[i], &input, &row))
                return WEFT_MALFORMED;
        }
        status = rga_load_slots(load, slots, count);
        left -= count;
    }
    if (status != WEFT_OK)
        return status;
    return input.size == 0 ? rga_load_slots_end(load) : WEFT_MALFORMED;
}

static enum weft_status decode(struct rga *rga, struct decoder *decoder)
{
    struct rga_load load;
    enum weft_status status = decode_agents(rga, decoder);
    if (status != WEFT_OK)
        return status;
    status = WEFT_NO_MEMORY;
    if (rga_load_init(&load, rga, &decoder->need))
        status = decode_rows(&load, decoder);
    if (status == WEFT_OK)
        status = decode_slots(&load, decoder);
    rga_load_finish(&load);
    return status;
}

enum weft_status snapshot_decode(struct rga *rga, const struct weft_snapshot *snapshot)
{
    struct decoder decoder = {
        .text = {snapshot->text, snapshot->text_size},
        .tombs = {snapshot->tombs, snapshot->tombs_size},
    };
    struct weft_epoch epoch;
    uint64_t flags;
    enum weft_status status = snapshot_epoch(&epoch, snapshot);
    if (status != WEFT_OK)
        return status;
    if (snapshot->structure[0] == SNAPSHOT_VERSION_0)
        return snapshot_decode_0(rga, snapshot);
    struct span rest = {snapshot->structure + KEPT_HEAD_SIZE,
                        snapshot->structure_size - KEPT_HEAD_SIZE};
    if (!varint_take(&flags, &rest))
        return WEFT_MALFORMED;
    if (flags != 0)
        return WEFT_UNSUPPORTED;
    if (!find_sections(&decoder, rest) || !measure(&decoder))
        return WEFT_MALFORMED;
    if (decoder.need.elements > rga->limits.elements_max)
        return WEFT_LIMIT;
    return decode(rga, &decoder);
}
