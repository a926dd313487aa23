// SPDX-License-Identifier: MIT
// Counting in what rga_insert() and rga_delete() only noted.
#include <assert.h>

#include "crdt/rga_impl.h"

void rga_extend_typing(struct rga *rga, uint32_t length, struct weight weight)
{
    struct op *last = oplog_last(&rga->log);
    oplog_extend(&rga->log, last, length);
    tree_extend(&rga->tree, rga->tree.cursor, length, weight);
    rga_advance(rga, rga->local, op_seq_end(last), rga->lamport + length);
    rga->typing += length;
}

static uint32_t least(uint32_t a, uint64_t b)
{
    return b < a ? (uint32_t)b : a;
}

void rga_expect_typing(struct rga *rga)
{
    const struct text *text = &rga->text;
    if (text_room(text) == TEXT_PAGE_ELEMENTS) // the page is full
        return;
    struct text_page *page = text_page(text, text->length);
    uint32_t room = least(page->capacity - page->size, text_room(text));
    room = least(room, rga->limits.elements_max - text->length);
    rga->strokes = (struct rga_strokes){
        .index = rga->typing,
        .typing = least(room, OP_LAMPORT_MAX - rga->lamport),
        .text = page->data + page->size,
    };
}

void rga_expect_deletes(struct rga *rga)
{
    struct tree_at at = rga->tree.cursor;
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, at.leaf);
    uint32_t room = OP_LAMPORT_MAX - rga->lamport;
    rga->strokes = (struct rga_strokes){.index = rga->tree.cursor_start};
    if (at.slot > 0)
        rga->strokes.backward = least(room, leaf_visible_length(leaf, at.slot - 1));
    if (at.slot + 1 < leaf->count)
        rga->strokes.forward = least(room, leaf_visible_length(leaf, at.slot + 1));
}

// Elements next to the tombstone that the cursor is at.
static void settle_deletes(struct rga *rga, uint32_t count, uint32_t index)
{
    struct tree_at at = rga->tree.cursor;
    bool backward = index < rga->tree.cursor_start;
    if (backward) {
        at.slot--;
        at.offset = tree_leaf(&rga->tree, at.leaf)->len[at.slot] - count;
    } else {
        at.slot++;
        at.offset = 0;
    }
    rga_delete_piece(rga, &at, count, backward);
    rga_set_tombstone(rga, at, index);
}

void rga_settle_strokes(struct rga *rga)
{
    struct rga_strokes strokes = rga->strokes;
    rga->strokes.count = 0;
    if (strokes.text == NULL) {
        settle_deletes(rga, strokes.count, strokes.index);
        return;
    }
    text_take(&rga->text, strokes.count, strokes.count);
    rga_extend_typing(rga, strokes.count,
                      (struct weight){{strokes.count, strokes.count, strokes.count}});
}
