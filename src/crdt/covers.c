// SPDX-License-Identifier: MIT
// Counts of deletes.
#include "crdt/covers.h"

#include <assert.h>

void covers_init(struct covers *covers, const struct weft_allocator *allocator)
{
    ordmap_init(&covers->deletes, allocator);
    ordmap_init(&covers->cancelled, allocator);
    covers->kept = false;
}

void covers_finish(struct covers *covers)
{
    ordmap_finish(&covers->deletes);
    ordmap_finish(&covers->cancelled);
}

bool covers_reserve(struct covers *covers, uint64_t runs)
{
    return ordmap_reserve(&covers->deletes, 2 * runs) &&
           ordmap_reserve(&covers->cancelled, 2 * runs);
}

void covers_trim(struct covers *covers)
{
    ordmap_trim(&covers->deletes);
    ordmap_trim(&covers->cancelled);
}

static uint64_t step_key(uint32_t agent, uint32_t seq)
{
    return (uint64_t)agent << 32 | seq;
}

static void cut_at(struct ordmap *steps, uint64_t key)
{
    struct ordmap_at at = ordmap_seek(steps, key);
    bool before = at.node != ORDMAP_NONE;
    if (!before || ordmap_key(steps, at) != key)
        ordmap_put(steps, key, before ? ordmap_value(steps, at) : 0);
}

void covers_cut(struct ordmap *steps, struct covers_range range)
{
    cut_at(steps, step_key(range.agent, range.first));
    cut_at(steps, step_key(range.agent, range.end));
}

uint32_t *covers_step(const struct ordmap *steps, struct covers_range range, uint32_t *end_out)
{
    struct ordmap_at at = ordmap_seek(steps, step_key(range.agent, range.first));
    assert(at.node != ORDMAP_NONE);
    struct ordmap_at next = ordmap_next(steps, at);
    *end_out = range.end;
    if (next.node != ORDMAP_NONE && ordmap_key(steps, next) < step_key(range.agent, range.end))
        *end_out = (uint32_t)ordmap_key(steps, next);
    return &ordmap_node(steps, at.node)->value[at.slot];
}

uint32_t covers_value(const struct ordmap *steps, struct covers_range range, uint32_t *end_out)
{
    struct ordmap_at at = ordmap_seek(steps, step_key(range.agent, range.first));
    bool before = at.node != ORDMAP_NONE;
    struct ordmap_at next = before ? ordmap_next(steps, at) : ordmap_first(steps);
    *end_out = range.end;
    if (next.node != ORDMAP_NONE && ordmap_key(steps, next) < step_key(range.agent, range.end))
        *end_out = (uint32_t)ordmap_key(steps, next);
    return before ? ordmap_value(steps, at) : 0;
}

void covers_add(struct covers *covers, struct covers_range range)
{
    covers_cut(&covers->deletes, range);
    while (range.first < range.end) {
        uint32_t end;
        uint32_t *count = covers_step(&covers->deletes, range, &end);
        ++*count;
        range.first = end;
    }
}
