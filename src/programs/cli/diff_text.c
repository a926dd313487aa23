// SPDX-License-Identifier: MIT
#include "programs/cli/diff_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "programs/cli/output.h"

void diff_text_init(struct diff_text *diff)
{
    memset(diff, 0, sizeof(*diff));
    for (int i = 0; i <= DIFF_CONTEXT; i++)
        weft_buffer_init(&diff->lines[i].text, NULL);
    diff->before = diff->lines[0].before = 1;
    diff->after = diff->lines[0].after = 1;
    diff->skipped = true;
}

static struct diff_line *begun(struct diff_text *diff)
{
    return &diff->lines[diff->count];
}

static void add(struct diff_text *diff, const void *bytes, size_t size)
{
    if (weft_buffer_append(&begun(diff)->text, bytes, size) != WEFT_OK)
        diff->failed = true;
}

static void print_line(const struct diff_line *line)
{
    print_tame_text((struct span){line->text.data, line->text.size});
    putchar('\n');
}

/// Puts the first line last, empty, to be begun.
static void rotate(struct diff_text *diff)
{
    struct diff_line first = diff->lines[0];
    memmove(diff->lines, diff->lines + 1, DIFF_CONTEXT * sizeof(first));
    first.text.size = 0;
    diff->lines[DIFF_CONTEXT] = first;
}

/// Prints the lines that were kept back, and a head where some were left out before them.
static void print_kept(struct diff_text *diff)
{
    const struct diff_line *first = &diff->lines[0];
    if (diff->skipped)
        printf("%s@@ line %" PRIu64 ", now %" PRIu64 " @@\n", diff->any ? "\n" : "", first->before,
               first->after);
    diff->skipped = false;
    diff->any = true;
    for (uint32_t i = 0; i <= diff->count; i++)
        print_line(&diff->lines[i]);
}

/// The line that was begun is whole.
static void end_line(struct diff_text *diff)
{
    bool changed = begun(diff)->changed;
    if (changed || diff->more > 0) {
        print_kept(diff);
        diff->more = changed ? DIFF_CONTEXT : diff->more - 1;
        diff->count = 0;
    } else if (diff->count < DIFF_CONTEXT) {
        diff->count++;
    } else {
        diff->skipped = true;
        rotate(diff);
    }
    struct diff_line *line = begun(diff);
    line->text.size = 0;
    line->changed = false;
    line->before = diff->before;
    line->after = diff->after;
}

/// Ends the open mark, begins another.
static void set_mark(struct diff_text *diff, enum weft_diff_kind kind)
{
    static const char *const opening[] = {"", "{+", "[-"};
    static const char *const closing[] = {"", "+}", "-]"};
    if (diff->mark == kind)
        return;
    add(diff, closing[diff->mark], 2 * (diff->mark != WEFT_DIFF_KEPT));
    add(diff, opening[kind], 2 * (kind != WEFT_DIFF_KEPT));
    diff->mark = kind;
}

/// A piece of one line. @param ends Whether its line break follows, in the same state.
static void add_piece(struct diff_text *diff, enum weft_diff_kind kind, struct span piece,
                      bool ends)
{
    set_mark(diff, kind);
    add(diff, piece.data, piece.size);
    begun(diff)->changed |= kind != WEFT_DIFF_KEPT;
    if (!ends)
        return;
    add(diff, "\\n", 2 * (kind != WEFT_DIFF_KEPT));
    set_mark(diff, WEFT_DIFF_KEPT);
    diff->before += kind != WEFT_DIFF_INSERTED;
    diff->after += kind != WEFT_DIFF_DELETED;
    end_line(diff);
}

bool diff_text_span(struct diff_text *diff, const struct weft_diff_span *span)
{
    struct span rest = {span->text, span->text_size};
    while (rest.size > 0 && !diff->failed) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t size = end != NULL ? (size_t)(end - rest.data) : rest.size;
        add_piece(diff, span->kind, (struct span){rest.data, size}, end != NULL);
        size += end != NULL;
        rest.data += size;
        rest.size -= size;
    }
    if (span->text == NULL)
        add_piece(diff, span->kind, span_of_text("<text that was collected>"), false);
    return !diff->failed;
}

bool diff_text_finish(struct diff_text *diff)
{
    set_mark(diff, WEFT_DIFF_KEPT);
    const struct diff_line *last = begun(diff);
    if (!diff->failed && (last->changed || (diff->more > 0 && last->text.size > 0)))
        end_line(diff);
    for (int i = 0; i <= DIFF_CONTEXT; i++)
        weft_buffer_finish(&diff->lines[i].text);
    return !diff->failed;
}
