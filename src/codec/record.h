// SPDX-License-Identifier: MIT
// What stands in the store: keys and values of its tables (node/ports.h). docs/storage-format.md.
//
//   table      key                          value (a msgpack array unless said)
//   META       a word                       see enum record_meta
//   JOURNAL    number u64                   [kind, feed, sequence, document, epoch | nil, delta]
//   DOCUMENTS  document                     [epoch, through, change, atoms, length, text bytes,
//                                            structure bytes, version, digest, wall ms]
//   SNAPSHOTS  document                     [epoch, structure, tombs]
//   TEXTS      document                     the text itself, UTF-8
//   EPOCHS     document                     [epoch, cuts]
//   FEEDS      incarnation u64              [prefix, continues, continued to, own, journal start]
//   CHANGES    number u64, document         nil
//   RECOVERY   document 00 epoch part u64   [wall ms, delta, epoch of a branch | nil]
//
// Integers in keys are big-endian, so that byte order is number order. Epochs are their 24 wire
// bytes. Readers accept more elements at the end of an array than they know. Decoders are total and
// borrow from their input. May include: base/, weft/, codec/pack.h, codec/wire.h.
#ifndef WEFT_CODEC_RECORD_H
#define WEFT_CODEC_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/doc.h>

#include "base/bytes.h"

#define RECORD_FORMAT 0           // of everything in this file; a greater one is refused
#define RECORD_KEY_BYTES_MAX 511  // LMDB's bound
#define RECORD_NAME_BYTES_MAX 400 // document names: leaves room for epoch and part in a key

/// A key, built in place.
struct record_key {
    uint8_t bytes[RECORD_KEY_BYTES_MAX];
    size_t size;
};
static inline struct span record_key_span(const struct record_key *key)
{
    return (struct span){key->bytes, key->size};
}

/// Whether bytes may name a document: 1 to RECORD_NAME_BYTES_MAX bytes of UTF-8 without control
/// characters.
bool record_name_valid(struct span name);

struct record_key record_key_u64(uint64_t number);
struct record_key record_key_change(uint64_t number, struct span document);
struct record_key record_key_recovery(struct span document, const struct weft_epoch *epoch,
                                      uint64_t part);
/// @return Whether the key is one of that table. Spans borrow from it.
bool record_key_u64_decode(uint64_t *number_out, struct span key);
bool record_key_change_decode(uint64_t *number_out, struct span *document_out, struct span key);
bool record_key_recovery_decode(struct span *document_out, struct weft_epoch *epoch_out,
                                uint64_t *part_out, struct span key);

// META keys, as literals.
#define RECORD_META_FORMAT "format"           // u64
#define RECORD_META_NAME "name"               // str: the node's
#define RECORD_META_INCARNATION "incarnation" // u64: of the last start
#define RECORD_META_JOURNAL "journal" // u64: its begin; below is only what a damaged document needs
#define RECORD_META_MEMBERS "members" // array of members that were here, as heartbeats list them
#define RECORD_META_PROBE "probe"     // u64: written to see whether there is space

enum record_entry_kind {
    RECORD_DELTA = 1, // operations of one document
    RECORD_EPOCH = 2, // the document's next epoch begins; no delta
    RECORD_TIMES = 3, // when operations arrived (times.h), as another node told; in no feed
};

/// One entry of the journal and, unless `incarnation` is 0, of a feed. It travels between nodes as
/// the very bytes that stand in the journal.
struct record_entry {
    enum record_entry_kind kind;
    uint64_t incarnation; // 0: part of no feed, what a comparison of documents brought
    uint64_t sequence;
    struct weft_epoch epoch;
    struct span document;
    struct span delta;
    uint64_t wall_ms; // when it entered the cluster, by the clock of that node; 0: not known
};
WEFT_MUST_USE enum weft_status record_entry_encode(struct weft_buffer *out,
                                                   const struct record_entry *entry);
/// @return WEFT_OK, WEFT_MALFORMED, or WEFT_UNSUPPORTED for an unknown kind.
WEFT_MUST_USE enum weft_status record_entry_decode(struct record_entry *entry_out,
                                                   struct span value);

/// What is known of a document without loading it, as of its last merging.
struct record_document {
    struct weft_epoch epoch; // that the snapshot is of
    uint64_t through;        // journal entries up to this number are in the snapshot; 0: none
    uint64_t change;         // number of its record in CHANGES; 0: it has none
    uint64_t atoms;
    uint64_t length; // scalars
    uint64_t text_size;
    uint64_t structure_size; // structure and tombs; 0: there is no snapshot
    struct span version;
    struct weft_digest digest;
    uint64_t wall_ms; // of the merging
};
WEFT_MUST_USE enum weft_status record_document_encode(struct weft_buffer *out,
                                                      const struct record_document *document);
WEFT_MUST_USE enum weft_status record_document_decode(struct record_document *document_out,
                                                      struct span value);

struct record_snapshot {
    struct weft_epoch epoch;
    struct span structure;
    struct span tombs;
    struct span times; // times.h; may be empty
};
WEFT_MUST_USE enum weft_status record_snapshot_encode(struct weft_buffer *out,
                                                      const struct record_snapshot *snapshot);
WEFT_MUST_USE enum weft_status record_snapshot_decode(struct record_snapshot *snapshot_out,
                                                      struct span value);

/// The epoch that a document is in.
struct record_epoch {
    struct weft_epoch epoch;
    struct span cuts; // what is nobody's in it (weft/fork.h)
};
WEFT_MUST_USE enum weft_status record_epoch_encode(struct weft_buffer *out,
                                                   const struct record_epoch *epoch);
WEFT_MUST_USE enum weft_status record_epoch_decode(struct record_epoch *epoch_out,
                                                   struct span value);

struct record_feed {
    uint64_t prefix;        // entries 1..prefix were applied here
    uint64_t continues;     // the incarnation before it at its node; 0: none
    uint64_t continued_to;  // how far its node held that one's entries then
    bool own;               // a life of this store
    uint64_t journal_start; // own: the first journal number of this life
    bool retired;           // kept only to say how far it was held
};
WEFT_MUST_USE enum weft_status record_feed_encode(struct weft_buffer *out,
                                                  const struct record_feed *feed);
WEFT_MUST_USE enum weft_status record_feed_decode(struct record_feed *feed_out, struct span value);

struct record_recovery {
    uint64_t wall_ms;
    struct span delta;
    bool branch;             // of a document that went on without it in the same epoch:
    struct weft_epoch epoch; // that is this one, and the key's is the copy's name
};
WEFT_MUST_USE enum weft_status record_recovery_encode(struct weft_buffer *out,
                                                      const struct record_recovery *recovery);
WEFT_MUST_USE enum weft_status record_recovery_decode(struct record_recovery *recovery_out,
                                                      struct span value);

WEFT_MUST_USE enum weft_status record_u64_encode(struct weft_buffer *out, uint64_t value);
WEFT_MUST_USE enum weft_status record_u64_decode(uint64_t *value_out, struct span value);
WEFT_MUST_USE enum weft_status record_text_encode(struct weft_buffer *out, struct span text);
WEFT_MUST_USE enum weft_status record_text_decode(struct span *text_out, struct span value);

#endif
