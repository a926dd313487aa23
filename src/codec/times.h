// SPDX-License-Identifier: MIT
// When the operations of a document arrived: for each agent steps, in seconds since 1970.
//
//   agent 7:  [0, 12) at 1795568013   [12, 40) at 1795568020   [40, 41) not known (0)
//
// What is said twice is the earlier of both, so any two nodes that have heard the same say the
// same. What is older is kept more coarsely, so that it stays small: docs/storage-format.md. May
// include: base/, codec/delta.h.
#ifndef WEFT_CODEC_TIMES_H
#define WEFT_CODEC_TIMES_H

#include <stdbool.h>

#include <weft/memory.h>
#include <weft/status.h>

#include "base/bytes.h"

/// Steps of a document; with more they get coarser, but each agent has one at least.
enum { TIMES_MARKS_MAX = 4096 };

/// Operations of an agent up to `next`, from the mark before on, arrived at `second`.
struct times_mark {
    uint64_t agent;
    uint64_t next;
    uint64_t second; // 0: not known
};

struct times {
    struct weft_buffer marks; // struct times_mark, ascending by (agent, next)
    size_t limit;             // with more they are made coarser
};

/// Allocates nothing.
void times_init(struct times *times, const struct weft_allocator *allocator);
void times_finish(struct times *times);
void times_clear(struct times *times);

static inline size_t times_count(const struct times *times)
{
    return times->marks.size / sizeof(struct times_mark);
}
static inline const struct times_mark *times_at(const struct times *times, size_t index)
{
    return (const struct times_mark *)(const void *)times->marks.data + index;
}

/// Operations [from, next) of an agent arrived at a second. @return WEFT_OK or WEFT_NO_MEMORY: then
/// nothing is noted.
WEFT_MUST_USE enum weft_status times_note(struct times *times, uint64_t agent, uint64_t from,
                                          uint64_t next, uint64_t second);
/// All operations of a delta did. @param delta Untrusted; what is malformed says nothing.
WEFT_MUST_USE enum weft_status times_note_delta(struct times *times, struct span delta,
                                                uint64_t second);
/// When an operation arrived; 0: not known.
uint64_t times_of(const struct times *times, uint64_t agent, uint64_t seq);

/// Appends them. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status times_encode(struct weft_buffer *out, const struct times *times);
/// Notes all that was encoded. @param bytes Untrusted. @return WEFT_OK, WEFT_MALFORMED or
/// WEFT_NO_MEMORY: some of it may be noted.
WEFT_MUST_USE enum weft_status times_merge(struct times *times, struct span bytes);

#endif
