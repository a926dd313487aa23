// SPDX-License-Identifier: MIT
// Runs whose causes are missing, each waiting for one atom, within limits on their number and
// bytes.
//
//   waiting:  agent -> heap of the runs that wait for an atom of it, least seq on top
//
// The heaps are skew heaps (Sleator and Tarjan 1986) with links in the runs; merging is a loop, so
// no chain of dependencies makes the stack grow. May include: base, weft/doc.h.
#ifndef WEFT_CRDT_PARKING_H
#define WEFT_CRDT_PARKING_H

#include <weft/doc.h>

#include "base/map.h"
#include "base/pool.h"

#define PARKED_NONE UINT32_MAX

/// A run kept aside. Its text is a copy that the parking owns.
struct parked {
    struct weft_run run; // of length 0 when this is unused
    uint64_t seq;        // of the atom that it waits for
    uint64_t agent;      // likewise; 0: its causes are here
    uint64_t since_ms;
    uint32_t left; // heap links; `left` also links those that are free and those that are ready
    uint32_t right;
};

struct parking {
    struct pool pool;   // struct parked
    struct map waiting; // agent -> top of its heap
    struct map known;   // mix of (agent, seq) of a parked run -> its index
    uint32_t free;      // first unused one, PARKED_NONE
    uint32_t ready;     // first one whose atom has come, PARKED_NONE
    uint32_t count;
    uint32_t count_max;
    size_t bytes;
    size_t bytes_max;
    uint64_t now_ms; // what is noted of runs that come, whatever the clock
    struct weft_allocator allocator;
};

/// Allocates nothing.
void parking_init(struct parking *parking, const struct weft_allocator *allocator,
                  uint32_t count_max, size_t bytes_max);
void parking_finish(struct parking *parking);

/// Copies a run that waits for atom `missing`. A run that is here already is WEFT_OK and no second
/// copy. @return WEFT_OK, WEFT_LIMIT or WEFT_NO_MEMORY.
enum weft_status parking_add(struct parking *parking, const struct weft_run *run,
                             struct weft_id missing);

/// parking_wake() when any run is here.
void parking_wake_waiting(struct parking *parking, uint64_t agent, uint64_t next);
/// Makes the runs ready that wait for an atom of `agent` below `next`.
static inline void parking_wake(struct parking *parking, uint64_t agent, uint64_t next)
{
    if (parking->count > 0)
        parking_wake_waiting(parking, agent, next);
}
/// Takes out a run that is ready. @return its index, for which parking_free(), parking_wait() or
/// parking_retry() must follow; PARKED_NONE when there is none.
uint32_t parking_take(struct parking *parking);
/// The run at `index`. Its text is good until parking_free().
struct weft_run parking_run(const struct parking *parking, uint32_t index);
void parking_free(struct parking *parking, uint32_t index);
/// The first run kept aside from `index` on, or NULL; *index is then where to go on.
const struct parked *parking_next(const struct parking *parking, uint32_t *index);
/// Lets a run that was taken wait for an atom again.
void parking_wait(struct parking *parking, uint32_t index, struct weft_id missing);
/// Lets a run that was taken stay ready.
void parking_retry(struct parking *parking, uint32_t index);

#endif
