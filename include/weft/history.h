// SPDX-License-Identifier: MIT
// A document's past: its text at any version, what differs between two, who wrote what, and going
// back to a version by editing.
//
// A version is a version vector as weft_doc_version() writes it (weft/version.h): bytes that may be
// kept under a name, with a time, sent to others, merged; they mean the same on every replica that
// holds the document. Labels and times are kept by whoever uses libweft. A document can be seen at
// any vector that it covers, also one that no replica ever was at: what it shows are the elements
// whose insert is in the version, without those that a delete in the version names, unless an
// undelete in the version cancels it. Nothing is replayed: the order of elements never changes.
//
// Cost, where nothing else is said: O(n + r) for n spans and r runs of the document, and a search
// for each run that deletes; 1 bit for each element and 4 bytes for each agent, for the call.
//
// Text that was collected (weft_doc_collect, here or where a document came from) is said to be
// gone, never guessed: WEFT_COLLECTED, or a span whose text is NULL.
#ifndef WEFT_HISTORY_H
#define WEFT_HISTORY_H

#include <weft/doc.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Appends the text at a version, as UTF-8. @param version Untrusted. @return WEFT_OK;
/// WEFT_MALFORMED (no version vector); WEFT_BEHIND (the document lacks operations of it);
/// WEFT_COLLECTED; WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_text_at(struct weft_buffer *out,
                                                         const struct weft_doc *doc,
                                                         const uint8_t *version, size_t size);

/// Length of the text at a version; collected text counts in scalars only.
/// @return WEFT_OK, WEFT_MALFORMED, WEFT_BEHIND or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_length_at(uint64_t *length_out,
                                                           const struct weft_doc *doc,
                                                           enum weft_unit unit,
                                                           const uint8_t *version, size_t size);

/// What became of elements between two versions.
enum weft_diff_kind {
    WEFT_DIFF_KEPT,
    WEFT_DIFF_INSERTED, // not in the text before, or deleted there
    WEFT_DIFF_DELETED,  // not in the text after
};

/// Elements that are in the text before, in that after, or in both.
struct weft_diff_span {
    enum weft_diff_kind kind;
    struct weft_id id;     // of the first element; the seqs of the rest follow by one
    uint64_t length;       // elements, that is scalars
    uint64_t units;        // the same in the unit asked for
    uint64_t index_before; // units of the text before that stand in front of it
    uint64_t index_after;  // likewise of the text after
    const uint8_t *text;   // UTF-8, borrowed until the call returns; NULL: it was collected, and
    size_t text_size;      // units other than scalars count it as nothing
};

/// Visits what is in the text at version `before`, at version `after` or at both, in document
/// order, until `visit` returns false. The kept and the deleted spans are the one text, the kept
/// and the inserted ones the other. Nothing is compared: an element is the same or it is not.
/// Spans of one kind may follow each other: each has one author and its text in one piece. The
/// versions may be in any relation. `visit` must not change the document.
/// @param before, after Untrusted. @return WEFT_OK, WEFT_MALFORMED, WEFT_BEHIND or WEFT_NO_MEMORY:
/// then nothing was visited.
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_visit_diff(const struct weft_doc *doc, enum weft_unit unit, const uint8_t *before,
                    size_t before_size, const uint8_t *after, size_t after_size,
                    bool (*visit)(void *context, const struct weft_diff_span *span), void *context);

/// A piece of text by one author: elements with consecutive seqs that stand side by side.
struct weft_blame_run {
    struct weft_id id; // who, and the seq of the first element
    uint64_t length;   // elements, that is scalars
    uint64_t index;    // units of the text that stand in front of it
    uint64_t units;    // its length in the unit asked for
};

/// Visits who wrote [index, index + length) of the text, in document order, until `visit` returns
/// false. Runs are the longest there are, the same on every replica; text that was deleted and
/// undeleted is its author's. `visit` must not change the document.
/// @return WEFT_OK, or WEFT_RANGE: then nothing was visited. Cost: O(log n + spans in the range).
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_visit_blame(const struct weft_doc *doc, enum weft_unit unit, uint64_t index,
                     uint64_t length,
                     bool (*visit)(void *context, const struct weft_blame_run *run), void *context);

/// Visits who wrote a part of the text at a version, like weft_doc_visit_blame().
/// @param version Untrusted. @return also WEFT_MALFORMED, WEFT_BEHIND or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_visit_blame_at(const struct weft_doc *doc, const uint8_t *version, size_t size,
                        enum weft_unit unit, uint64_t index, uint64_t length,
                        bool (*visit)(void *context, const struct weft_blame_run *run),
                        void *context);

/// Makes the text equal to that at a version, as edits of the document's agent: what the version
/// does not show is deleted, what it shows is undeleted, as the elements that they are. The version
/// vector goes on; others merge it as any edit; weft_undo_note() makes it a step that weft_undo
/// undoes; weft_doc_delta_own() has it as a delta. Equal already, no operation.
/// @param version Untrusted. @return WEFT_OK; with the document as it was: WEFT_MALFORMED,
/// WEFT_BEHIND, WEFT_COLLECTED (of what is to come back), WEFT_INVALID (no agent set), WEFT_LIMIT
/// or WEFT_NO_MEMORY. Cost: as above, and O(log n) for each piece that changes.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_restore(struct weft_doc *doc,
                                                         const uint8_t *version, size_t size);

/// What weft_doc_collect() dropped.
struct weft_collected {
    uint64_t elements;
    uint64_t bytes; // of their text
};

/// Drops the text of what was deleted by a version, so that it takes no more memory, nor room in
/// snapshots and deltas. Elements, ids, order, digest and whatever is still to be merged stay as
/// they are: replicas may collect or not, each what it likes, and how long deleted text is kept is
/// the caller's policy. What needs the text afterwards is told that it was collected: the text at a
/// version that shows it, going back there, undoing its deletion. It comes back when someone who
/// has it undoes that.
///
/// Left are texts that were undeleted ever, those of agents of the reserved class, the last up to
/// 127 atoms of each agent, and what is less than the hash that would take its place (64 bytes of
/// 1,024 atoms).
/// @param version Untrusted; that of weft_doc_version() means all. @return WEFT_OK; with the
/// document as it was: WEFT_MALFORMED, WEFT_BEHIND or WEFT_NO_MEMORY. Cost: O(n + r + elements).
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_collect(struct weft_collected *collected_out,
                                                         struct weft_doc *doc,
                                                         const uint8_t *version, size_t size);

/// Counts elements that are not deleted and whose text is not here. A delta of someone who has
/// collected can have the element in it and its delete not yet, so this is 0 again when all that
/// that one knows is here; until then the digest is nobody else's, and such elements are not shown.
/// @return WEFT_OK or WEFT_NO_MEMORY. Cost: O(1) as long as there are none, else O(r + elements).
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_lacking(uint64_t *count_out,
                                                         const struct weft_doc *doc);

#ifdef __cplusplus
}
#endif

#endif
