// SPDX-License-Identifier: MIT
// Times what a document does with a trace. Every figure says in core_measure.c what it includes.
#ifndef WEFT_BENCH_CORE_MEASURE_H
#define WEFT_BENCH_CORE_MEASURE_H

#include <stdbool.h>

#include "programs/trace/trace.h"

enum { MEASURE_RUNS_MAX = 101 };

/// Milliseconds of the quickest and of the middle run; negative when it does not apply.
struct timing {
    double min_ms;
    double median_ms;
};

enum measured {
    MEASURED_LOCAL,    // every patch as a local edit of an empty document
    MEASURED_REMOTE,   // every decoded run applied on its own
    MEASURED_MESSAGE,  // every transaction's encoded delta decoded and applied on its own
    MEASURED_ENCODE,   // the whole history into one delta
    MEASURED_DELTA,    // that delta decoded and applied to an empty document
    MEASURED_SNAPSHOT, // the document into its snapshot
    MEASURED_LOAD,     // the snapshot into an editable document
    MEASURED_READ,     // the whole text out of the document
    MEASURED_GAP,      // the same patches on a plain gap buffer, no CRDT: the machine's yardstick
    MEASURED_TEXT_AT,  // the text at the version after half of the transactions
    MEASURED_DIFF,     // what differs between that version and the end
    MEASURED_BLAME,    // who wrote what, of the whole text
    MEASURED_RESTORE,  // back to that version, as an edit of the loaded document
    MEASURED_KINDS,
};

struct measurement {
    struct timing timings[MEASURED_KINDS];
    unsigned runs;        // of each timing, at least
    uint64_t memory;      // bytes allocated by the document after local replay; concurrent traces:
                          // after the whole delta
    uint64_t memory_load; // and by one that was loaded
    uint64_t history;     // bytes of the delta with everything
    uint64_t compressed;  // the same through zlib's deflate, level 9
    uint64_t messages;    // bytes of all transactions' deltas
    uint64_t frames;      // bytes of these as a node sends them: envelope and WebSocket header too
    uint64_t message_count;
    int64_t instructions; // of one local replay; negative where they cannot be counted
    uint64_t snapshot;    // bytes of structure, text and tombstones
    uint64_t text;        // bytes
    uint64_t log_runs;    // rows of the operation log
    uint64_t spans;       // pieces of the sequence
    bool text_known;      // the trace has an end text that this CRDT must reach
    bool text_ok;         // every way gave it, or all ways gave one text when it is not known
};

/// @param seconds How long each timing may be repeated. @return false when a call failed, which
/// says so.
bool measure_trace(struct measurement *measurement_out, const struct trace *trace, double seconds);

#endif
