// SPDX-License-Identifier: MIT
// A document: reading its text, and between positions and ids.
#include <string.h>

#include <weft/cursor.h>

#include "doc/doc_impl.h"

enum {
    WIDE_COPY = 16, // bytes that are copied at once, however few are wanted
    CACHE_LINE = 64,
};

uint64_t weft_doc_length(const struct weft_doc *doc, enum weft_unit unit)
{
    return doc_rga(doc)->tree.total.units[unit];
}

// Appends elements [iv, iv + length), which lie in one page. There is room for them, and for
// WIDE_COPY bytes more.
static inline void append_text(struct weft_buffer *out, const struct text *text, uint32_t iv,
                               uint32_t length)
{
    const struct text_page *page = text_page(text, iv);
    uint32_t first = iv & (TEXT_PAGE_ELEMENTS - 1);
    uint8_t *to = out->data + out->size;
    if (text_page_is_ascii(page) && length <= WIDE_COPY && first + WIDE_COPY <= page->capacity) {
        memcpy(to, page->data + first, WIDE_COPY); // what is too much is overwritten
        out->size += length;
        return;
    }
    struct span view = text_view(text, iv, length);
    memcpy(to, view.data, view.size);
    out->size += view.size;
}

enum weft_status weft_doc_text(struct weft_buffer *out, const struct weft_doc *doc)
{
    const struct rga *rga = doc_rga(doc);
    const struct tree *tree = &rga->tree;
    enum weft_status status =
        weft_buffer_reserve(out, (size_t)tree->total.units[WEFT_UTF8] + WIDE_COPY);
    if (status != WEFT_OK)
        return status;
    for (uint32_t i = tree->first; i != TREE_NONE;) {
        const struct tree_leaf *leaf = tree_leaf(tree, i);
        i = leaf->next;
        if (i != TREE_NONE) { // is anywhere in memory
            const uint8_t *next = (const uint8_t *)tree_leaf(tree, i);
            for (size_t offset = 0; offset < sizeof *leaf; offset += CACHE_LINE)
                __builtin_prefetch(next + offset);
        }
        for (uint32_t slot = 0; slot < leaf->count; slot++) {
            if (leaf_visible(leaf, slot))
                append_text(out, &rga->text, leaf->iv[slot], leaf->len[slot]);
        }
    }
    return WEFT_OK;
}

// The element that holds visible `index`; false when there is none or `index` is inside of it.
static bool seek(struct rga *rga, enum weft_unit unit, uint64_t index, struct tree_at *at_out)
{
    uint32_t start;
    if (index >= rga->tree.total.units[unit])
        return false;
    *at_out = tree_seek(&rga->tree, &start, unit, (uint32_t)index);
    return unit == WEFT_SCALARS || tree_index(&rga->tree, unit, *at_out) == index;
}

// Scalars before visible `index`, which may be the end; false when it is inside of a character.
static bool to_scalars(struct rga *rga, enum weft_unit unit, uint64_t index, uint64_t *scalars_out)
{
    struct tree_at at;
    *scalars_out = rga->tree.total.units[WEFT_SCALARS];
    if (index == rga->tree.total.units[unit])
        return true;
    if (!seek(rga, unit, index, &at))
        return false;
    *scalars_out = tree_index(&rga->tree, WEFT_SCALARS, at);
    return true;
}

bool doc_find_range(struct rga *rga, enum weft_unit unit, uint64_t index, uint64_t length,
                    uint64_t *first_out, uint64_t *end_out)
{
    uint64_t total = rga->tree.total.units[unit];
    *first_out = index;
    *end_out = index + length;
    if (index > total || length > total - index)
        return false;
    return unit == WEFT_SCALARS || (to_scalars(rga, unit, index, first_out) &&
                                    to_scalars(rga, unit, index + length, end_out));
}

enum weft_status weft_doc_read(const struct weft_doc *doc, enum weft_unit unit, uint64_t index,
                               uint64_t length,
                               void (*chunk)(void *context, const uint8_t *text, size_t size),
                               void *context)
{
    struct rga *rga = doc_rga(doc);
    uint64_t first;
    uint64_t end;
    if (!doc_find_range(rga, text_unit(&rga->text, unit), index, length, &first, &end))
        return WEFT_RANGE;
    struct tree_at at;
    if (first == end || !seek(rga, WEFT_SCALARS, first, &at))
        return WEFT_OK;
    for (uint64_t left = end - first; left > 0;) {
        const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
        if (at.slot == leaf->count) {
            at = (struct tree_at){.leaf = leaf->next};
            continue;
        }
        if (leaf_visible(leaf, at.slot)) {
            uint32_t here = leaf->len[at.slot] - at.offset;
            here = here < left ? here : (uint32_t)left;
            struct span text = text_view(&rga->text, leaf->iv[at.slot] + at.offset, here);
            chunk(context, text.data, text.size);
            left -= here;
        }
        at.slot++;
        at.offset = 0;
    }
    return WEFT_OK;
}

// The id of the element at a place.
static struct weft_id id_of(const struct rga *rga, struct tree_at at)
{
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
    const struct op *op = oplog_at(&rga->log, leaf->op[at.slot]);
    return (struct weft_id){
        .agent = agents_id(&rga->agents, op->agent),
        .seq = op->seq + (leaf->iv[at.slot] + at.offset - op->iv),
    };
}

enum weft_status weft_doc_id_at(struct weft_id *id_out, const struct weft_doc *doc,
                                enum weft_unit unit, uint64_t index)
{
    struct rga *rga = doc_rga(doc);
    struct tree_at at;
    if (!seek(rga, text_unit(&rga->text, unit), index, &at))
        return WEFT_RANGE;
    *id_out = id_of(rga, at);
    return WEFT_OK;
}

enum weft_status weft_doc_index_of(uint64_t *index_out, bool *visible_out,
                                   const struct weft_doc *doc, enum weft_unit unit,
                                   struct weft_id id)
{
    struct rga *rga = doc_rga(doc);
    uint32_t row = rga_find_element(rga, id);
    if (row == OP_NONE)
        return WEFT_NOT_FOUND;
    struct tree_at at = rga_locate(rga, row, (uint32_t)id.seq);
    *index_out = tree_index(&rga->tree, text_unit(&rga->text, unit), at);
    if (visible_out != NULL)
        *visible_out = leaf_visible(tree_leaf(&rga->tree, at.leaf), at.slot);
    return WEFT_OK;
}

enum weft_status weft_doc_cursor_at(struct weft_cursor *cursor_out, const struct weft_doc *doc,
                                    enum weft_unit unit, uint64_t index, enum weft_side side)
{
    struct rga *rga = doc_rga(doc);
    struct tree_at at;
    uint64_t scalars;
    unit = text_unit(&rga->text, unit);
    if (index > rga->tree.total.units[unit] || !to_scalars(rga, unit, index, &scalars))
        return WEFT_RANGE;
    if (side == WEFT_AFTER)
        scalars--; // at the start of the text that is past its end
    *cursor_out = (struct weft_cursor){WEFT_ID_ROOT, side};
    if (seek(rga, WEFT_SCALARS, scalars, &at))
        cursor_out->id = id_of(rga, at);
    return WEFT_OK;
}

enum weft_status weft_doc_cursor_index(uint64_t *index_out, const struct weft_doc *doc,
                                       enum weft_unit unit, struct weft_cursor cursor)
{
    struct rga *rga = doc_rga(doc);
    unit = text_unit(&rga->text, unit);
    if (cursor.id.agent == WEFT_ID_ROOT.agent && cursor.id.seq == WEFT_ID_ROOT.seq) {
        *index_out = cursor.side == WEFT_AFTER ? 0 : rga->tree.total.units[unit];
        return WEFT_OK;
    }
    uint32_t row = rga_find_element(rga, cursor.id);
    if (row == OP_NONE)
        return WEFT_NOT_FOUND;
    struct tree_at at = rga_locate(rga, row, (uint32_t)cursor.id.seq);
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
    *index_out = tree_index(&rga->tree, unit, at);
    if (cursor.side == WEFT_AFTER && leaf_visible(leaf, at.slot))
        *index_out += text_weigh(&rga->text, leaf->iv[at.slot] + at.offset, 1).units[unit];
    return WEFT_OK;
}
