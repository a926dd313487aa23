// SPDX-License-Identifier: MIT
// Forks: one agent id with two contents. Two sessions used one id, or one came back without its
// history. Replicas that took different branches differ for ever, since each takes an atom's number
// once; their chains tell where. What makes them equal again is a set of *cuts*, which all replicas
// merge alike, whatever the order, and a rebuild of the document without what the cuts take out.
//
//   A  0 1 2 3 4 5      here          the cut (A, 3): atoms 3.. of A are nobody's from now on,
//   A  0 1 2 x y        elsewhere     and what names them, and all that its author did after it
//
// One branch stays, under a name that only it can have: its *heir*, an agent id that is a hash of
// the branch. Of two heirs the lesser stays. Who holds that branch gives its atoms that name, and
// also what hangs on them; all other branches leave the document.
//
// Cuts as bytes: for each agent, ascending, u64 agent, u64 seq, u64 heir, little-endian. Merging
// keeps the lesser seq, then the lesser heir; the heir of the other one is cut at 0.
#ifndef WEFT_FORK_H
#define WEFT_FORK_H

#include <weft/doc.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_CUT_SIZE 24    // bytes of a cut
#define WEFT_CUTS_MAX 65536 // in one set

#define WEFT_HEIR_NONE 0             // nothing stays of what is taken out
#define WEFT_HEIR_UNKNOWN UINT64_MAX // it came after the cut: whoever had it before may know

struct weft_cut {
    uint64_t agent;
    uint64_t seq;  // of its first atom that is taken out
    uint64_t heir; // agent that holds instead what stays of them, or one of the two above
};

/// Whether bytes are a set of cuts. Untrusted.
WEFT_API bool weft_cuts_valid(const uint8_t *cuts, size_t size);
/// The cut of an agent. @param cuts A valid set. @return WEFT_OK or WEFT_NOT_FOUND. O(log n).
WEFT_API WEFT_MUST_USE enum weft_status
weft_cuts_find(struct weft_cut *cut_out, const uint8_t *cuts, size_t size, uint64_t agent);
/// Merges one cut into a set. @param changed_out Set when it says more than before, else left.
/// @return WEFT_OK, WEFT_INVALID (agent 0), WEFT_LIMIT or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_cuts_add(bool *changed_out, struct weft_buffer *cuts,
                                                      const struct weft_cut *cut);
/// Merges a set. @param more Untrusted; not in `cuts`. @return also WEFT_MALFORMED.
WEFT_API WEFT_MUST_USE enum weft_status weft_cuts_merge(bool *changed_out, struct weft_buffer *cuts,
                                                        const uint8_t *more, size_t more_size);
/// Whether nothing of a version is past a cut. @param version Untrusted. @return WEFT_OK,
/// WEFT_CONFLICT (something is) or WEFT_MALFORMED.
WEFT_API WEFT_MUST_USE enum weft_status weft_cuts_check_version(const uint8_t *cuts, size_t size,
                                                                const uint8_t *version,
                                                                size_t version_size);

/// The chain over the first `next` atoms of an agent. Two replicas with different ones hold
/// different branches. @return WEFT_OK, or WEFT_NOT_FOUND: it has fewer. Cost: O(next).
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_chain_at(uint8_t chain_out[32], struct weft_doc *doc, uint64_t agent, uint64_t next);

/// Atoms that are sent once more before those that another one lacks.
#define WEFT_OVERLAP_ATOMS 16
/// Appends the version without the last atoms of those who did more here: from there on another one
/// is sent what it lacks, so that it sees whether that goes on with what it has.
/// @param own Without the last of this agent's in any case: whose number is there already may be
/// another's edit; 0: nobody. @param version Untrusted. @return WEFT_OK, WEFT_MALFORMED or
/// WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_overlap(struct weft_buffer *out,
                                                         const struct weft_doc *doc, uint64_t own,
                                                         const uint8_t *version, size_t size);

/// Who holds what stays of a branch that begins with atom `seq` of `agent`.
/// @param chain Over the branch's first seq + 1 atoms.
WEFT_API uint64_t weft_fork_heir(const struct weft_doc *doc, uint64_t agent, uint64_t seq,
                                 const uint8_t chain[32]);

/// What a rebuild took out of a document.
struct weft_rebuilt {
    uint64_t atoms_moved;   // are their branch's heir's now
    uint64_t atoms_dropped; // are in the old document only
};

/// The document without what the cuts take out. Cuts of what hangs on that are added to the set.
/// @param doc_out Owned by the caller; NULL when all is within the cuts: the document may stay.
/// @return WEFT_OK, WEFT_LIMIT, WEFT_NO_MEMORY, or WEFT_COLLECTED when text past a cut, or among
/// the last 1,023 atoms before one, was collected here: whoever has it can. Cost: as of applying
/// all of its history.
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_rebuild(struct weft_doc **doc_out,
                                                         struct weft_rebuilt *rebuilt_out,
                                                         struct weft_buffer *cuts,
                                                         struct weft_doc *doc);

/// weft_doc_apply() with WEFT_APPLY_STRICT to a document that is within the cuts. What they take
/// out is left out and counted; cuts of what hangs on it are added to the set, so that what
/// follows is left out as well, everywhere. @return also WEFT_LIMIT when there are too many cuts.
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_apply_within(struct weft_apply_result *result_out, uint32_t *runs_cut_out,
                      struct weft_doc *doc, struct weft_buffer *cuts, const uint8_t *delta,
                      size_t delta_size);

/// Whether a delta says something else of an atom than the document does, or has or names
/// something past a cut: it is of a branch that does not stay. @param delta Untrusted. @param
/// at_out The first such atom. @return WEFT_OK, WEFT_CONFLICT, WEFT_MALFORMED, WEFT_UNSUPPORTED or
/// WEFT_NO_MEMORY. Cost: O(k log n) for k runs, and the size of what is known already.
WEFT_API WEFT_MUST_USE enum weft_status
weft_doc_check_delta(struct weft_id *at_out, const struct weft_doc *doc, const uint8_t *cuts,
                     size_t cuts_size, const uint8_t *delta, size_t delta_size);

/// The cut between a document and a delta that says something else of atom `at`, as
/// weft_doc_check_delta() found. @return WEFT_OK, WEFT_NOT_FOUND (the delta alone does not show
/// its branch), or as weft_doc_apply(). Cost: as weft_doc_rebuild().
WEFT_API WEFT_MUST_USE enum weft_status weft_doc_find_cut(struct weft_cut *cut_out,
                                                          struct weft_doc *doc, struct weft_id at,
                                                          const uint8_t *delta, size_t delta_size);

#ifdef __cplusplus
}
#endif

#endif
