// SPDX-License-Identifier: MIT
// A document at a version, without replay: the order of elements never changes, so it is the same
// sequence through a filter. An element is visible at a version when its insert is of the version
// and no delete of the version names it, but for those that an undelete of the version cancels.
//
//   next       by agent: atoms below it are of the version
//   hidden     a bit for each element: a delete of the version is left of it
//   cancelled  (agent, seq) of delete atoms -> 1, or 0, as in covers.h
//
// That takes any version vector, also one that no replica ever had. May include: crdt/covers.h,
// crdt/rga.h.
#ifndef WEFT_CRDT_FILTER_H
#define WEFT_CRDT_FILTER_H

#include "crdt/covers.h"
#include "crdt/rga.h"

struct filter {
    struct rga *rga;
    uint32_t *next;   // NULL: of nobody
    uint64_t *hidden; // NULL until filter_build(), and when `now`
    struct ordmap cancelled;
    uint32_t agents;   // entries of `next`
    uint32_t elements; // bits of `hidden`
    bool now;          // all operations: what is visible is what the tree says
};

/// A version with nothing in it. The sequence must be settled, and must not change until
/// filter_finish(). @return false when there is no memory: nothing is to be finished then.
bool filter_init(struct filter *filter, struct rga *rga);
/// The version that the sequence is at. Allocates nothing; filter_build() is not needed.
void filter_init_now(struct filter *filter, struct rga *rga);
void filter_finish(struct filter *filter);

/// Takes the agent's atoms below `next` into the version. @return false when there are fewer.
bool filter_admit(struct filter *filter, uint64_t agent, uint64_t next);
/// Reads the deletes of the version. @return false when there is no memory. Cost: O(log rows of
/// deletes), and finding their targets.
bool filter_build(struct filter *filter);

/// Of a row, atoms [op->seq, what is returned) are of the version. Not when `now`.
uint32_t filter_end(const struct filter *filter, const struct op *op);

/// Elements [iv, iv + length) of one row, of which the version shows all or none.
struct filter_piece {
    const struct op *op;
    uint32_t iv;
    uint32_t length;
    bool present;    // in the sequence as it is now
    bool visible[2]; // at the version of each filter
};

/// How many of `length` elements, from `iv` on, of one slot are as the first one is.
/// @param present Whether the slot is visible now. @param visible_out Of the first one.
uint32_t filter_see(const struct filter *filter, const struct op *op, uint32_t iv, uint32_t length,
                    bool present, bool *visible_out);

/// A walk over the sequence in document order through one filter or two.
struct filter_walk {
    const struct filter *filters[2]; // the second may be NULL
    struct tree_at at;
};

/// From the start. @param b NULL: one filter only.
struct filter_walk filter_walk_start(const struct filter *a, const struct filter *b);
/// @return false at the end.
bool filter_walk_next(struct filter_walk *walk, struct filter_piece *piece_out);

#endif
