// SPDX-License-Identifier: MIT
// Undo and redo of one agent's own edits. What an undo does are operations like all others: deletes
// of what was inserted, undeletes that cancel deletes; so text comes back as what it was, and what
// someone else deleted too stays deleted.
//
// Edits are grouped by time and place: what is typed on without a pause is one step. The undo names
// operations, not the document in memory: after a restart of the document, or a rebuilt one with
// the same operations, it goes on.
#ifndef WEFT_UNDO_H
#define WEFT_UNDO_H

#include <weft/doc.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The steps of one agent: opaque, made by weft_undo_create().
struct weft_undo;

/// How undo groups edits. All zero means the defaults that are named here.
struct weft_undo_options {
    const struct weft_allocator *allocator; // copied; NULL means libc
    uint64_t pause_ms;                      // after so long another step begins; default 500
    uint32_t steps_max;                     // the oldest are forgotten past it; default 1,000
};

/// Undo for what `agent` does to the document from now on. @param options NULL means all defaults.
/// @return WEFT_OK or WEFT_NO_MEMORY. The caller owns it: weft_undo_destroy().
WEFT_API WEFT_MUST_USE enum weft_status weft_undo_create(struct weft_undo **undo_out,
                                                         const struct weft_doc *doc, uint64_t agent,
                                                         const struct weft_undo_options *options);
/// Gives back what an undo holds; the document is left as it is. Takes NULL.
WEFT_API void weft_undo_destroy(struct weft_undo *undo);

/// Notes what the agent has done since the last call as one edit, which joins the last step when it
/// goes on where that ended, soon enough; to be called after each edit. What was undone can no
/// longer be redone then. Without new operations of the agent it does nothing.
/// @param now_ms Of any clock that does not go back. @return WEFT_OK or WEFT_NO_MEMORY.
/// Cost: O(log n).
WEFT_API WEFT_MUST_USE enum weft_status weft_undo_note(struct weft_undo *undo,
                                                       const struct weft_doc *doc, uint64_t now_ms);

/// Undoes the last step that still shows, as the agent's edit. Sets the document's agent.
/// @param delta_out Gets what was done appended; weft_doc_delta_own() tells it as well.
/// @return WEFT_OK; WEFT_NOT_FOUND when there is nothing to undo; WEFT_LIMIT; WEFT_NO_MEMORY: with
/// the document as it was, or, when only the delta found no room, undone; WEFT_COLLECTED when text
/// that would come back was collected: the document is as it was, and the step is forgotten.
WEFT_API WEFT_MUST_USE enum weft_status
weft_undo_undo(struct weft_buffer *delta_out, struct weft_undo *undo, struct weft_doc *doc);
/// Does again what was undone last. @return as weft_undo_undo().
WEFT_API WEFT_MUST_USE enum weft_status
weft_undo_redo(struct weft_buffer *delta_out, struct weft_undo *undo, struct weft_doc *doc);

#ifdef __cplusplus
}
#endif

#endif
