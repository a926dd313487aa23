// SPDX-License-Identifier: MIT
// Of a snapshot, what text was collected.
#include "codec/snapshot_gone.h"

#include <string.h>

#include "base/bits.h"
#include "base/endian.h"
#include "base/utf8.h"
#include "base/varint.h"

enum { GONE_MARK = 0xff };

// --------------------------------------------------------------------------------------- encoding

static enum weft_status put_varint(struct weft_buffer *out, uint64_t value)
{
    uint8_t bytes[VARINT_SIZE_MAX];
    return weft_buffer_append(out, bytes, varint_put(bytes, value));
}

static enum weft_status put_pair(struct weft_buffer *out, uint64_t first, uint64_t second)
{
    uint8_t bytes[2 * VARINT_SIZE_MAX];
    size_t size = varint_put(bytes, first);
    return weft_buffer_append(out, bytes, size + varint_put(bytes + size, second));
}

// The parts of one agent, from `at` on, which moves past them.
static enum weft_status put_parts(struct weft_buffer *out, const struct rga *rga,
                                  struct ordmap_at *at)
{
    const struct sums *sums = &rga->sums;
    uint32_t agent = sums_part_at(sums, *at).agent;
    uint64_t count = 0;
    for (struct ordmap_at i = *at; i.node != ORDMAP_NONE && sums_part_at(sums, i).agent == agent;
         i = ordmap_next(&sums->parts, i))
        count++;
    uint8_t id[8];
    endian_put_u64(id, agents_id(&rga->agents, agent));
    enum weft_status status = weft_buffer_append(out, id, sizeof id);
    if (status == WEFT_OK)
        status = put_varint(out, count);
    for (uint64_t before = 0; count > 0 && status == WEFT_OK; count--) {
        struct sums_part part = sums_part_at(sums, *at);
        uint64_t code = (uint64_t)part.first / SUMS_BLOCK_ATOMS << 1 | (part.chunk ? 1u : 0u);
        status = put_varint(out, code - before);
        if (status == WEFT_OK)
            status = weft_buffer_append(out, sums_find(sums, part), HASH_SIZE);
        before = code;
        *at = ordmap_next(&sums->parts, *at);
    }
    return status;
}

static enum weft_status put_sums(struct weft_buffer *out, const struct rga *rga)
{
    const struct ordmap *parts = &rga->sums.parts;
    uint64_t agents = 0;
    uint32_t last = AGENT_NONE;
    for (struct ordmap_at at = ordmap_first(parts); at.node != ORDMAP_NONE;
         at = ordmap_next(parts, at)) {
        agents += sums_part_at(&rga->sums, at).agent != last;
        last = sums_part_at(&rga->sums, at).agent;
    }
    enum weft_status status = put_varint(out, agents);
    struct ordmap_at at = ordmap_first(parts);
    while (at.node != ORDMAP_NONE && status == WEFT_OK)
        status = put_parts(out, rga, &at);
    return status;
}

// Elements of deleted slots: so many with text and then so many without.
struct pairs {
    struct weft_buffer bytes;
    uint64_t count;
    uint64_t kept;
    uint64_t gone;
};

static enum weft_status flush_pair(struct pairs *pairs)
{
    if (pairs->gone == 0)
        return WEFT_OK;
    enum weft_status status = put_pair(&pairs->bytes, pairs->kept, pairs->gone);
    pairs->count++;
    pairs->kept = 0;
    pairs->gone = 0;
    return status;
}

static enum weft_status add_slot(struct pairs *pairs, const struct text *text, uint32_t iv,
                                 uint32_t length)
{
    enum weft_status status = WEFT_OK;
    for (uint32_t here; length > 0 && status == WEFT_OK; iv += here, length -= here) {
        bool gone;
        here = text_alike(text, iv, length, &gone);
        if (gone) {
            pairs->gone += here;
            continue;
        }
        status = flush_pair(pairs);
        pairs->kept += here;
    }
    return status;
}

static enum weft_status put_pairs(struct weft_buffer *out, struct pairs *pairs,
                                  const struct rga *rga)
{
    const struct tree *tree = &rga->tree;
    enum weft_status status = WEFT_OK;
    for (uint32_t i = tree->first; i != TREE_NONE; i = tree_leaf(tree, i)->next) {
        const struct tree_leaf *leaf = tree_leaf(tree, i);
        for (uint32_t slot = 0; slot < leaf->count && status == WEFT_OK; slot++) {
            if (!leaf_visible(leaf, slot))
                status = add_slot(pairs, &rga->text, leaf->iv[slot], leaf_length(leaf, slot));
        }
    }
    if (status == WEFT_OK)
        status = flush_pair(pairs);
    if (status == WEFT_OK)
        status = put_varint(out, pairs->count);
    if (status == WEFT_OK)
        status = weft_buffer_append(out, pairs->bytes.data, pairs->bytes.size);
    return status;
}

struct lacking {
    struct weft_buffer bytes;
    uint64_t count;
    uint32_t end;
};

static bool add_lacking(void *context, uint32_t iv, uint32_t length)
{
    struct lacking *lacking = context;
    bool added = put_pair(&lacking->bytes, iv - lacking->end, length) == WEFT_OK;
    lacking->count++;
    lacking->end = iv + length;
    return added;
}

static enum weft_status put_lacking(struct weft_buffer *out, struct lacking *lacking,
                                    struct rga *rga)
{
    if (!rga_visit_lacking(rga, add_lacking, lacking))
        return WEFT_NO_MEMORY;
    enum weft_status status = put_varint(out, lacking->count);
    if (status == WEFT_OK)
        status = weft_buffer_append(out, lacking->bytes.data, lacking->bytes.size);
    return status;
}

enum weft_status snapshot_put_gone(struct weft_buffer *tombs, struct rga *rga)
{
    static const uint8_t mark = GONE_MARK;
    size_t size = tombs->size;
    struct pairs pairs = {.count = 0};
    struct lacking lacking = {.count = 0};
    if (rga->text.gone == 0)
        return WEFT_OK;
    weft_buffer_init(&pairs.bytes, &rga->allocator);
    weft_buffer_init(&lacking.bytes, &rga->allocator);
    enum weft_status status = weft_buffer_append(tombs, &mark, 1);
    if (status == WEFT_OK)
        status = put_sums(tombs, rga);
    if (status == WEFT_OK)
        status = put_pairs(tombs, &pairs, rga);
    if (status == WEFT_OK)
        status = put_lacking(tombs, &lacking, rga);
    if (status != WEFT_OK)
        tombs->size = size;
    weft_buffer_finish(&lacking.bytes);
    weft_buffer_finish(&pairs.bytes);
    return status;
}

// --------------------------------------------------------------------------------------- decoding

static bool pass(struct span *input, uint64_t size)
{
    if (size > input->size)
        return false;
    input->data += size;
    input->size -= (size_t)size;
    return true;
}

// Passes the hashes of one agent. @param atoms_max Gets what their parts hold added.
static bool pass_parts(struct span *input, uint64_t *count_out, uint64_t *atoms_max)
{
    uint64_t count;
    uint64_t step;
    uint64_t code = 0;
    if (!pass(input, 8) || !varint_take(&count, input) || count > input->size / (HASH_SIZE + 1))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if (!varint_take(&step, input) || step > GAPS_SEQ_MAX || (i > 0 && step == 0) ||
            !pass(input, HASH_SIZE))
            return false;
        code += step;
        bool chunk = (code & 1) != 0;
        if (code >> 1 >= OP_LAMPORT_MAX / SUMS_BLOCK_ATOMS - SUMS_BLOCKS ||
            (chunk && (code >> 1) % SUMS_BLOCKS != 0))
            return false;
        *atoms_max += chunk ? SUMS_CHUNK_ATOMS : SUMS_BLOCK_ATOMS;
    }
    *count_out += count;
    return true;
}

// Finds the hashes, and how many elements can lack text for them.
static bool take_sums(struct snapshot_gone *gone, struct span *input, uint64_t *atoms_max)
{
    if (!varint_take(&gone->agents, input))
        return false;
    gone->sums = *input;
    for (uint64_t i = 0; i < gone->agents; i++) {
        if (!pass_parts(input, &gone->sums_count, atoms_max))
            return false;
    }
    gone->sums.size -= input->size;
    return true;
}

static bool take_pairs(struct snapshot_gone *gone, struct span *input, uint64_t *gone_count,
                       uint64_t atoms_max)
{
    uint64_t pairs;
    if (!varint_take(&pairs, input) || pairs > input->size / 2)
        return false;
    gone->pairs = *input;
    for (; pairs > 0; pairs--) {
        uint64_t kept;
        uint64_t here;
        if (!varint_take(&kept, input) || kept > UINT32_MAX || !varint_take(&here, input) ||
            here == 0 || here > atoms_max - *gone_count)
            return false;
        *gone_count += here;
    }
    gone->pairs.size -= input->size;
    return *gone_count > 0;
}

static enum weft_status take_lacking(struct snapshot_gone *gone, struct span *input)
{
    uint64_t ranges;
    uint64_t end = 0;
    if (!varint_take(&ranges, input) || ranges > input->size / 2)
        return WEFT_MALFORMED;
    for (; ranges > 0; ranges--) {
        uint64_t step;
        uint64_t length;
        if (!varint_take(&step, input) || step > UINT32_MAX || !varint_take(&length, input) ||
            length == 0 || end + step + length > UINT32_MAX)
            return WEFT_MALFORMED;
        struct rga_load_range range = {(uint32_t)(end + step), (uint32_t)length};
        end = end + step + length;
        if (weft_buffer_append(&gone->lacking, &range, sizeof range) != WEFT_OK)
            return WEFT_NO_MEMORY;
    }
    return WEFT_OK;
}

// The tombs with a character for each element that has none.
static enum weft_status expand(struct snapshot_gone *gone, struct span text, uint64_t gone_count)
{
    struct span pairs = gone->pairs;
    uint64_t kept;
    uint64_t here;
    if (text.size > SIZE_MAX - gone_count ||
        weft_buffer_reserve(&gone->tombs, text.size + (size_t)gone_count) != WEFT_OK)
        return WEFT_NO_MEMORY;
    while (pairs.size > 0 && varint_take(&kept, &pairs) && varint_take(&here, &pairs)) {
        uint64_t size;
        if (!utf8_take(&size, text, kept))
            return WEFT_MALFORMED;
        memcpy(gone->tombs.data + gone->tombs.size, text.data, (size_t)size);
        memset(gone->tombs.data + gone->tombs.size + size, '-', (size_t)here);
        gone->tombs.size += (size_t)(size + here);
        pass(&text, size);
    }
    return weft_buffer_append(&gone->tombs, text.data, text.size);
}

enum weft_status snapshot_gone_open(struct snapshot_gone *gone,
                                    const struct weft_snapshot *snapshot, struct rga *rga)
{
    struct span input = {snapshot->tombs, snapshot->tombs_size};
    uint64_t atoms_max = 0;
    uint64_t gone_count = 0;
    *gone = (struct snapshot_gone){.snapshot = *snapshot};
    weft_buffer_init(&gone->lacking, &rga->allocator);
    weft_buffer_init(&gone->tombs, &rga->allocator);
    if (input.size == 0 || input.data[0] != GONE_MARK)
        return WEFT_OK;
    pass(&input, 1);
    enum weft_status status = WEFT_MALFORMED;
    if (take_sums(gone, &input, &atoms_max) && take_pairs(gone, &input, &gone_count, atoms_max))
        status = take_lacking(gone, &input);
    if (status == WEFT_OK)
        status = expand(gone, input, gone_count);
    if (status != WEFT_OK) {
        snapshot_gone_finish(gone, rga);
        return status;
    }
    gone->snapshot.tombs = gone->tombs.data;
    gone->snapshot.tombs_size = gone->tombs.size;
    rga->load_lacking = (const void *)gone->lacking.data;
    rga->load_lacking_count = gone->lacking.size / sizeof(struct rga_load_range);
    return WEFT_OK;
}

void snapshot_gone_finish(struct snapshot_gone *gone, struct rga *rga)
{
    weft_buffer_finish(&gone->lacking);
    weft_buffer_finish(&gone->tombs);
    rga->load_lacking = NULL;
    rga->load_lacking_count = 0;
}

// Marks the elements of deleted slots that have no text. @return false when there are fewer.
static bool mark_gone(uint64_t *bits, const struct rga *rga, struct span pairs)
{
    const struct tree *tree = &rga->tree;
    uint64_t left[2] = {0, 0}; // with text, and then without
    for (uint32_t i = tree->first; i != TREE_NONE; i = tree_leaf(tree, i)->next) {
        const struct tree_leaf *leaf = tree_leaf(tree, i);
        for (uint32_t slot = 0; slot < leaf->count; slot++) {
            uint32_t iv = leaf->iv[slot];
            uint32_t end = iv + leaf_length(leaf, slot);
            while (!leaf_visible(leaf, slot) && iv < end) {
                if (left[0] + left[1] == 0 &&
                    !(varint_take(&left[0], &pairs) && varint_take(&left[1], &pairs)))
                    return true; // the rest has its text
                uint64_t *most = &left[left[0] == 0];
                uint32_t here = *most < end - iv ? (uint32_t)*most : end - iv;
                if (left[0] == 0)
                    bits_set(bits, iv, iv + here);
                *most -= here;
                iv += here;
            }
        }
    }
    return left[0] + left[1] == 0 && pairs.size == 0;
}

static bool load_sums(const struct snapshot_gone *gone, struct rga *rga)
{
    struct span input = gone->sums;
    for (uint64_t i = 0; i < gone->agents; i++) {
        uint32_t agent = agents_find(&rga->agents, endian_get_u64(input.data));
        uint64_t count = 0;
        uint64_t step;
        uint64_t code = 0;
        pass(&input, 8);
        if (agent == AGENT_NONE || !varint_take(&count, &input))
            return false;
        for (; count > 0 && varint_take(&step, &input); count--) {
            code += step;
            sums_put(&rga->sums,
                     (struct sums_part){agent, (uint32_t)(code >> 1) * SUMS_BLOCK_ATOMS,
                                        (code & 1) != 0},
                     input.data);
            pass(&input, HASH_SIZE);
        }
    }
    return true;
}

enum weft_status snapshot_gone_drop(const struct snapshot_gone *gone, struct rga *rga)
{
    size_t size = bits_size(rga->text.length);
    if (gone->pairs.size == 0)
        return WEFT_OK;
    if (!sums_reserve(&rga->sums, gone->sums_count))
        return WEFT_NO_MEMORY;
    uint64_t *bits = memory_alloc(&rga->allocator, size);
    if (bits == NULL)
        return WEFT_NO_MEMORY;
    memset(bits, 0, size);
    enum weft_status status = WEFT_MALFORMED;
    if (mark_gone(bits, rga, gone->pairs) && load_sums(gone, rga))
        status = text_drop(&rga->text, bits) ? WEFT_OK : WEFT_NO_MEMORY;
    memory_free(&rga->allocator, bits, size);
    rga->complete = false;
    if (status == WEFT_OK && !rga_gone_is_sound(rga))
        status = WEFT_MALFORMED;
    return status;
}
