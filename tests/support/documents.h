// SPDX-License-Identifier: MIT
// Documents in tests: made, edited at random beside a naive text, synchronised, compared.
#ifndef WEFT_TESTS_DOCUMENTS_H
#define WEFT_TESTS_DOCUMENTS_H

#include <weft/doc.h>

#include "tests/support/property.h"
#include "tests/support/texts.h"

/// A document and beside it the text that its observer told.
struct replica {
    struct weft_doc *doc;
    uint64_t agent;
    struct weft_buffer told;
    uint64_t hot; // scalar index near which this author likes to edit
};

void replica_init(const struct property *property, struct replica *replica, uint64_t agent,
                  const struct weft_doc_options *options);
void replica_finish(struct replica *replica);
/// Edits from now on are of another agent.
void replica_set_agent(const struct property *property, struct replica *replica, uint64_t agent);
/// What a process does that was restarted: the document is replaced by its loaded snapshot.
void replica_restart(const struct property *property, struct replica *replica,
                     const struct weft_doc_options *options);

/// One random edit or row of edits: typing, typing backwards, pasting, backspacing, deleting a
/// range, replacing the text. Checks the text against the same edit of a naive one.
void replica_edit(struct property *property, struct replica *replica, enum text_alphabet alphabet);

/// Cancels a part of some delete, of anyone, that the document has; nothing when it has none.
void replica_undelete(struct property *property, struct replica *replica);

/// Collects what a version shows as deleted; the document must not show it. @return elements.
uint64_t replica_collect(const struct property *property, struct weft_doc *doc,
                         const struct weft_buffer *version);

/// Applies a delta that must be sound. @return the result.
struct weft_apply_result replica_apply(const struct property *property, struct weft_doc *doc,
                                       enum weft_apply_mode mode, const uint8_t *delta,
                                       size_t size);
/// Brings what `from` holds and `into` lacks.
void replica_pull(const struct property *property, struct weft_doc *into,
                  const struct weft_doc *from);

/// A document from the other's snapshot.
struct weft_doc *replica_reload(const struct property *property, const struct weft_doc *doc,
                                const struct weft_doc_options *options);

/// The text; the caller finishes the buffer.
struct weft_buffer document_text(const struct property *property, const struct weft_doc *doc);
struct weft_buffer document_version(const struct property *property, const struct weft_doc *doc);
struct weft_digest document_digest(const struct property *property, struct weft_doc *doc);

/// Checks weft_doc_check(), that the stated lengths are those of the text, and that the order is
/// the tree oracle's.
void document_check_sound(const struct property *property, const struct weft_doc *doc);
/// Checks that text, version and digest are equal.
void document_check_equal(const struct property *property, struct weft_doc *a, struct weft_doc *b);

#endif
