// SPDX-License-Identifier: MIT
// A document: replicated text. Replicas that hold the same operations hold the same text.
//
//   edit here          weft_doc_insert, weft_doc_delete, weft_doc_replace_text
//   tell others        weft_doc_delta_since (a version), weft_doc_delta_own, weft_delta_reader
//   hear from others   weft_doc_apply, in any order, any number of times
//   keep               weft_doc_snapshot, weft_doc_load
//   compare            weft_doc_version, weft_doc_digest
//   stay in place      weft_doc_cursor_at, weft_doc_cursor_index (weft/cursor.h)
//
// Words: an *element* is one Unicode scalar value, named for ever by (agent, seq). A *run* is a row
// of operations of one kind by one agent with consecutive seqs. A *delta* is encoded runs in causal
// order. docs/crdt.md says why replicas converge, docs/delta-format.md how bytes are laid out.
//
// Threads: one caller at a time per document; different documents are independent.
// Untrusted bytes are welcome in weft_doc_apply, weft_doc_load and every version vector.
#ifndef WEFT_DOC_H
#define WEFT_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/memory.h>
#include <weft/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/// One replica of a text: opaque, made by weft_doc_create() or weft_doc_load().
struct weft_doc;

/// Names one atom (an inserted element, or one atom of a delete or an undelete) for ever.
struct weft_id {
    uint64_t agent;
    uint64_t seq;
};

#ifdef __cplusplus
#define WEFT_ID_ROOT (weft_id{0, UINT64_MAX})
#else
/// The parent of what is inserted at the very start.
#define WEFT_ID_ROOT ((struct weft_id){0, UINT64_MAX})
#endif

/// Agents with this bit are reserved for deterministic creation (weft_doc_insert_initial): their id
/// is a hash of the one run they hold; everyone rejects any other run of theirs. Agent 0 is nobody.
#define WEFT_AGENT_RESERVED_BIT (UINT64_C(1) << 63)

/// Which life of a document name: the greater (counter, then random as big-endian bytes) wins.
/// The first epoch, {0, {0}}, is everyone's, so that two cut-off halves may create one name.
struct weft_epoch {
    uint64_t counter;
    uint8_t random[16];
};

/// A stated function of the epoch and of every agent's operations, whatever their arrival order.
struct weft_digest {
    uint8_t bytes[16];
};

/// What a position or a length counts.
enum weft_unit {
    WEFT_SCALARS, // Unicode scalar values
    WEFT_UTF16,   // UTF-16 code units; a position inside of a surrogate pair is WEFT_RANGE
    WEFT_UTF8,    // bytes; a position inside of a character is WEFT_RANGE
};

/// Which side local inserts take; no part of convergence, replicas may differ.
enum weft_policy {
    WEFT_POLICY_SIDED,   // left or right: concurrent blocks do not interleave
    WEFT_POLICY_CLASSIC, // always right: Roh et al. 2011 to the letter
};

/// Bounds of one document. 0 means the default that is named here.
struct weft_doc_limits {
    uint64_t elements_max;    // elements ever inserted, default and at most 2^31
    uint32_t agents_max;      // default 1,000,000
    uint32_t parked_runs_max; // runs whose causes are missing; default 4,096
    size_t parked_bytes_max;  // their text; default 1 MiB
};

/// How to make a document. All zero is fine: nameless, first epoch, libc memory, sided policy.
struct weft_doc_options {
    const struct weft_allocator *allocator; // copied; NULL means libc
    const uint8_t *name;                    // copied; goes into deterministic creation only
    size_t name_size;
    struct weft_epoch epoch;
    enum weft_policy policy;
    struct weft_doc_limits limits;
};

/// An empty document. @param options NULL means all defaults.
/// @return WEFT_OK or WEFT_NO_MEMORY. The caller owns the document: weft_doc_destroy().
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_create(struct weft_doc **doc_out,
                                                        const struct weft_doc_options *options);
/// Gives back all that a document holds. Takes NULL.
WEFT_API void weft_doc_destroy(struct weft_doc *doc);

// ---------------------------------------------------------------------------------------- editing

/// Whom the edits that follow belong to. An agent is one editing session: never reuse an id without
/// the exclusive right to it and the document's operations of it present.
/// @return WEFT_OK; WEFT_INVALID for 0 or an id of the reserved class; WEFT_LIMIT; WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_set_agent(struct weft_doc *doc, uint64_t agent);

/// Inserts UTF-8 text at `index`. @param text Borrowed; valid UTF-8 without surrogates.
/// @return WEFT_OK, WEFT_RANGE, WEFT_MALFORMED (not UTF-8), WEFT_INVALID (no agent set),
/// WEFT_LIMIT, WEFT_NO_MEMORY. Empty text is WEFT_OK and no operation. Cost: O(1) at the last edit,
/// else O(log n).
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_insert(struct weft_doc *doc, enum weft_unit unit,
                                                        uint64_t index, const uint8_t *text,
                                                        size_t text_size);

/// Deletes [index, index + length). @return as weft_doc_insert().
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_delete(struct weft_doc *doc, enum weft_unit unit,
                                                        uint64_t index, uint64_t length);

/// Makes the text equal to `text` by a minimal difference (Myers 1986), so that what stays keeps
/// its identity. @return as weft_doc_insert(). Cost: O((n + m) d) for d changes, bounded by a
/// limit. A text with more changes is compared between lines that it has once, before and after;
/// what differs between two of those beyond the limit is replaced more coarsely.
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_replace_text(struct weft_doc *doc, const uint8_t *text, size_t text_size);

/// Creates the text deterministically: the same name, epoch and text give the same operations
/// everywhere, so doing it twice, anywhere, is one edit. Needs no agent. The text is cut into runs
/// of at most 16 KiB, each by an agent of the reserved class whose id is a hash of that run.
/// @return WEFT_OK; WEFT_CONFLICT when the document already has operations; else as
/// weft_doc_insert().
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_insert_initial(struct weft_doc *doc, const uint8_t *text, size_t text_size);

// ---------------------------------------------------------------------------------------- reading

/// Length of the visible text. Cost: O(1) for scalars, O(log n) else.
WEFT_API uint64_t weft_doc_length(const struct weft_doc *doc, enum weft_unit unit);

/// Appends the whole visible text as UTF-8. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_text(struct weft_buffer *out,
                                                      const struct weft_doc *doc);

/// Calls `chunk` with consecutive pieces of the visible text in [index, index + length), without
/// copying; each is borrowed until the call returns. @return WEFT_OK or WEFT_RANGE.
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_read(const struct weft_doc *doc, enum weft_unit unit, uint64_t index, uint64_t length,
              void (*chunk)(void *context, const uint8_t *text, size_t size), void *context);

/// The element that stands at visible `index`. @return WEFT_OK or WEFT_RANGE. Cost: O(log n).
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_id_at(struct weft_id *id_out,
                                                       const struct weft_doc *doc,
                                                       enum weft_unit unit, uint64_t index);

/// Where an element stands: the count of visible `unit`s before it, whether it is deleted or not.
/// @param visible_out May be NULL. @return WEFT_OK or WEFT_NOT_FOUND. Cost: O(log n).
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_index_of(uint64_t *index_out, bool *visible_out,
                                                          const struct weft_doc *doc,
                                                          enum weft_unit unit, struct weft_id id);

/// Told after each change of the visible text, local or remote, in order: at `index` (scalars),
/// `deleted` scalars went and `text` came. Must not edit from inside.
typedef void weft_doc_observer(void *context, uint64_t index, uint64_t deleted, const uint8_t *text,
                               size_t text_size);
/// Sets the one observer; NULL (the default) skips the work of finding positions.
WEFT_API void weft_doc_observe(struct weft_doc *doc, weft_doc_observer *observer, void *context);

// ----------------------------------------------------------------------------------- replication

/// What became of the runs of one delta.
struct weft_apply_result {
    uint64_t atoms_applied;  // new atoms that are part of the document now, unparked ones included
    uint32_t runs_duplicate; // wholly known before
    uint32_t runs_parked;    // kept aside until their causes arrive
    uint32_t runs_missing;   // left out, since their causes are missing: with WEFT_APPLY_STRICT, or
                             // when there is no room to keep more of them aside
    uint32_t runs_invalid;   // break a rule that every replica checks alike: left out everywhere
    enum weft_status reason; // of the first run left out: WEFT_INVALID, ...; else WEFT_OK
    struct weft_id invalid;  // first atom of the first invalid run, when runs_invalid > 0
};

enum weft_apply_mode {
    WEFT_APPLY_PARK,   // keep runs whose causes are missing aside, within the document's limits
    WEFT_APPLY_STRICT, // leave such runs out and count them in runs_missing
    WEFT_APPLY_DOUBT,  // as strict, and what cannot be checked here counts as invalid, with reason
                       // WEFT_COLLECTED: inserts whose text was collected, and undeletes of text
                       // that was collected here. For those who could say anything: clients
};

/// Applies a delta of any replica. Deltas twice, or in any order, give the same document.
///
/// The whole delta is decoded before anything changes: after WEFT_MALFORMED, WEFT_UNSUPPORTED or
/// WEFT_NO_MEMORY the document is as it was. Invalid runs are left out one by one and counted.
/// @param delta Borrowed for the call. Untrusted. @return WEFT_OK (see result), WEFT_MALFORMED,
/// WEFT_UNSUPPORTED, WEFT_LIMIT (document limits: result tells how far it got), WEFT_NO_MEMORY.
/// Cost: O(k log n) for k runs.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_apply(struct weft_apply_result *result_out,
                                                       struct weft_doc *doc,
                                                       enum weft_apply_mode mode,
                                                       const uint8_t *delta, size_t delta_size);

/// What a delta asks for, whether it is known here or not.
struct weft_delta_extent {
    uint64_t atoms;
    uint64_t lamport; // greatest of any atom
};

/// Reads a delta without applying it, so that a node can refuse it before it costs anything: a
/// delete of millions is a few bytes, and one Lamport time far ahead of all leaves none for the
/// edits that come after it. What has all of its causes at hand has no greater Lamport time than
/// there are atoms. @param delta Untrusted. @return WEFT_OK, WEFT_MALFORMED, WEFT_UNSUPPORTED or
/// WEFT_NO_MEMORY. Cost: O(delta_size).
WEFT_API WEFT_MUST_USE enum weft_status weft_delta_measure(struct weft_delta_extent *extent_out,
                                                           const uint8_t *delta, size_t delta_size);

/// Runs kept aside now; weft_doc_visit_parked() says which, since when, and why.
WEFT_API uint32_t weft_doc_parked(const struct weft_doc *doc);

/// Appends this document's version vector (weft/version.h). @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_version(struct weft_buffer *out,
                                                         const struct weft_doc *doc);

/// The seq that `agent` uses next here: 0 when it is not known.
WEFT_API uint64_t weft_doc_next_seq(const struct weft_doc *doc, uint64_t agent);

/// Appends all that `version` lacks as one delta in causal order; nothing lacking, nothing
/// appended.
/// @param version Untrusted. @return WEFT_OK, WEFT_MALFORMED or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_delta_since(struct weft_buffer *out,
                                                             const struct weft_doc *doc,
                                                             const uint8_t *version, size_t size);

/// Appends the atoms of `agent` from `seq_from` on as one delta; nothing when there are none.
/// @return WEFT_OK or WEFT_NO_MEMORY. Cost: O(log r + what is appended).
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_delta_own(struct weft_buffer *out,
                                                           const struct weft_doc *doc,
                                                           uint64_t agent, uint64_t seq_from);

/// Reads what a version vector lacks in pieces of bounded size, each a delta by itself, in causal
/// order. The document may change in between: what arrives later is read too.
struct weft_delta_reader;
/// A reader of what a version vector lacks. The caller owns it: weft_delta_reader_destroy(). It
/// must not outlive the document. @param version Untrusted; copied.
/// @return WEFT_OK, WEFT_MALFORMED or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status
weft_delta_reader_create(struct weft_delta_reader **reader_out, const struct weft_doc *doc,
                         const uint8_t *version, size_t size);
/// Appends the next delta of at most `size_max` (at least 32 KiB, the largest atomic run being 16
/// KiB) bytes; appends nothing at the end. A run of a kind that this build does not know cannot be
/// cut: one that is larger comes alone. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status
weft_delta_reader_next(struct weft_buffer *out, struct weft_delta_reader *reader, size_t size_max);
/// Gives back what a reader holds. Takes NULL.
WEFT_API void weft_delta_reader_destroy(struct weft_delta_reader *reader);

/// Which life of its name the document is.
WEFT_API struct weft_epoch weft_doc_epoch(const struct weft_doc *doc);
/// Which of two epochs wins: less than, equal to or greater than 0, as `a` is to `b`.
WEFT_API int weft_epoch_compare(const struct weft_epoch *a, const struct weft_epoch *b);

/// Equal digests mean equal operations. Computed lazily: cost O(atoms since the last call) plus
/// O(agents). @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_digest(struct weft_digest *digest_out,
                                                        struct weft_doc *doc);

/// One agent's chain: a 256-bit hash over its atoms [0, next). @return WEFT_OK, WEFT_NOT_FOUND or
/// WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_chain(uint64_t *next_out, uint8_t chain_out[32],
                                                       struct weft_doc *doc, uint64_t agent);

// --------------------------------------------------------------------------------------- keeping

/// Appends the document in three parts: `structure` (all operations and the order), `text`
/// (visible, UTF-8, so that reading needs no decoding) and `tombs` (text of deleted elements).
/// Parked runs are not part of it. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_snapshot(struct weft_buffer *structure_out,
                                                          struct weft_buffer *text_out,
                                                          struct weft_buffer *tombs_out,
                                                          const struct weft_doc *doc);

/// The three parts of a snapshot; all is borrowed.
struct weft_snapshot {
    const uint8_t *structure;
    size_t structure_size;
    const uint8_t *text;
    size_t text_size;
    const uint8_t *tombs;
    size_t tombs_size;
};

/// A document from its snapshot. The epoch comes from the snapshot, all else from `options`.
/// Untrusted bytes, borrowed for the call: any are safe, and all is checked but that the elements
/// stand in the order that the operations say; after a snapshot of someone who may lie, ask
/// weft_doc_check(). @return WEFT_OK, WEFT_MALFORMED, WEFT_UNSUPPORTED, WEFT_LIMIT or
/// WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_load(struct weft_doc **doc_out,
                                                      const struct weft_snapshot *snapshot,
                                                      const struct weft_doc_options *options);

// ------------------------------------------------------------------------------------ inspecting

/// A document in numbers.
struct weft_doc_stats {
    uint64_t length;     // visible elements
    uint64_t tombstones; // deleted elements
    uint64_t atoms;      // of all operations
    uint64_t runs;       // rows of the operation log
    uint64_t spans;      // pieces of the sequence
    uint64_t agents;
    uint64_t parked_runs;
    uint64_t collected; // elements whose text is not here
    size_t memory;      // bytes allocated by this document
};
/// What a document is made of, in numbers. Cost: O(1).
WEFT_API struct weft_doc_stats weft_doc_stats(const struct weft_doc *doc);

/// What the atoms of a run do.
enum weft_run_kind {
    WEFT_RUN_INSERT = 0,
    WEFT_RUN_DELETE = 1,
    WEFT_RUN_UNDELETE = 2, // cancels deletes
    WEFT_RUN_MARK = 3,     // reserved
    WEFT_RUN_NOP = 4,      // takes seqs, does nothing
    WEFT_RUN_LABEL = 5,    // names a version (weft/labels.h)
    WEFT_RUN_AUTHOR = 6,   // says who an agent is (likewise)
    // 7..15: unknown to this build; kept and forwarded untouched
    WEFT_RUN_COLLECTED = 16, // on its way only: an insert, some of whose text was collected
};

/// A run of operations as it stands in the log.
struct weft_run {
    uint8_t kind;    // enum weft_run_kind or an unknown kind up to 15
    bool left;       // insert: the first element is a left child of its parent
    bool backward;   // delete: targets go down in seq, from `target` (backspacing)
    uint32_t length; // atoms
    uint64_t agent;
    uint64_t seq;          // of the first atom; the rest follow by one
    uint64_t lamport;      // likewise
    struct weft_id target; // insert: parent of the first element; delete and undelete: first target
    const uint8_t *text;   // insert: UTF-8; kinds 3 to 15: payload; borrowed until the next change.
                           // On its way also, of an undelete: the characters that its atoms name
    size_t text_size;
};

/// Visits the log in this replica's arrival order, which is causal, until `visit` returns false.
/// Inserts whose text was collected have a text of NULL; a run is cut where that begins or ends.
WEFT_API void weft_doc_visit_runs(const struct weft_doc *doc,
                                  bool (*visit)(void *context, const struct weft_run *run),
                                  void *context);

/// Why a run is kept aside.
enum weft_parked_reason {
    WEFT_PARKED_EARLIER, // an earlier atom of its own agent is missing
    WEFT_PARKED_NAMED,   // an atom that it names is missing
    WEFT_PARKED_MEMORY,  // nothing is; there was no memory, and the next delta tries it again
};

/// A run kept aside.
struct weft_parked {
    struct weft_run run; // its text is borrowed until the next change
    enum weft_parked_reason reason;
    struct weft_id missing; // an atom that it waits for; {0, 0} when none is missing
    uint64_t since_ms;      // the time that was set when it came
};

/// Visits the runs kept aside, in no order, until `visit` returns false.
/// Cost: O(as many as there ever were at once).
WEFT_API void weft_doc_visit_parked(const struct weft_doc *doc,
                                    bool (*visit)(void *context, const struct weft_parked *parked),
                                    void *context);

/// Sets the time that is noted of runs that are kept aside from now on, so that their age can be
/// told: of any clock, 0 until it is set. Nothing else depends on it.
WEFT_API void weft_doc_set_time(struct weft_doc *doc, uint64_t now_ms);

/// A piece of the sequence: consecutive elements of one run in one state.
struct weft_span {
    struct weft_id id; // of its first element
    uint64_t length;   // elements
    bool visible;
    const uint8_t *text; // borrowed until the next change; NULL: it was collected
    size_t text_size;
};

/// Visits the sequence in document order, tombstones included, until `visit` returns false.
WEFT_API void weft_doc_visit_spans(const struct weft_doc *doc,
                                   bool (*visit)(void *context, const struct weft_span *span),
                                   void *context);

/// Checks every invariant, O(n). @return NULL, or one sentence of static storage that names the
/// first one that does not hold (docs/crdt.md numbers them). For tests and `weft check`.
WEFT_API const char *weft_doc_check(const struct weft_doc *doc);

#ifdef __cplusplus
}
#endif

#endif
