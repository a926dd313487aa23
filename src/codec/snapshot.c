// SPDX-License-Identifier: MIT
// Snapshots.
#include "codec/snapshot.h"

#include <string.h>

#include "base/endian.h"
#include "base/utf8.h"
#include "base/varint.h"

enum {
    EPOCH_RANDOM_SIZE = 16,
    HEAD_SIZE = 1 + 8 + EPOCH_RANDOM_SIZE,
    SLOT_SIZE_MIN = 2, // bytes of an encoded slot
};

// --------------------------------------------------------------------------------------- encoding

// A slot that is not written yet: the next may be its continuation from another leaf.
struct pending_slot {
    uint32_t iv;
    uint32_t length; // 0: none
    uint32_t op;
    bool deleted;
};

struct encoder {
    struct weft_buffer slots; // encoded
    struct weft_buffer *text;
    struct weft_buffer *tombs;
    const struct rga *rga;
    struct pending_slot pending;
    uint32_t end; // iv
    uint64_t count;
};

static enum weft_status put_varint(struct weft_buffer *out, uint64_t value)
{
    uint8_t bytes[VARINT_SIZE_MAX];
    return weft_buffer_append(out, bytes, varint_put(bytes, value));
}

static enum weft_status flush_slot(struct encoder *encoder)
{
    const struct pending_slot *slot = &encoder->pending;
    if (slot->length == 0)
        return WEFT_OK;
    struct weft_buffer *to = slot->deleted ? encoder->tombs : encoder->text;
    struct span text = text_view(&encoder->rga->text, slot->iv, slot->length);
    enum weft_status status = weft_buffer_append(to, text.data, text.size);
    if (status == WEFT_OK)
        status = weft_buffer_reserve(&encoder->slots, 2 * VARINT_SIZE_MAX);
    if (status != WEFT_OK)
        return status;
    uint8_t *at = encoder->slots.data + encoder->slots.size;
    size_t size = varint_put(at, zigzag_encode(slot->iv, encoder->end));
    size += varint_put(at + size, (uint64_t)slot->length << 1 | slot->deleted);
    encoder->slots.size += size;
    encoder->end = slot->iv + slot->length;
    encoder->count++;
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
            if (pending->length > 0 && pending->op == leaf->op[slot] &&
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

static enum weft_status encode_runs(struct weft_buffer *out, struct delta_writer *writer,
                                    const struct rga *rga)
{
    delta_writer_begin(writer, true);
    for (uint32_t row = 0; row < rga->log.ops.count; row++) {
        const struct op *op = oplog_at(&rga->log, row);
        enum weft_status status = delta_writer_add(writer, rga, op, 0, op_length(op));
        if (status != WEFT_OK)
            return status;
    }
    return delta_writer_end(writer, rga, out);
}

static enum weft_status encode(struct encoder *encoder, struct weft_buffer *structure,
                               struct weft_buffer *runs, struct delta_writer *writer)
{
    uint8_t head[HEAD_SIZE] = {SNAPSHOT_VERSION};
    endian_put_u64(head + 1, encoder->rga->epoch.counter);
    memcpy(head + 9, encoder->rga->epoch.random, EPOCH_RANDOM_SIZE);
    enum weft_status status = encode_runs(runs, writer, encoder->rga);
    if (status == WEFT_OK)
        status = encode_slots(encoder);
    if (status == WEFT_OK)
        status = weft_buffer_append(structure, head, sizeof head);
    if (status == WEFT_OK)
        status = put_varint(structure, runs->size);
    if (status == WEFT_OK)
        status = weft_buffer_append(structure, runs->data, runs->size);
    if (status == WEFT_OK)
        status = put_varint(structure, encoder->count);
    if (status == WEFT_OK)
        status = weft_buffer_append(structure, encoder->slots.data, encoder->slots.size);
    return status;
}

enum weft_status snapshot_encode(struct weft_buffer *structure, struct weft_buffer *text,
                                 struct weft_buffer *tombs, struct delta_writer *writer,
                                 const struct rga *rga)
{
    struct encoder encoder = {.text = text, .tombs = tombs, .rga = rga};
    struct weft_buffer runs;
    size_t sizes[3] = {structure->size, text->size, tombs->size};
    weft_buffer_init(&runs, &rga->allocator);
    weft_buffer_init(&encoder.slots, &rga->allocator);
    enum weft_status status = encode(&encoder, structure, &runs, writer);
    if (status != WEFT_OK) {
        structure->size = sizes[0];
        text->size = sizes[1];
        tombs->size = sizes[2];
    }
    weft_buffer_finish(&encoder.slots);
    weft_buffer_finish(&runs);
    return status;
}

// --------------------------------------------------------------------------------------- decoding

enum weft_status snapshot_epoch(struct weft_epoch *epoch_out, const struct weft_snapshot *snapshot)
{
    const uint8_t *bytes = snapshot->structure;
    if (snapshot->structure_size == 0)
        return WEFT_MALFORMED;
    if (bytes[0] != SNAPSHOT_VERSION)
        return WEFT_UNSUPPORTED;
    if (snapshot->structure_size < HEAD_SIZE)
        return WEFT_MALFORMED;
    epoch_out->counter = endian_get_u64(bytes + 1);
    memcpy(epoch_out->random, bytes + 9, EPOCH_RANDOM_SIZE);
    return WEFT_OK;
}

// The sections of the structure, and what they and the texts hold.
struct decoder {
    struct span runs; // a delta, or nothing
    struct span slots;
    uint64_t slot_count;
    struct span text;
    struct span tombs;
    bool ascii;
    struct rga_need need;
};

static bool find_sections(struct decoder *decoder, const struct weft_snapshot *snapshot)
{
    struct span rest = {snapshot->structure + HEAD_SIZE, snapshot->structure_size - HEAD_SIZE};
    uint64_t size;
    if (!varint_take(&size, &rest) || size > rest.size)
        return false;
    decoder->runs = (struct span){rest.data, (size_t)size};
    rest.data += size;
    rest.size -= (size_t)size;
    if (!varint_take(&decoder->slot_count, &rest) ||
        decoder->slot_count > rest.size / SLOT_SIZE_MIN)
        return false;
    decoder->slots = rest;
    return true;
}

// Counts all that will be loaded, so that nothing is allocated by a size that only was declared: a
// row of a delta is a byte at least, an agent eight.
static enum weft_status measure(struct decoder *decoder, const struct weft_allocator *allocator)
{
    struct utf8_counts text;
    struct utf8_counts tombs;
    if (!utf8_count(&text, decoder->text) || !utf8_count(&tombs, decoder->tombs))
        return WEFT_MALFORMED;
    decoder->ascii = text.scalars + tombs.scalars == text.bytes + tombs.bytes;
    decoder->need = (struct rga_need){
        .elements = text.scalars + tombs.scalars,
        .bytes = text.bytes + tombs.bytes,
    };
    if (decoder->runs.size == 0)
        return WEFT_OK;
    struct delta_reader reader;
    enum weft_status status = delta_reader_init(&reader, allocator, decoder->runs);
    if (status != WEFT_OK)
        return status;
    decoder->need.runs = reader.rows;
    decoder->need.agents = reader.agent_count;
    delta_reader_finish(&reader);
    return reader.text_apart ? WEFT_OK : WEFT_MALFORMED;
}

static enum weft_status decode_runs(struct rga_load *load, const struct decoder *decoder)
{
    struct delta_reader reader;
    struct weft_run run;
    if (decoder->runs.size == 0)
        return WEFT_OK;
    enum weft_status status = delta_reader_init(&reader, &load->rga->allocator, decoder->runs);
    if (status != WEFT_OK)
        return status;
    while ((status = delta_reader_next(&reader, &run)) == WEFT_OK) {
        status = rga_load_run(load, &run);
        if (status != WEFT_OK)
            break;
    }
    delta_reader_finish(&reader);
    return status == WEFT_NOT_FOUND ? WEFT_OK : status;
}

// Passes `length` characters of what is valid UTF-8, from byte *offset on.
static bool pass_text(size_t *offset, struct span text, uint32_t length, bool ascii)
{
    uint64_t size = length;
    if (length > text.size - *offset)
        return false;
    if (!ascii && length > 0 &&
        !utf8_take(&size, (struct span){text.data + *offset, text.size - *offset}, length))
        return false;
    *offset += (size_t)size;
    return true;
}

static bool decode_slots(struct decoder *decoder, struct rga_load_slot *slots, uint32_t count)
{
    struct span *input = &decoder->slots;
    const struct span texts[2] = {decoder->text, decoder->tombs};
    size_t offsets[2] = {0, 0};
    uint32_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t code;
        uint64_t bits;
        if (!varint_take(&code, input) || !varint_take(&bits, input) || bits >> 1 > UINT32_MAX)
            return false;
        uint64_t iv = zigzag_decode(code, end);
        if (iv > UINT32_MAX)
            return false;
        bool deleted = (bits & 1) != 0;
        uint32_t length = (uint32_t)(bits >> 1);
        slots[i] = (struct rga_load_slot){
            .iv = (uint32_t)iv,
            .length = length,
            .deleted = deleted,
            .text = (uint32_t)offsets[deleted],
        };
        if (!pass_text(&offsets[deleted], texts[deleted], length, decoder->ascii))
            return false;
        end = (uint32_t)iv + length;
    }
    return input->size == 0 && offsets[0] == decoder->text.size &&
           offsets[1] == decoder->tombs.size;
}

static enum weft_status decode(struct rga_load *load, struct decoder *decoder)
{
    struct rga *rga = load->rga;
    enum weft_status status = decode_runs(load, decoder);
    if (status != WEFT_OK)
        return status;
    uint32_t count = (uint32_t)decoder->slot_count;
    size_t size = count * sizeof(struct rga_load_slot);
    struct rga_load_slot *slots = NULL;
    if (count > 0) {
        slots = memory_alloc(&rga->allocator, size);
        if (slots == NULL)
            return WEFT_NO_MEMORY;
    }
    status = WEFT_MALFORMED;
    if (decode_slots(decoder, slots, count))
        status = rga_load_slots(load, slots, count, decoder->text, decoder->tombs);
    memory_free(&rga->allocator, slots, size);
    return status;
}

enum weft_status snapshot_decode(struct rga *rga, const struct weft_snapshot *snapshot)
{
    struct decoder decoder = {
        .text = {snapshot->text, snapshot->text_size},
        .tombs = {snapshot->tombs, snapshot->tombs_size},
    };
    struct rga_load load;
    struct weft_epoch epoch;
    enum weft_status status = snapshot_epoch(&epoch, snapshot);
    if (status != WEFT_OK)
        return status;
    if (!find_sections(&decoder, snapshot) || decoder.slot_count > UINT32_MAX / 2)
        return WEFT_MALFORMED;
    status = measure(&decoder, &rga->allocator);
    if (status != WEFT_OK)
        return status;
    if (decoder.need.elements > rga->limits.elements_max)
        return WEFT_LIMIT;
    if (!rga_load_init(&load, rga, &decoder.need)) {
        rga_load_finish(&load);
        return WEFT_NO_MEMORY;
    }
    status = decode(&load, &decoder);
    rga_load_finish(&load);
    rga_trim(rga);
    return status;
}
