// SPDX-License-Identifier: MIT
// Places that stay: a caret, the ends of a selection, where a comment hangs. An index counts what
// stands before it and is another one after each edit there; a cursor names the element that it
// stands at and the side on which it stands, and is good on every replica that has the element.
//
//     a b|c     behind b: what is typed here comes after the cursor      a b|x c
//               in front of c: it comes before the cursor                a b x|c
//
// Both go on when their element is deleted: elements keep their place for ever. A cursor is three
// plain numbers; presence sends it, and programs may keep it.
#ifndef WEFT_CURSOR_H
#define WEFT_CURSOR_H

#include <weft/doc.h>

#ifdef __cplusplus
extern "C" {
#endif

/// On which side of its element a cursor stands.
enum weft_side {
    WEFT_BEFORE = 0, // in front of it
    WEFT_AFTER = 1,  // behind it
};

/// A place in the text of a document.
struct weft_cursor {
    struct weft_id id; // of an element, deleted or not; or WEFT_ID_ROOT, for the two ends
    enum weft_side side;
};

#ifdef __cplusplus
#define WEFT_CURSOR_START (weft_cursor{WEFT_ID_ROOT, WEFT_AFTER})
#define WEFT_CURSOR_END (weft_cursor{WEFT_ID_ROOT, WEFT_BEFORE})
#else
/// The start of the text, whatever is inserted there: the text stands behind it.
#define WEFT_CURSOR_START ((struct weft_cursor){WEFT_ID_ROOT, WEFT_AFTER})
/// The end of the text, whatever is inserted there.
#define WEFT_CURSOR_END ((struct weft_cursor){WEFT_ID_ROOT, WEFT_BEFORE})
#endif

/// The cursor at `index`, which may be the end of the text.
/// @param side WEFT_AFTER: behind the character in front of `index`, at the start of the text
/// WEFT_CURSOR_START; WEFT_BEFORE: in front of the character at `index`, at the end of the text
/// WEFT_CURSOR_END. @return WEFT_OK or WEFT_RANGE. Cost: O(log n).
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_cursor_at(struct weft_cursor *cursor_out,
                                                           const struct weft_doc *doc,
                                                           enum weft_unit unit, uint64_t index,
                                                           enum weft_side side);

/// Where a cursor stands now: at most weft_doc_length(). When its element is deleted, that is where
/// the element was. @return WEFT_OK, or WEFT_NOT_FOUND when the element is not here (yet) or the id
/// is no element's. Cost: O(log n).
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_cursor_index(uint64_t *index_out,
                                                              const struct weft_doc *doc,
                                                              enum weft_unit unit,
                                                              struct weft_cursor cursor);

#ifdef __cplusplus
}
#endif

#endif
