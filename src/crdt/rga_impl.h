// SPDX-License-Identifier: MIT
// What the files of the sequence share. May include: crdt/gaps.h, crdt/rga.h.
#ifndef WEFT_CRDT_RGA_IMPL_H
#define WEFT_CRDT_RGA_IMPL_H

#include "crdt/gaps.h"
#include "crdt/rga.h"

/// Where a new element goes, and what hangs it there.
struct rga_place {
    struct tree_at at;
    uint32_t parent_agent; // AGENT_NONE: the root
    uint32_t parent_seq;
    bool left;
    struct op_key inherited; // the key of the other side, from the parent
};

/// Finds where a child of an element goes among its siblings: before the first lesser one.
/// @param row Of the parent; OP_NONE: the root. @param seq Of the parent.
struct rga_place rga_place_child(struct rga *rga, uint32_t row, uint32_t seq, bool left,
                                 struct op_key key);

/// The place right after what `at` ends (slot and offset > 0), or of the document's start when its
/// leaf is TREE_NONE, for an element greater than all others, by the document's policy.
struct rga_place rga_place_after(struct rga *rga, struct tree_at at);

/// The run of elements that is being inserted.
struct rga_insertion {
    uint32_t agent;
    uint32_t seq;
    uint32_t lamport;
    uint32_t length;
    struct span text;
    struct gaps_reader *gaps; // instead of `text`; else NULL
    struct rga_place place;
};
/// Appends rows, text and slots: one of each per page of text. @return where its last slot begins.
struct tree_at rga_insert_run(struct rga *rga, const struct rga_insertion *insertion);

/// Appends a row of delete or undelete atoms, or lets the last row grow.
/// @param backward Of length > 1 only.
void rga_log_delete(struct rga *rga, const struct op *op);

/// The run of the last row got more elements, whose text is there already. They hang on the newest
/// element, which is the last of `slot`.
void rga_extend_run(struct rga *rga, struct tree_at slot, uint32_t length);

/// How many characters, one byte each, can be written behind the last element with no more memory,
/// in its page and within all limits; where, if any.
uint32_t rga_typing_room(const struct rga *rga, uint8_t **text_out);

/// Counts in characters that were noted, and deletes that left the caret at `index`.
void rga_settle_typing(struct rga *rga, uint32_t count);
void rga_settle_deletes(struct rga *rga, uint32_t count, uint32_t index);

/// Whether a run keeps the rules that need no past. @param text_known False when its text is not at
/// hand: runs of the reserved class then need rga_check_initial() later.
bool rga_run_is_valid(const struct rga *rga, const struct weft_run *run, bool text_known);

/// Greatest seq that a valid delete names.
uint64_t rga_last_target(const struct weft_run *run);

/// Whether the atom is here, and its agent's index.
bool rga_is_known(struct rga *rga, struct weft_id id, uint32_t *agent_out);

/// What an insert hangs on: sets *row_out to its row, OP_NONE for the root.
/// @return RGA_APPLIED, RGA_MISSING (and *missing_out) or RGA_INVALID.
enum rga_outcome rga_find_parent(struct rga *rga, struct weft_id parent, uint32_t lamport,
                                 uint32_t *row_out, struct weft_id *missing_out);

/// Atoms [first, end) by seq of one agent that lie in one row.
struct rga_targets {
    const struct op *op;
    uint32_t first;
    uint32_t end;
};
/// The first piece of known atoms [seq, end).
struct rga_targets rga_targets_at(struct rga *rga, uint32_t agent, uint32_t seq, uint32_t end);
/// Whether all targets of a delete or undelete, which must be known atoms, are elements or delete
/// atoms, with lesser Lamport times.
bool rga_targets_are_valid(struct rga *rga, uint32_t agent, const struct op *op);

/// Cancels what an undelete names and shows what no delete is left of. Room must have been
/// reserved.
void rga_undelete(struct rga *rga, const struct op *op);
/// Appends a delete of elements or an undelete of delete atoms, by the local agent. An undelete
/// shows what no delete is left of; the tree is the caller's affair with a delete.
void rga_append_inverse(struct rga *rga, uint32_t kind, struct covers_range targets);
/// Deletes what is visible of some elements, as the local agent.
void rga_hide(struct rga *rga, struct covers_range elements);

/// Appends so many elements with the text that they have. Room must have been reserved.
void rga_append_gaps(struct rga *rga, struct gaps_reader *gaps, uint32_t agent, uint32_t length);
/// Whether each element of an insert row that has no text is in a part whose hash is kept.
bool rga_gone_is_hashed(const struct rga *rga, const struct op *op);
/// rga_apply() of a run of kind WEFT_RUN_COLLECTED.
enum rga_outcome rga_apply_gaps(struct rga *rga, const struct weft_run *run, uint32_t *atoms_out,
                                struct weft_id *missing_out);

/// Whether the text that an undelete brings, a character for each atom, is that of what it names.
/// @return RGA_APPLIED, RGA_INVALID or RGA_COLLECTED.
enum rga_outcome rga_check_revived(struct rga *rga, const struct op *op, struct span text);
/// Gives what it names that text where it has none.
void rga_fill_revived(struct rga *rga, const struct op *op, struct span text);

/// From now on covers are kept. @return false, with all as it was, when there is no memory.
bool rga_keep_covers(struct rga *rga);

/// Counts new atoms as known.
static inline void rga_advance(struct rga *rga, uint32_t agent, uint32_t seq_end,
                               uint32_t lamport_last)
{
    struct agent *entry = agents_at(&rga->agents, agent);
    rga->authors += entry->next == 0;
    entry->next = seq_end;
    entry->lamport = lamport_last;
    if (lamport_last > rga->lamport)
        rga->lamport = lamport_last;
}

#endif
