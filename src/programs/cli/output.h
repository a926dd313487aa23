// SPDX-License-Identifier: MIT
// Answers on stdout: rows of named values as a table for people, or as JSON for programs.
//
// A table is aligned and has a head on a terminal or when asked for by name (-o table); through a
// pipe it is tab-separated and has none.
// May include: programs/cli/arguments.h, jansson.
#ifndef WEFT_PROGRAMS_CLI_OUTPUT_H
#define WEFT_PROGRAMS_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <weft/doc.h>

#include "base/bytes.h"
#include "programs/cli/arguments.h"

#define HEX_EPOCH_BYTES 49  // 24 bytes and a NUL
#define HEX_DIGEST_BYTES 33 // 16 bytes and a NUL

struct output {
    enum output_format format;
    const char *const *columns; // keys of a row that the table shows, in order; ends with NULL
    bool aligned;               // with a head
    bool streams;               // rows are written as they come
    json_t *rows;               // else: of a table or an array, until the end
    bool failed;
};

/// Whether a table is for people: on a terminal, or asked for by name.
bool output_for_people(const struct arguments *arguments);

enum output_colour { COLOUR_NONE, COLOUR_HEADING, COLOUR_DELETED, COLOUR_INSERTED, COLOUR_WHERE };
/// What begins a colour on the terminal; nothing when stdout is none, or NO_COLOR is set. Static.
const char *output_colour(enum output_colour colour);

void output_begin(struct output *output, const struct arguments *arguments,
                  const char *const *columns);
/// @param row An object, taken. NULL: memory ran out when it was made.
void output_row(struct output *output, json_t *row);
/// Writes what is not written yet. @return EXIT_FINE, or EXIT_REFUSED after saying why.
int output_end(struct output *output);

/// One object: lines of `name  value`, or JSON. @param object Taken.
int output_object(const struct arguments *arguments, json_t *object);

/// Text from outside, with '?' for what a terminal might take for commands.
void print_tame(const char *text);
/// Likewise of a document's text, but for tabs.
void print_tame_text(struct span text);
/// A JSON string of bytes that should be UTF-8; what is not is replaced.
json_t *output_text(struct span text);
/// A document's text as it is, on stdout; may be empty.
void print_text(const struct weft_buffer *text);
/// Text in one line for people, in quotes: control characters escaped, cut to `width` characters
/// with dots.
WEFT_MUST_USE enum weft_status excerpt_append(struct weft_buffer *out, struct span text,
                                              size_t width);
json_t *output_excerpt(struct span text, size_t width);
void print_excerpt(const uint8_t *text, size_t size, size_t width);
/// Hexadecimal digits and a NUL.
void hex_format(char *text_out, const uint8_t *bytes, size_t size);
/// @return whether `text` was 2 * size hexadecimal digits.
bool hex_parse(uint8_t *bytes_out, size_t size, const char *text);

#endif
