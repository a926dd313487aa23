// SPDX-License-Identifier: MIT
// Text with gaps.
#include "crdt/gaps.h"

#include <string.h>

#include "base/utf8.h"

const bool gaps_are_read = true;

static void pass(struct span *span, size_t size)
{
    span->data += size;
    span->size -= size;
}

static bool take_sum(struct gaps_reader *reader, struct gaps_token *token)
{
    uint64_t code;
    if (!varint_take(&code, &reader->rest) || code >> 1 >= GAPS_SEQ_MAX / SUMS_BLOCK_ATOMS ||
        reader->rest.size < HASH_SIZE)
        return false;
    bool chunk = (code & 1) != 0;
    token->first = (code >> 1) * SUMS_BLOCK_ATOMS;
    token->part_end = token->first + (chunk ? SUMS_CHUNK_ATOMS : SUMS_BLOCK_ATOMS);
    token->hash = reader->rest.data;
    pass(&reader->rest, HASH_SIZE);
    return !chunk || token->first % SUMS_CHUNK_ATOMS == 0;
}

// Characters up to a gap, a hash or so many. Looks at no more bytes than these have at most, so
// that what is read of all rows is linear.
static bool take_text(struct gaps_reader *reader, uint32_t length, struct gaps_token *token)
{
    const struct span rest = reader->rest;
    size_t most = rest.size / 4 < length ? rest.size : (size_t)4 * length;
    size_t end = 0;
    struct utf8_counts counts;
    uint64_t size;
    while (end < most && rest.data[end] < GAPS_SUM)
        end++;
    struct span before = {rest.data, end};
    if (end < most && utf8_count(&counts, before) && counts.scalars <= length) {
        token->length = (uint32_t)counts.scalars;
        size = end;
    } else if (utf8_take(&size, rest, length)) {
        token->length = length;
    } else {
        return false;
    }
    token->text = (struct span){rest.data, (size_t)size};
    pass(&reader->rest, (size_t)size);
    reader->seq += token->length;
    return token->length > 0;
}

bool gaps_take(struct gaps_reader *reader, uint32_t length, struct gaps_token *token_out)
{
    struct gaps_token token = {.kind = 0};
    uint64_t left = reader->end - reader->seq;
    length = left < length ? (uint32_t)left : length;
    if (reader->gone == 0) {
        if (reader->rest.size == 0)
            return false;
        token.kind = reader->rest.data[0] >= GAPS_SUM ? reader->rest.data[0] : 0;
        if (token.kind != 0)
            pass(&reader->rest, 1);
        if (token.kind == GAPS_GONE && (!varint_take(&reader->gone, &reader->rest) ||
                                        reader->gone == 0 || reader->gone > left))
            return false;
    } else {
        token.kind = GAPS_GONE;
    }
    if (token.kind == GAPS_GONE) {
        token.length = reader->gone < length ? (uint32_t)reader->gone : length;
        reader->gone -= token.length;
        reader->seq += token.length;
    } else if (token.kind == GAPS_SUM ? !take_sum(reader, &token)
                                      : !take_text(reader, length, &token)) {
        return false;
    }
    *token_out = token;
    return true;
}

size_t gaps_put_sum(uint8_t out[GAPS_SUM_SIZE_MAX], uint64_t first, bool chunk,
                    const uint8_t hash[HASH_SIZE])
{
    out[0] = GAPS_SUM;
    size_t size = 1 + varint_put(out + 1, first / SUMS_BLOCK_ATOMS << 1 | (chunk ? 1u : 0u));
    memcpy(out + size, hash, HASH_SIZE);
    return size + HASH_SIZE;
}

static enum weft_status put_token(struct weft_buffer *out, const struct gaps_token *token)
{
    uint8_t bytes[GAPS_SUM_SIZE_MAX] = {GAPS_GONE};
    if (token->kind == 0)
        return weft_buffer_append(out, token->text.data, token->text.size);
    bool chunk = token->part_end - token->first == SUMS_CHUNK_ATOMS;
    size_t size = token->kind == GAPS_GONE ? 1 + varint_put(bytes + 1, token->length)
                                           : gaps_put_sum(bytes, token->first, chunk, token->hash);
    return weft_buffer_append(out, bytes, size);
}

enum weft_status gaps_slice(struct weft_buffer *out, struct gaps_reader reader, uint32_t first,
                            uint32_t end)
{
    uint64_t from = reader.seq + first;
    uint64_t to = reader.seq + end;
    struct gaps_token token;
    struct gaps_token sum = {.hash = NULL};
    enum weft_status status = WEFT_OK;
    while (reader.seq < to && status == WEFT_OK) {
        bool before = reader.seq < from;
        uint64_t most = (before ? from : to) - reader.seq;
        if (!gaps_take(&reader, (uint32_t)most, &token))
            break;
        if (token.kind == GAPS_SUM)
            sum = token;
        if (token.kind == GAPS_SUM || reader.seq <= from)
            continue;
        if (token.kind == GAPS_GONE && sum.hash != NULL)
            status = put_token(out, &sum);
        if (token.kind == GAPS_GONE)
            sum.hash = NULL;
        if (status == WEFT_OK)
            status = put_token(out, &token);
    }
    return status;
}

struct gaps_totals gaps_count(struct gaps_reader reader)
{
    struct gaps_totals totals = {0};
    struct gaps_token token;
    while (reader.seq < reader.end && gaps_take(&reader, UINT32_MAX, &token)) {
        totals.bytes += token.text.size;
        totals.sums += token.kind == GAPS_SUM;
        totals.gaps += token.kind == GAPS_GONE;
        totals.gone += token.kind == GAPS_GONE ? token.length : 0;
    }
    return totals;
}

void gaps_skip(struct gaps_reader *reader, uint32_t length,
               void (*sum)(void *context, const struct gaps_token *token), void *context)
{
    struct gaps_token token;
    uint64_t to = reader->seq + length;
    while (reader->seq < to && gaps_take(reader, (uint32_t)(to - reader->seq), &token)) {
        if (token.kind == GAPS_SUM && sum != NULL)
            sum(context, &token);
    }
}
