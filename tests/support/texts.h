// SPDX-License-Identifier: MIT
// Texts made the naive way: random ones, splices, and positions counted character by character.
#ifndef WEFT_TESTS_TEXTS_H
#define WEFT_TESTS_TEXTS_H

#include <weft/doc.h>

#include "programs/trace/random.h"

/// Which characters a random text has.
enum text_alphabet {
    TEXT_ASCII,
    TEXT_LATIN, // two bytes each, combining marks among them
    TEXT_CJK,   // three bytes each
    TEXT_EMOJI, // four bytes each, two UTF-16 units; joiners among them
    TEXT_MIXED, // all of these
    TEXT_ALPHABETS,
};

/// Appends one character. @return its size.
size_t text_add_character(struct weft_buffer *text, struct random *random,
                          enum text_alphabet alphabet);
/// Appends so many characters.
void text_add_random(struct weft_buffer *text, struct random *random, enum text_alphabet alphabet,
                     uint64_t scalars);

uint64_t text_count_scalars(const uint8_t *text, size_t size);
/// The byte at which the scalar of that index starts, or the size of the text.
size_t text_byte_of(const uint8_t *text, size_t size, uint64_t scalar);

/// Replaces `deleted` scalars at `index`, as an editor would. Must be within the text.
void text_splice(struct weft_buffer *text, uint64_t index, uint64_t deleted,
                 const uint8_t *inserted, size_t inserted_size);

/// Where each character starts in each unit; the last row is the end.
struct text_row {
    uint64_t at[3]; // by enum weft_unit
};
/// @return rows to be freed; *count_out is the number of characters, one less than the rows.
struct text_row *text_rows(const uint8_t *text, size_t size, uint64_t *count_out);

#endif
