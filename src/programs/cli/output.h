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
    json_t *rows;               // of a table or an array, until the end
    bool failed;
};

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
/// Text in one line for people: control characters escaped, cut to `width` characters with dots.
void print_excerpt(const uint8_t *text, size_t size, size_t width);
/// Hexadecimal digits and a NUL.
void hex_format(char *text_out, const uint8_t *bytes, size_t size);
/// @return whether `text` was 2 * size hexadecimal digits.
bool hex_parse(uint8_t *bytes_out, size_t size, const char *text);

#endif
