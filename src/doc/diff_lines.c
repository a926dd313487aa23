// SPDX-License-Identifier: MIT
#include "doc/diff_lines.h"

#include <string.h>

#include "base/memory.h"

enum {
    /// Lines of either text. Some 20 MB of memory.
    LINES_MAX = 1 << 18,
    /// What a line takes in ns, to find and to do the small gaps beside it; a byte takes 1.
    LINE_WORK = 50,
    /// A key is a line's hash above its number, which has this bit when it is one of the new text.
    KEY_NEW = 1 << 19,
    KEY_SHIFT = 20,
    DIGIT_BITS = 11, // four of them are the hash
    DIGITS = 1 << DIGIT_BITS,
};

/// What is needed while the chain is found.
struct finder {
    struct diff_pair texts;
    int32_t old_count, new_count; // lines
    int32_t *old_starts, *new_starts;
    int32_t *partner, *previous;
    int32_t *weight; // scalars of the heaviest chain that ends with an old line
    int32_t *tree;   // Fenwick, over new lines from 1: the old line that ends the heaviest chain
    uint64_t *keys, *spare;
};

/// The scalar after the next line end, or `end`.
static int32_t line_end(const uint8_t *text, size_t width, int32_t at, int32_t end)
{
    if (width == 1) {
        const uint8_t *found = memchr(text + at, '\n', (size_t)(end - at));
        return found != NULL ? (int32_t)(found - text) + 1 : end;
    }
    const uint32_t *scalars = (const void *)text;
    while (at < end && scalars[at] != '\n')
        at++;
    return at < end ? at + 1 : end;
}

static int32_t count_lines(const uint8_t *text, size_t width, int32_t start, int32_t end)
{
    const uint32_t *scalars = (const void *)text;
    int32_t count = 0;
    if (start == end)
        return 0;
    if (width == 1)
        for (int32_t i = start; i < end - 1; i++)
            count += text[i] == '\n';
    else
        for (int32_t i = start; i < end - 1; i++)
            count += scalars[i] == '\n';
    return count + 1; // the last one, whatever it ends with
}

static uint64_t hash_line(const uint8_t *bytes, size_t size)
{
    const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = size * odd;
    while (size > 0) {
        uint64_t word = 0;
        size_t step = size < sizeof word ? size : sizeof word;
        if (step == sizeof word)
            memcpy(&word, bytes, sizeof word);
        else
            memcpy(&word, bytes, step);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 32;
        bytes += step;
        size -= step;
    }
    return hash * odd;
}

/// Notes where lines start, and their keys.
static void read_lines(const uint8_t *text, size_t width, int32_t start, int32_t end,
                       int32_t *starts, uint64_t *keys, uint64_t side)
{
    uint64_t number = 0;
    while (start < end) {
        int32_t next = line_end(text, width, start, end);
        uint64_t hash = hash_line(text + (size_t)start * width, (size_t)(next - start) * width);
        *starts++ = start;
        *keys++ = hash >> KEY_SHIFT << KEY_SHIFT | side | number++;
        start = next;
    }
    *starts = end;
}

/// Sorts the keys by their hashes and leaves those of one hash in order. An even number of passes,
/// so that they end where they began.
static void sort_keys(uint64_t *keys, uint64_t *spare, size_t count)
{
    for (int shift = KEY_SHIFT; shift < 64; shift += DIGIT_BITS) {
        uint32_t at[DIGITS] = {0};
        for (size_t i = 0; i < count; i++)
            at[keys[i] >> shift & (DIGITS - 1)]++;
        uint32_t before = 0;
        for (size_t i = 0; i < DIGITS; i++) {
            uint32_t here = at[i];
            at[i] = before;
            before += here;
        }
        for (size_t i = 0; i < count; i++)
            spare[at[keys[i] >> shift & (DIGITS - 1)]++] = keys[i];
        uint64_t *sorted = spare;
        spare = keys;
        keys = sorted;
    }
}

static bool is_same_line(const struct finder *finder, int32_t old_line, int32_t new_line)
{
    size_t width = finder->texts.width;
    int32_t old_start = finder->old_starts[old_line];
    int32_t new_start = finder->new_starts[new_line];
    int32_t length = finder->old_starts[old_line + 1] - old_start;
    return finder->new_starts[new_line + 1] - new_start == length &&
           memcmp(finder->texts.old_scalars + (size_t)old_start * width,
                  finder->texts.new_scalars + (size_t)new_start * width,
                  (size_t)length * width) == 0;
}

/// Finds the partners: lines whose hash either text has once.
static void match_lines(struct finder *finder)
{
    const uint64_t *keys = finder->keys;
    size_t count = (size_t)finder->old_count + (size_t)finder->new_count;
    for (int32_t i = 0; i < finder->old_count; i++)
        finder->partner[i] = -1;
    for (size_t i = 0; i < count;) {
        size_t next = i + 1;
        while (next < count && keys[next] >> KEY_SHIFT == keys[i] >> KEY_SHIFT)
            next++;
        if (next == i + 2 && (keys[i] & KEY_NEW) == 0 && (keys[i + 1] & KEY_NEW) != 0) {
            int32_t old_line = (int32_t)(keys[i] & (KEY_NEW - 1));
            int32_t new_line = (int32_t)(keys[i + 1] & (KEY_NEW - 1));
            if (is_same_line(finder, old_line, new_line))
                finder->partner[old_line] = new_line;
        }
        i = next;
    }
}

/// @return the old line that ends the heaviest chain, or -1.
static int32_t find_chain(struct finder *finder)
{
    int32_t heaviest = -1;
    for (int32_t i = 0; i <= finder->new_count; i++)
        finder->tree[i] = -1;
    for (int32_t line = 0; line < finder->old_count; line++) {
        int32_t new_line = finder->partner[line];
        if (new_line < 0)
            continue;
        int32_t before = -1;
        for (int32_t i = new_line; i > 0; i -= i & -i) {
            int32_t other = finder->tree[i];
            if (other >= 0 && (before < 0 || finder->weight[other] > finder->weight[before]))
                before = other;
        }
        finder->previous[line] = before;
        finder->weight[line] = finder->old_starts[line + 1] - finder->old_starts[line] +
                               (before >= 0 ? finder->weight[before] : 0);
        for (int32_t i = new_line + 1; i <= finder->new_count; i += i & -i)
            if (finder->tree[i] < 0 || finder->weight[finder->tree[i]] < finder->weight[line])
                finder->tree[i] = line;
        if (heaviest < 0 || finder->weight[line] > finder->weight[heaviest])
            heaviest = line;
    }
    return heaviest;
}

bool diff_lines_find(struct diff_lines *lines, const struct weft_allocator *allocator,
                     struct diff_pair texts, struct diff_box box)
{
    struct finder finder = {
        .texts = texts,
        .old_count = count_lines(texts.old_scalars, texts.width, box.old_start, box.old_end),
        .new_count = count_lines(texts.new_scalars, texts.width, box.new_start, box.new_end),
    };
    if (finder.old_count < 2 || finder.new_count < 2 || finder.old_count > LINES_MAX ||
        finder.new_count > LINES_MAX)
        return true;
    size_t old_count = (size_t)finder.old_count;
    size_t new_count = (size_t)finder.new_count;
    size_t count = old_count + new_count;
    size_t numbers = (old_count + 1) + (new_count + 1) + 3 * old_count + (new_count + 1);
    size_t size = 2 * count * sizeof(uint64_t) + numbers * sizeof(int32_t);
    finder.keys = memory_alloc(allocator, size);
    if (finder.keys == NULL)
        return false;
    finder.spare = finder.keys + count;
    finder.old_starts = (int32_t *)(finder.spare + count);
    finder.new_starts = finder.old_starts + old_count + 1;
    finder.partner = finder.new_starts + new_count + 1;
    finder.previous = finder.partner + old_count;
    finder.weight = finder.previous + old_count;
    finder.tree = finder.weight + old_count;
    read_lines(texts.old_scalars, texts.width, box.old_start, box.old_end, finder.old_starts,
               finder.keys, 0);
    read_lines(texts.new_scalars, texts.width, box.new_start, box.new_end, finder.new_starts,
               finder.keys + old_count, KEY_NEW);
    sort_keys(finder.keys, finder.spare, count);
    match_lines(&finder);
    int32_t last = find_chain(&finder);
    int64_t scalars = (int64_t)box.old_end - box.old_start + ((int64_t)box.new_end - box.new_start);
    *lines = (struct diff_lines){
        .memory = finder.keys,
        .memory_size = size,
        .old_starts = finder.old_starts,
        .new_starts = finder.new_starts,
        .partner = finder.partner,
        .previous = finder.previous,
        .anchor = last,
        .gap_scalars = last < 0 ? 0 : scalars - 2 * (int64_t)finder.weight[last],
        .work = (int64_t)count * LINE_WORK + scalars * (int64_t)texts.width,
    };
    if (last >= 0)
        lines->rest = box;
    return true;
}

void diff_lines_finish(struct diff_lines *lines, const struct weft_allocator *allocator)
{
    memory_free(allocator, lines->memory, lines->memory_size);
    *lines = (struct diff_lines){0};
}

bool diff_lines_next(struct diff_lines *lines, struct diff_box *gap_out)
{
    struct diff_box *rest = &lines->rest;
    if (rest->old_start == rest->old_end && rest->new_start == rest->new_end)
        return false;
    *gap_out = *rest;
    int32_t anchor = lines->anchor;
    if (anchor >= 0) {
        int32_t partner = lines->partner[anchor];
        gap_out->old_start = lines->old_starts[anchor + 1];
        gap_out->new_start = lines->new_starts[partner + 1];
        rest->old_end = lines->old_starts[anchor];
        rest->new_end = lines->new_starts[partner];
        lines->anchor = lines->previous[anchor];
    } else {
        rest->old_end = rest->old_start;
        rest->new_end = rest->new_start;
    }
    return true;
}
