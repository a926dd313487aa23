// SPDX-License-Identifier: MIT
// A replicated sequence: Roh et al.'s RGA ("Replicated abstract data types", 2011) with a side bit.
//
// Every element has a parent and a side. Document order is the in-order walk of that tree: left
// children of n in ascending id, n, right children in descending id; id = (Lamport time, agent).
// Without left children this is RGA to the letter. What the code does instead of walking a tree,
// with two keys per element, is in rga_place.c; why it converges, in docs/crdt.md.
//
//   agents   who                     log    all operations, in arrival order
//   text     all elements' text      tree   all elements in document order
//   parking  runs whose causes are missing
//   chains   hashes over what each agent did         covers  what undeletes need to know
//   sums     hashes of text that was collected
//
// All memory of a change is reserved before its first step: rga_reserve() fails and nothing
// changed, or what follows cannot fail for want of memory. May include: base, crdt.
#ifndef WEFT_CRDT_RGA_H
#define WEFT_CRDT_RGA_H

#include <weft/doc.h>

#include "base/hash.h"
#include "crdt/covers.h"
#include "crdt/parking.h"
#include "crdt/sums.h"
#include "crdt/tree.h"

/// Greatest size of a run of an agent of the reserved class, in bytes.
enum { RGA_INITIAL_SIZE_MAX = 16384 };

/// The visible index of nothing.
#define RGA_NOT_TYPING UINT32_MAX

/// Keys struck one after another, here: characters that go on with the run inserted last, or
/// deletes that go on with the tombstone made last; or characters that someone else typed, heard of
/// one by one. All but the first are only noted here, so that typing touches the text and this,
/// nothing else; rga_settle() counts them in.
struct rga_strokes {
    uint32_t index;  // visible scalars before the caret
    uint32_t count;  // how many have been noted; all of one kind
    uint32_t typing; // how many more can be: they need no memory and no other slot
    uint32_t backward;
    uint32_t forward;
    uint8_t *text;       // where characters go, behind the last element; NULL: they are deletes
    uint32_t hearing;    // how many more of someone else's characters can be
    struct weft_id next; // the atom that goes on with them
    uint64_t lamport;    // of that atom
};

/// Told each change of the visible text, as weft_doc_observer.
struct rga_observer {
    weft_doc_observer *call; // NULL: nobody
    void *context;
};

/// Elements by iv.
struct rga_load_range {
    uint32_t iv;
    uint32_t length;
};

struct rga {
    struct weft_allocator allocator;
    struct weft_doc_limits limits; // no zeros
    enum weft_policy policy;
    struct weft_epoch epoch;
    uint8_t initial[HASH_SIZE]; // over domain, name and epoch: rga_initial_agent()
    struct agents agents;
    struct oplog log;
    struct text text;
    struct tree tree;
    struct parking parking;
    struct covers covers;
    struct sums sums;
    // While it is loaded: elements without text that no delete names. Borrowed.
    const struct rga_load_range *load_lacking;
    size_t load_lacking_count;
    bool doubting; // what cannot be checked here is refused (WEFT_APPLY_DOUBT)
    bool complete; // no element without text is there that no delete names: rga_count_lacking()
    struct pool chains;    // struct chain
    uint64_t digest_atoms; // what `digest` was computed for; UINT64_MAX: for nothing
    struct weft_digest digest;
    uint32_t lamport; // greatest of all atoms
    uint32_t authors; // agents that have atoms
    uint32_t local;   // whom local edits belong to; AGENT_NONE
    bool batch;       // local edits have been reserved for
    // Where typing goes on: the visible index after the element that was inserted last, here, in
    // the last row and at the end of the cursor's slot. RGA_NOT_TYPING after any other change.
    uint32_t typing;
    struct rga_strokes strokes;
    struct rga_observer observer;
};

/// What became of a run.
enum rga_outcome {
    RGA_APPLIED,
    RGA_DUPLICATE, // known before
    RGA_MISSING,   // names what is not here yet
    RGA_INVALID,   // breaks a rule that is a function of the run and its causes
    RGA_CONFLICT,  // goes on where an indivisible run of the same agent is known to be longer
    RGA_COLLECTED, // cannot be checked here, for want of text
    RGA_LIMIT,     // of the document
    RGA_NO_MEMORY, // rga_apply_alone() only: nothing changed
};

/// @param options NULL means all defaults. @param allocator Of all that the sequence holds.
/// Allocates nothing.
void rga_init(struct rga *rga, const struct weft_doc_options *options,
              const struct weft_allocator *allocator);
void rga_finish(struct rga *rga);

/// What a change may need, at most.
struct rga_need {
    uint64_t runs;
    uint64_t elements;
    uint64_t bytes; // of their text
    uint64_t agents;
    uint64_t stretches; // of runs of one agent after each other
    uint64_t payloads;  // runs of unknown kinds
    uint64_t payload_bytes;
    uint64_t undeletes; // runs
    uint64_t undeleted; // their atoms
    uint64_t revived;   // bytes of their text
    uint64_t gaps;
    uint64_t gone; // elements in them; `elements` counts them, `bytes` does not
    uint64_t sums; // hashes of parts
};
/// @return false, with the document as it was, when there is no memory.
bool rga_reserve(struct rga *rga, const struct rga_need *need);
/// Gives back what large reservations left over.
void rga_trim(struct rga *rga);

/// rga_settle() when there is something to do.
void rga_settle_strokes(struct rga *rga);

/// Counts in the strokes that were only noted. Every function but rga_insert(), rga_delete() and
/// rga_apply_alone(), and every look into the parts of the sequence, expects that this was called
/// since the last of these.
static inline void rga_settle(struct rga *rga)
{
    if (rga->strokes.count > 0)
        rga_settle_strokes(rga);
    // What comes now may move the text or the slots.
    rga->strokes.typing = 0;
    rga->strokes.backward = 0;
    rga->strokes.forward = 0;
    rga->strokes.hearing = 0;
}

/// Local edits; see weft/doc.h.
enum weft_status rga_set_agent(struct rga *rga, uint64_t id);
static inline enum weft_status rga_insert(struct rga *rga, enum weft_unit unit, uint64_t index,
                                          struct span text);
static inline enum weft_status rga_delete(struct rga *rga, enum weft_unit unit, uint64_t index,
                                          uint64_t length);
/// rga_insert() and rga_delete() when it is not one more stroke.
enum weft_status rga_insert_new(struct rga *rga, enum weft_unit unit, uint64_t index,
                                struct span text);
enum weft_status rga_delete_new(struct rga *rga, enum weft_unit unit, uint64_t index,
                                uint64_t length);

/// A row of local edits that must all happen or none.
struct rga_batch {
    uint64_t edits;    // each a delete, then an insert
    uint64_t deleted;  // elements in all
    uint64_t elements; // inserted in all
    uint64_t bytes;    // of their text
};
/// Reserves for all of them; until rga_batch_end() the edits reserve nothing themselves and cannot
/// fail but for bad positions. @return WEFT_OK, WEFT_INVALID, WEFT_LIMIT or WEFT_NO_MEMORY.
enum weft_status rga_batch_begin(struct rga *rga, const struct rga_batch *batch);
void rga_batch_end(struct rga *rga);

/// The elements that atoms [first, end) by seq of a delete row name.
struct covers_range rga_deleted_range(const struct op *op, uint32_t first, uint32_t end);

/// Appends the inverse of the local agent's atoms [first, end), which are here.
/// @return WEFT_OK, WEFT_COLLECTED (text that would come back), WEFT_LIMIT or WEFT_NO_MEMORY:
/// nothing changed.
enum weft_status rga_undo(struct rga *rga, uint32_t first, uint32_t end);

struct filter; // crdt/filter.h, a built one
/// Makes the text what it was at a version, as edits of the local agent: deletes what it did not
/// show and undeletes what it did. @return WEFT_OK, WEFT_INVALID (no agent set), WEFT_COLLECTED
/// (text that would come back), WEFT_LIMIT or WEFT_NO_MEMORY: nothing changed.
enum weft_status rga_restore(struct rga *rga, const struct filter *filter);

/// What was taken from memory.
struct rga_collected {
    uint64_t elements;
    uint64_t bytes;
};
/// Drops the text of elements that a version shows as deleted, but for what docs/crdt.md, *What is
/// collected*, leaves. @param filter A built one.
/// @return WEFT_OK or WEFT_NO_MEMORY: nothing changed. Cost: O(elements + rows).
enum weft_status rga_collect(struct rga *rga, const struct filter *filter,
                             struct rga_collected *collected_out);
/// Elements without text that no delete names. @return false when there is no memory.
/// Cost: O(1) as long as there are none, else O(elements + rows).
bool rga_count_lacking(struct rga *rga, uint64_t *count_out);
/// Visits them as ranges of iv, upwards, until `visit` returns false. @return false when it did or
/// there is no memory.
bool rga_visit_lacking(struct rga *rga, bool (*visit)(void *context, uint32_t iv, uint32_t length),
                       void *context);
/// Whether what has no text keeps invariants L8 and L9, and what is said to lack it does.
bool rga_gone_is_sound(struct rga *rga);
/// Whether some element of a part has no text.
bool rga_part_lacks(struct rga *rga, struct sums_part part);
/// Whether all of these known elements have their text.
bool rga_has_text(struct rga *rga, struct covers_range elements);

/// Applies a run of anyone. What it may need must have been reserved.
/// @param atoms_out New atoms, when RGA_APPLIED.
/// @param missing_out An atom that it waits for, when RGA_MISSING.
enum rga_outcome rga_apply(struct rga *rga, const struct weft_run *run, uint32_t *atoms_out,
                           struct weft_id *missing_out);

/// rga_apply() that reserves what it needs itself. @return also RGA_NO_MEMORY: nothing changed.
static inline enum rga_outcome rga_apply_alone(struct rga *rga, const struct weft_run *run,
                                               uint32_t *atoms_out, struct weft_id *missing_out);
/// rga_apply_alone() when it is not one more stroke.
enum rga_outcome rga_apply_alone_new(struct rga *rga, const struct weft_run *run,
                                     uint32_t *atoms_out, struct weft_id *missing_out);

/// The elements that delete atoms name, in the order of those.
struct rga_named {
    uint32_t agent; // of the delete atoms
    uint32_t seq;
    uint32_t end;
};
/// Those of the targets of atoms [first, end) of an undelete row, by offset.
struct rga_named rga_named_make(const struct op *op, uint32_t first, uint32_t end);
/// Takes some that follow each other in iv, upwards. @return false: there are no more.
bool rga_named_next(struct rga *rga, struct rga_named *named, uint32_t *iv_out,
                    uint32_t *length_out);

/// The id of the reserved class whose one run is this.
uint64_t rga_initial_agent(const struct rga *rga, struct weft_id parent, uint64_t lamport,
                           struct span text);

/// Whether the run of a known agent of the reserved class, of kind insert, is the one that its id
/// says.
bool rga_check_initial(struct rga *rga, uint32_t agent);

/// The row of the element with this id, or OP_NONE when there is no such element.
uint32_t rga_find_element(struct rga *rga, struct weft_id id);
/// Where an element of row `row` stands.
struct tree_at rga_locate(struct rga *rga, uint32_t row, uint32_t seq);

// Loading what was kept, into an empty sequence: the agents, the rows of the log in order, without
// their text; then the slots, in document order and with their text. Everything is checked but the
// order (invariant O1). After a failure the sequence can only be finished.

/// A row as it was kept. Its agent's seqs go on where they were.
struct rga_load_row {
    uint32_t kind;
    bool flag; // as OP_FLAG
    uint32_t agent;
    uint32_t lamport;
    uint32_t length; // 1 to OP_LENGTH_MAX; an insert lies in one page of text
    uint32_t target; // row of the parent, OP_NONE for the root, or of the first target
    uint32_t from;   // atoms between it and the likeliest end of that row: the last one for what is
                     // inserted to the right or deleted downwards, else the first
    struct span payload; // of an unknown kind
};

/// A slot as it was kept: it begins where the last slot of its row ended.
struct rga_load_slot {
    uint32_t row;
    uint32_t length; // 0: all that is left of the row
    bool deleted;
};

struct rga_load_text;

struct rga_load {
    struct rga *rga;
    uint64_t *deleted; // a bit per element, set when some atom deletes it
    size_t deleted_size;
    uint32_t *stretches; // per agent, of rows after each other
    size_t stretches_size;
    uint32_t *late; // rows whose targets lie in several rows
    uint32_t late_count;
    uint32_t late_capacity;
    uint32_t elements;     // of the rows so far
    uint32_t elements_max; // exactly so many will be loaded
    bool undeletes;        // some row is one
    bool reserved;         // some row is of an agent of the reserved class
    // From rga_load_slots_begin() on.
    struct span texts[2]; // what is left: visible, deleted
    bool ascii;           // all of it
    struct rga_load_slot last;
    uint32_t *covered; // per row, elements of its slots so far
    size_t covered_size;
    uint64_t covered_elements;
    // Unless the text is all ASCII.
    uint64_t *starts; // a bit per element that begins a slot
    size_t starts_size;
    struct rga_load_text *texts_by_slot;
    size_t texts_by_slot_size;
};

/// @param need Exactly what will be loaded: runs (rows), elements, bytes, agents.
/// @return false when there is no memory. Either way rga_load_finish() is called in the end.
bool rga_load_init(struct rga_load *load, struct rga *rga, const struct rga_need *need);
void rga_load_finish(struct rga_load *load);
void rga_load_finish_slots(struct rga_load *load);
/// All rows, in order, in as many calls as one likes. Their agents are in the table.
/// @return WEFT_OK, WEFT_MALFORMED (a row is not valid here) or WEFT_NO_MEMORY.
enum weft_status rga_load_rows(struct rga_load *load, const struct rga_load_row *rows,
                               uint32_t count);
enum weft_status rga_load_rows_end(struct rga_load *load);
/// All slots, in document order: RGA_LOAD_SLOTS in each call but the last.
/// @param text, deleted_text Valid UTF-8 of the visible and of the deleted slots, one after the
/// other. @return WEFT_OK, WEFT_MALFORMED (slots are not all elements, each once, in its state) or
/// WEFT_NO_MEMORY.
enum weft_status rga_load_slots_begin(struct rga_load *load, uint32_t slots, struct span text,
                                      struct span deleted_text);
enum weft_status rga_load_slots(struct rga_load *load, const struct rga_load_slot *slots,
                                uint32_t count);
enum weft_status rga_load_slots_end(struct rga_load *load);
enum { RGA_LOAD_SLOTS = TREE_LOAD_SLOTS };

/// Checks every invariant. @return NULL or the sentence of the first that does not hold.
/// O(n log n), allocates. docs/crdt.md numbers them.
const char *rga_check(struct rga *rga);

/// Tells the observer, if any.
static inline void rga_observe(const struct rga *rga, uint64_t index, uint64_t deleted,
                               struct span text)
{
    if (rga->observer.call != NULL)
        rga->observer.call(rga->observer.context, index, deleted, text.data, text.size);
}

static inline enum weft_status rga_insert(struct rga *rga, enum weft_unit unit, uint64_t index,
                                          struct span text)
{
    struct rga_strokes *strokes = &rga->strokes;
    unit = text_unit(&rga->text, unit);
    if (strokes->typing == 0 || index != strokes->index || unit != WEFT_SCALARS || text.size != 1 ||
        text.data[0] >= 0x80)
        return rga_insert_new(rga, unit, index, text);
    strokes->text[strokes->count++] = text.data[0];
    strokes->typing--;
    strokes->index++;
    rga_observe(rga, index, 0, text);
    return WEFT_OK;
}

static inline enum weft_status rga_delete(struct rga *rga, enum weft_unit unit, uint64_t index,
                                          uint64_t length)
{
    struct rga_strokes *strokes = &rga->strokes;
    unit = text_unit(&rga->text, unit);
    if (length == 1 && unit == WEFT_SCALARS && strokes->backward > 0 &&
        index + 1 == strokes->index) {
        strokes->backward--;
        strokes->forward = 0;
        strokes->index--;
    } else if (length == 1 && unit == WEFT_SCALARS && strokes->forward > 0 &&
               index == strokes->index) {
        strokes->forward--;
        strokes->backward = 0;
    } else {
        return rga_delete_new(rga, unit, index, length);
    }
    strokes->count++;
    rga_observe(rga, index, 1, (struct span){NULL, 0});
    return WEFT_OK;
}

static inline enum rga_outcome rga_apply_alone(struct rga *rga, const struct weft_run *run,
                                               uint32_t *atoms_out, struct weft_id *missing_out)
{
    struct rga_strokes *strokes = &rga->strokes;
    if (strokes->hearing == 0 || run->agent != strokes->next.agent ||
        run->seq != strokes->next.seq || run->lamport != strokes->lamport ||
        run->kind != WEFT_RUN_INSERT || run->left || run->length != 1 || run->text_size != 1 ||
        run->target.agent != run->agent || run->target.seq != run->seq - 1)
        return rga_apply_alone_new(rga, run, atoms_out, missing_out);
    strokes->text[strokes->count++] = run->text[0];
    strokes->hearing--;
    strokes->next.seq++;
    strokes->lamport++;
    *atoms_out = 1;
    return RGA_APPLIED;
}

/// Whether an agent is of the reserved class.
static inline bool rga_is_reserved(uint64_t agent)
{
    return (agent & WEFT_AGENT_RESERVED_BIT) != 0;
}

#endif
