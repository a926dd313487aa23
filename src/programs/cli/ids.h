// SPDX-License-Identifier: MIT
// Ids and versions as words: AGENT:SEQ of an operation, AGENT:NEXT,AGENT:NEXT of a version, agents
// in hexadecimal. What is printed is what is taken. May include: weft/.
#ifndef WEFT_PROGRAMS_CLI_IDS_H
#define WEFT_PROGRAMS_CLI_IDS_H

#include <stdbool.h>

#include <weft/doc.h>

#define ID_BYTES 48 // a formatted id and a NUL

/// AGENT:SEQ, or "root".
void id_format(char *text_out, struct weft_id id);

/// AGENT:SEQ. @return whether a word is that.
bool id_parse(struct weft_id *id_out, const char *text);

/// Appends a version vector. Entries come in any order, between commas or spaces; none at all are
/// the empty version. @return WEFT_OK, WEFT_MALFORMED or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status version_parse(struct weft_buffer *version_out, const char *text);

#endif
