// SPDX-License-Identifier: MIT
#include "programs/cli/diff_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "programs/cli/output.h"

/// Bytes in a line that stand for colours: controls, which no text is shown with.
enum { MARK_NONE = 1, MARK_INSERTED = 2, MARK_DELETED = 3 };

static void word_init(struct diff_word *word)
{
    weft_buffer_init(&word->before, NULL);
    weft_buffer_init(&word->after, NULL);
}

static void word_finish(struct diff_word *word)
{
    weft_buffer_finish(&word->before);
    weft_buffer_finish(&word->after);
}

void diff_text_init(struct diff_text *diff, struct diff_style style)
{
    memset(diff, 0, sizeof(*diff));
    diff->style = style;
    word_init(&diff->group);
    word_init(&diff->word);
    weft_buffer_init(&diff->gap, NULL);
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

/// Text of the document may hold none of the bytes that stand for colours.
static void add_text(struct diff_text *diff, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool mark = bytes[i] == MARK_NONE || bytes[i] == MARK_INSERTED || bytes[i] == MARK_DELETED;
        add(diff, mark ? (const uint8_t *)"?" : bytes + i, 1);
    }
}

static void print_line(const struct diff_line *line)
{
    struct span rest = {line->text.data, line->text.size};
    size_t at = 0;
    while (at < rest.size) {
        uint8_t byte = rest.data[at];
        if (byte != MARK_NONE && byte != MARK_INSERTED && byte != MARK_DELETED) {
            at++;
            continue;
        }
        print_tame_text((struct span){rest.data, at});
        fputs(output_colour(byte == MARK_NONE       ? COLOUR_NONE
                            : byte == MARK_INSERTED ? COLOUR_INSERTED
                                                    : COLOUR_DELETED),
              stdout);
        rest = (struct span){rest.data + at + 1, rest.size - at - 1};
        at = 0;
    }
    print_tame_text(rest);
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
        printf("%s%s@@ line %" PRIu64 ", now %" PRIu64 " @@%s\n", diff->any ? "\n" : "",
               diff->style.colour ? output_colour(COLOUR_WHERE) : "", first->before, first->after,
               diff->style.colour ? output_colour(COLOUR_NONE) : "");
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
    static const char colours[] = {0, MARK_INSERTED, MARK_DELETED};
    if (diff->mark == kind)
        return;
    if (diff->style.colour) {
        add(diff, &(char){MARK_NONE}, diff->mark != WEFT_DIFF_KEPT);
        add(diff, &colours[kind], kind != WEFT_DIFF_KEPT);
    } else {
        add(diff, closing[diff->mark], 2 * (diff->mark != WEFT_DIFF_KEPT));
        add(diff, opening[kind], 2 * (kind != WEFT_DIFF_KEPT));
    }
    diff->mark = kind;
}

static void add_marked(struct diff_text *diff, enum weft_diff_kind kind, const void *bytes,
                       size_t size)
{
    if (size == 0)
        return;
    set_mark(diff, kind);
    add_text(diff, bytes, size);
    begun(diff)->changed |= kind != WEFT_DIFF_KEPT;
}

// ----------------------------------------------------------------------------------------- words

static void gather(struct diff_text *diff, struct weft_buffer *to, const void *bytes, size_t size)
{
    if (weft_buffer_append(to, bytes, size) != WEFT_OK)
        diff->failed = true;
}

static void gather_buffer(struct diff_text *diff, struct weft_buffer *to,
                          const struct weft_buffer *from)
{
    if (from->size > 0)
        gather(diff, to, from->data, from->size);
}

/// Writes the changed words that stand side by side, and the space behind them.
static void flush_group(struct diff_text *diff)
{
    add_marked(diff, WEFT_DIFF_DELETED, diff->group.before.data, diff->group.before.size);
    add_marked(diff, WEFT_DIFF_INSERTED, diff->group.after.data, diff->group.after.size);
    add_marked(diff, WEFT_DIFF_KEPT, diff->gap.data, diff->gap.size);
    diff->group.before.size = diff->group.after.size = diff->gap.size = 0;
    diff->group.changed = false;
}

/// The word that was begun is whole.
static void end_word(struct diff_text *diff)
{
    struct diff_word *word = &diff->word;
    if (word->changed) {
        if (!diff->group.changed)
            flush_group(diff);
        gather_buffer(diff, &diff->group.before, &diff->gap);
        gather_buffer(diff, &diff->group.after, &diff->gap);
        diff->gap.size = 0;
        gather_buffer(diff, &diff->group.before, &word->before);
        gather_buffer(diff, &diff->group.after, &word->after);
        diff->group.changed = true;
    } else if (word->before.size > 0) {
        flush_group(diff);
        add_marked(diff, WEFT_DIFF_KEPT, word->before.data, word->before.size);
    }
    word->before.size = word->after.size = 0;
    word->changed = false;
}

static void add_words(struct diff_text *diff, enum weft_diff_kind kind, struct span piece)
{
    for (size_t i = 0; i < piece.size; i++) {
        bool space = piece.data[i] == ' ' || piece.data[i] == '\t';
        if (kind == WEFT_DIFF_KEPT && space) {
            end_word(diff);
            gather(diff, &diff->gap, piece.data + i, 1);
            continue;
        }
        if (kind != WEFT_DIFF_INSERTED)
            gather(diff, &diff->word.before, piece.data + i, 1);
        if (kind != WEFT_DIFF_DELETED)
            gather(diff, &diff->word.after, piece.data + i, 1);
        diff->word.changed |= kind != WEFT_DIFF_KEPT;
    }
}

static void end_words(struct diff_text *diff)
{
    end_word(diff);
    flush_group(diff);
}

// ----------------------------------------------------------------------------------------- pieces

static void add_plain(struct diff_text *diff, enum weft_diff_kind kind, struct span piece)
{
    if (diff->style.words)
        add_words(diff, kind, piece);
    else
        add_marked(diff, kind, piece.data, piece.size);
}

/// A piece of one line. @param ends Whether its line break follows, in the same state.
static void add_piece(struct diff_text *diff, enum weft_diff_kind kind, struct span piece,
                      bool ends)
{
    add_plain(diff, kind, piece);
    if (!ends)
        return;
    end_word(diff); // the break is a word by itself
    if (kind != WEFT_DIFF_KEPT)
        add_plain(diff, kind, span_of_text("\\n"));
    end_words(diff);
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
    end_words(diff);
    set_mark(diff, WEFT_DIFF_KEPT);
    const struct diff_line *last = begun(diff);
    if (!diff->failed && (last->changed || (diff->more > 0 && last->text.size > 0)))
        end_line(diff);
    for (int i = 0; i <= DIFF_CONTEXT; i++)
        weft_buffer_finish(&diff->lines[i].text);
    word_finish(&diff->group);
    word_finish(&diff->word);
    weft_buffer_finish(&diff->gap);
    return !diff->failed;
}
