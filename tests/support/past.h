// SPDX-License-Identifier: MIT
// A document's past in tests: what was seen at some time, held against what libweft and the oracle
// say of it later.
#ifndef WEFT_TESTS_PAST_H
#define WEFT_TESTS_PAST_H

#include <weft/history.h>

#include "tests/support/documents.h"
#include "tests/support/oracle.h"

/// What someone saw.
struct moment {
    struct weft_buffer version;
    struct weft_buffer text;
    struct weft_buffer blame; // struct weft_blame_run, one after the other, of all the text
};

struct moment moment_make(const struct property *property, const struct weft_doc *doc);
void moment_finish(struct moment *moment);

bool past_same(struct weft_buffer a, struct weft_buffer b);
/// Checks that two texts are the same, and finishes the first.
void past_check_same(const struct property *property, struct weft_buffer *got,
                     const struct weft_buffer *expected, const char *what);

/// The text at a moment's version and its length in all units.
void past_check_text(const struct property *property, const struct weft_doc *doc,
                     const struct moment *moment);

/// The difference of two moments gives both texts, positions and lengths in one unit or other.
/// @param oracle Of the document, in order; NULL: the order of elements is not looked at.
void past_check_diff(struct property *property, const struct weft_doc *doc,
                     const struct oracle *oracle, const struct moment *before,
                     const struct moment *after);

/// The authors of some range are those of the oracle's elements, which are in order.
/// @param version What the oracle shows; NULL: what the document does. @param text Of that.
void past_check_blame(struct property *property, const struct weft_doc *doc,
                      const struct oracle *oracle, const struct weft_buffer *version,
                      const struct weft_buffer *text);

/// The authors of the text at a moment's version are those that were noted then.
void past_check_recorded_blame(const struct property *property, const struct weft_doc *doc,
                               const struct moment *moment);

/// Text, length and authors at a version that the document covers, against the oracle's.
void past_check_oracle(struct property *property, const struct weft_doc *doc,
                       const struct weft_buffer *version);

#endif
