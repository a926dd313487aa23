// SPDX-License-Identifier: MIT
// Deltas: runs as bytes. docs/delta-format.md is the normative text; the layout in short:
//
//   u8 version | u8 flags | varint agents, that many u64 ids
//   SINGLE:  F L P T of one row, one after the other
//   else:    varint rows | varint size of F, of L, of P, of T | F | L | P | T
//
//   F  per row: varint bits, then the fields that differ from what is predicted
//   L  per row that is not of length 1: its length; per row of an unknown kind: size of its payload
//   P  per insert, delete and undelete: seq of the parent or of the first target, as a difference
//   T  UTF-8 of the inserts, perhaps with gaps, of what undeletes name, and payloads
//
// May include: base, crdt.
#ifndef WEFT_CODEC_DELTA_H
#define WEFT_CODEC_DELTA_H

#include <weft/doc.h>

#include "base/map.h"
#include "crdt/gaps.h"
#include "crdt/rga.h"

enum {
    DELTA_VERSION = 0,
    DELTA_AGENTS_INLINE = 4,
};

/// Format limits: greater numbers are malformed.
#define DELTA_SEQ_MAX (UINT64_C(1) << 48)

/// What is remembered of an agent of the delta's table, to predict from.
struct delta_agent {
    uint64_t next;    // seq after its last row in this delta
    uint64_t touched; // seq of its element that was named or inserted last
    bool seen;        // has had a row
    // The part whose hash was told last, for gaps in it; empty: none.
    uint64_t part_first;
    uint64_t part_end;
    const uint8_t *part_hash; // borrowed from the bytes, when reading
};

// ------------------------------------------------------------------------------------- decoding

/// Reads the runs of a delta one by one. Bytes are untrusted: any give runs or an error, and memory
/// is bounded by their size.
struct delta_reader {
    struct span agents; // 8 bytes each
    uint32_t agent_count;
    bool single;        // F, L, P and T all come from `fields`
    bool text_apart;    // inserts have no text here (snapshots)
    bool ascii;         // all of T is
    uint64_t rows;      // that are left
    struct span fields; // F, L, P, T: what is left of them
    struct span lengths;
    struct span positions;
    struct span text;
    uint32_t agent;            // index of the row before
    uint64_t lamport;          // predicted; 0 before the first row
    struct delta_agent before; // of the agent, before the row with gaps that was read last
    struct delta_agent inline_states[DELTA_AGENTS_INLINE];
    struct delta_agent *states;
    struct weft_allocator allocator;
};

/// Opens a delta. @param bytes Borrowed while the reader is used. @param allocator Used when there
/// are more than DELTA_AGENTS_INLINE agents. @return WEFT_OK, WEFT_MALFORMED, WEFT_UNSUPPORTED or
/// WEFT_NO_MEMORY.
enum weft_status delta_reader_init(struct delta_reader *reader,
                                   const struct weft_allocator *allocator, struct span bytes);
void delta_reader_finish(struct delta_reader *reader);

/// Reads the next run; its text is borrowed from the bytes. The text of an insert or undelete is
/// valid UTF-8 of `length` characters, unless it is kept apart; one of kind WEFT_RUN_COLLECTED is
/// valid text with gaps, each in a part whose hash this delta has told. @return WEFT_OK,
/// WEFT_MALFORMED, or WEFT_NOT_FOUND after the last.
enum weft_status delta_reader_next(struct delta_reader *reader, struct weft_run *run_out);

/// Makes a run of kind WEFT_RUN_COLLECTED that was just read one that can be applied without those
/// before it: its text becomes a copy, with the hash that it relies on. @param text An empty buffer
/// that must live as long. @return WEFT_OK or WEFT_NO_MEMORY.
enum weft_status delta_reader_detach(const struct delta_reader *reader, struct weft_run *run,
                                     struct weft_buffer *text);

/// Reads the commonest delta, a keystroke: the single form, an insert or a delete by the first
/// agent of the table. @return false when it is none of these, or malformed: delta_check() tells.
bool delta_read_single(struct weft_run *run_out, struct span bytes);

/// What a whole delta holds.
struct delta_totals {
    uint64_t runs;
    uint64_t elements; // inserted
    uint64_t bytes;    // of their text
    uint64_t agents;
    uint64_t stretches; // of runs of one agent after each other
    uint64_t payloads;  // of runs of unknown kinds
    uint64_t payload_bytes;
    uint64_t undeletes; // runs
    uint64_t undeleted; // their atoms
    uint64_t revived;   // bytes of their text
    uint64_t gaps;
    uint64_t gone; // elements in them
    uint64_t sums; // hashes of parts
    uint64_t atoms;
    uint64_t lamport; // greatest of any atom
};

/// Checks all of a delta, which must have its text or not as said. @return as delta_reader_init().
enum weft_status delta_check(struct delta_totals *totals_out,
                             const struct weft_allocator *allocator, struct span bytes,
                             bool text_apart);

// ------------------------------------------------------------------------------------- encoding

/// A run before it is written: a row of the log, or the part of one, or some that go on.
struct delta_row {
    uint32_t kind;
    bool flag;
    uint32_t agent; // local index
    uint32_t seq;
    uint32_t lamport;
    uint32_t length; // 0: none
    uint32_t target_agent;
    uint32_t target_seq;
    uint32_t payload_size;
    bool gaps; // in its text
};

/// Writes rows of a log into one delta. Reused across deltas, so that the steady state allocates
/// nothing.
struct delta_writer {
    struct weft_buffer agents; // ids
    struct weft_buffer fields;
    struct weft_buffer lengths;
    struct weft_buffer positions;
    struct weft_buffer text;
    struct weft_buffer states; // struct delta_agent for each of `agents`
    struct map numbers;        // local index -> number in this delta
    struct delta_row pending;  // not written yet: the next one may go on with it
    bool text_apart;
    uint64_t rows;   // written
    uint32_t author; // local index, of the row before
    uint32_t agent;  // its number; 0 before the first row
    uint64_t lamport;
};

/// Allocates nothing.
void delta_writer_init(struct delta_writer *writer, const struct weft_allocator *allocator);
void delta_writer_finish(struct delta_writer *writer);
/// Starts a new delta. @param text_apart Leaves the text of inserts out.
void delta_writer_begin(struct delta_writer *writer, bool text_apart);
/// Adds atoms [first, end) of a row. @return WEFT_OK or WEFT_NO_MEMORY.
enum weft_status delta_writer_add(struct delta_writer *writer, const struct rga *rga,
                                  const struct op *op, uint32_t first, uint32_t end);
/// Adds the text of the row that was added last, an undelete, or a part of it.
enum weft_status delta_writer_add_text(struct delta_writer *writer, struct span text);
/// How many atoms of an insert row from `first` on, of which some have no text, take at most `size`
/// bytes in T.
uint32_t delta_writer_fitting(const struct rga *rga, const struct op *op, uint32_t first,
                              size_t size);
/// Bytes that the delta will have at most.
size_t delta_writer_size(const struct delta_writer *writer);
/// Appends the delta, or nothing when no row was added. @return WEFT_OK or WEFT_NO_MEMORY.
enum weft_status delta_writer_end(struct delta_writer *writer, const struct rga *rga,
                                  struct weft_buffer *out);

#endif
