// SPDX-License-Identifier: MIT
// Versions of a document as words, and what a word means in a document that is at hand.
//
//   AGENT:NEXT,AGENT:NEXT        as weft dump, weft log --versions and weft show print it
//   0104f43f90012f02e401         the version vector in hex, as the HTTP API says it
//   ...@EPOCH                    either of them, of another epoch than the first (48 hex digits)
//   LABEL                        a name that was given to one (weft label)
//   2026-11-25T10:00:00Z         all that had arrived at a node of the cluster by then (times.h)
//
// What is printed is what is taken. A version is refused when it is of another epoch than the
// document, has operations that the document has not, or holds edits without what they build on.
// May include: base/, codec/, weft/, jansson.
#ifndef WEFT_PROGRAMS_CLI_VERSIONS_H
#define WEFT_PROGRAMS_CLI_VERSIONS_H

#include <stdbool.h>

#include <jansson.h>

#include <weft/doc.h>

#include "base/bytes.h"
#include "codec/times.h"

#define VERSION_HELP                                                                               \
    "VERSION is a label, a time (2026-11-25T10:00:00Z), AGENT:NEXT,AGENT:NEXT... as weft dump "    \
    "and "                                                                                         \
    "weft log --versions say, or the hex digits of the HTTP API, with @EPOCH after a deletion."

/// Appends the version vector that a word names. @param option As the user knows it, for messages.
/// @param text NULL: the document as it is. @return EXIT_FINE, or another after saying why.
/// @param times When the operations arrived.
int version_read(struct weft_buffer *out, const struct weft_doc *doc, const struct times *times,
                 const char *name, const char *option, const char *text);

/// Whether a word reads as a version that is no label, whatever the document.
bool version_is_spelled(const char *text);

/// Appends AGENT:NEXT,AGENT:NEXT@EPOCH. @param vector Well-formed.
WEFT_MUST_USE enum weft_status version_format(struct weft_buffer *out,
                                              const struct weft_epoch *epoch, struct span vector);
/// Appends nothing for the first epoch, else '@' and its 48 hex digits.
WEFT_MUST_USE enum weft_status version_format_epoch(struct weft_buffer *out,
                                                    const struct weft_epoch *epoch);
/// {"AGENT": NEXT, ...}, or NULL without memory. @param vector Well-formed.
json_t *version_json(struct span vector);

#endif
