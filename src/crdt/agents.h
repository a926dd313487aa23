// SPDX-License-Identifier: MIT
// Who took part in a document: agents by a small local index, found by their 64-bit id in O(log n)
// whatever ids outsiders choose. Indexes never change and never leave this replica.
// May include: base.
#ifndef WEFT_CRDT_AGENTS_H
#define WEFT_CRDT_AGENTS_H

#include "base/ordmap.h"
#include "base/pool.h"

/// The index that says "none".
#define AGENT_NONE UINT32_MAX

enum {
    AGENTS_PAGE_SHIFT = 8,
    AGENTS_CACHED = 16, // those who take turns in one document; a power of 2
};

/// One agent as this replica knows it.
struct agent {
    uint64_t id;
    uint32_t next;    // seq that it uses next
    uint32_t lamport; // of its last atom; 0 before the first
    uint32_t chain;   // index of its struct chain, or AGENT_NONE while none was computed
};

/// An agent that was found: its id, 0 for none, and its index.
struct agent_found {
    uint64_t id;
    uint32_t index;
};

struct agents {
    struct pool pool;                         // struct agent
    struct ordmap by_id;                      // id -> index
    struct agent_found cached[AGENTS_CACHED]; // each where the low bits of its id say
};

/// Allocates nothing.
void agents_init(struct agents *agents, const struct weft_allocator *allocator);
void agents_finish(struct agents *agents);
bool agents_reserve(struct agents *agents, uint64_t extra);
/// agents_find() when it is not cached.
uint32_t agents_find_far(struct agents *agents, uint64_t id);
/// Index of the agent, or AGENT_NONE.
static inline uint32_t agents_find(struct agents *agents, uint64_t id)
{
    const struct agent_found *found = &agents->cached[id % AGENTS_CACHED];
    return id == found->id && id != 0 ? found->index : agents_find_far(agents, id);
}
/// Adds an agent that is not there; room must have been reserved. @return its index.
uint32_t agents_add(struct agents *agents, uint64_t id);

static inline struct agent *agents_at(const struct agents *agents, uint32_t index)
{
    return POOL_AT(&agents->pool, struct agent, AGENTS_PAGE_SHIFT, index);
}

/// Makes an empty table hold `count` agents, whose ids are all set next, ascending by index; then
/// agents_load_finish(). @return false when there is no memory.
bool agents_load(struct agents *agents, uint32_t count);
static inline void agents_load_id(struct agents *agents, uint32_t index, uint64_t id)
{
    *agents_at(agents, index) = (struct agent){.id = id, .chain = AGENT_NONE};
    ordmap_load_entry(&agents->by_id, index, id, index);
}
static inline void agents_load_finish(struct agents *agents)
{
    ordmap_load_finish(&agents->by_id);
}

/// Id of `index`; 0 for AGENT_NONE, who is nobody.
static inline uint64_t agents_id(const struct agents *agents, uint32_t index)
{
    return index == AGENT_NONE ? 0 : agents_at(agents, index)->id;
}

#endif
