// SPDX-License-Identifier: MIT
// Golden vectors: text files of bytes in hex and of what they mean, for people and tests alike.
//
//   # a comment
//   a join of who was here before        the vector's name
//   bytes 96 02 01 ...                   a part: its key and its bytes; `-` is no bytes
//       JOIN                             what it means, four spaces in front
//       ref 1
//                                        an empty line ends the vector
//
// A test decodes the parts, says what it found with golden_say(), encodes again, and compares both.
#ifndef WEFT_TESTS_GOLDEN_H
#define WEFT_TESTS_GOLDEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <weft/doc.h>

#include "base/bytes.h"

enum { GOLDEN_PARTS_MAX = 4 };

struct golden_part {
    char key[24];
    struct weft_buffer bytes;
};

/// The vector that is read now.
struct golden {
    FILE *file;
    char name[200];
    struct golden_part parts[GOLDEN_PARTS_MAX];
    size_t part_count;
    struct weft_buffer meaning; // lines of the file
    struct weft_buffer said;    // lines of the test
    unsigned count;             // vectors read
};

/// Opens a file of $WEFT_GOLDEN, or of tests/golden; fails the test when it is not there.
void golden_open(struct golden *golden, const char *name);
/// @return false after the last.
bool golden_next(struct golden *golden);
/// Closes it. Fails the test unless there were at least so many vectors.
void golden_close(struct golden *golden, unsigned least);

bool golden_has(const struct golden *golden, const char *key);
/// A part's bytes; fails the test when there is no such part.
struct span golden_bytes(const struct golden *golden, const char *key);

/// Says one line.
__attribute__((format(printf, 2, 3))) void golden_say(struct golden *golden, const char *format,
                                                      ...);
/// Says one line with bytes in hex: `nil` for NULL, `-` for none.
void golden_say_hex(struct golden *golden, const char *what, struct span bytes);
/// Says one line with a text in quotes; control characters and quotes as \xx.
void golden_say_text(struct golden *golden, const char *what, struct span text);
void golden_say_epoch(struct golden *golden, const char *what, const struct weft_epoch *epoch);

/// Fails the test unless all was said that the file says, and nothing else.
void golden_check_said(struct golden *golden);
/// Fails the test unless encoding gave the bytes of the part.
void golden_check_bytes(const struct golden *golden, const char *key, struct span encoded);

#endif
