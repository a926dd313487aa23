// SPDX-License-Identifier: MIT
// Why an element stands where it does: everything that the operations of a document say of one.
// May include: weft/, programs/cli/history.h.
#ifndef WEFT_PROGRAMS_CLI_WHY_H
#define WEFT_PROGRAMS_CLI_WHY_H

#include "base/bytes.h"
#include "programs/cli/history.h"

/// An element, wherever it stands.
struct why_element {
    struct weft_id id;
    uint64_t lamport;
    struct span text;              // its character; borrowed from the history
    const struct history_run *run; // whose part it is
    uint64_t offset;               // in it
};

/// An atom that deletes the element, or one that cancels such an atom.
struct why_atom {
    struct weft_id id;
    uint64_t lamport;
    struct weft_id target;
};

struct why {
    const struct history *history;
    struct why_element element;
    bool has_parent; // else it hangs at the start of the document
    struct why_element parent;
    bool left;                   // on which side of its parent
    struct weft_buffer siblings; // struct why_element: others on that side, in document order
    struct weft_buffer deletes;  // struct why_atom
    struct weft_buffer undeletes;
    bool has_before; // whatever stands beside it, deleted or not
    bool has_after;
    struct why_element before;
    struct why_element after;
    bool visible;
    uint64_t index; // visible characters before it
};

/// Finds out. @return WEFT_OK, WEFT_NOT_FOUND (there is no such element) or WEFT_NO_MEMORY.
/// why_finish() follows in any case. Cost: O(runs + spans).
WEFT_MUST_USE enum weft_status why_init(struct why *why, const struct history *history,
                                        const struct weft_doc *doc, struct weft_id id);
void why_finish(struct why *why);

/// The run that an atom is part of; NULL when there is none.
const struct history_run *why_run(const struct history *history, struct weft_id id);
/// What the atom at `id` of a run that deletes or undeletes names.
struct weft_id why_target(const struct history_run *run, struct weft_id id);
/// Whether an element's (Lamport, agent) is the greater one.
bool why_greater(const struct why_element *a, const struct why_element *b);

#endif
