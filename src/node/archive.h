// SPDX-License-Identifier: MIT
// Documents in a store: which records make one, read and written through any struct store.
//
//   a document = its snapshot (SNAPSHOTS, TEXTS, as of DOCUMENTS.through)
//              + its journal entries with greater numbers, in the epoch of EPOCHS, in their order
//
// Knows nothing of struct node, so that the command line reads a cold or a foreign directory with
// it. A reader of a store that someone else writes calls store->release() when it is done;
// everything between is one view. May include: base/, codec/, weft/, node/ports.h.
#ifndef WEFT_NODE_ARCHIVE_H
#define WEFT_NODE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/doc.h>

#include "base/bytes.h"
#include "codec/record.h"
#include "codec/times.h"
#include "node/ports.h"

struct archive {
    struct store *store;             // borrowed
    struct weft_allocator allocator; // for documents and buffers
    struct weft_doc_limits limits;   // of loaded documents
};

/// What the store says of a document, beside its operations.
struct archive_head {
    struct weft_epoch epoch; // that counts now
    bool recorded;           // there is a DOCUMENTS record
    bool current;            // and its snapshot is of `epoch`
    uint64_t through;        // journal entries up to this number are in the snapshot
    uint64_t change;         // number of its record in CHANGES, or 0
    uint64_t structure_size; // of the snapshot, with tombs
    uint64_t atoms;          // of the snapshot, as are the next two
    uint64_t length;
    uint64_t text_size;
    struct weft_digest digest;
    uint64_t wall_ms;
    uint64_t replayed_bytes; // archive_load(): journal entries that were applied
    uint64_t replayed_entries;
    uint64_t replayed_last; // number of the last of them, or 0
};

/// The epoch that counts; the first one when nothing is recorded. @return WEFT_OK, WEFT_MALFORMED
/// (the record is damaged) or WEFT_STORAGE.
WEFT_MUST_USE enum weft_status archive_epoch(struct weft_epoch *epoch_out,
                                             const struct archive *archive, struct span name);

/// What the document's epoch record says is nobody's (weft/fork.h). @param cuts_out Is replaced.
/// @return as archive_epoch(), or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status archive_cuts(struct weft_buffer *cuts_out,
                                            const struct archive *archive, struct span name);

/// What is known without loading. @return as archive_epoch(). A document that is not there is
/// WEFT_OK and not recorded.
WEFT_MUST_USE enum weft_status archive_head(struct archive_head *head_out,
                                            const struct archive *archive, struct span name);

/// Loads a document; one that is not there is empty.
/// @param numbers The document's journal entries, ascending; more than its own do no harm. NULL:
/// all of the journal is looked through. @param doc_out Owned by the caller. @param times_out Set
/// to when its operations arrived, as far as that is known; may be NULL.
/// @return WEFT_OK, WEFT_MALFORMED (a record of it is damaged: this document only), WEFT_STORAGE,
/// WEFT_LIMIT or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status archive_load(struct weft_doc **doc_out,
                                            struct archive_head *head_out,
                                            const struct archive *archive, struct span name,
                                            const uint64_t *numbers, size_t number_count,
                                            struct times *times_out);

/// The visible text as of the snapshot, borrowed until release(). Right only when nothing was
/// journaled since (`head`). @return WEFT_OK, WEFT_NOT_FOUND, WEFT_MALFORMED or WEFT_STORAGE.
WEFT_MUST_USE enum weft_status archive_text(struct span *text_out, const struct archive *archive,
                                            const struct archive_head *head, struct span name);

/// Stages a document's snapshot, which covers journal entries up to `through`, and its change
/// record. Updates `head` as if it were committed. @param times When its operations arrived.
/// @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status archive_save(const struct archive *archive, struct span name,
                                            struct weft_doc *doc, struct archive_head *head,
                                            const struct times *times, uint64_t through,
                                            uint64_t wall_ms);

/// Stages that a document's next epoch begins: its old snapshot goes. Updates `head`.
WEFT_MUST_USE enum weft_status archive_save_epoch(const struct archive *archive, struct span name,
                                                  struct archive_head *head,
                                                  const struct weft_epoch *epoch, uint64_t wall_ms);

/// Stages what is nobody's in a document's present epoch.
WEFT_MUST_USE enum weft_status archive_save_cuts(const struct archive *archive, struct span name,
                                                 const struct weft_epoch *epoch, struct span cuts);

/// Stages a DOCUMENTS record for a document that is only in the journal so far, so that lists know
/// it.
WEFT_MUST_USE enum weft_status archive_save_name(const struct archive *archive, struct span name,
                                                 struct archive_head *head, uint64_t wall_ms);

/// Visits documents with names > `after` (empty: from the first) that begin with `prefix`,
/// ascending, until `visit` returns false. `head` is NULL where the record is damaged. Deleted ones
/// are visited too, with no atoms. @return WEFT_OK or WEFT_STORAGE.
WEFT_MUST_USE enum weft_status
archive_list(const struct archive *archive, struct span after, struct span prefix,
             bool (*visit)(void *context, struct span name, const struct archive_head *head),
             void *context);

/// Visits journal entries with numbers >= `from` until `visit` returns false. `entry` is NULL where
/// the record is damaged or of a kind unknown here. `value` is the record as it stands.
WEFT_MUST_USE enum weft_status archive_journal(const struct archive *archive, uint64_t from,
                                               bool (*visit)(void *context, uint64_t number,
                                                             const struct record_entry *entry,
                                                             struct span value),
                                               void *context);

/// Which recovery copy: that of an epoch that lost, or of a branch that a document went on without.
struct archive_copy {
    struct weft_epoch name; // what it is listed as: the epoch, or one that is made up
    bool branch;
    struct weft_epoch epoch; // of a branch: in which its edits were made
};

/// Stages one part of a recovery copy. Parts are named by the caller, so that the same part twice
/// is one.
WEFT_MUST_USE enum weft_status archive_save_recovery(const struct archive *archive,
                                                     struct span name,
                                                     const struct archive_copy *copy, uint64_t part,
                                                     struct span delta, uint64_t wall_ms);

/// Stages a whole document as a recovery copy, in parts. @param copy NULL: of its epoch.
/// @param parts_out Their number.
WEFT_MUST_USE enum weft_status
archive_save_recovery_whole(uint64_t *parts_out, const struct archive *archive, struct span name,
                            const struct archive_copy *copy, const struct weft_doc *doc,
                            uint64_t wall_ms);

struct archive_recovery {
    struct span document;
    struct weft_epoch epoch;
    uint64_t parts;
    uint64_t bytes;
    uint64_t wall_ms; // of the latest part
};
/// Visits recovery copies, of one document or of all (`name` empty), until `visit` returns false.
/// @param after Where to go on: behind this copy; NULL: from the first.
WEFT_MUST_USE enum weft_status archive_recoveries(
    const struct archive *archive, struct span name, const struct archive_recovery *after,
    bool (*visit)(void *context, const struct archive_recovery *copy), void *context);
/// A recovery copy as a document. @return WEFT_OK, WEFT_NOT_FOUND, WEFT_STORAGE or WEFT_NO_MEMORY.
/// Parts that are damaged are left out; so are runs whose causes are missing.
WEFT_MUST_USE enum weft_status archive_load_recovery(struct weft_doc **doc_out,
                                                     const struct archive *archive,
                                                     struct span name,
                                                     const struct weft_epoch *epoch);

#endif
