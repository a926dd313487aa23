// SPDX-License-Identifier: MIT
// A document's operations in one form, however a replica keeps or has received them: atoms joined
// into the longest runs there are, ordered by (Lamport time, agent), which is causal.
// May include: weft/.
#ifndef WEFT_PROGRAMS_CLI_HISTORY_H
#define WEFT_PROGRAMS_CLI_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/doc.h>

/// A run; as struct weft_run, but its text stands in the history's pool.
struct history_run {
    uint8_t kind;
    bool left;
    bool backward;
    uint64_t length;
    uint64_t agent;
    uint64_t seq;
    uint64_t lamport;
    struct weft_id target;
    size_t text_offset;
    size_t text_size;
};

struct history {
    struct history_run *runs;
    size_t count;
    size_t capacity;
    struct weft_buffer text;
};

/// @return WEFT_OK or WEFT_NO_MEMORY. history_finish() follows in any case. Cost: O(atoms).
WEFT_MUST_USE enum weft_status history_init(struct history *history, const struct weft_doc *doc);
void history_finish(struct history *history);

/// One atom of a run. `text` is of an inserted element.
struct history_atom {
    uint8_t kind;
    bool left;
    uint64_t lamport;
    struct weft_id id;
    struct weft_id target;
    const uint8_t *text;
    size_t text_size;
};
/// Visits all atoms, run by run.
void history_atoms(const struct history *history,
                   void (*visit)(void *context, const struct history_atom *atom), void *context);

/// Of all operations that only one of two histories holds, or that they hold differently, the
/// earliest in causal order. @param a_out, b_out What each holds under that id; `kind` of one that
/// holds nothing is UINT8_MAX. Texts borrow from the histories. @return false: they are equal.
bool history_difference(struct history_atom *a_out, struct history_atom *b_out,
                        const struct history *a, const struct history *b);

/// "insert", "delete", ... Static.
const char *history_kind(uint8_t kind);

#endif
