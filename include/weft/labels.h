// SPDX-License-Identifier: MIT
// What people say of a document: names of its versions (labels), and who its agents are (authors).
//
// Both are operations: they have an author and a place among the edits, travel in deltas, are kept
// in snapshots and count in the digest, and change nothing of the text. Anyone who may edit may say
// anything: nothing here proves who someone is. docs/delta-format.md has the payloads;
// one that is not as said there says nothing.
#ifndef WEFT_LABELS_H
#define WEFT_LABELS_H

#include <weft/doc.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Of a label's or an author's name.
#define WEFT_NAME_BYTES_MAX 64

/// Whether bytes may be such a name: 1 to 64 bytes of UTF-8 without control characters (those below
/// U+0020, U+007F to U+009F) and without line and paragraph separators.
WEFT_API bool weft_name_is_valid(const uint8_t *name, size_t size);

// ----------------------------------------------------------------------------------------- labels

/// A version with a name. All borrowed until the next change of the document.
struct weft_label {
    const uint8_t *name;
    size_t name_size;
    const uint8_t *version; // a version vector (weft/version.h)
    size_t version_size;
    uint64_t wall_ms;  // when it was named, by the clock of whoever did: ms since 1970
    struct weft_id id; // of the operation: its agent named it
    uint64_t lamport;  // likewise
};

/// Names a version, as an operation of the document's agent; a name that is taken moves.
/// @param version Untrusted; of size 0 it takes the label away (nothing at all is the byte 00).
/// @return WEFT_OK; with the document as it was: WEFT_INVALID (no name, or no agent set),
/// WEFT_MALFORMED, WEFT_BEHIND (the document lacks operations of the version), WEFT_LIMIT (a label
/// holds at most 16 KiB: a version of some 1,700 agents), WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_set_label(struct weft_doc *doc,
                                                           const uint8_t *name, size_t name_size,
                                                           const uint8_t *version,
                                                           size_t version_size, uint64_t wall_ms);

/// Visits the labels that hold, in the order in which they were set, until `visit` returns false.
/// Of two that were set at the same time the one with the greater (Lamport, agent) holds. `visit`
/// must not change the document. @return WEFT_OK or WEFT_NO_MEMORY. Cost: O(r + l log l) for r runs
/// and l labels.
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_visit_labels(const struct weft_doc *doc,
                      bool (*visit)(void *context, const struct weft_label *label), void *context);

// ---------------------------------------------------------------------------------------- authors

/// Who an agent is said to be. Borrowed until the next change.
struct weft_author {
    uint64_t agent;
    const uint8_t *name;
    size_t name_size;
    bool own; // the agent says so itself
};

/// Says who an agent is, as an operation of the document's agent. What an agent says of itself
/// counts before what others say of it, and of these what was said first; so it is said once, with
/// the agent's first edit. @return WEFT_OK; WEFT_INVALID (no name, agent 0, or no agent set),
/// WEFT_LIMIT or WEFT_NO_MEMORY: the document is as it was.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_set_author(struct weft_doc *doc, uint64_t agent,
                                                            const uint8_t *name, size_t name_size);

/// Visits the agents of which something is said, ascending, until `visit` returns false. `visit`
/// must not change the document. @return WEFT_OK or WEFT_NO_MEMORY. Cost as of the labels.
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_visit_authors(const struct weft_doc *doc,
                       bool (*visit)(void *context, const struct weft_author *author),
                       void *context);

#ifdef __cplusplus
}
#endif

#endif
