// SPDX-License-Identifier: MIT
// The table of agents.
#include "crdt/agents.h"

#include <assert.h>
#include <string.h>

void agents_init(struct agents *agents, const struct weft_allocator *allocator)
{
    pool_init(&agents->pool, allocator, sizeof(struct agent), AGENTS_PAGE_SHIFT);
    ordmap_init(&agents->by_id, allocator);
    memset(agents->cached, 0, sizeof agents->cached);
}

void agents_finish(struct agents *agents)
{
    pool_finish(&agents->pool);
    ordmap_finish(&agents->by_id);
    memset(agents->cached, 0, sizeof agents->cached);
}

bool agents_reserve(struct agents *agents, uint64_t extra)
{
    return extra == 0 ||
           (pool_reserve(&agents->pool, extra) && ordmap_reserve(&agents->by_id, extra));
}

uint32_t agents_find_far(struct agents *agents, uint64_t id)
{
    uint32_t index = ordmap_find(&agents->by_id, id);
    if (index == ORDMAP_NONE)
        return AGENT_NONE;
    agents->cached[id % AGENTS_CACHED] = (struct agent_found){id, index};
    return index;
}

uint32_t agents_add(struct agents *agents, uint64_t id)
{
    assert(id != 0 && pool_has_room(&agents->pool, 1));
    uint32_t index = agents->pool.count++;
    *agents_at(agents, index) = (struct agent){.id = id, .chain = AGENT_NONE};
    ordmap_put(&agents->by_id, id, index);
    return index;
}

bool agents_load(struct agents *agents, uint32_t count)
{
    assert(agents->pool.count == 0);
    if (!pool_reserve(&agents->pool, count) || !ordmap_load(&agents->by_id, count))
        return false;
    agents->pool.count = count;
    return true;
}
