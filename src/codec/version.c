// SPDX-License-Identifier: MIT
// Version vectors.
#include "codec/version.h"

#include "base/endian.h"
#include "base/varint.h"

enum { ENTRY_SIZE_MIN = 9 };

enum weft_status version_reader_init(struct version_reader *reader, struct span bytes)
{
    *reader = (struct version_reader){.rest = bytes};
    if (bytes.size == 0)
        return WEFT_OK;
    if (!varint_take(&reader->left, &reader->rest) ||
        reader->left > reader->rest.size / ENTRY_SIZE_MIN)
        return WEFT_MALFORMED;
    return WEFT_OK;
}

enum weft_status version_reader_next(struct version_reader *reader, struct version_entry *entry_out)
{
    struct span rest = reader->rest;
    struct version_entry entry;
    if (reader->left == 0)
        return rest.size == 0 ? WEFT_NOT_FOUND : WEFT_MALFORMED;
    if (rest.size < ENTRY_SIZE_MIN)
        return WEFT_MALFORMED;
    entry.agent = endian_get_u64(rest.data);
    rest.data += 8;
    rest.size -= 8;
    if (!varint_take(&entry.next, &rest) || entry.next == 0 || entry.agent <= reader->agent)
        return WEFT_MALFORMED;
    reader->rest = rest;
    reader->left--;
    reader->agent = entry.agent;
    *entry_out = entry;
    return WEFT_OK;
}

enum weft_status version_check(struct span bytes)
{
    struct version_reader reader;
    struct version_entry entry;
    enum weft_status status = version_reader_init(&reader, bytes);
    while (status == WEFT_OK)
        status = version_reader_next(&reader, &entry);
    return status == WEFT_NOT_FOUND ? WEFT_OK : status;
}

enum weft_status version_put_count(struct weft_buffer *out, uint64_t count)
{
    uint8_t bytes[VARINT_SIZE_MAX];
    return weft_buffer_append(out, bytes, varint_put(bytes, count));
}

enum weft_status version_put(struct weft_buffer *out, struct version_entry entry)
{
    uint8_t bytes[8 + VARINT_SIZE_MAX];
    endian_put_u64(bytes, entry.agent);
    return weft_buffer_append(out, bytes, 8 + varint_put(bytes + 8, entry.next));
}

// ------------------------------------------------------------------------------------- two vectors

// Walks two vectors together: for each agent of either its entries, with next 0 where there is
// none.
struct pair {
    struct version_reader readers[2];
    struct version_entry entries[2]; // read ahead
    bool ended[2];
};

static enum weft_status pair_advance(struct pair *pair, int side)
{
    enum weft_status status = version_reader_next(&pair->readers[side], &pair->entries[side]);
    pair->ended[side] = status == WEFT_NOT_FOUND;
    return status == WEFT_NOT_FOUND ? WEFT_OK : status;
}

static enum weft_status pair_init(struct pair *pair, struct span a, struct span b)
{
    *pair = (struct pair){0};
    enum weft_status status = version_reader_init(&pair->readers[0], a);
    if (status == WEFT_OK)
        status = version_reader_init(&pair->readers[1], b);
    if (status == WEFT_OK)
        status = pair_advance(pair, 0);
    if (status == WEFT_OK)
        status = pair_advance(pair, 1);
    return status;
}

// WEFT_NOT_FOUND at the end of both.
static enum weft_status pair_next(struct pair *pair, uint64_t *agent_out, uint64_t nexts_out[2])
{
    uint64_t agent = UINT64_MAX;
    if (pair->ended[0] && pair->ended[1])
        return WEFT_NOT_FOUND;
    for (int side = 0; side < 2; side++) {
        if (!pair->ended[side] && pair->entries[side].agent < agent)
            agent = pair->entries[side].agent;
    }
    for (int side = 0; side < 2; side++) {
        nexts_out[side] = 0;
        if (pair->ended[side] || pair->entries[side].agent != agent)
            continue;
        nexts_out[side] = pair->entries[side].next;
        enum weft_status status = pair_advance(pair, side);
        if (status != WEFT_OK)
            return status;
    }
    *agent_out = agent;
    return WEFT_OK;
}

enum weft_status weft_version_compare(enum weft_order *order_out, const uint8_t *a, size_t a_size,
                                      const uint8_t *b, size_t b_size)
{
    struct pair pair;
    uint64_t agent;
    uint64_t nexts[2];
    bool before = false;
    bool after = false;
    enum weft_status status = pair_init(&pair, (struct span){a, a_size}, (struct span){b, b_size});
    while (status == WEFT_OK && (status = pair_next(&pair, &agent, nexts)) == WEFT_OK) {
        before = before || nexts[0] < nexts[1];
        after = after || nexts[0] > nexts[1];
    }
    if (status != WEFT_NOT_FOUND)
        return status;
    *order_out = before ? (after ? WEFT_ORDER_CONCURRENT : WEFT_ORDER_BEFORE)
                        : (after ? WEFT_ORDER_AFTER : WEFT_ORDER_EQUAL);
    return WEFT_OK;
}

// Walks the pair and counts the agents, or, with `out`, writes them.
static enum weft_status merge(struct weft_buffer *out, uint64_t *count_out, struct span a,
                              struct span b)
{
    struct pair pair;
    uint64_t agent;
    uint64_t nexts[2];
    uint64_t count = 0;
    enum weft_status status = pair_init(&pair, a, b);
    while (status == WEFT_OK && (status = pair_next(&pair, &agent, nexts)) == WEFT_OK) {
        count++;
        if (out != NULL)
            status = version_put(
                out, (struct version_entry){agent, nexts[0] > nexts[1] ? nexts[0] : nexts[1]});
    }
    *count_out = count;
    return status == WEFT_NOT_FOUND ? WEFT_OK : status;
}

enum weft_status weft_version_merge(struct weft_buffer *out, const uint8_t *a, size_t a_size,
                                    const uint8_t *b, size_t b_size)
{
    struct span left = {a, a_size};
    struct span right = {b, b_size};
    size_t size = out->size;
    uint64_t count;
    enum weft_status status = merge(NULL, &count, left, right);
    if (status == WEFT_OK)
        status = version_put_count(out, count);
    if (status == WEFT_OK)
        status = merge(out, &count, left, right);
    if (status != WEFT_OK)
        out->size = size;
    return status;
}

enum weft_status weft_version_visit(const uint8_t *version, size_t size,
                                    bool (*visit)(void *context, uint64_t agent, uint64_t next),
                                    void *context)
{
    struct version_reader reader;
    struct version_entry entry;
    struct span bytes = {version, size};
    enum weft_status status = version_check(bytes);
    if (status != WEFT_OK)
        return status;
    status = version_reader_init(&reader, bytes);
    while (status == WEFT_OK && version_reader_next(&reader, &entry) == WEFT_OK) {
        if (!visit(context, entry.agent, entry.next))
            break;
    }
    return status;
}
