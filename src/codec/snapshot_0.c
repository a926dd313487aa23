// SPDX-License-Identifier: MIT
// Snapshots of version 0, which named what they refer to by its id: the text is put back into the
// runs, and these are applied like anyone's. The order is made anew; what was said of it is checked
// by nobody.
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/varint.h"
#include "codec/snapshot.h"
#include "codec/snapshot_bits.h"

enum { SLOT_SIZE_MIN = 2 }; // bytes of an encoded slot

// A piece of the text by where it belongs.
struct piece {
    uint32_t iv;
    uint32_t length;
    struct span text;
};

struct decoder {
    struct span runs;
    struct span slots;
    struct piece *pieces;
    uint64_t count;
    struct span texts[2];
};

static bool find_sections(struct decoder *decoder, const struct weft_snapshot *snapshot)
{
    struct span rest = {snapshot->structure + KEPT_HEAD_SIZE,
                        snapshot->structure_size - KEPT_HEAD_SIZE};
    uint64_t size;
    if (!varint_take(&size, &rest) || size > rest.size)
        return false;
    decoder->runs = (struct span){rest.data, (size_t)size};
    rest.data += size;
    rest.size -= (size_t)size;
    if (!varint_take(&decoder->count, &rest) || decoder->count > rest.size / SLOT_SIZE_MIN)
        return false;
    decoder->slots = rest;
    return true;
}

static bool take_pieces(struct decoder *decoder)
{
    struct span *input = &decoder->slots;
    uint64_t end = 0;
    for (uint64_t i = 0; i < decoder->count; i++) {
        uint64_t code;
        uint64_t bits;
        uint64_t size;
        if (!varint_take(&code, input) || !varint_take(&bits, input) || bits >> 1 > UINT32_MAX)
            return false;
        struct span *text = &decoder->texts[bits & 1];
        uint64_t iv = zigzag_decode(code, end);
        if (iv > UINT32_MAX || bits >> 1 == 0 || !utf8_take(&size, *text, bits >> 1))
            return false;
        decoder->pieces[i] =
            (struct piece){(uint32_t)iv, (uint32_t)(bits >> 1), {text->data, (size_t)size}};
        text->data += size;
        text->size -= (size_t)size;
        end = iv + (bits >> 1);
    }
    return input->size == 0 && decoder->texts[0].size == 0 && decoder->texts[1].size == 0;
}

static int compare_pieces(const void *left, const void *right)
{
    const struct piece *a = left;
    const struct piece *b = right;
    return (a->iv > b->iv) - (a->iv < b->iv);
}

// The text in the order of the runs.
static bool join_pieces(const struct decoder *decoder, struct weft_buffer *text)
{
    uint64_t elements = 0;
    for (uint64_t i = 0; i < decoder->count; i++) {
        const struct piece *piece = &decoder->pieces[i];
        if (piece->iv != elements ||
            weft_buffer_append(text, piece->text.data, piece->text.size) != WEFT_OK)
            return false;
        elements += piece->length;
    }
    return true;
}

static enum weft_status apply(struct rga *rga, const struct delta_reader *reader,
                              struct weft_run *run, struct span *text)
{
    uint32_t atoms;
    struct weft_id missing;
    if (run->kind == WEFT_RUN_INSERT) {
        uint64_t size;
        if (!utf8_take(&size, *text, run->length))
            return WEFT_MALFORMED;
        run->text = text->data;
        run->text_size = (size_t)size;
        text->data += size;
        text->size -= (size_t)size;
    }
    if (!reader->text_apart)
        return WEFT_MALFORMED;
    switch (rga_apply_alone(rga, run, &atoms, &missing)) {
    case RGA_APPLIED:
        return WEFT_OK;
    case RGA_LIMIT:
        return WEFT_LIMIT;
    case RGA_NO_MEMORY:
        return WEFT_NO_MEMORY;
    default:
        return WEFT_MALFORMED;
    }
}

static enum weft_status apply_runs(struct rga *rga, const struct decoder *decoder, struct span text)
{
    struct delta_reader reader;
    struct weft_run run;
    if (decoder->runs.size == 0)
        return text.size == 0 ? WEFT_OK : WEFT_MALFORMED;
    enum weft_status status = delta_reader_init(&reader, &rga->allocator, decoder->runs);
    if (status != WEFT_OK)
        return status;
    while ((status = delta_reader_next(&reader, &run)) == WEFT_OK) {
        status = apply(rga, &reader, &run, &text);
        if (status != WEFT_OK)
            break;
    }
    delta_reader_finish(&reader);
    rga_settle(rga);
    if (status == WEFT_NOT_FOUND)
        return text.size == 0 ? WEFT_OK : WEFT_MALFORMED;
    return status;
}

enum weft_status snapshot_decode_0(struct rga *rga, const struct weft_snapshot *snapshot)
{
    struct decoder decoder = {
        .texts = {{snapshot->text, snapshot->text_size}, {snapshot->tombs, snapshot->tombs_size}},
    };
    struct weft_buffer text;
    if (!find_sections(&decoder, snapshot) || !utf8_is_valid(decoder.texts[0]) ||
        !utf8_is_valid(decoder.texts[1]))
        return WEFT_MALFORMED;
    size_t size = (size_t)decoder.count * sizeof decoder.pieces[0];
    if (size > 0) {
        decoder.pieces = memory_alloc(&rga->allocator, size);
        if (decoder.pieces == NULL)
            return WEFT_NO_MEMORY;
    }
    enum weft_status status = WEFT_MALFORMED;
    weft_buffer_init(&text, &rga->allocator);
    if (take_pieces(&decoder)) {
        if (decoder.count > 0)
            qsort(decoder.pieces, (size_t)decoder.count, sizeof decoder.pieces[0], compare_pieces);
        status = weft_buffer_reserve(&text, snapshot->text_size + snapshot->tombs_size);
        if (status == WEFT_OK && !join_pieces(&decoder, &text))
            status = WEFT_MALFORMED;
    }
    if (status == WEFT_OK)
        status = apply_runs(rga, &decoder, span_of_buffer(&text));
    weft_buffer_finish(&text);
    memory_free(&rga->allocator, decoder.pieces, size);
    rga_trim(rga);
    return status;
}
