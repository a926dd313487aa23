// SPDX-License-Identifier: MIT
// Editing traces: recorded or generated histories of a text, for benchmarks and replay tests.
//
// A file is one JSON object, gzipped or plain. Positions and lengths are Unicode scalars.
//
//   sequential   { startContent: "", endContent, txns: [{ patches: [[index, deleted, text], ...] }]
//   } concurrent   { kind: "concurrent", endContent, numAgents,
//                  txns: [{ parents: [txn ...], agent, patches: [[...], ...] }] }
//
// The patches of a transaction apply one after another to the document that holds exactly the
// transactions named as parents and all of their ancestors. Here a sequential trace is the case of
// one agent whose every transaction has the one before it as its parent.
//
// May include: weft/*.h, base.
#ifndef WEFT_TRACE_TRACE_H
#define WEFT_TRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/status.h>

enum {
    TRACE_NAME_SIZE = 64,
    TRACE_ERROR_SIZE = 256,
    TRACE_PATH_SIZE = 1024,
    TRACE_JSON_BYTES_MAX = 1 << 29, // of a file, unpacked; the greatest known one has 33 MB
    TRACE_AGENTS_MAX = 1 << 20,
    TRACE_EDITS_MAX = 10000000, // that trace_generate() makes
    TRACE_AUTHORS_MAX = 256,    // likewise: each keeps a replica
};

/// One edit: `deleted` scalars go at `index`, then a piece of the trace's text pool comes.
struct trace_patch {
    uint64_t index;
    uint64_t deleted;
    uint32_t text_offset;
    uint32_t text_size;
};

/// Edits of one agent that stand on one version. The first_* are indexes into the trace's arrays.
struct trace_txn {
    uint32_t agent;
    uint32_t first_parent;
    uint32_t parent_count;
    uint32_t first_patch;
    uint32_t patch_count;
};

/// A whole trace in flat arrays. The owner calls trace_finish().
struct trace {
    char name[TRACE_NAME_SIZE]; // the file's, without folders and endings
    bool concurrent;
    uint32_t agents;
    struct trace_txn *txns; // parents stand before their children
    uint32_t txn_count, txn_capacity;
    struct trace_patch *patches;
    uint32_t patch_count, patch_capacity;
    uint32_t *parents; // indexes of txns
    uint32_t parent_count, parent_capacity;
    uint8_t *text; // pool of inserted UTF-8
    uint32_t text_size, text_capacity;
    uint8_t *end_text; // what the text is at the end, UTF-8
    size_t end_size;
};

/// Reads a trace from a file. @param error_out One line for people when the status is not WEFT_OK.
/// @return WEFT_OK, WEFT_NOT_FOUND (cannot be read), WEFT_MALFORMED (not a trace), WEFT_LIMIT,
/// WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status trace_load(struct trace *trace_out, const char *path,
                                          char error_out[TRACE_ERROR_SIZE]);

/// Writes the trace as gzipped JSON. @param path NULL means standard output.
/// @return WEFT_OK or WEFT_STORAGE.
WEFT_MUST_USE enum weft_status trace_write(const struct trace *trace, const char *path,
                                           char error_out[TRACE_ERROR_SIZE]);

/// Makes up a history of `edits` patches like those that people write: words typed key by key with
/// slips taken back, moves, cuts, pastes, replaced selections; with several authors also concurrent
/// edits, small delays and whole stretches offline. The same arguments give the same trace.
/// One author gives the sequential form, more give the concurrent one; its end text is the one of
/// the sided policy. @return WEFT_OK, WEFT_LIMIT (TRACE_EDITS_MAX, TRACE_AUTHORS_MAX; none of
/// either is out of range too) or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status trace_generate(struct trace *trace_out, uint64_t edits,
                                              uint64_t authors, uint64_t seed,
                                              char error_out[TRACE_ERROR_SIZE]);

/// Frees the arrays. Takes one that is all zero.
void trace_finish(struct trace *trace);

/// The piece of the pool that a patch inserts.
static inline const uint8_t *trace_patch_text(const struct trace *trace,
                                              const struct trace_patch *patch)
{
    return trace->text + patch->text_offset;
}

// ---------------------------------------------------------------------------------- making a trace

/// Begins a transaction; patches added later belong to it. @return false without memory.
bool trace_add_txn(struct trace *trace, uint32_t agent, const uint32_t *parents,
                   uint32_t parent_count);
/// Adds a patch to the last transaction. @return false without memory.
bool trace_add_patch(struct trace *trace, uint64_t index, uint64_t deleted, const uint8_t *text,
                     uint32_t text_size);
/// Copies the text at the end. @return false without memory.
bool trace_set_end_text(struct trace *trace, const uint8_t *text, size_t size);

// --------------------------------------------------------------------------------- finding traces

/// Where recorded traces lie: $WEFT_TRACES, else ../shared/traces beside the source tree.
/// @return false when there is no such folder; path_out then still names where one was looked for.
bool trace_find_dir(char path_out[TRACE_PATH_SIZE]);

/// The trace files of a folder and of its folders, one level deep, ordered by path.
struct trace_files {
    char (*paths)[TRACE_PATH_SIZE];
    size_t count;
};
/// An unreadable folder gives no files. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status trace_files_find(struct trace_files *files_out, const char *dir);
void trace_files_finish(struct trace_files *files);

#endif
