// SPDX-License-Identifier: MIT
// Inserting, here and for others.
#include <assert.h>

#include "base/utf8.h"
#include "crdt/rga_impl.h"

struct tree_at rga_insert_run(struct rga *rga, const struct rga_insertion *insertion)
{
    struct rga_place place = insertion->place;
    struct span text = insertion->text;
    struct tree_at slot = place.at;
    for (uint32_t done = 0; done < insertion->length;) {
        uint32_t room = text_room(&rga->text);
        uint32_t piece = insertion->length - done;
        size_t size = text.size;
        if (piece > room) {
            piece = room;
            size = insertion->gaps == NULL ? utf8_size(text.data, piece) : 0;
        }
        uint32_t iv = rga->text.length;
        struct op op = {
            .agent = insertion->agent,
            .seq = insertion->seq + done,
            .lamport = insertion->lamport + done,
            .bits = op_bits(WEFT_RUN_INSERT, place.left, piece),
            .iv = iv,
            .target_agent = place.parent_agent,
            .target_seq = place.parent_seq,
            .inherited = place.inherited,
        };
        if (insertion->gaps != NULL)
            rga_append_gaps(rga, insertion->gaps, insertion->agent, piece);
        else
            text_append(&rga->text, (struct span){text.data, size}, piece);
        uint32_t row = oplog_append(&rga->log, &op);
        slot = tree_insert(&rga->tree, place.at, row, iv, piece);
        done += piece;
        if (size > 0)
            text = (struct span){text.data + size, text.size - size};
        // The next piece is the right child of this one's last element.
        place = (struct rga_place){
            .at = {slot.leaf, slot.slot, piece},
            .parent_agent = op.agent,
            .parent_seq = op.seq + piece - 1,
            .inherited = op_left_key(&op),
        };
    }
    rga_advance(rga, insertion->agent, insertion->seq + insertion->length,
                insertion->lamport + insertion->length - 1);
    return slot;
}

// ------------------------------------------------------------------------------------ local edits

// From where the last local edit was: the slot with the visible scalar before `index`, if it is in
// the same leaf. Returns false when the place must be looked up from the root.
static bool cursor_before(struct rga *rga, uint32_t index, struct tree_at *at_out)
{
    struct tree *tree = &rga->tree;
    if (tree->cursor.leaf == TREE_NONE)
        return false;
    const struct tree_leaf *leaf = tree_leaf(tree, tree->cursor.leaf);
    uint32_t slot = tree->cursor.slot;
    uint32_t start = tree->cursor_start;
    while (index <= start) {
        if (slot == 0)
            return false;
        start -= leaf_visible_length(leaf, --slot);
    }
    while (index - start > leaf_visible_length(leaf, slot)) {
        start += leaf_visible_length(leaf, slot);
        if (++slot == leaf->count)
            return false;
    }
    *at_out = (struct tree_at){tree->cursor.leaf, slot, index - start};
    return true;
}

// The place after `index` > 0 visible units. Returns false when that is inside of a character.
static bool seek_after(struct rga *rga, enum weft_unit unit, uint32_t index, struct tree_at *at_out)
{
    if (unit == WEFT_SCALARS && cursor_before(rga, index, at_out))
        return true;
    uint32_t start;
    *at_out = tree_seek(&rga->tree, &start, unit, index - 1);
    at_out->offset++;
    if (unit == WEFT_SCALARS)
        return true;
    const struct tree_leaf *leaf = tree_leaf(&rga->tree, at_out->leaf);
    struct weight weight = text_weigh(&rga->text, leaf->iv[at_out->slot], at_out->offset);
    return start + weight.units[unit] == index;
}

void rga_extend_run(struct rga *rga, struct tree_at slot, uint32_t length)
{
    struct op *last = oplog_last(&rga->log);
    oplog_extend(&rga->log, last, length);
    tree_extend(&rga->tree, slot, length,
                text_weigh(&rga->text, rga->text.length - length, length));
    rga_advance(rga, last->agent, op_seq_end(last), last->lamport + op_length(last) - 1);
}

void rga_settle_typing(struct rga *rga, uint32_t count)
{
    text_take(&rga->text, count, count);
    if (rga->typing == RGA_NOT_TYPING) { // someone else did
        rga_extend_run(rga, rga->tree.recent, count);
    } else {
        rga_extend_run(rga, rga->tree.cursor, count);
        rga->typing += count;
    }
}

static uint32_t least(uint32_t a, uint64_t b)
{
    return b < a ? (uint32_t)b : a;
}

uint32_t rga_typing_room(const struct rga *rga, uint8_t **text_out)
{
    const struct text *text = &rga->text;
    if (text_room(text) == TEXT_PAGE_ELEMENTS) // the page is full
        return 0;
    const struct text_page *page = text_page(text, text->length);
    uint32_t room = least(page->capacity - page->size, text_room(text));
    room = least(room, rga->limits.elements_max - text->length);
    *text_out = page->data + page->size;
    return least(room, OP_LAMPORT_MAX - rga->lamport);
}

// Typing may go on: lets rga_insert() note what comes.
static void expect_typing(struct rga *rga)
{
    rga->strokes.index = rga->typing;
    rga->strokes.typing = rga_typing_room(rga, &rga->strokes.text);
}

// Typing on: nobody can have hung anything on the newest element, so its run and its slot just
// grow, up to the end of the page of text.
static bool extend_run(struct rga *rga, uint32_t index, struct span text, uint32_t length)
{
    if (index != rga->typing || length > text_room(&rga->text) ||
        text_room(&rga->text) == TEXT_PAGE_ELEMENTS)
        return false;
    text_append(&rga->text, text, length);
    rga_extend_run(rga, rga->tree.cursor, length);
    rga->typing += length;
    return true;
}

static enum weft_status check_local(const struct rga *rga, uint64_t atoms, uint64_t elements)
{
    if (rga->local == AGENT_NONE)
        return WEFT_INVALID;
    if (elements > rga->limits.elements_max - rga->text.length ||
        atoms > OP_LAMPORT_MAX - rga->lamport)
        return WEFT_LIMIT;
    return WEFT_OK;
}

static void insert_new_run(struct rga *rga, uint32_t index, struct tree_at at, struct span text,
                           uint32_t length)
{
    struct rga_insertion insertion = {
        .agent = rga->local,
        .seq = agents_at(&rga->agents, rga->local)->next,
        .lamport = rga->lamport + 1,
        .length = length,
        .text = text,
        .place = rga_place_after(rga, at),
    };
    struct tree_at slot = rga_insert_run(rga, &insertion);
    uint32_t last = leaf_length(tree_leaf(&rga->tree, slot.leaf), slot.slot);
    rga->tree.cursor = slot;
    rga->tree.cursor_start = index + length - last;
    rga->typing = index + length;
}

static bool count_scalars(uint64_t *scalars_out, struct span text)
{
    struct utf8_counts counts;
    if (text.size == 1 && text.data[0] < 0x80) {
        *scalars_out = 1;
        return true;
    }
    bool valid = utf8_count(&counts, text);
    *scalars_out = valid ? counts.scalars : 0;
    return valid;
}

enum weft_status rga_insert_new(struct rga *rga, enum weft_unit unit, uint64_t index,
                                struct span text)
{
    uint64_t scalars;
    rga_settle(rga);
    if (index > rga->tree.total.units[unit])
        return WEFT_RANGE;
    if (!count_scalars(&scalars, text))
        return WEFT_MALFORMED;
    enum weft_status status = check_local(rga, scalars, scalars);
    struct tree_at at = {.leaf = TREE_NONE};
    if (status != WEFT_OK)
        return status;
    uint32_t length = (uint32_t)scalars;
    if (length > 0 && unit == WEFT_SCALARS) {
        if (!rga->batch && !text_reserve(&rga->text, length, text.size))
            return WEFT_NO_MEMORY;
        if (extend_run(rga, (uint32_t)index, text, length)) {
            expect_typing(rga);
            rga_observe(rga, index, 0, text);
            return WEFT_OK;
        }
    }
    if (index > 0 && !seek_after(rga, unit, (uint32_t)index, &at))
        return WEFT_RANGE;
    if (length == 0)
        return WEFT_OK;
    struct rga_need need = {.runs = 1, .elements = length, .bytes = text.size, .stretches = 1};
    if (!rga->batch && !rga_reserve(rga, &need))
        return WEFT_NO_MEMORY;
    if (unit != WEFT_SCALARS)
        index = tree_index(&rga->tree, WEFT_SCALARS, at);
    insert_new_run(rga, (uint32_t)index, at, text, length);
    expect_typing(rga);
    rga_observe(rga, index, 0, text);
    return WEFT_OK;
}
