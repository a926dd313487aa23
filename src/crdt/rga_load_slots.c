// SPDX-License-Identifier: MIT
// Building a sequence from what was kept of it: its slots in document order, with their text.
#include <string.h>

#include "base/bits.h"
#include "base/utf8.h"
#include "crdt/rga_impl.h"
#include "crdt/tree_impl.h"

// Where the text of a slot is, when it cannot be told from its place.
struct rga_load_text {
    const uint8_t *data;
    uint32_t size;
};

void rga_load_finish_slots(struct rga_load *load)
{
    const struct weft_allocator *allocator = &load->rga->allocator;
    memory_free(allocator, load->covered, load->covered != NULL ? load->covered_size : 0);
    memory_free(allocator, load->starts, load->starts_size);
    memory_free(allocator, load->texts_by_slot, load->texts_by_slot_size);
}

enum weft_status rga_load_slots_begin(struct rga_load *load, uint32_t slots, struct span text,
                                      struct span deleted_text)
{
    struct rga *rga = load->rga;
    load->texts[0] = text;
    load->texts[1] = deleted_text;
    load->last.row = OP_NONE;
    load->ascii = text.size + deleted_text.size == load->elements;
    if (slots == 0 || load->elements == 0)
        return slots == load->elements ? WEFT_OK : WEFT_MALFORMED;
    if (!tree_load_reserve(&rga->tree, slots))
        return WEFT_NO_MEMORY;
    load->covered = memory_alloc(&rga->allocator, load->covered_size);
    if (load->covered == NULL)
        return WEFT_NO_MEMORY;
    memset(load->covered, 0, load->covered_size);
    if (load->ascii) {
        text_take_ascii(&rga->text, load->elements);
        return WEFT_OK;
    }
    size_t size = slots * sizeof(struct rga_load_text);
    load->texts_by_slot = memory_alloc(&rga->allocator, size);
    load->texts_by_slot_size = load->texts_by_slot != NULL ? size : 0;
    load->starts = memory_alloc(&rga->allocator, bits_size(load->elements));
    load->starts_size = load->starts != NULL ? bits_size(load->elements) : 0;
    if (load->texts_by_slot == NULL || load->starts == NULL)
        return WEFT_NO_MEMORY;
    memset(load->starts, 0, load->starts_size);
    return WEFT_OK;
}

// memcpy() for what is mostly a few bytes.
static inline void copy_text(uint8_t *to, const uint8_t *from, size_t size)
{
    if (size > 16) {
        memcpy(to, from, size);
    } else if (size >= 8) {
        uint64_t head;
        uint64_t tail;
        memcpy(&head, from, 8);
        memcpy(&tail, from + size - 8, 8);
        memcpy(to, &head, 8);
        memcpy(to + size - 8, &tail, 8);
    } else if (size >= 4) {
        uint32_t head;
        uint32_t tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + size - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + size - 4, &tail, 4);
    } else { // 1 to 3
        to[0] = from[0];
        to[size / 2] = from[size / 2];
        to[size - 1] = from[size - 1];
    }
}

// Takes the text of the next slot.
static bool take_text(struct rga_load *load, uint32_t slot, uint32_t iv, uint32_t length,
                      bool deleted)
{
    struct span *from = &load->texts[deleted];
    uint64_t size = length;
    if (length > from->size)
        return false;
    if (load->ascii) {
        const struct text_page *page = text_page(&load->rga->text, iv);
        copy_text(page->data + (iv & (TEXT_PAGE_ELEMENTS - 1)), from->data, length);
    } else {
        if (!utf8_take(&size, *from, length))
            return false;
        load->starts[iv / 64] |= UINT64_C(1) << iv % 64;
        load->texts_by_slot[slot] = (struct rga_load_text){from->data, (uint32_t)size};
    }
    from->data += size;
    from->size -= (size_t)size;
    return true;
}

enum weft_status rga_load_slots(struct rga_load *load, const struct rga_load_slot *slots,
                                uint32_t count)
{
    struct rga *rga = load->rga;
    struct tree *tree = &rga->tree;
    const struct oplog *log = &rga->log;
    for (uint32_t i = 0; i < count; i++) {
        if (slots[i].row >= log->ops.count)
            return WEFT_MALFORMED;
        __builtin_prefetch(oplog_at(log, slots[i].row), 1);
        __builtin_prefetch(&load->covered[slots[i].row], 1);
    }
    uint32_t first = (uint32_t)tree->slots;
    uint32_t index = tree_load_leaf(tree, count);
    if (index == TREE_NONE)
        return WEFT_NO_MEMORY;
    struct tree_leaf *leaf = tree_leaf(tree, index);
    struct tree_minima minima = {OP_KEY_MAX, OP_KEY_MAX};
    for (uint32_t i = 0; i < count; i++) {
        struct op *op = oplog_at(log, slots[i].row);
        uint32_t offset = load->covered[slots[i].row];
        uint32_t rest = op_length(op) - offset;
        uint32_t length = slots[i].length != 0 ? slots[i].length : rest;
        bool deleted = slots[i].deleted;
        // The elements of a row ascend in document order, so a slot begins where the last one of
        // its row ended, and touching ones of one state would be one slot.
        if (op_kind(op) != WEFT_RUN_INSERT || length == 0 || length > rest ||
            (slots[i].row == load->last.row && deleted == load->last.deleted))
            return WEFT_MALFORMED;
        uint32_t iv = op->iv + offset;
        if (!bits_are(load->deleted, iv, iv + length, deleted) ||
            !take_text(load, first + i, iv, length, deleted))
            return WEFT_MALFORMED;
        load->covered[slots[i].row] = offset + length;
        load->covered_elements += length;
        load->last = slots[i];
        tree_assign_leaf(tree, op, iv, index);
        leaf->len[i] = length | (deleted ? TREE_TOMBSTONE : 0);
        leaf->iv[i] = iv;
        leaf->op[i] = slots[i].row;
        minima.right = op_key_least(tree->agents, minima.right, op_right_key(op, offset));
        minima.left = op_key_least(tree->agents, minima.left, op_left_key(op));
    }
    tree_load_minima(tree, minima);
    return WEFT_OK;
}

// The slots in order of iv: their bits in `starts`, counted.
static void sort_slots(const struct rga_load *load, uint32_t *order, uint32_t *before)
{
    const struct tree *tree = &load->rga->tree;
    uint32_t sum = 0;
    for (uint32_t word = 0; word <= load->elements / 64; word++) {
        before[word] = sum;
        sum += bits_count(load->starts[word]);
    }
    uint32_t slot = 0;
    for (uint32_t i = tree->first; i != TREE_NONE; i = tree_leaf(tree, i)->next) {
        const struct tree_leaf *leaf = tree_leaf(tree, i);
        for (uint32_t j = 0; j < leaf->count; j++) {
            uint32_t iv = leaf->iv[j];
            uint64_t lower = (UINT64_C(1) << iv % 64) - 1;
            order[before[iv / 64] + bits_count(load->starts[iv / 64] & lower)] = slot++;
        }
    }
}

static bool append_texts(struct rga_load *load)
{
    struct tree *tree = &load->rga->tree;
    size_t size = ((size_t)tree->slots + load->elements / 64 + 1) * sizeof(uint32_t);
    uint32_t *order = memory_alloc(&load->rga->allocator, size);
    if (order == NULL)
        return false;
    sort_slots(load, order, order + tree->slots);
    for (uint32_t i = 0; i < tree->slots; i++) {
        const struct rga_load_text *text = &load->texts_by_slot[order[i]];
        const struct tree_leaf *leaf = tree_leaf(tree, order[i] / TREE_LOAD_SLOTS);
        text_append(&load->rga->text, (struct span){text->data, text->size},
                    leaf_length(leaf, order[i] % TREE_LOAD_SLOTS));
    }
    memory_free(&load->rga->allocator, order, size);
    return true;
}

static bool initials_are_valid(struct rga *rga)
{
    for (uint32_t i = 0; i < rga->agents.pool.count; i++) {
        if (rga_is_reserved(agents_at(&rga->agents, i)->id) && !rga_check_initial(rga, i))
            return false;
    }
    return true;
}

enum weft_status rga_load_slots_end(struct rga_load *load)
{
    struct rga *rga = load->rga;
    if (load->covered_elements != load->elements || load->texts[0].size + load->texts[1].size > 0)
        return WEFT_MALFORMED;
    if (load->elements == 0)
        return WEFT_OK;
    if (!load->ascii && !append_texts(load))
        return WEFT_NO_MEMORY;
    tree_load_finish(&rga->tree);
    return load->reserved && !initials_are_valid(rga) ? WEFT_MALFORMED : WEFT_OK;
}
