// SPDX-License-Identifier: MIT
#include "doc/diff.h"

#include <assert.h>
#include <stdbool.h>

#include "doc/diff_lines.h"

enum {
    /// Scalars of either text past its common start and end; a longer one is replaced whole.
    DIFF_SCALARS_MAX = 1 << 24,
    /// The same for texts that are not all ASCII: they are unpacked first, into fresh memory, which
    /// costs more than all else.
    DIFF_UNPACKED_MAX = 1 << 22,
    /// About 1 ns each, so some 30 ms, since the thread that asks serves everyone. Every scalar of
    /// both texts adds one, for following what is equal.
    DIFF_WORK_MAX = 1 << 25,
    /// What a step on a diagonal takes of it: its branches are foreseen half of the time. An equal
    /// scalar takes 1.
    DIFF_STEP_WORK = 8,
    /// Differences on either path of a box at which it is cut. Halved with each such cut: a text
    /// that changed all over is done in smaller boxes, which reach further for the same work.
    DIFF_REACH_MAX = 1024,
    DIFF_REACH_MIN = 16,
    /// No path leads here. Small enough to stay negative after any step.
    DIFF_UNREACHED = -4,
};

/// A growable array of boxes.
struct diff_boxes {
    struct diff_box *items;
    size_t count;
    size_t capacity;
};

struct diff {
    const struct weft_allocator *allocator;
    const uint8_t *old_bytes; // borrowed; their scalars when both texts are ASCII
    const uint8_t *new_bytes;
    uint32_t *old_scalars; // else these; one allocation holds both texts and both frontiers
    uint32_t *new_scalars;
    bool ascii;
    int32_t *forward; // furthest old index by diagonal, DIFF_REACH_MAX + 1 in the middle
    int32_t *backward;
    int32_t reach;     // differences on a path before its box is cut
    int64_t work;      // what is left for the gap that is being done
    int64_t kept_work; // the same for all others
    bool tried_lines;
    struct diff_lines lines;
    struct diff_boxes stack;  // what is still to do, the last part of the text on top
    struct diff_boxes result; // the edits, from the end to the start
};

static bool starts_scalar(uint8_t byte)
{
    return (byte & 0xC0) != 0x80;
}

/// Cuts common bytes off both ends of the texts, at character boundaries.
/// @return the size of the common start.
static size_t cut_common(struct span *old_text, struct span *new_text)
{
    const uint8_t *a = old_text->data;
    const uint8_t *b = new_text->data;
    size_t shorter = old_text->size < new_text->size ? old_text->size : new_text->size;
    size_t start = 0;
    while (start < shorter && a[start] == b[start])
        start++;
    while (start > 0 && ((start < old_text->size && !starts_scalar(a[start])) ||
                         (start < new_text->size && !starts_scalar(b[start]))))
        start--;
    size_t tail = 0;
    while (tail < shorter - start && a[old_text->size - tail - 1] == b[new_text->size - tail - 1])
        tail++;
    while (tail > 0 && !starts_scalar(a[old_text->size - tail]))
        tail--;
    if (start > 0 || tail > 0) {
        *old_text = (struct span){a + start, old_text->size - start - tail};
        *new_text = (struct span){b + start, new_text->size - start - tail};
    }
    return start;
}

static size_t count_scalars(struct span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += starts_scalar(text.data[i]);
    return count + (text.size > 0 && !starts_scalar(text.data[0]));
}

static bool is_ascii(struct span text)
{
    uint8_t all = 0;
    for (size_t i = 0; i < text.size; i++)
        all |= text.data[i];
    return all < 0x80;
}

/// One number per scalar: its bytes, which is all that comparing needs.
static void pack_scalars(uint32_t *scalars, struct span text)
{
    for (size_t i = 0; i < text.size;) {
        uint32_t packed = text.data[i++];
        while (i < text.size && !starts_scalar(text.data[i]))
            packed = packed << 8 | text.data[i++];
        *scalars++ = packed;
    }
}

static bool is_equal(const struct diff *diff, int32_t old_index, int32_t new_index)
{
    return diff->ascii ? diff->old_bytes[old_index] == diff->new_bytes[new_index]
                       : diff->old_scalars[old_index] == diff->new_scalars[new_index];
}

static bool push(struct diff *diff, struct diff_boxes *boxes, struct diff_box box)
{
    if (boxes->count == boxes->capacity) {
        size_t capacity = boxes->capacity > 0 ? 2 * boxes->capacity : 16;
        struct diff_box *items =
            diff->allocator->resize(diff->allocator->context, boxes->items,
                                    boxes->capacity * sizeof(*items), capacity * sizeof(*items));
        if (items == NULL)
            return false;
        boxes->items = items;
        boxes->capacity = capacity;
    }
    boxes->items[boxes->count++] = box;
    return true;
}

/// Adds an edit in front of those that are there; one that touches the last grows it.
static bool push_edit(struct diff *diff, struct diff_box box)
{
    struct diff_boxes *result = &diff->result;
    if (result->count > 0) {
        struct diff_box *last = &result->items[result->count - 1];
        if (last->old_start == box.old_end && last->new_start == box.new_end) {
            last->old_start = box.old_start;
            last->new_start = box.new_start;
            return true;
        }
    }
    return push(diff, result, box);
}

/// Takes the d-th difference on every diagonal of the path from the start of the box, then follows
/// what is equal. Diagonals are counted from the one that the path began on.
/// @return true when it met the path from the end: the cut is in *old_out, *new_out.
static bool step_forward(struct diff *diff, const struct diff_box *box, int32_t d, int32_t *old_out,
                         int32_t *new_out)
{
    int32_t first = box->old_start - box->new_start;
    int32_t between = box->old_end - box->new_end - first; // the other path's first diagonal
    int32_t *reached = &diff->forward[DIFF_REACH_MAX + 1];
    const int32_t *other = &diff->backward[DIFF_REACH_MAX + 1];
    reached[-d - 1] = reached[d + 1] = DIFF_UNREACHED;
    for (int32_t i = -d; i <= d && (i == -d || diff->work > 0); i += 2) {
        int32_t k = first + i;
        int32_t x = d == 0 ? box->old_start : DIFF_UNREACHED;
        if (reached[i - 1] >= 0 && reached[i - 1] < box->old_end)
            x = reached[i - 1] + 1;
        if (reached[i + 1] > x && reached[i + 1] - k <= box->new_end)
            x = reached[i + 1];
        int32_t from = x;
        while (x >= 0 && x < box->old_end && x - k < box->new_end && is_equal(diff, x, x - k))
            x++;
        diff->work -= DIFF_STEP_WORK + x - from;
        reached[i] = x;
        int32_t j = i - between;
        if ((between & 1) != 0 && x >= 0 && j > -d && j < d && other[j] >= 0 && other[j] <= x) {
            *old_out = x;
            *new_out = x - k;
            return true;
        }
    }
    return false;
}

/// The mirror image of step_forward(), run after it for the same d.
static bool step_backward(struct diff *diff, const struct diff_box *box, int32_t d,
                          int32_t *old_out, int32_t *new_out)
{
    int32_t first = box->old_end - box->new_end;
    int32_t between = box->old_start - box->new_start - first;
    int32_t *reached = &diff->backward[DIFF_REACH_MAX + 1];
    const int32_t *other = &diff->forward[DIFF_REACH_MAX + 1];
    reached[-d - 1] = reached[d + 1] = DIFF_UNREACHED;
    for (int32_t i = -d; i <= d && (i == -d || diff->work > 0); i += 2) {
        int32_t k = first + i;
        int32_t x = d == 0 ? box->old_end : DIFF_UNREACHED;
        if (reached[i + 1] > box->old_start)
            x = reached[i + 1] - 1;
        if (reached[i - 1] >= 0 && reached[i - 1] - k >= box->new_start &&
            (x < 0 || reached[i - 1] < x))
            x = reached[i - 1];
        int32_t from = x;
        while (x > box->old_start && x - k > box->new_start && is_equal(diff, x - 1, x - 1 - k))
            x--;
        diff->work -= DIFF_STEP_WORK + from - x;
        reached[i] = x;
        int32_t j = i - between;
        if ((between & 1) == 0 && x >= 0 && j >= -d && j <= d && other[j] >= x) {
            *old_out = x;
            *new_out = x - k;
            return true;
        }
    }
    return false;
}

/// Where the path that covered most stands when a box has too many differences.
static void cut_at_furthest(const struct diff *diff, const struct diff_box *box, int32_t d,
                            int32_t *old_out, int32_t *new_out)
{
    int64_t best = 0;
    for (int32_t i = -d; i <= d; i += 2) {
        int32_t k = box->old_start - box->new_start + i;
        int32_t x = diff->forward[DIFF_REACH_MAX + 1 + i];
        int64_t covered = 2 * (int64_t)x - k - box->old_start - box->new_start;
        if (x >= 0 && covered > best) {
            best = covered;
            *old_out = x;
            *new_out = x - k;
        }
        k = box->old_end - box->new_end + i;
        x = diff->backward[DIFF_REACH_MAX + 1 + i];
        covered = (int64_t)box->old_end + box->new_end - (2 * (int64_t)x - k);
        if (x >= 0 && covered > best) {
            best = covered;
            *old_out = x;
            *new_out = x - k;
        }
    }
    assert(best > 0); // d > 0, and the first diagonal of a step is always done
}

/// Finds where to cut a box whose first and last scalars differ.
/// @return true when the paths met there: the cut is on a minimal path.
static bool find_cut(struct diff *diff, const struct diff_box *box, int32_t *old_out,
                     int32_t *new_out)
{
    for (int32_t d = 0;; d++) {
        if (step_forward(diff, box, d, old_out, new_out) ||
            step_backward(diff, box, d, old_out, new_out))
            return true;
        if (d > 0 && (d >= diff->reach || diff->work <= 0)) {
            cut_at_furthest(diff, box, d, old_out, new_out);
            if (diff->reach > DIFF_REACH_MIN)
                diff->reach /= 2;
            return false;
        }
    }
}

/// Takes the box to do next. A gap gets work by its size of what is left for all.
static bool take_box(struct diff *diff, struct diff_box *box)
{
    if (diff->stack.count > 0) {
        *box = diff->stack.items[--diff->stack.count];
        return true;
    }
    if (!diff_lines_next(&diff->lines, box))
        return false;
    int64_t scalars = (int64_t)box->old_end - box->old_start + box->new_end - box->new_start;
    diff->kept_work += diff->work;
    diff->work = 0;
    if (scalars > 0 && diff->kept_work > 0)
        diff->work = diff->kept_work * scalars / diff->lines.gap_scalars; // below 2^52
    diff->kept_work -= diff->work;
    diff->lines.gap_scalars -= scalars;
    diff->reach = DIFF_REACH_MAX;
    return true;
}

/// After the first cut, which half of the work is for: divides the box by lines when the cut is
/// none of a minimal path. @return false when there is no memory.
static bool try_lines(struct diff *diff, struct diff_box box, bool met)
{
    diff->tried_lines = true;
    diff->work += diff->kept_work;
    diff->kept_work = 0;
    if (met)
        return true;
    struct diff_pair texts = {diff->old_bytes, diff->new_bytes, 1};
    if (!diff->ascii)
        texts = (struct diff_pair){(const uint8_t *)diff->old_scalars,
                                   (const uint8_t *)diff->new_scalars, sizeof(uint32_t)};
    if (!diff_lines_find(&diff->lines, diff->allocator, texts, box))
        return false;
    diff->work -= diff->lines.work;
    return true;
}

/// Cuts boxes until nothing but edits is left.
static bool divide(struct diff *diff)
{
    struct diff_box box;
    while (take_box(diff, &box)) {
        while (box.old_start < box.old_end && box.new_start < box.new_end &&
               is_equal(diff, box.old_start, box.new_start))
            box.old_start++, box.new_start++;
        while (box.old_start < box.old_end && box.new_start < box.new_end &&
               is_equal(diff, box.old_end - 1, box.new_end - 1))
            box.old_end--, box.new_end--;
        if (box.old_start == box.old_end && box.new_start == box.new_end)
            continue;
        if (box.old_start == box.old_end || box.new_start == box.new_end || diff->work <= 0) {
            if (!push_edit(diff, box))
                return false;
            continue;
        }
        int32_t old_cut = 0;
        int32_t new_cut = 0;
        bool met = find_cut(diff, &box, &old_cut, &new_cut);
        if (!diff->tried_lines) {
            if (!try_lines(diff, box, met))
                return false;
            if (diff->lines.gap_scalars > 0)
                continue; // the gaps take the place of the box
        }
        if (!push(diff, &diff->stack,
                  (struct diff_box){box.old_start, old_cut, box.new_start, new_cut}) ||
            !push(diff, &diff->stack,
                  (struct diff_box){old_cut, box.old_end, new_cut, box.new_end}))
            return false;
    }
    return true;
}

/// Walks back over `count` scalars. @return the byte where they start.
static size_t walk_back(struct span text, size_t byte, int32_t count)
{
    for (; count > 0; count--) {
        do
            byte--;
        while (byte > 0 && !starts_scalar(text.data[byte]));
    }
    return byte;
}

static enum weft_status emit(const struct diff *diff, struct span new_text, int32_t new_count,
                             uint64_t before, diff_edit *edit, void *context)
{
    size_t byte = new_text.size;
    int32_t scalar = new_count;
    for (size_t i = 0; i < diff->result.count; i++) {
        struct diff_box box = diff->result.items[i];
        size_t end = walk_back(new_text, byte, scalar - box.new_end);
        byte = walk_back(new_text, end, box.new_end - box.new_start);
        scalar = box.new_start;
        enum weft_status status =
            edit(context, before + (uint64_t)box.old_start, (uint64_t)(box.old_end - box.old_start),
                 new_text.data + byte, end - byte);
        if (status != WEFT_OK)
            return status;
    }
    return WEFT_OK;
}

enum weft_status diff_texts(const struct weft_allocator *allocator, struct span old_text,
                            struct span new_text, diff_edit *edit, void *context)
{
    struct span start = old_text;
    start.size = cut_common(&old_text, &new_text);
    uint64_t before = start.size > 0 ? count_scalars(start) : 0;
    size_t old_count = count_scalars(old_text);
    size_t new_count = count_scalars(new_text);
    if (old_count == 0 && new_count == 0)
        return WEFT_OK;
    bool ascii = is_ascii(old_text) && is_ascii(new_text);
    size_t most = ascii ? DIFF_SCALARS_MAX : DIFF_UNPACKED_MAX;
    if (old_count == 0 || new_count == 0 || old_count > most || new_count > most)
        return edit(context, before, old_count, new_text.data, new_text.size);

    size_t frontier = 2 * DIFF_REACH_MAX + 3;
    size_t scalars = ascii ? 0 : old_count + new_count;
    size_t size = 2 * frontier * sizeof(int32_t) + scalars * sizeof(uint32_t);
    int32_t *memory = allocator->resize(allocator->context, NULL, 0, size);
    if (memory == NULL)
        return WEFT_NO_MEMORY;
    struct diff diff = {
        .allocator = allocator,
        .old_bytes = old_text.data,
        .new_bytes = new_text.data,
        .ascii = ascii,
        .forward = memory,
        .backward = memory + frontier,
        .reach = DIFF_REACH_MAX,
        .work = DIFF_WORK_MAX / 2 + (int64_t)(old_count + new_count),
        .kept_work = DIFF_WORK_MAX / 2,
    };
    if (!ascii) {
        diff.old_scalars = (uint32_t *)(memory + 2 * frontier);
        diff.new_scalars = diff.old_scalars + old_count;
        pack_scalars(diff.old_scalars, old_text);
        pack_scalars(diff.new_scalars, new_text);
    }
    enum weft_status status = WEFT_NO_MEMORY;
    if (push(&diff, &diff.stack, (struct diff_box){0, (int32_t)old_count, 0, (int32_t)new_count}) &&
        divide(&diff))
        status = emit(&diff, new_text, (int32_t)new_count, before, edit, context);
    allocator->resize(allocator->context, memory, size, 0);
    diff_lines_finish(&diff.lines, allocator);
    struct diff_boxes *boxes[] = {&diff.stack, &diff.result};
    for (size_t i = 0; i < 2; i++)
        if (boxes[i]->items != NULL)
            allocator->resize(allocator->context, boxes[i]->items,
                              boxes[i]->capacity * sizeof(struct diff_box), 0);
    return status;
}
