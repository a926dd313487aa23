// SPDX-License-Identifier: MIT
// A difference for people: the lines that changed, with three around them, and in them what went
// as [-...-] and what came as {+...+}. A line break that went or came is written as \n in its mark.
//
//   @@ line 12, now 14 @@
//   a line as it was
//   the [-old-]{+new+} word
//
// By words, a word that changed is shown whole, and words that changed side by side as one: what
// went, then what came. Else each character is marked by itself, in document order.
// May include: base/bytes.h, weft/.
#ifndef WEFT_PROGRAMS_CLI_DIFF_TEXT_H
#define WEFT_PROGRAMS_CLI_DIFF_TEXT_H

#include <stdbool.h>

#include <weft/history.h>

/// How a difference is shown.
struct diff_style {
    bool words;  // by words
    bool colour; // in place of the marks
};

/// What of a line is not written yet, by words: texts before and after.
struct diff_word {
    struct weft_buffer before;
    struct weft_buffer after;
    bool changed;
};

enum { DIFF_CONTEXT = 3 }; // lines before and after a changed one

struct diff_line {
    struct weft_buffer text; // with marks
    uint64_t before;         // number of its start in the text before, from 1
    uint64_t after;
    bool changed;
};

struct diff_text {
    struct diff_style style;
    struct diff_word group;                   // changed words side by side
    struct weft_buffer gap;                   // the space behind them
    struct diff_word word;                    // that was begun
    struct diff_line lines[DIFF_CONTEXT + 1]; // the last that were not shown, then the one begun
    uint32_t count;                           // before the one begun
    uint32_t more;                            // lines to show, though unchanged
    uint64_t before;                          // lines of the text before so far, and one
    uint64_t after;
    enum weft_diff_kind mark; // that is open in the line begun
    bool skipped;             // lines, since the last that was shown
    bool any;                 // line was shown
    bool failed;              // for want of memory
};

void diff_text_init(struct diff_text *diff, struct diff_style style);
/// Prints on stdout what can be. @return false when memory ran out.
bool diff_text_span(struct diff_text *diff, const struct weft_diff_span *span);
/// Prints the last line, if need be. @return false when memory had run out.
bool diff_text_finish(struct diff_text *diff);

#endif
