// SPDX-License-Identifier: MIT
// A document: reading its text, and between positions and ids.
#include "doc/doc_impl.h"

uint64_t weft_doc_length(const struct weft_doc *doc, enum weft_unit unit)
{
    return doc_rga(doc)->tree.total.units[unit];
}

enum weft_status weft_doc_text(struct weft_buffer *out, const struct weft_doc *doc)
{
    const struct rga *rga = doc_rga(doc);
    const struct tree *tree = &rga->tree;
    enum weft_status status = weft_buffer_reserve(out, tree->total.units[WEFT_UTF8]);
    if (status != WEFT_OK)
        return status;
    for (uint32_t i = tree->first; i != TREE_NONE; i = tree_leaf(tree, i)->next) {
        const struct tree_leaf *leaf = tree_leaf(tree, i);
        for (uint32_t slot = 0; slot < leaf->count; slot++) {
            if (!leaf_visible(leaf, slot))
                continue;
            struct span text = text_view(&rga->text, leaf->iv[slot], leaf->len[slot]);
            status = weft_buffer_append(out, text.data, text.size);
            if (status != WEFT_OK)
                return status; // not for want of memory, which was reserved
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

enum weft_status weft_doc_id_at(struct weft_id *id_out, const struct weft_doc *doc,
                                enum weft_unit unit, uint64_t index)
{
    struct rga *rga = doc_rga(doc);
    struct tree_at at;
    if (!seek(rga, text_unit(&rga->text, unit), index, &at))
        return WEFT_RANGE;
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
    const struct op *op = oplog_at(&rga->log, leaf->op[at.slot]);
    *id_out = (struct weft_id){
        .agent = agents_id(&rga->agents, op->agent),
        .seq = op->seq + (leaf->iv[at.slot] + at.offset - op->iv),
    };
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
