// SPDX-License-Identifier: MIT
// Replaying a trace as its authors edited: every transaction is a local edit of its agent, made in
// a document that holds exactly the versions that it names.
//
//   txn 1 --- 2 --- 4        a document is kept for each transaction that has children to come; its
//          \       /         last child takes it over, an earlier child gets a copy; a merge takes
//           3 ----           the document of one parent and applies what the others have.
//
// May include: programs/trace/trace.h, weft/*.h.
#ifndef WEFT_TRACE_REPLAY_H
#define WEFT_TRACE_REPLAY_H

#include <weft/doc.h>

#include "programs/trace/trace.h"

/// The agent id that a trace's agent has in documents.
static inline uint64_t replay_agent(uint32_t agent)
{
    return agent + (uint64_t)1;
}

/// What a replay gives. The owner calls replay_finish().
struct replay {
    struct weft_doc *doc;        // holds everything
    struct weft_buffer messages; // each transaction's own operations as a delta, one after another
    size_t *ends;                // by transaction: where its message ends
    uint64_t clamped;            // patches that reached past the end of their text and were cut
};

/// Replays `trace`. @param options For the documents; NULL means defaults.
/// @return WEFT_OK, or the failure of the first edit that failed.
WEFT_MUST_USE enum weft_status replay_run(struct replay *replay_out, const struct trace *trace,
                                          const struct weft_doc_options *options);
void replay_finish(struct replay *replay);

/// Applies the patches of a transaction to `doc` as edits of its agent, which must be set. Adds to
/// *clamped. @return the first failure.
WEFT_MUST_USE enum weft_status replay_txn(struct weft_doc *doc, const struct trace *trace,
                                          const struct trace_txn *txn, uint64_t *clamped);

#endif
