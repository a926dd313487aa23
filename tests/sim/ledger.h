// SPDX-License-Identifier: MIT
// What was promised to clients: every inserted character, and on whose word it may be forgotten.
//
// Each inserted element of a whole simulation is one scalar value of its own, a *marker*. So loss,
// doubling and leaks between documents can be read off the text itself; nothing here trusts ids,
// version vectors or digests of the code under test.
//
//   insert / delete sent  ->  marker exists / may be gone
//   ack from a store      ->  evidence: that store, or n stores, hold it since then
//   a disk is lost        ->  evidence that hung on that disk alone is void
//   the end               ->  what evidence still stands must be seen in the text
//
// May include: base/, weft/.
#ifndef WEFT_SIM_LEDGER_H
#define WEFT_SIM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/doc.h>

#include "base/bytes.h"

#include "world.h"

#define SIM_STORES_MAX 12 // directories of one simulation, clones included
#define SIM_DOCUMENTS_MAX 6
#define LEDGER_LEVELS_MAX 6 // replicated:n is tracked for n below this
#define LEDGER_LOSSES_MAX 64
#define LEDGER_MARKERS_MAX 1000000       // scalars that there are
#define LEDGER_SHARED UINT32_MAX         // author of texts that anyone may create alike
#define LEDGER_REQUESTS (UINT32_MAX - 1) // author: requests, not sessions

/// Who said since when to hold an insert or a delete. Times are of sending, in us, plus 1; 0:
/// never.
struct evidence {
    uint64_t durable[SIM_STORES_MAX];
    uint64_t replicated[LEDGER_LEVELS_MAX]; // index n
    uint64_t shown; // first seen by someone else than its author: it was on some disk then
    bool epoch_known;
    struct weft_epoch epoch; // in which it was promised
};

struct marker {
    uint32_t author; // client, or LEDGER_SHARED, LEDGER_REQUESTS
    uint32_t document;
    bool epoch_known;
    struct weft_epoch epoch; // in which it was inserted
    bool delete_issued;      // someone deleted it: it may be gone
    bool met;                // in a forked document a delete of another branch's element hid it
    bool loose;              // a blind PUT named it: it may come back or come twice
    struct evidence insert;
    struct evidence delete;
};

/// A disk that forgot all that it got after `since_us`.
struct loss {
    uint32_t store;
    uint64_t since_us;
    uint64_t at_us;
};

struct ledger {
    struct world *world;
    struct marker *markers;
    uint32_t marker_count;
    uint32_t marker_capacity;
    struct loss losses[LEDGER_LOSSES_MAX];
    uint32_t loss_count;
    bool forked[SIM_DOCUMENTS_MAX]; // an author's id was used twice: edits may be kept apart
    struct evidence deletes[SIM_DOCUMENTS_MAX]; // the last time that a whole document was deleted
};

/// Indexes of markers, as a text shows them.
struct marker_list {
    uint32_t *items;
    uint32_t count;
    uint32_t capacity;
};

void ledger_init(struct ledger *ledger, struct world *world);
void ledger_finish(struct ledger *ledger);

/// A new marker. @param epoch NULL: not known. @return its index.
uint32_t ledger_add(struct ledger *ledger, uint32_t document, uint32_t author,
                    const struct weft_epoch *epoch);
/// Appends the marker's scalar as UTF-8.
void ledger_append_text(struct weft_buffer *out, uint32_t marker);
/// Reads a text that only markers make up. @return false when it has other content.
bool ledger_read_text(const struct ledger *ledger, struct marker_list *list_out, struct span text);

void marker_list_add(struct marker_list *list, uint32_t marker);
void marker_list_finish(struct marker_list *list);

/// @param level 1 durable, n >= 2 replicated:n. @param sent_us When the store's node said so.
void ledger_note_ack(struct ledger *ledger, struct evidence *evidence, uint32_t store,
                     uint32_t level, uint64_t sent_us, const struct weft_epoch *epoch);
/// Someone was shown it, or told that all is synced: it was on a disk, though not said on which.
void ledger_note_shown(struct ledger *ledger, struct evidence *evidence, uint64_t sent_us,
                       const struct weft_epoch *epoch);
void ledger_note_loss(struct ledger *ledger, uint32_t store, uint64_t since_us);
/// Whether what was promised still binds, whatever disks were lost since.
bool ledger_binds(const struct ledger *ledger, const struct evidence *evidence);

/// What the end of a simulation shows of one document.
struct final_document {
    uint32_t document;
    bool epoch_known;
    struct weft_epoch epoch;
    struct span text;
    const struct marker_list *recovered; // all recovery copies of all nodes
    const struct marker_list *held;      // of a forked one: all its elements, deleted or not
};
/// Fails the world for the first marker that is lost, doubled, risen from the dead or strange.
void ledger_check(const struct ledger *ledger, const struct final_document *final);
/// How many markers bind, and how many bound before a disk was lost.
void ledger_count(const struct ledger *ledger, uint32_t *binding_out, uint32_t *void_out);

#endif
